/*
 * machine/pv.c: page tables as PV: each step a hypercall.
 *
 * The hypervisor gives every frame a type. One that has a writable mapping
 * cannot be a page table, so a page is first made read-only where all of RAM is
 * mapped (seal). Pinning a root has the hypervisor check it and all tables
 * below, once; from then on it checks each change.
 */
#include "machine.h"

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#define BATCH 32

static void check(long rc, const char *what)
{
    if (rc < 0)
        guest_panic("the hypervisor refuses to %s: error %ld", what, rc);
}

/* One crossing for many calls; each has a result of its own. */
static void do_calls(multicall_entry_t *calls, unsigned nr, const char *what)
{
    check(hypercall_multicall(calls, nr), what);
    for (unsigned i = 0; i < nr; i++)
        check((long)calls[i].result, what);
}

static void protect(void *const *pages, size_t nr, uint64_t flags)
{
    multicall_entry_t calls[BATCH];
    unsigned n = 0;

    for (size_t i = 0; i < nr; i++) {
        calls[n++] = (multicall_entry_t){
            .op = __HYPERVISOR_update_va_mapping,
            .args = {(uintptr_t)pages[i],
                     page_mfn(pages[i]) << PAGE_SHIFT | flags,
                     UVMF_INVLPG | UVMF_ALL},
        };
        if (n == BATCH || i == nr - 1) {
            do_calls(calls, n, "protect a page");
            n = 0;
        }
    }
}

static void seal(void *const *tables, size_t nr)
{
    protect(tables, nr, PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY);
}

static void unseal(void *const *tables, size_t nr)
{
    protect(tables, nr, PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
}

/* The hypervisor fills in its own part when the root is pinned. */
static void prepare_root(uint64_t *root)
{
    (void)root;
}

static void extended(const struct mmuext_op *ops, unsigned nr, const char *what)
{
    check(hypercall_mmuext_op(ops, nr, NULL, DOMID_SELF), what);
}

static void pin(uint64_t *root)
{
    struct mmuext_op op = {
        .cmd = MMUEXT_PIN_L4_TABLE,
        .arg1.mfn = page_mfn(root),
    };

    extended(&op, 1, "pin a root");
}

static void unpin(uint64_t *root)
{
    struct mmuext_op op = {
        .cmd = MMUEXT_UNPIN_TABLE,
        .arg1.mfn = page_mfn(root),
    };

    extended(&op, 1, "unpin a root");
}

/* Entries are named by machine address. Old ones may still be cached. */
static void write_entries(const struct entry_write *writes, size_t nr)
{
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    struct mmu_update updates[BATCH];

    while (nr) {
        unsigned n = nr < BATCH ? (unsigned)nr : BATCH;
        multicall_entry_t calls[] = {
            {.op = __HYPERVISOR_mmu_update,
             .args = {(uintptr_t)updates, n, 0, DOMID_SELF}},
            {.op = __HYPERVISOR_mmuext_op,
             .args = {(uintptr_t)&flush, 1, 0, DOMID_SELF}},
        };

        for (unsigned i = 0; i < n; i++)
            updates[i] = (struct mmu_update){
                .ptr = (page_mfn(writes[i].entry) << PAGE_SHIFT) +
                       ((uintptr_t)writes[i].entry & (PAGE_SIZE - 1)),
                .val = writes[i].value,
            };
        writes += n;
        nr -= n;
        do_calls(calls, nr ? 1 : 2, "write page table entries");
    }
}

/*
 * In user mode the second pair of page tables is in use, which this sets; the
 * kernel's own stays what it is. What is cached of the last program's pages
 * would be taken for this one's.
 */
static void use(uint64_t *root)
{
    struct mmuext_op ops[] = {
        {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = root ? page_mfn(root) : 0},
        {.cmd = MMUEXT_TLB_FLUSH_LOCAL},
    };

    extended(ops, 2, "use a root");
}

const struct machine machine_pv = {
    .seal = seal,
    .unseal = unseal,
    .prepare_root = prepare_root,
    .pin = pin,
    .unpin = unpin,
    .write = write_entries,
    .use = use,
};
