/*
 * hypercall/direct.h: the calls themselves, under the names and with the
 * arguments of the public headers. All return 0, a positive answer, or a
 * negative number of xen/errno.h.
 */
#ifndef HYPERCALL_DIRECT_H
#define HYPERCALL_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include <hypercall/stub.h>

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

#endif
