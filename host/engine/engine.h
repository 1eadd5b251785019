/*
 * host/engine/engine.h: an engine is how guest instructions run. It gets in
 * and out of a guest; it never heard of grants or devices.
 */
#ifndef HOST_ENGINE_ENGINE_H
#define HOST_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/config.h"
#include "host/memory.h"

struct domain;
struct engine;
struct image;
struct pvh_start;
struct vcpu;

struct engine_ops {
    const char *name; /* as in --engine NAME */

    /*
     * 0 if this host can run it, else -errno and a sentence in (why) that
     * says what is missing.
     */
    int (*probe)(char *why, size_t size);

    /* 0 if the engine can run (image) by (abi), else -ENOEXEC and a sentence
       that says what to do. */
    int (*accepts)(const struct image *image, enum abi abi, char *why,
                   size_t size);

    /*
     * Does this host emulate guests of (abi), instead of running them? Either
     * way (what) says what is here, by measuring for some milliseconds; it is
     * "" if that cannot be done. May be NULL: nothing of that kind.
     */
    bool (*is_slow)(enum abi abi, char *what, size_t size);

    /* Attach to a built domain: map its memory, fill its hypercall page. */
    int (*create)(struct domain *dom);

    /*
     * Run vCPU 0 until dom->end says otherwise, and the others, each on its
     * thread. 0, or -errno if we broke. The sandbox is entered inside, just
     * before the first guest instruction.
     */
    int (*run)(struct domain *dom);

    /* Undo create. NULL engine is fine. */
    void (*destroy)(struct domain *dom);

    /*
     * Write one 32-byte stub of the hypercall page for call (nr) that the
     * guest sees at (va), or anywhere if that is 0.
     */
    void (*write_stub)(uint8_t stub[32], unsigned nr, uint64_t va);

    /* The guest's tables changed: what was cached for these is wrong. */
    void (*invalidate)(struct vcpu *vcpu, uint64_t va, uint64_t nr_pages);
    void (*invalidate_all)(struct vcpu *vcpu);

    /*
     * The host wrote the page-table entry at (pte_addr), which was present
     * before or in a table just validated. May be NULL.
     */
    void (*table_written)(struct domain *dom, maddr_t pte_addr);

    /*
     * What this thread was told of tables that were written becomes visible
     * to all vCPUs now, not just before its own goes on. May be NULL.
     */
    void (*settle)(struct domain *dom);

    /* Translations are cached in one place for all vCPUs. */
    bool one_cache;

    /* vcpu->gdt is another one. May be NULL. */
    void (*set_gdt)(struct vcpu *vcpu);

    /* Its local table is another one, or the pages in use are not. May be NULL:
       its selectors are faults. */
    void (*set_ldt)(struct vcpu *vcpu);

    /* Bring vcpu->regs up to date inside a hypercall. */
    void (*sync_regs)(struct vcpu *vcpu);

    /* vcpu->regs were changed by a hypercall (iret): resume there. */
    void (*set_regs)(struct vcpu *vcpu);

    /* vcpu->fs_base / gs_base were changed. */
    void (*set_bases)(struct vcpu *vcpu);

    /*
     * vcpu->ts, its part of CR4 (cr4) or its debug registers were changed. May
     * be NULL: the guest reads back what it wrote, which has no effect.
     */
    void (*set_control)(struct vcpu *vcpu);

    /*
     * (vcpu), which never ran, begins with what FXRSTOR would load from the
     * (fxsave) bytes (fxsave.h), which are the guest's own: any will do. May be
     * NULL.
     */
    void (*set_fpu)(struct vcpu *vcpu, const void *fxsave);

    /* A PVH guest's (vcpu), which is down, begins so. May be NULL. */
    void (*start)(struct vcpu *vcpu, const struct pvh_start *start);

    /* Make the vCPU look at its events soon, from any context. */
    void (*kick)(struct vcpu *vcpu);

    /* Lowest and one past the highest va a guest may map. */
    uint64_t va_start, va_end;
};

struct engine {
    const struct engine_ops *ops;
    void *state;
};

extern const struct engine_ops engine_process, engine_kvm;

/* All engines, best first, NULL at the end. */
extern const struct engine_ops *const engine_list[];

/* By name, or NULL. */
const struct engine_ops *engine_find(const char *name);

/*
 * choose.c: the engine and the ABI for (dom), of what its configuration wants,
 * its image offers and this host has; says why under -v. 0, or -errno with a
 * sentence logged.
 */
int engine_choose(struct domain *dom);

#endif
