/*
 * hypercall/trace.h: a hypercall as a line of text, like strace: name, sub-op
 * by name, structures decoded field by field, then the result by error name.
 */
#ifndef HYPERCALL_TRACE_H
#define HYPERCALL_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include <hypercall/dispatch.h>

/*
 * Write "event_channel_op(EVTCHNOP_send, {port=3})" to (buf), NUL-terminated
 * and cut at (size). (read) may be NULL: structures are then shown as
 * addresses. Returns the length, without the NUL, of what was written.
 */
size_t hypercall_format(char *buf, size_t size, uint64_t nr,
                        const uint64_t *args, hypercall_read_fn read,
                        void *vcpu);

/*
 * After the call: write what it stored in its sub-op's structure, "{port=3}",
 * likewise. Writes nothing and returns 0 if that is not a thing this call does.
 */
size_t hypercall_format_answer(char *buf, size_t size, uint64_t nr,
                               const uint64_t *args, hypercall_read_fn read,
                               void *vcpu);

/* Write "0", "-22 (-EINVAL)", "0x40011"... Returns the length written. */
size_t hypercall_format_result(char *buf, size_t size, uint64_t nr,
                               const uint64_t *args, long result);

/* "EINVAL" for 22, NULL if xen/errno.h has no such number. */
const char *hypercall_errno_name(int err);

#endif
