/*
 * pvguest/pvh/pvh.h: what the files for PVH share (private to this folder).
 */
#ifndef PVGUEST_PVH_H
#define PVGUEST_PVH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi.h"
#include "memory_map.h"
#include "selector.h"

/* Where physical address 0 is mapped, and all other RAM behind it. */
static inline uint64_t pvh_physical(const void *address)
{
    extern char guest_virt_base[];

    return (uintptr_t)address - (uintptr_t)guest_virt_base;
}

/* What the entry copied of the builder's words (start_x86_64.S). */
#define PVH_MEMMAP_MAX 128
#define PVH_MEMMAP_OWN 2 /* room for entries of our own */
extern struct hvm_start_info pvh_info;
extern char pvh_command_line[];
extern uint32_t pvh_nr_memmap;
extern struct hvm_memmap_table_entry
    pvh_memmap[PVH_MEMMAP_MAX + PVH_MEMMAP_OWN];
extern struct hvm_modlist_entry pvh_module; /* the first; size 0: none */

/* start_x86_64.S */
extern uint64_t pvh_gdt[GDT_ENTRIES], pvh_l4[], pvh_l3[], pvh_l2[];

/* entry_x86_64.S */
extern char pvh_traps[], pvh_upcall[], pvh_syscall[], pvh_trap_return[],
    pvh_sleep[];

/* cpu.c: descriptors, FPU; from then on a trap is reported. */
#define PVH_UPCALL_VECTOR 32
void pvh_cpu_init(void);
bool pvh_cpu_has_nx(void);
void pvh_cpu_flush_tables(void);
bool pvh_set_fs_base(uint64_t base);
bool pvh_set_gs_base(uint64_t base);
uint64_t pvh_fault_address(void);
bool pvh_enable_user(struct guest_vcpu *vcpu);

/*
 * The same for another vCPU: the descriptors it is to have (NULL: no memory),
 * and what it does with them first. EFER as it must begin with.
 */
struct pvh_cpu *pvh_cpu_make(void);
void pvh_cpu_destroy(struct pvh_cpu *cpu);
void pvh_cpu_init_other(struct pvh_cpu *cpu);
uint64_t pvh_efer(void);

/* vcpu.c */
int pvh_init_vcpu(struct guest_vcpu *vcpu);

/*
 * hypervisor.c: find Xen and get its hypercalls, or halt with a word on port
 * 0xe9; then shared_info and the callback: false if it refuses.
 */
void pvh_find_hypervisor(void);
bool pvh_introduce(void);
bool pvh_write_log(const char *bytes, size_t len);
evtchn_port_t pvh_ring_port(enum builder_ring ring);
void *pvh_ring_page(enum builder_ring ring);

/*
 * map.c: map RAM where it belongs and hand what is free of it to page.c. False,
 * with the guest as good as ended, if the image lies in no RAM, or there is no
 * RAM beside it.
 */
bool pvh_map_init(void);

/* The module, where RAM is mapped; NULL if there is none, or it is not there.
 */
const void *pvh_find_module(void);
bool pvh_open_window(uintptr_t va);
bool pvh_map_frame(uintptr_t va, uint64_t gfn, bool writable);
uint32_t pvh_grow_grants(uint32_t from, uint32_t to, uintptr_t va);

#endif
