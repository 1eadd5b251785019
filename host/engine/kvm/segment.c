/*
 * host/engine/kvm/segment.c: descriptors of the guest's own: what a selector
 * means, local tables that come page by page, and the data segments that are
 * loaded anew when others have run.
 */
#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/pv/bounce.h"

#define ENTRIES_PER_PAGE 512
#define TABLE_LOCAL      4 /* of a selector */
#define NUL_SELECTOR     3 /* and those below */

#define TYPE_LDT 2

#define PF_USER 4u

/* A descriptor as one 64-bit word. */
#define DESC_TYPE(desc) ((desc) >> 40 & 0xf)
#define DESC_S(desc)    ((desc) >> 44 & 1)
#define DESC_DPL(desc)  ((desc) >> 45 & 3)
#define DESC_P(desc)    ((desc) >> 47 & 1)
#define DESC_AVL(desc)  ((desc) >> 52 & 1)
#define DESC_L(desc)    ((desc) >> 53 & 1)
#define DESC_DB(desc)   ((desc) >> 54 & 1)
#define DESC_G(desc)    ((desc) >> 55 & 1)
#define DESC_BASE(desc) \
    (((desc) >> 16 & 0xffffff) | ((desc) >> 56 & 0xff) << 24)
#define DESC_LIMIT(desc) (((desc)&0xffff) | ((desc) >> 32 & 0xf0000))

#define TYPE_ACCESSED 1
#define TYPE_WRITABLE 2 /* of data */
#define TYPE_READABLE 2 /* of code */
#define TYPE_CODE     8

/* The page of descriptors that (selector) is in, NULL if there is none. */
static const uint64_t *table_of(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                                uint16_t selector)
{
    const struct memory *mem = &vcpu->domain->mem;
    const unsigned index = selector >> 3, page = index / ENTRIES_PER_PAGE;

    if (selector & TABLE_LOCAL)
        return index < vcpu->nr_ldt_entries
                   ? memory_frame(mem, segment_ldt_frame(vcpu, page))
                   : NULL;
    if (page == VCPU_GDT_FRAMES)
        return cpu->stub->gdt;
    /* whole pages: the limit of the VM's table is that of them all */
    return page * ENTRIES_PER_PAGE < vcpu->nr_gdt_entries
               ? memory_frame(mem, vcpu->gdt[page])
               : NULL;
}

static uint64_t descriptor(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                           uint16_t selector)
{
    const uint64_t *table = table_of(cpu, vcpu, selector);
    const unsigned index = (selector >> 3) % ENTRIES_PER_PAGE;

    return table ? __atomic_load_n(&table[index], __ATOMIC_RELAXED) : 0;
}

struct kvm_segment segment_of(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                              uint16_t selector)
{
    const uint64_t desc = descriptor(cpu, vcpu, selector);
    const uint32_t limit = DESC_LIMIT(desc);

    return (struct kvm_segment){
        .base = DESC_BASE(desc),
        .limit = DESC_G(desc) ? limit << 12 | 0xfff : limit,
        .selector = selector,
        .type = DESC_TYPE(desc) | TYPE_ACCESSED,
        .present = 1,
        .dpl = DESC_DPL(desc),
        .db = DESC_DB(desc),
        .s = 1,
        .l = DESC_L(desc),
        .g = DESC_G(desc),
        .avl = DESC_AVL(desc),
    };
}

bool segment_fits(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                  uint16_t selector, bool code)
{
    const uint64_t desc = descriptor(cpu, vcpu, selector);
    const unsigned type = DESC_TYPE(desc);

    if ((selector & 3) != 3 || !DESC_P(desc) || !DESC_S(desc) ||
        DESC_DPL(desc) != 3)
        return false;
    if (code)
        return (type & TYPE_CODE) && !(DESC_L(desc) && DESC_DB(desc));
    return !(type & TYPE_CODE) && (type & TYPE_WRITABLE);
}

/* Can ring 3 have it in DS and the like? All descriptors are of its level. */
static bool is_loadable(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                        uint16_t selector)
{
    const uint64_t desc = descriptor(cpu, vcpu, selector);

    if (selector <= NUL_SELECTOR)
        return true;
    return DESC_P(desc) && DESC_S(desc) && DESC_DPL(desc) == 3 &&
           (!(DESC_TYPE(desc) & TYPE_CODE) || DESC_TYPE(desc) & TYPE_READABLE);
}

static bool all_are_loadable(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                             const uint16_t selectors[4])
{
    for (unsigned i = 0; i < 4; i++)
        if (!is_loadable(cpu, vcpu, selectors[i]))
            return false;
    return true;
}

void segment_reload(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;
    struct kvm_segment *const all[] = {&s->ds, &s->es, &s->fs, &s->gs};
    uint16_t selectors[4];

    vcpu->reload = false;
    for (unsigned i = 0; i < 4; i++)
        selectors[i] = all[i]->selector;
    if (all_are_loadable(cpu, vcpu, selectors) ||
        !enter_read_selectors(cpu, vcpu, selectors) ||
        all_are_loadable(cpu, vcpu, selectors))
        return;
    for (unsigned i = 0; i < 4; i++)
        if (!is_loadable(cpu, vcpu, selectors[i]))
            *all[i] = (struct kvm_segment){.base = all[i]->base, .unusable = 1};
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    bounce_failsafe(vcpu, selectors);
}

void segment_load_ldt(struct kvm_cpu *cpu, const struct vcpu *vcpu)
{
    const unsigned nr = vcpu->nr_ldt_entries;

    if (!cpu->new_ldt)
        return;
    cpu->new_ldt = false;
    cpu->run->s.regs.sregs.ldt = (struct kvm_segment){
        .base = cpu->stub_va + STUB_LDT_PAGE * (uint64_t)PAGE_SIZE,
        .limit = nr ? nr * 8 - 1 : 0,
        .selector = nr ? STUB_LDT : 0,
        .type = TYPE_LDT,
        .present = nr != 0,
        .unusable = nr == 0,
    };
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

bool segment_serve_fault(struct kvm_cpu *cpu, struct vcpu *vcpu,
                         struct trap *trap)
{
    const uint64_t offset =
        trap->cr2 - (cpu->stub_va + STUB_LDT_PAGE * (uint64_t)PAGE_SIZE);
    const unsigned page = (unsigned)(offset >> PAGE_SHIFT);
    mfn_t mfn;

    if (offset >= VCPU_LDT_FRAMES * (uint64_t)PAGE_SIZE)
        return false;
    mfn = segment_ldt_frame(vcpu, page);
    if (mfn) {
        stub_set_ldt_page(&cpu->vm->stub, vcpu, page, mfn);
        kvm_touch_ldt(vcpu, page);
        return true;
    }
    trap->cr2 = vcpu->ldt_base + offset;
    if (vcpu->user_mode)
        trap->error |= PF_USER;
    return false;
}
