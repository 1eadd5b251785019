/*
 * hypercall/dispatch.h: the hypervisor's half of the contract: from a number
 * and five registers to the function that serves it, driven by table.def.
 *
 * No I/O, no allocation, no knowledge of domains: handlers are given as data,
 * guest memory is reached through a callback.
 */
#ifndef HYPERCALL_DISPATCH_H
#define HYPERCALL_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HYPERCALL_NR_ARGS 5

/* The hypercall page has this many 32-byte stubs; numbers stay below. */
#define HYPERCALL_NR_MAX 128

/*
 * Serve one hypercall for (vcpu), the opaque caller. (args) are RDI, RSI, RDX,
 * R10, R8. Returns what the guest finds in RAX.
 */
typedef long (*hypercall_fn)(void *vcpu, const uint64_t *args);

/* What a hypervisor offers: by number; NULL is answered -ENOSYS. */
struct hypercall_handlers {
    hypercall_fn fn[HYPERCALL_NR_MAX];
};

/*
 * Call the handler of (nr) with (args), of which those that are 32 bits wide
 * by table.def are cut to their low half. Returns its result, or -ENOSYS.
 */
long hypercall_dispatch(const struct hypercall_handlers *handlers, void *vcpu,
                        uint64_t nr, const uint64_t *args);

/*
 * Guest memory by virtual address, as (vcpu) sees it: 0 or -EFAULT. (va) comes
 * from the guest unchecked.
 */
typedef int (*hypercall_read_fn)(void *vcpu, uint64_t va, void *buf,
                                 size_t len);
typedef int (*hypercall_write_fn)(void *vcpu, uint64_t va, const void *buf,
                                  size_t len);

/*
 * The multicall hypercall itself, over any dispatch function: runs (nr_calls)
 * entries at (list) in order and stores each result. Entries that are
 * multicalls themselves get -EINVAL. Returns 0 or -EFAULT. (xen/xen.h)
 */
long hypercall_run_list(void *vcpu, uint64_t list, uint64_t nr_calls,
                        hypercall_read_fn read, hypercall_write_fn write,
                        long (*call)(void *vcpu, uint64_t nr,
                                     const uint64_t *args));

#endif
