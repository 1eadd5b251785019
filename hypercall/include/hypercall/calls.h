/*
 * hypercall/calls.h: hypercalls as a guest makes them.
 *
 * For x86-64 guests that were given a hypercall page: 4096 bytes of stubs at
 * the symbol hypercall_page, which the image reserves and names in its Xen
 * notes. Stub (nr) is at hypercall_page + 32 * nr; arguments go in RDI, RSI,
 * RDX, R10, R8 and the result comes back in RAX.
 *
 * - The argument registers a call used are lost, all others are kept.
 * - A stub pushes on the caller's stack, unseen by the compiler: everything
 *   that includes this file is compiled with -mno-red-zone.
 * - Any return from a call is a moment at which pending events may be
 *   delivered, and a long call may be interrupted by one and resumed.
 *
 * First the calls themselves, under the names and with the arguments of the
 * public headers; then helpers which fill the structure of one sub-operation.
 * All return 0, a positive answer, or a negative number of xen/errno.h.
 *
 * In assembly files only HYPERCALL_STUB() is defined. iret has no C function:
 * it does not return and is jumped to, never called, with RSP at a frame of
 * {flags, rip, cs, rflags, rsp, ss} (struct iret_context after its three
 * registers, which the stub pushes itself) and all registers as the new
 * context wants them:
 *
 *     jmp HYPERCALL_STUB(__HYPERVISOR_iret)
 */
#ifndef HYPERCALL_CALLS_H
#define HYPERCALL_CALLS_H

#ifndef __ASSEMBLY__
#include <stddef.h>
#include <stdint.h>
#endif

#include <xen/xen.h>

#define HYPERCALL_STUB_SIZE 32
#define HYPERCALL_STUB(nr)  (hypercall_page + (nr)*HYPERCALL_STUB_SIZE)

#if __XEN_INTERFACE_VERSION__ < 0x00040700
#error "define __XEN_INTERFACE_VERSION__ as 0x00040e00 for all of the program"
#endif

#ifndef __ASSEMBLY__

#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

extern char hypercall_page[];

/*
 * One hypercall with one to five arguments. (nr) is a constant. The memory
 * clobber: any call may read and write what its arguments point to, and an
 * upcall may run before it returns.
 */
#define HYPERCALL_1(nr, a1)                                       \
    ({                                                            \
        unsigned long rdi_ = (unsigned long)(a1);                 \
        long rax_;                                                \
        __asm__ volatile("call hypercall_page + %c[offset]"       \
                         : "=a"(rax_), "+D"(rdi_)                 \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE) \
                         : "memory");                             \
        rax_;                                                     \
    })

#define HYPERCALL_2(nr, a1, a2)                                   \
    ({                                                            \
        unsigned long rdi_ = (unsigned long)(a1);                 \
        unsigned long rsi_ = (unsigned long)(a2);                 \
        long rax_;                                                \
        __asm__ volatile("call hypercall_page + %c[offset]"       \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_)     \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE) \
                         : "memory");                             \
        rax_;                                                     \
    })

#define HYPERCALL_3(nr, a1, a2, a3)                                       \
    ({                                                                    \
        unsigned long rdi_ = (unsigned long)(a1);                         \
        unsigned long rsi_ = (unsigned long)(a2);                         \
        unsigned long rdx_ = (unsigned long)(a3);                         \
        long rax_;                                                        \
        __asm__ volatile("call hypercall_page + %c[offset]"               \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_) \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)         \
                         : "memory");                                     \
        rax_;                                                             \
    })

#define HYPERCALL_4(nr, a1, a2, a3, a4)                                    \
    ({                                                                     \
        unsigned long rdi_ = (unsigned long)(a1);                          \
        unsigned long rsi_ = (unsigned long)(a2);                          \
        unsigned long rdx_ = (unsigned long)(a3);                          \
        register unsigned long r10_ __asm__("r10") = (unsigned long)(a4);  \
        long rax_;                                                         \
        __asm__ volatile("call hypercall_page + %c[offset]"                \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_), \
                           "+r"(r10_)                                      \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)          \
                         : "memory");                                      \
        rax_;                                                              \
    })

#define HYPERCALL_5(nr, a1, a2, a3, a4, a5)                                \
    ({                                                                     \
        unsigned long rdi_ = (unsigned long)(a1);                          \
        unsigned long rsi_ = (unsigned long)(a2);                          \
        unsigned long rdx_ = (unsigned long)(a3);                          \
        register unsigned long r10_ __asm__("r10") = (unsigned long)(a4);  \
        register unsigned long r8_ __asm__("r8") = (unsigned long)(a5);    \
        long rax_;                                                         \
        __asm__ volatile("call hypercall_page + %c[offset]"                \
                         : "=a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_), \
                           "+r"(r10_), "+r"(r8_)                           \
                         : [offset] "i"((nr)*HYPERCALL_STUB_SIZE)          \
                         : "memory");                                      \
        rax_;                                                              \
    })

/* The calls. */

/* (traps) ends with an element whose address is 0; NULL empties the table. */
static inline long hypercall_set_trap_table(const struct trap_info *traps)
{
    return HYPERCALL_1(__HYPERVISOR_set_trap_table, traps);
}

/* (*done), unless NULL, is how many of (count) requests were carried out. */
static inline long hypercall_mmu_update(const struct mmu_update *reqs,
                                        unsigned count, unsigned *done,
                                        domid_t dom)
{
    return HYPERCALL_4(__HYPERVISOR_mmu_update, reqs, count, done, dom);
}

static inline long hypercall_mmuext_op(const struct mmuext_op *ops,
                                       unsigned count, unsigned *done,
                                       domid_t dom)
{
    return HYPERCALL_4(__HYPERVISOR_mmuext_op, ops, count, done, dom);
}

/* Set the last-level entry that maps (va) to (pte), a machine address and
 * flags; (flags) are UVMF_*. */
static inline long hypercall_update_va_mapping(unsigned long va, uint64_t pte,
                                               unsigned long flags)
{
    return HYPERCALL_3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

/* (entries) descriptors in the machine frames (frames). */
static inline long hypercall_set_gdt(const xen_pfn_t *frames, unsigned entries)
{
    return HYPERCALL_2(__HYPERVISOR_set_gdt, frames, entries);
}

static inline long hypercall_update_descriptor(uint64_t maddr, uint64_t desc)
{
    return HYPERCALL_2(__HYPERVISOR_update_descriptor, maddr, desc);
}

/* The stack that traps from user mode start on. */
static inline long hypercall_stack_switch(unsigned long ss, unsigned long sp)
{
    return HYPERCALL_2(__HYPERVISOR_stack_switch, ss, sp);
}

/* Entry points of upcalls, of a failed iret, and of SYSCALL in user mode. */
static inline long hypercall_set_callbacks(unsigned long event,
                                           unsigned long failsafe,
                                           unsigned long syscall)
{
    return HYPERCALL_3(__HYPERVISOR_set_callbacks, event, failsafe, syscall);
}

static inline long hypercall_callback_op(int cmd, const void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_callback_op, cmd, arg);
}

static inline long hypercall_fpu_taskswitch(int set)
{
    return HYPERCALL_1(__HYPERVISOR_fpu_taskswitch, set);
}

static inline long hypercall_set_debugreg(int reg, unsigned long value)
{
    return HYPERCALL_2(__HYPERVISOR_set_debugreg, reg, value);
}

static inline unsigned long hypercall_get_debugreg(int reg)
{
    return (unsigned long)HYPERCALL_1(__HYPERVISOR_get_debugreg, reg);
}

/* (which) is a SEGBASE_*. */
static inline long hypercall_set_segment_base(unsigned which,
                                              unsigned long base)
{
    return HYPERCALL_2(__HYPERVISOR_set_segment_base, which, base);
}

static inline long hypercall_memory_op(unsigned cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_memory_op, cmd, arg);
}

/* Runs the list in order; look at each entry's (result). */
static inline long hypercall_multicall(struct multicall_entry *list,
                                       unsigned nr_calls)
{
    return HYPERCALL_2(__HYPERVISOR_multicall, list, nr_calls);
}

/* VIRQ_TIMER at (timeout), in ns of system time; 0 stops the timer. */
static inline long hypercall_set_timer_op(uint64_t timeout)
{
    return HYPERCALL_1(__HYPERVISOR_set_timer_op, timeout);
}

static inline long hypercall_event_channel_op(int cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_event_channel_op, cmd, arg);
}

static inline long hypercall_xen_version(int cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_xen_version, cmd, arg);
}

static inline long hypercall_console_io(int cmd, size_t count, char *buffer)
{
    return HYPERCALL_3(__HYPERVISOR_console_io, cmd, count, buffer);
}

static inline long hypercall_physdev_op(int cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_physdev_op, cmd, arg);
}

/* (ops) is an array of (count) structures, each with a status of its own. */
static inline long hypercall_grant_table_op(unsigned cmd, void *ops,
                                            unsigned count)
{
    return HYPERCALL_3(__HYPERVISOR_grant_table_op, cmd, ops, count);
}

static inline long hypercall_vm_assist(unsigned cmd, unsigned type)
{
    return HYPERCALL_2(__HYPERVISOR_vm_assist, cmd, type);
}

static inline long hypercall_vcpu_op(int cmd, unsigned vcpu, void *arg)
{
    return HYPERCALL_3(__HYPERVISOR_vcpu_op, cmd, vcpu, arg);
}

static inline long hypercall_sched_op(int cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_sched_op, cmd, arg);
}

static inline long hypercall_hvm_op(int cmd, void *arg)
{
    return HYPERCALL_2(__HYPERVISOR_hvm_op, cmd, arg);
}

/* Event channels. */

static inline long hypercall_evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_send, &op);
}

static inline long hypercall_evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_close, &op);
}

/* Clear the port's mask, and deliver what it held back. */
static inline long hypercall_evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_unmask, &op);
}

/* A port of our own that (remote) may bind to. */
static inline long hypercall_evtchn_alloc_unbound(domid_t remote,
                                                  evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_interdomain(domid_t remote,
                                                     evtchn_port_t remote_port,
                                                     evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote,
                                         .remote_port = remote_port};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    if (!rc)
        *port = op.local_port;
    return rc;
}

static inline long hypercall_evtchn_bind_virq(unsigned virq, unsigned vcpu,
                                              evtchn_port_t *port)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_ipi(unsigned vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_vcpu(evtchn_port_t port, unsigned vcpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

    return hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

/* Fills all of (status) but the (port) of ours it was asked for. */
static inline long hypercall_evtchn_status(evtchn_port_t port,
                                           struct evtchn_status *status)
{
    *status = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
    return hypercall_event_channel_op(EVTCHNOP_status, status);
}

/* Scheduling. */

static inline long hypercall_yield(void)
{
    return hypercall_sched_op(SCHEDOP_yield, NULL);
}

/* Unmask upcalls and sleep until one is pending, as one step. */
static inline long hypercall_block(void)
{
    return hypercall_sched_op(SCHEDOP_block, NULL);
}

/*
 * With upcalls masked: sleep until one of (ports) is pending, or until
 * (timeout), in ns of system time; 0 waits for ever.
 */
static inline long hypercall_poll(evtchn_port_t *ports, unsigned nr_ports,
                                  uint64_t timeout)
{
    struct sched_poll op = {.nr_ports = nr_ports, .timeout = timeout};

    set_xen_guest_handle(op.ports, ports);
    return hypercall_sched_op(SCHEDOP_poll, &op);
}

/* (reason) is a SHUTDOWN_*. Returns only from a suspend, or on error. */
static inline long hypercall_shutdown(unsigned reason)
{
    struct sched_shutdown op = {.reason = reason};

    return hypercall_sched_op(SCHEDOP_shutdown, &op);
}

/* Virtual CPUs. */

/* The runstate of (vcpu) is kept up to date at (area) from now on. */
static inline long hypercall_register_runstate(unsigned vcpu,
                                               struct vcpu_runstate_info *area)
{
    struct vcpu_register_runstate_memory_area op = {.addr.v = area};

    return hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &op);
}

static inline long hypercall_register_vcpu_time(unsigned vcpu,
                                                struct vcpu_time_info *area)
{
    struct vcpu_register_time_memory_area op = {.addr.v = area};

    return hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, vcpu, &op);
}

/* VIRQ_TIMER every (period_ns). */
static inline long hypercall_set_periodic_timer(unsigned vcpu,
                                                uint64_t period_ns)
{
    struct vcpu_set_periodic_timer op = {.period_ns = period_ns};

    return hypercall_vcpu_op(VCPUOP_set_periodic_timer, vcpu, &op);
}

static inline long hypercall_stop_periodic_timer(unsigned vcpu)
{
    return hypercall_vcpu_op(VCPUOP_stop_periodic_timer, vcpu, NULL);
}

/* VIRQ_TIMER once at (timeout), ns of system time; flags VCPU_SSHOTTMR_*. */
static inline long
hypercall_set_singleshot_timer(unsigned vcpu, uint64_t timeout, unsigned flags)
{
    struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = timeout,
                                           .flags = flags};

    return hypercall_vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &op);
}

static inline long hypercall_stop_singleshot_timer(unsigned vcpu)
{
    return hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, vcpu, NULL);
}

/* Memory. */

/* Our pages: now, and at most. */
static inline long hypercall_current_reservation(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static inline long hypercall_maximum_reservation(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_maximum_reservation, &self);
}

/* The e820 map into (entries), of which there is room for (*nr_entries). */
static inline long hypercall_memory_map(void *entries, unsigned *nr_entries)
{
    struct xen_memory_map op = {.nr_entries = *nr_entries};
    long rc;

    set_xen_guest_handle(op.buffer, entries);
    rc = hypercall_memory_op(XENMEM_memory_map, &op);
    if (!rc)
        *nr_entries = op.nr_entries;
    return rc;
}

/* Grant table. */

/*
 * Grow the table to (nr_frames) and learn their numbers, in (frames). It went
 * well if 0 is returned and (*status) is GNTST_okay.
 */
static inline long hypercall_grant_setup_table(unsigned nr_frames,
                                               xen_pfn_t *frames,
                                               int16_t *status)
{
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = nr_frames};
    long rc;

    set_xen_guest_handle(op.frame_list, frames);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
    *status = op.status;
    return rc;
}

static inline long hypercall_grant_query_size(struct gnttab_query_size *size)
{
    *size = (struct gnttab_query_size){.dom = DOMID_SELF};
    return hypercall_grant_table_op(GNTTABOP_query_size, size, 1);
}

/* Small ones. */

/* major << 16 | minor. Also the cheapest way to have events delivered now. */
static inline long hypercall_version(void)
{
    return hypercall_xen_version(XENVER_version, NULL);
}

/* The XENFEAT_* bits of submap 0 in (*features). */
static inline long hypercall_features(uint32_t *features)
{
    struct xen_feature_info op = {.submap_idx = 0};
    long rc = hypercall_xen_version(XENVER_get_features, &op);

    if (!rc)
        *features = op.submap;
    return rc;
}

/* Emergency console: the host's log, not the console ring. */
static inline long hypercall_console_write(const char *bytes, size_t count)
{
    return HYPERCALL_3(__HYPERVISOR_console_io, CONSOLEIO_write, count, bytes);
}

static inline long hypercall_register_callback(uint16_t type, uint16_t flags,
                                               unsigned long address)
{
    struct callback_register op = {
        .type = type, .flags = flags, .address = address};

    return hypercall_callback_op(CALLBACKOP_register, &op);
}

static inline long hypercall_hvm_get_param(uint32_t index, uint64_t *value)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};
    long rc = hypercall_hvm_op(HVMOP_get_param, &op);

    if (!rc)
        *value = op.value;
    return rc;
}

static inline long hypercall_hvm_set_param(uint32_t index, uint64_t value)
{
    struct xen_hvm_param op = {
        .domid = DOMID_SELF, .index = index, .value = value};

    return hypercall_hvm_op(HVMOP_set_param, &op);
}

#endif /* !__ASSEMBLY__ */

#endif
