/*
 * host/calls/calls.h: the handlers of the hypercalls, one family per file.
 * Each has the shape of hypercall_fn (hypercall/dispatch.h); the opaque vCPU
 * is a struct vcpu.
 *
 * A handler copies its arguments once, checks, acts, writes back; what fails
 * leaves the domain as it was. Numbers that are 32 bits wide in the ABI are
 * cut to 32 bits, as Xen cuts them.
 */
#ifndef HOST_CALLS_CALLS_H
#define HOST_CALLS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <grant/borrow.h>
#include <hypercall/dispatch.h>
#include <xen/xen.h>

#include "host/memory.h"

/* What we claim to be. */
#define XEN_MAJOR 4
#define XEN_MINOR 17

struct domain;
struct vcpu;
struct xen_add_to_physmap;
struct xen_memory_map;
struct xen_remove_from_physmap;

/* Of a PV domain; of a PVH domain, when it calls from 64-bit and 32-bit code.
 */
extern const struct hypercall_handlers call_handlers, call_handlers_pvh,
    call_handlers_narrow;

/* version.c, console.c */
long call_xen_version(void *opaque, const uint64_t *args);
long call_console_io(void *opaque, const uint64_t *args);

/* Print what HYPERVISOR_console_io has not ended with a newline yet. */
void console_io_flush(struct domain *dom);

/* sched.c */
long call_sched_op(void *opaque, const uint64_t *args);
long call_sched_op_compat(void *opaque, const uint64_t *args);
/*
 * The domain ends for (reason), SHUTDOWN_*, or for the code that it latched:
 * 0, or 1 where it goes on. Xen looks at eight bits, and ends a domain for any:
 * its toolstack destroys those that gave one it does not know.
 */
long sched_shut_down(struct vcpu *vcpu, uint8_t reason);

/* event_channel.c */
long call_event_channel_op(void *opaque, const uint64_t *args);
long call_event_channel_op_compat(void *opaque, const uint64_t *args);

/* vcpu_op.c, timer.c */
long call_vcpu_op(void *opaque, const uint64_t *args);
long call_set_timer_op(void *opaque, const uint64_t *args);
/* Up, if it is not; down, which ends the domain if it was the last. */
void vcpu_bring_up(struct vcpu *vcpu);
void vcpu_take_down(struct vcpu *vcpu);
long timer_set_singleshot(struct vcpu *vcpu, uint64_t timeout);
long timer_set_periodic(struct vcpu *vcpu, uint64_t period);

/* vcpu_context.c: VCPUOP_initialise for (target). */
long vcpu_initialise(struct vcpu *vcpu, struct vcpu *target, uint64_t arg);

/* trap.c */
long call_set_trap_table(void *opaque, const uint64_t *args);
long call_set_callbacks(void *opaque, const uint64_t *args);
long call_callback_op(void *opaque, const uint64_t *args);
long call_nmi_op(void *opaque, const uint64_t *args);
long call_stack_switch(void *opaque, const uint64_t *args);
long call_iret(void *opaque, const uint64_t *args);

/* cpu.c, debugreg.c */
long call_fpu_taskswitch(void *opaque, const uint64_t *args);
long call_set_debugreg(void *opaque, const uint64_t *args);
long call_get_debugreg(void *opaque, const uint64_t *args);

/* DR7 for an engine that arms the guest's breakpoints; is any of them on? */
uint64_t debugreg_armed(const struct vcpu *vcpu);
bool debugreg_is_armed(const struct vcpu *vcpu);

/* A #DB came, and left (dr6), of which the guest gets what means something. */
void debugreg_note_trap(struct vcpu *vcpu, uint64_t dr6);

long call_vm_assist(void *opaque, const uint64_t *args);

/* segment.c */
long call_set_segment_base(void *opaque, const uint64_t *args);
long call_set_gdt(void *opaque, const uint64_t *args);

/*
 * The GDT of (vcpu) is (frames) from now on, as many as (nr_entries) take: 0,
 * or -EINVAL and it has the one it had.
 */
int segment_install_gdt(struct vcpu *vcpu, const uint64_t *frames,
                        uint64_t nr_entries);
long call_update_descriptor(void *opaque, const uint64_t *args);
/* MMUEXT_SET_LDT: (nr) descriptors at the guest's (base), looked at when used.
 */
long segment_set_ldt(struct vcpu *vcpu, uint64_t base, uint32_t nr);

/*
 * The frame of page (page) of the local table, made one of descriptors if it
 * can be: 0 if nothing is mapped there, or what cannot. What was looked at is
 * forgotten by segment_forget_ldt.
 */
mfn_t segment_ldt_frame(struct vcpu *vcpu, unsigned page);
void segment_forget_ldt(struct vcpu *vcpu);

/* mmu.c */
long call_update_va_mapping(void *opaque, const uint64_t *args);
long call_update_va_mapping_otherdomain(void *opaque, const uint64_t *args);
long call_mmu_update(void *opaque, const uint64_t *args);

/*
 * May the caller map or pin frames of (domid)? 0 for DOMID_SELF; -EPERM for
 * others that exist, -ESRCH for those that do not, and for its own number,
 * which is no other.
 */
int mmu_check_owner(const struct domain *dom, domid_t domid);

/*
 * The bits of the domain's vCPUs in the guest's mask at (va): 0 or -EFAULT.
 */
int mmu_read_vcpus(struct vcpu *vcpu, uint64_t va, uint64_t *vcpus);

/*
 * None of (vcpus), a mask, uses an old translation of (nr_pages) from (va) on
 * any more; of any address for 0. The caller's own alone cost least.
 */
void mmu_flush(struct vcpu *vcpu, uint64_t vcpus, uint64_t va,
               uint64_t nr_pages);

/* mmuext.c */
long call_mmuext_op(void *opaque, const uint64_t *args);

/* memory.c */
long call_memory_op(void *opaque, const uint64_t *args);

/* memory_tools.c: memory_op of tools, which refuse what (cmd) asks for. */
long memory_op_tools(struct vcpu *vcpu, uint64_t cmd, uint64_t arg);

/* memory_map.c: XENMEM_memory_map and XENMEM_set_memory_map */
long memory_map_get(struct vcpu *vcpu, uint64_t arg);
long memory_map_set(struct vcpu *vcpu, uint64_t arg);

/*
 * XENMEM_memory_map: fill map->buffer, an address of the guest, with as many
 * entries as there are or it holds: map->nr_entries.
 */
long memory_map_give(struct vcpu *vcpu, struct xen_memory_map *map);

/*
 * (mfn), RAM of the guest's own, is given back: at once, or when nobody maps,
 * pins or borrows it any more.
 */
void memory_give_back(struct domain *dom, mfn_t mfn);

/* grant.c */
long call_grant_table_op(void *opaque, const uint64_t *args);

/*
 * GNTTABOP_setup_table: grow the table to (nr) frames and say where they are:
 * GNTST_okay, or another status.
 */
int16_t grant_table_frames(struct domain *dom, domid_t domid, uint32_t nr,
                           xen_pfn_t frames[GRANT_MAX_FRAMES]);

/* hvm.c */
long call_hvm_op(void *opaque, const uint64_t *args);

/*
 * physmap.c: XENMEM_add_to_physmap, _batch, remove_from_physmap: what (cmd) of
 * memory_op asks for at (arg).
 */
long physmap_op(struct vcpu *vcpu, uint64_t cmd, uint64_t arg);

/* The same for one page, its arguments read already. */
long physmap_add(struct vcpu *vcpu, const struct xen_add_to_physmap *op);
long physmap_remove_ram(struct vcpu *vcpu,
                        const struct xen_remove_from_physmap *op);

/* physdev.c */
long call_physdev_op(void *opaque, const uint64_t *args);

/* multicall.c */
long call_multicall(void *opaque, const uint64_t *args);

/* refused.c: hypercalls for other domains than this */
long call_privileged(void *opaque, const uint64_t *args);
long call_platform_op(void *opaque, const uint64_t *args);
long call_sysctl(void *opaque, const uint64_t *args);
long call_domctl(void *opaque, const uint64_t *args);
long call_paging_domctl_cont(void *opaque, const uint64_t *args);
long call_dm_op(void *opaque, const uint64_t *args);
long call_xenpmu_op(void *opaque, const uint64_t *args);

/*
 * A long list was served so far: let the rest of the domain have its turn.
 * False if the domain ended meanwhile and the list should be left.
 */
bool call_breathe(struct vcpu *vcpu);

/* Is (domid) the caller itself? */
bool domid_is_self(const struct domain *dom, domid_t domid);

#endif
