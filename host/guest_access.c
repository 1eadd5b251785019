#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "host/domain.h"
#include "host/guest_access.h"

#define LEVELS 4

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_RW       (UINT64_C(1) << 1)
#define PTE_USER     (UINT64_C(1) << 2)
#define PTE_PSE      (UINT64_C(1) << 7) /* in L1 the same bit is PAT */
#define PTE_NX       (UINT64_C(1) << 63)
#define PTE_MFN_MASK UINT64_C(0x000ffffffffff000)

#define CR0_WP   (UINT64_C(1) << 16)
#define CR0_PG   (UINT64_C(1) << 31)
#define CR4_PSE  (UINT64_C(1) << 4)
#define CR4_PAE  (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

/* The L4 slots that belong to the hypervisor, whatever the guest put there. */
#define HOLE_START UINT64_C(0xffff800000000000)
#define HOLE_END   UINT64_C(0xffff880000000000)

static bool may_be_walked(uint64_t va)
{
    return va_is_canonical(va) && !(va >= HOLE_START && va < HOLE_END);
}

/*
 * Read one entry. Once: a disk that reads into a page table may be writing to
 * it at this moment.
 */
static uint64_t read_entry(const uint64_t *table, unsigned slot)
{
    return __atomic_load_n(&table[slot], __ATOMIC_RELAXED);
}

static bool is_usable(uint64_t pte, unsigned level)
{
    return (pte & PTE_PRESENT) && (level == 1 || !(pte & PTE_PSE));
}

void guest_walk(const struct memory *mem, mfn_t root, uint64_t va,
                struct walk *walk)
{
    mfn_t mfn = root;

    *walk = (struct walk){
        .level = LEVELS,
        .writable = true,
        .user = true,
        .mfn = INVALID_MFN,
    };
    if (!may_be_walked(va))
        return;

    for (unsigned level = LEVELS; level >= 1; level--) {
        const uint64_t *table = memory_frame(mem, mfn);
        unsigned slot = (va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;

        if (!table)
            return; /* walk->level is the one above: its entry is bad */
        walk->level = level;
        walk->pte = read_entry(table, slot);
        walk->pte_addr = (mfn << PAGE_SHIFT) + slot * sizeof(uint64_t);
        if (!is_usable(walk->pte, level))
            return;
        walk->writable &= (walk->pte & PTE_RW) != 0;
        walk->user &= (walk->pte & PTE_USER) != 0;
        walk->noexec |= (walk->pte & PTE_NX) != 0;
        mfn = (walk->pte & PTE_MFN_MASK) >> PAGE_SHIFT;
    }
    if (!memory_frame(mem, mfn))
        return;
    walk->mfn = mfn;
    walk->present = true;
}

/* How one kind of page table is laid out. */
struct format {
    unsigned levels;
    unsigned bits;       /* of an index; the top level may have fewer */
    unsigned top_bits;   /* of the top level's index */
    unsigned entry_size; /* bytes */
    unsigned max_leaf;   /* the highest level at which PSE makes a leaf */
    uint64_t root_mask;  /* of CR3 */
    bool bare_top;       /* its entries have no RW, USER and NX (PAE) */
};

static struct format format_of(const struct paging *p)
{
    if (!(p->cr4 & CR4_PAE))
        return (struct format){.levels = 2,
                               .bits = 10,
                               .top_bits = 10,
                               .entry_size = 4,
                               .max_leaf = p->cr4 & CR4_PSE ? 2 : 1,
                               .root_mask = 0xfffff000};
    if (!(p->efer & EFER_LMA))
        return (struct format){.levels = 3,
                               .bits = 9,
                               .top_bits = 2,
                               .entry_size = 8,
                               .max_leaf = 2,
                               .root_mask = 0xffffffe0,
                               .bare_top = true};
    return (struct format){.levels = p->cr4 & CR4_LA57 ? 5 : 4,
                           .bits = 9,
                           .top_bits = 9,
                           .entry_size = 8,
                           .max_leaf = 3,
                           .root_mask = PTE_MFN_MASK};
}

/* Is (va) one that these tables can translate? */
static bool is_in_reach(const struct format *f, const struct paging *p,
                        uint64_t va)
{
    const unsigned unused = 64 - (PAGE_SHIFT + f->levels * f->bits);

    if (!(p->efer & EFER_LMA))
        return va >> 32 == 0;
    return (uint64_t)((int64_t)(va << unused) >> unused) == va;
}

static bool read_entry_at(const struct memory *mem, const struct format *f,
                          maddr_t at, uint64_t *pte)
{
    const uint8_t *page = memory_frame(mem, at >> PAGE_SHIFT);
    const uint8_t *entry;

    if (!page)
        return false;
    entry = page + at % PAGE_SIZE;
    if (f->entry_size == 4)
        *pte = __atomic_load_n((const uint32_t *)(const void *)entry,
                               __ATOMIC_RELAXED);
    else
        *pte = __atomic_load_n((const uint64_t *)(const void *)entry,
                               __ATOMIC_RELAXED);
    return true;
}

/* The page of 4 KiB for (va) inside the leaf (pte) of (level). */
static mfn_t leaf_mfn(const struct format *f, uint64_t pte, unsigned level,
                      uint64_t va)
{
    const uint64_t size = UINT64_C(1) << (PAGE_SHIFT + f->bits * (level - 1));
    uint64_t base = pte & PTE_MFN_MASK;

    if (f->entry_size == 4 && level == 2) /* PSE-36: bits 39:32 in 20:13 */
        base = (pte & 0xffc00000) | (pte >> 13 & 0xff) << 32;
    base &= ~(size - 1);
    return (base | (va & (size - 1))) >> PAGE_SHIFT;
}

static void walk_tables(const struct memory *mem, const struct format *f,
                        uint64_t root, uint64_t va, struct walk *walk)
{
    uint64_t table = root;

    for (unsigned level = f->levels; level >= 1; level--) {
        const unsigned bits = level == f->levels ? f->top_bits : f->bits;
        const unsigned shift = PAGE_SHIFT + f->bits * (level - 1);
        const uint64_t slot = (va >> shift) & ((UINT64_C(1) << bits) - 1);
        uint64_t pte;

        walk->pte_addr = table + slot * f->entry_size;
        if (!read_entry_at(mem, f, walk->pte_addr, &pte))
            return;
        walk->level = level;
        walk->pte = pte;
        if (!(pte & PTE_PRESENT))
            return;
        if (!(f->bare_top && level == f->levels)) {
            walk->writable &= (pte & PTE_RW) != 0;
            walk->user &= (pte & PTE_USER) != 0;
            walk->noexec |= f->entry_size == 8 && (pte & PTE_NX);
        }
        if (level == 1 || ((pte & PTE_PSE) && level <= f->max_leaf)) {
            walk->mfn = leaf_mfn(f, pte, level, va);
            walk->present = memory_frame(mem, walk->mfn) != NULL;
            return;
        }
        table = pte & PTE_MFN_MASK;
    }
}

void guest_walk_paging(const struct memory *mem, const struct paging *paging,
                       uint64_t va, struct walk *walk)
{
    const struct format f = format_of(paging);

    *walk = (struct walk){.writable = true, .user = true, .mfn = INVALID_MFN};
    if (!(paging->cr0 & CR0_PG)) {
        walk->mfn = va >> PAGE_SHIFT;
        walk->present = va >> 32 == 0 && memory_frame(mem, walk->mfn);
    } else if (is_in_reach(&f, paging, va)) {
        walk->level = f.levels;
        walk_tables(mem, &f, paging->cr3 & f.root_mask, va, walk);
    }
    if (!walk->present)
        walk->mfn = INVALID_MFN;
}

/* By the L4 (root), if it is a PV guest's. */
static void walk_from(const struct vcpu *vcpu, mfn_t root, uint64_t va,
                      struct walk *walk)
{
    const struct domain *dom = vcpu->domain;

    if (dom->abi == ABI_PVH)
        guest_walk_paging(&dom->mem, &vcpu->paging, va, walk);
    else
        guest_walk(&dom->mem, root, va, walk);
}

void guest_walk_vcpu(const struct vcpu *vcpu, uint64_t va, struct walk *walk)
{
    walk_from(vcpu, vcpu_root(vcpu), va, walk);
}

/* A kernel without CR0.WP may write where the tables forbid it. */
static bool ignores_readonly(const struct vcpu *vcpu)
{
    return vcpu->domain->abi == ABI_PVH && !(vcpu->paging.cr0 & CR0_WP);
}

/* The host's view of the byte at (va), good to the end of its page. */
static uint8_t *translate(const struct vcpu *vcpu, mfn_t root, uint64_t va,
                          bool write)
{
    const struct memory *mem = &vcpu->domain->mem;
    struct walk walk;

    walk_from(vcpu, root, va, &walk);
    if (!walk.present || (write && !walk.writable && !ignores_readonly(vcpu)))
        return NULL;
    return (uint8_t *)memory_frame(mem, walk.mfn) + (va & (PAGE_SIZE - 1));
}

static size_t bytes_on_page(uint64_t va, size_t len)
{
    size_t room = PAGE_SIZE - (va & (PAGE_SIZE - 1));

    return len < room ? len : room;
}

int guest_read(struct vcpu *vcpu, struct guest_addr from, void *to, size_t len)
{
    uint8_t *buf = to;
    uint64_t va = from.va;

    if (len > UINT64_MAX - va)
        return -EFAULT;
    while (len > 0) {
        size_t part = bytes_on_page(va, len);
        const uint8_t *bytes = translate(vcpu, vcpu_root(vcpu), va, false);

        if (!bytes)
            return -EFAULT;
        memcpy(buf, bytes, part);
        buf += part;
        va += part;
        len -= part;
    }
    return 0;
}

static int write_by(const struct vcpu *vcpu, mfn_t root, uint64_t va,
                    const void *from, size_t len)
{
    const uint8_t *buf = from;

    if (len > UINT64_MAX - va)
        return -EFAULT;
    while (len > 0) {
        size_t part = bytes_on_page(va, len);
        uint8_t *bytes = translate(vcpu, root, va, true);

        if (!bytes)
            return -EFAULT;
        memcpy(bytes, buf, part);
        buf += part;
        va += part;
        len -= part;
    }
    return 0;
}

int guest_write(struct vcpu *vcpu, struct guest_addr to, const void *from,
                size_t len)
{
    return write_by(vcpu, vcpu_root(vcpu), to.va, from, len);
}

int guest_write_area(struct vcpu *vcpu, struct guest_addr to, const void *from,
                     size_t len)
{
    return write_by(vcpu, vcpu->cr3, to.va, from, len);
}

bool guest_readable(struct vcpu *vcpu, struct guest_addr from, size_t len)
{
    uint64_t va = from.va;

    if (len > UINT64_MAX - va)
        return false;
    while (len > 0) {
        size_t part = bytes_on_page(va, len);

        if (!translate(vcpu, vcpu_root(vcpu), va, false))
            return false;
        va += part;
        len -= part;
    }
    return true;
}

bool guest_may_hold(const struct vcpu *vcpu, struct guest_addr at)
{
    return vcpu->domain->abi == ABI_PVH || may_be_walked(at.va);
}
