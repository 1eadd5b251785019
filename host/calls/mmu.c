/* mmu_update and update_va_mapping: single entries. */
#include <assert.h>
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"

#define MMU_UPDATE_PREEMPTED (1u << 31)

/* Entries served before the others get their turn. */
#define PER_TURN 512

int mmu_check_owner(const struct domain *dom, domid_t domid)
{
    if (domid == DOMID_SELF)
        return 0;
    if (domid == dom->id) /* an owner by number is another */
        return -ESRCH;
    if (domid == DOMID_IO || domid == DOMID_XEN || domid == BACKEND_ID)
        return -EPERM;
    return -ESRCH;
}

int mmu_read_vcpus(struct vcpu *vcpu, uint64_t va, uint64_t *vcpus)
{
    const unsigned nr = vcpu->domain->nr_vcpus;

    static_assert(DOMAIN_MAX_VCPUS <= 64, "a word names all of them");
    if (guest_read(vcpu, guest_addr(va), vcpus, sizeof *vcpus))
        return -EFAULT;
    *vcpus &= UINT64_MAX >> (64 - nr);
    return 0;
}

void mmu_flush(struct vcpu *vcpu, uint64_t vcpus, uint64_t va,
               uint64_t nr_pages)
{
    const uint64_t all = UINT64_MAX >> (64 - vcpu->domain->nr_vcpus);

    if (!(vcpus & all))
        return;
    if ((vcpus & all) != UINT64_C(1) << vcpu->id)
        tell_flush_vcpus(vcpu->domain, vcpus, va, nr_pages);
    else if (nr_pages)
        tell_invalidate(vcpu, va, nr_pages);
    else
        tell_invalidate_all(vcpu);
}

/* UVMF_*: the tables changed already, now what was translated by them. */
static int flush(struct vcpu *vcpu, uint64_t va, uint64_t flags)
{
    const uint64_t type = flags & UVMF_FLUSHTYPE_MASK;
    const uint64_t scope = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK;
    uint64_t vcpus = UINT64_C(1) << vcpu->id;

    if (type != UVMF_TLB_FLUSH && type != UVMF_INVLPG)
        return 0;
    if (scope == UVMF_ALL)
        vcpus = UINT64_MAX;
    else if (scope != UVMF_LOCAL && mmu_read_vcpus(vcpu, scope, &vcpus))
        return -EFAULT;
    if (type == UVMF_INVLPG) /* the change of the entry told our engine */
        vcpus &= ~(UINT64_C(1) << vcpu->id);
    mmu_flush(vcpu, vcpus, va & ~(uint64_t)(PAGE_SIZE - 1),
              type == UVMF_INVLPG ? 1 : 0);
    return 0;
}

long call_update_va_mapping(void *opaque, const uint64_t *args)
{
    int rc = pagetable_write_at(opaque, args[0], args[1]);

    return rc ? rc : flush(opaque, args[0], args[2]);
}

long call_update_va_mapping_otherdomain(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    int rc = mmu_check_owner(vcpu->domain, (domid_t)args[3]);

    return rc ? rc : call_update_va_mapping(opaque, args);
}

static int set_machphys(struct vcpu *vcpu, maddr_t maddr, uint64_t pfn)
{
    struct domain *dom = vcpu->domain;
    mfn_t mfn = maddr >> PAGE_SHIFT;
    const struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->state == FRAME_FREE || frame->given_back)
        return -EINVAL;
    memory_set_pfn(&dom->mem, mfn, pfn);
    return 0;
}

static int update(struct vcpu *vcpu, const struct mmu_update *req,
                  domid_t whose)
{
    maddr_t pte_addr = req->ptr & ~UINT64_C(7);
    unsigned cmd = req->ptr & 7;
    int rc = 0;

    if (whose != DOMID_SELF && whose != DOMID_IO)
        return -EPERM;
    switch (cmd) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        if (whose == DOMID_IO)
            rc = pagetable_check_io(vcpu, pte_addr, req->val);
        if (rc)
            return rc;
        return pagetable_write(vcpu, pte_addr, req->val,
                               cmd == MMU_PT_UPDATE_PRESERVE_AD);
    case MMU_MACHPHYS_UPDATE:
        if (whose == DOMID_IO)
            return -EINVAL;
        return set_machphys(vcpu, pte_addr, req->val);
    default:
        return -ENOSYS;
    }
}

/* The upper half of (foreigndom) names the owner of the tables, plus one. */
static int check_table_owner(const struct domain *dom, uint32_t foreigndom)
{
    uint32_t owner = foreigndom >> 16;

    if (!owner || owner - 1 == dom->id)
        return 0;
    return owner - 1 == BACKEND_ID ? -EPERM : -ESRCH;
}

long call_mmu_update(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct domain *dom = vcpu->domain;
    uint32_t count = (uint32_t)args[1] & ~MMU_UPDATE_PREEMPTED, done = 0;
    uint32_t foreigndom = (uint32_t)args[3];
    int rc = check_table_owner(dom, foreigndom);

    if (rc)
        return rc;
    if (mmu_check_owner(dom, (domid_t)foreigndom) == -ESRCH)
        return -ESRCH;
    while (done < count) {
        struct guest_addr from =
            guest_addr(args[0] + done * sizeof(struct mmu_update));
        struct mmu_update req;

        rc = guest_read(vcpu, from, &req, sizeof req);
        if (!rc)
            rc = update(vcpu, &req, (domid_t)foreigndom);
        if (rc)
            break;
        done++;
        if (done % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    if (args[2]) /* where it cannot be told it is not */
        guest_write(vcpu, guest_addr(args[2]), &done, sizeof done);
    return rc;
}
