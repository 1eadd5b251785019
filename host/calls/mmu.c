/* mmu_update and update_va_mapping: single entries. */
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
    if (domid_is_self(dom, domid))
        return 0;
    if (domid == DOMID_IO || domid == DOMID_XEN || domid == BACKEND_ID)
        return -EPERM;
    return -ESRCH;
}

/* UVMF_*: the tables changed already, now what was translated by them. */
static int flush(struct vcpu *vcpu, uint64_t flags)
{
    uint64_t mask_va = flags & ~(UVMF_FLUSHTYPE_MASK | UVMF_ALL);
    uint8_t mask = 1;

    if (!(flags & UVMF_FLUSHTYPE_MASK))
        return 0;
    if (!(flags & UVMF_ALL) && mask_va &&
        guest_read(vcpu, guest_addr(mask_va), &mask, sizeof mask))
        return -EFAULT;
    if (!(mask & 1))
        return 0; /* not us, and there is nobody else */
    /* UVMF_INVLPG: the change of the entry told the engine already */
    if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_TLB_FLUSH)
        tell_invalidate_all(vcpu);
    return 0;
}

long call_update_va_mapping(void *opaque, const uint64_t *args)
{
    int rc = pagetable_write_at(opaque, args[0], args[1]);

    return rc ? rc : flush(opaque, args[2]);
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

    if (!frame || frame->state != FRAME_RAM || frame->given_back)
        return -EINVAL;
    memory_set_pfn(&dom->mem, mfn, pfn);
    return 0;
}

static int update(struct vcpu *vcpu, const struct mmu_update *req, int owner)
{
    maddr_t pte_addr = req->ptr & ~UINT64_C(7);
    unsigned cmd = req->ptr & 7;

    switch (cmd) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        if (owner && (req->val & PTE_PRESENT))
            return owner;
        return pagetable_write(vcpu, pte_addr, req->val,
                               cmd == MMU_PT_UPDATE_PRESERVE_AD);
    case MMU_MACHPHYS_UPDATE:
        return owner ? owner : set_machphys(vcpu, pte_addr, req->val);
    default:
        return -ENOSYS;
    }
}

/* The upper half of (foreigndom) names the owner of the tables, plus one. */
static int check_table_owner(const struct domain *dom, uint32_t foreigndom)
{
    uint32_t owner = foreigndom >> 16;

    return owner ? mmu_check_owner(dom, (domid_t)(owner - 1)) : 0;
}

long call_mmu_update(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct domain *dom = vcpu->domain;
    uint32_t count = (uint32_t)args[1] & ~MMU_UPDATE_PREEMPTED, done = 0;
    uint32_t foreigndom = (uint32_t)args[3];
    int rc = check_table_owner(dom, foreigndom);
    int owner = mmu_check_owner(dom, (domid_t)foreigndom);

    if (rc)
        return rc;
    if (owner == -ESRCH)
        return owner;
    while (done < count) {
        struct guest_addr from =
            guest_addr(args[0] + done * sizeof(struct mmu_update));
        struct mmu_update req;

        rc = guest_read(vcpu, from, &req, sizeof req);
        if (!rc)
            rc = update(vcpu, &req, owner);
        if (rc)
            break;
        done++;
        if (done % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    if (args[2] && guest_write(vcpu, guest_addr(args[2]), &done, sizeof done))
        return -EFAULT;
    return rc;
}
