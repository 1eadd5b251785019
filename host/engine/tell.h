/*
 * host/engine/tell.h: what the rest of the host has to tell the engine. A
 * domain without one (before it is made, in the unit tests) is told nothing.
 */
#ifndef HOST_ENGINE_TELL_H
#define HOST_ENGINE_TELL_H

#include <stdint.h>

#include "host/domain.h"
#include "host/engine/engine.h"

/* NULL if there is no engine yet. */
static inline const struct engine_ops *engine_ops_of(const struct domain *dom)
{
    return dom->engine ? dom->engine->ops : NULL;
}

/* Fill a hypercall page that the guest will have who knows where. */
static inline void tell_write_stubs(const struct domain *dom, uint8_t *page)
{
    const struct engine_ops *ops = engine_ops_of(dom);

    for (unsigned nr = 0; ops && ops->write_stub && nr < PAGE_SIZE / 32; nr++)
        ops->write_stub(page + nr * 32ul, nr, 0);
}

static inline void tell_kick(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->kick)
        ops->kick(vcpu);
    turn_kick(&vcpu->domain->turn, vcpu);
}

static inline void tell_invalidate(struct vcpu *vcpu, uint64_t va,
                                   uint64_t nr_pages)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->invalidate)
        ops->invalidate(vcpu, va, nr_pages);
}

static inline void tell_invalidate_all(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    vcpu->flushed_at = ++vcpu->domain->mem.flushes;
    if (ops && ops->invalidate_all)
        ops->invalidate_all(vcpu);
}

/*
 * The same for all vCPUs whose bits are set in (mask), and no matter whose the
 * caller is: when this returns, none of them uses an old translation any more.
 * (nr_pages) 0: none of any address.
 */
static inline void tell_flush_vcpus(struct domain *dom, uint64_t mask,
                                    uint64_t va, uint64_t nr_pages)
{
    const struct engine_ops *ops = engine_ops_of(dom);

    if (ops && ops->settle)
        ops->settle(dom);
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        struct vcpu *vcpu = &dom->vcpus[i];

        if (!(mask >> i & 1) || (ops && ops->one_cache && !vcpu->up))
            continue;
        if (nr_pages)
            tell_invalidate(vcpu, va, nr_pages);
        else
            tell_invalidate_all(vcpu);
        if (ops && ops->one_cache)
            return;
        turn_stop(&dom->turn, vcpu);
    }
}

static inline void tell_table_written(struct domain *dom, maddr_t pte_addr)
{
    const struct engine_ops *ops = engine_ops_of(dom);

    if (ops && ops->table_written)
        ops->table_written(dom, pte_addr);
}

static inline void tell_set_gdt(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_gdt)
        ops->set_gdt(vcpu);
}

static inline void tell_set_ldt(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_ldt)
        ops->set_ldt(vcpu);
}

static inline void tell_sync_regs(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->sync_regs)
        ops->sync_regs(vcpu);
}

static inline void tell_set_regs(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_regs)
        ops->set_regs(vcpu);
}

static inline void tell_set_bases(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_bases)
        ops->set_bases(vcpu);
}

static inline void tell_set_fpu(struct vcpu *vcpu, const void *fxsave)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_fpu)
        ops->set_fpu(vcpu, fxsave);
}

static inline void tell_set_control(struct vcpu *vcpu)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);

    if (ops && ops->set_control)
        ops->set_control(vcpu);
}

#endif
