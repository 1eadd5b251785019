/*
 * tests/harness/fake_domain.h: a domain with everything a hypercall can touch
 * and nothing that runs: memory with boot page tables, a null engine that keeps
 * account of what it was told, and a clock that the test moves.
 */
#ifndef TESTS_HARNESS_FAKE_DOMAIN_H
#define TESTS_HARNESS_FAKE_DOMAIN_H

#include <string.h>

#include "host/domain.h"
#include "host/engine/engine.h"

#define RAM_PAGES    256
#define SHARED_PAGES 72

/*
 * Frame (index) of the RAM is mapped at page_va(index), for 128 pages from 0;
 * all writable but for the tables.
 */
#define BASE_VA      UINT64_C(0x400000)
#define MAPPED_PAGES 128

enum { L4_PAGE = 1, L3_PAGE, L2_PAGE, L1_PAGE };

#define ARGS_PAGE 8   /* where call arguments are put */
#define FREE_PAGE 16  /* mapped, and the test's to play with up to the end */
#define BARE_PAGE 160 /* RAM without any mapping, up to RAM_PAGES */

extern struct domain *dom;
extern struct vcpu *vcpu;

/* What the world outside was told or did. */
extern struct account {
    unsigned kicks, invalidations, flushes, set_bases, synced, set_regs;
    uint64_t last_va, last_pages;
    unsigned crashes, sleeps, works;
    uint64_t slept_until;
    char console[4096];
    size_t console_len;
} account;

/* Called by domain_sleep, once, with the sleeper; NULL: time just passes. */
extern void (*while_asleep)(struct vcpu *vcpu);

/* The same for domain_work, each time: the domain has its turn. */
extern void (*while_working)(struct vcpu *vcpu);

extern uint64_t fake_now; /* ns; moves by 1 ns with each look */

void fake_create(void);
void fake_destroy(void); /* aborts if something leaked */

/* The domain has an engine for the va range [start, end). */
void fake_engine(uint64_t start, uint64_t end);

uint64_t page_va(unsigned index);
mfn_t page_mfn(unsigned index);
void *page(unsigned index);

/* Make hypercall (nr) with up to five arguments. */
#define call(nr, ...) \
    domain_hypercall(vcpu, (nr), (const uint64_t[5]){__VA_ARGS__})

/* Put a structure where the guest can name it, and read it back. */
#define put(object) \
    (memcpy(page(ARGS_PAGE), &(object), sizeof(object)), page_va(ARGS_PAGE))
#define get(object) memcpy(&(object), page(ARGS_PAGE), sizeof(object))

/* A guest address that is mapped nowhere, and one in Xen's own part. */
#define NOWHERE UINT64_C(0x40000000)
#define HOLE    UINT64_C(0xffff800000001000)

#endif
