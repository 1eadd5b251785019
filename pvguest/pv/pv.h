/*
 * pvguest/pv/pv.h: what the files for PV share (private to this folder).
 */
#ifndef PVGUEST_PV_H
#define PVGUEST_PV_H

#include "../abi.h"

#include <xen/xen.h>

/* entry_x86_64.S */
extern char pv_trap_return[], pv_sleep[], pv_upcall[], pv_syscall[],
    pv_failsafe[];

/* trap.c: for HYPERVISOR_set_trap_table. */
extern const struct trap_info pv_trap_table[];

/* map.c: page tables beyond the builder's (../abi.h). */
bool pv_map_ram(uintptr_t from, uintptr_t to, void *(*new_table)(void));
bool pv_show_pages(const size_t *pfns, size_t nr, bool present);
bool pv_open_window(uintptr_t va);
bool pv_map_frame(uintptr_t va, uint64_t mfn, bool writable);

/* vcpu.c: (../abi.h) */
int pv_init_vcpu(struct guest_vcpu *vcpu);
bool pv_set_gs_base(uint64_t base);

#endif
