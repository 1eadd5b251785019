/*
 * host/guest_access.h: the one door to memory by guest virtual address.
 *
 * Addresses are walked through the guest's own page tables in software, so
 * that nothing depends on the engine, and a hostile table can do no more than
 * name one of the domain's own frames. A PV guest has four levels of pages of
 * 4 KiB; a PVH guest has what its control registers say.
 */
#ifndef HOST_GUEST_ACCESS_H
#define HOST_GUEST_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/memory.h"

struct vcpu;

/* A struct, so that nobody follows it or adds to it by accident. */
struct guest_addr {
    uint64_t va;
};

static inline struct guest_addr guest_addr(uint64_t va)
{
    return (struct guest_addr){va};
}

/* Is it an address at all? Those whose upper bits differ from bit 47 are not.
 */
static inline bool va_is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* 0, or -EFAULT after copying perhaps a part. Reserved slots always fault. */
int guest_read(struct vcpu *vcpu, struct guest_addr from, void *to, size_t len);
int guest_write(struct vcpu *vcpu, struct guest_addr to, const void *from,
                size_t len);

/* The same where the kernel has (to), whatever runs: for areas that it gave. */
int guest_write_area(struct vcpu *vcpu, struct guest_addr to, const void *from,
                     size_t len);

/* Could all of it be read now? Nothing is copied. */
bool guest_readable(struct vcpu *vcpu, struct guest_addr from, size_t len);

/*
 * Could it be the address of something of the guest's at all? Xen looks at
 * lists so before it reads or writes any of them: the hypervisor's part of a
 * PV guest's address space, and what is no address, are refused at once.
 */
bool guest_may_hold(const struct vcpu *vcpu, struct guest_addr at);

/* One step of a walk that ended at a present leaf, or where it broke off. */
struct walk {
    uint64_t pte;     /* the L1 entry, or the last one read */
    maddr_t pte_addr; /* where it lies */
    unsigned level;   /* of the last entry read: the leaf's when present */
    bool present;
    bool writable; /* RW at all levels */
    bool user;     /* USER at all levels */
    bool noexec;   /* NX at any level */
    mfn_t mfn;     /* of the page, when present */
};

/* Walk (va) from the table (root). Bounded; tolerates tables of any content. */
void guest_walk(const struct memory *mem, mfn_t root, uint64_t va,
                struct walk *walk);

/* What says how a PVH guest's addresses are translated. */
struct paging {
    uint64_t cr0, cr3, cr4, efer;
};

/*
 * Walk (va) as a CPU with these registers would: paging off, 32-bit, PAE, four
 * or five levels, large pages. Levels that do not exist permit everything.
 */
void guest_walk_paging(const struct memory *mem, const struct paging *paging,
                       uint64_t va, struct walk *walk);

/* As (vcpu) would walk it. */
void guest_walk_vcpu(const struct vcpu *vcpu, uint64_t va, struct walk *walk);

#endif
