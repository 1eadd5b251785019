/*
 * machine/machine.h: page tables, as the machine has them that teachos finds
 * itself on.
 *
 * In a PV guest (pv.c) they belong to the hypervisor: a page that is a table
 * can be read, every change of it is a hypercall, and the hypervisor checks
 * each. The kernel has tables of its own and programs are in others: a program
 * cannot even name a kernel's address. A PVH guest (pvh.c) writes them itself
 * and loads CR3; there the kernel is in all of them, where programs cannot
 * touch it because its entries lack the USER bit.
 *
 * Everything else in the kernel is the same on both. Entries look alike, too:
 * a frame number (page_mfn) and flags.
 */
#ifndef TEACHOS_MACHINE_H
#define TEACHOS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PTE_PRESENT  0x001ull
#define PTE_WRITE    0x002ull
#define PTE_USER     0x004ull
#define PTE_ACCESSED 0x020ull
#define PTE_DIRTY    0x040ull
#define PTE_COPY     0x200ull     /* ours: shared until somebody writes */
#define PTE_NX       (1ull << 63) /* not to be executed */
#define PTE_FRAME    0x000ffffffffff000ull

#define TABLE_ENTRIES 512u

struct entry_write {
    uint64_t *entry;
    uint64_t value;
};

struct machine {
    /*
     * Pages that are written as plain memory become tables, or become memory
     * again. In between their entries change by (write) alone.
     */
    void (*seal)(void *const *tables, size_t nr);
    void (*unseal)(void *const *tables, size_t nr);

    /* A root, still memory, gets what all roots have. */
    void (*prepare_root)(uint64_t *root);

    /* A root with all below it, sealed, is going to be used, or never again. */
    void (*pin)(uint64_t *root);
    void (*unpin)(uint64_t *root);

    /* Change (nr) entries of sealed tables that this vCPU uses. */
    void (*write)(const struct entry_write *writes, size_t nr);

    /* Have user mode on this vCPU use (root); NULL: none. */
    void (*use)(uint64_t *root);
};

extern const struct machine *machine;
extern const struct machine machine_pv, machine_pvh;

/* Choose one of them, once, and prepare it. */
void machine_init(void);

/* PTE_NX where the CPU has that, or 0. */
extern uint64_t machine_nx;

#endif
