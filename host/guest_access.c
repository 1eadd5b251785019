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

/* The L4 slots that belong to the hypervisor, whatever the guest put there. */
#define HOLE_START UINT64_C(0xffff800000000000)
#define HOLE_END   UINT64_C(0xffff880000000000)

static bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static bool may_be_walked(uint64_t va)
{
    return is_canonical(va) && !(va >= HOLE_START && va < HOLE_END);
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

/* The host's view of the byte at (va), good to the end of its page. */
static uint8_t *translate(const struct vcpu *vcpu, uint64_t va, bool write)
{
    const struct memory *mem = &vcpu->domain->mem;
    struct walk walk;

    guest_walk(mem, vcpu->cr3, va, &walk);
    if (!walk.present || (write && !walk.writable))
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
        const uint8_t *bytes = translate(vcpu, va, false);

        if (!bytes)
            return -EFAULT;
        memcpy(buf, bytes, part);
        buf += part;
        va += part;
        len -= part;
    }
    return 0;
}

int guest_write(struct vcpu *vcpu, struct guest_addr to, const void *from,
                size_t len)
{
    const uint8_t *buf = from;
    uint64_t va = to.va;

    if (len > UINT64_MAX - va)
        return -EFAULT;
    while (len > 0) {
        size_t part = bytes_on_page(va, len);
        uint8_t *bytes = translate(vcpu, va, true);

        if (!bytes)
            return -EFAULT;
        memcpy(bytes, buf, part);
        buf += part;
        va += part;
        len -= part;
    }
    return 0;
}
