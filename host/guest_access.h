/*
 * host/guest_access.h: the one door to memory by guest virtual address.
 *
 * Addresses are walked through the guest's own page tables in software, so
 * that nothing depends on the engine, and a hostile table can do no more than
 * name one of the domain's own frames.
 */
#ifndef HOST_GUEST_ACCESS_H
#define HOST_GUEST_ACCESS_H

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

/* 0, or -EFAULT after copying perhaps a part. Reserved slots always fault. */
int guest_read(struct vcpu *vcpu, struct guest_addr from, void *to, size_t len);
int guest_write(struct vcpu *vcpu, struct guest_addr to, const void *from,
                size_t len);

/* One step of a walk that ended at a present leaf, or where it broke off. */
struct walk {
    uint64_t pte;     /* the L1 entry, or the last one read */
    maddr_t pte_addr; /* where it lies */
    unsigned level;   /* 1: a leaf was reached; else the level that failed */
    bool present;
    bool writable; /* RW at all levels */
    bool user;     /* USER at all levels */
    bool noexec;   /* NX at any level */
    mfn_t mfn;     /* of the page, when present */
};

/* Walk (va) from the table (root). Bounded; tolerates tables of any content. */
void guest_walk(const struct memory *mem, mfn_t root, uint64_t va,
                struct walk *walk);

#endif
