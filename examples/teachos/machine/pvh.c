/*
 * machine/pvh.c: page tables as PVH: the CPU's own, written like memory. What
 * is a hypercall in pv.c is an instruction here, or nothing.
 */
#include "machine.h"

#include <pvguest/page.h>

static uint64_t *kernel_root;

static uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

static void write_cr3(uint64_t cr3)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(cr3) : "memory");
}

static void seal(void *const *tables, size_t nr)
{
    (void)tables;
    (void)nr;
}

static void pin(uint64_t *root)
{
    (void)root;
}

/*
 * The tables that the library made are the kernel's for good; all roots share
 * them. They are found before the first program runs.
 */
static void prepare_root(uint64_t *root)
{
    if (!kernel_root)
        kernel_root = page_of_mfn((read_cr3() & PTE_FRAME) >> PAGE_SHIFT);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        root[i] = kernel_root[i];
}

/* Loading CR3, as it is, makes the CPU forget what it had cached. */
static void write_entries(const struct entry_write *writes, size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        __atomic_store_n(writes[i].entry, writes[i].value, __ATOMIC_RELAXED);
    write_cr3(read_cr3());
}

static void use(uint64_t *root)
{
    write_cr3(page_mfn(root ? root : kernel_root) << PAGE_SHIFT);
}

const struct machine machine_pvh = {
    .seal = seal,
    .unseal = seal,
    .prepare_root = prepare_root,
    .pin = pin,
    .unpin = pin,
    .write = write_entries,
    .use = use,
};
