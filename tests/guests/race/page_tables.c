/* Pages that are page tables now and then, and what maps them. */
#include "race.h"

#include <pvguest/page.h>

uint64_t tables[NR_TABLES][NR_ENTRIES] __attribute__((aligned(4096)));
static uint64_t table_mfns[NR_TABLES];
static uint64_t table_ptes[NR_TABLES]; /* machine addresses of what maps them */

uint64_t an_entry(struct racer *self)
{
    static const uint64_t flags[] = {PTE_RAM, PTE_READ, PTE_READ, 0};
    uint64_t flag = flags[any(self, NUMBER_OF(flags))];

    return flag ? table_mfns[any(self, NR_TABLES)] << PAGE_SHIFT | flag : 0;
}

/* An entry that maps one of them, or one in them, where they are tables. */
static uint64_t a_place(struct racer *self)
{
    unsigned i = (unsigned)any(self, NR_TABLES);

    if (any(self, 2))
        return table_ptes[i];
    return (table_mfns[i] << PAGE_SHIFT) + 8 * any(self, 4);
}

void update_entries(struct racer *self)
{
    struct mmu_update reqs[4];
    unsigned done;

    for (unsigned i = 0; i < NUMBER_OF(reqs); i++)
        reqs[i] = (struct mmu_update){
            .ptr =
                a_place(self) | (any(self, 2) ? MMU_PT_UPDATE_PRESERVE_AD : 0),
            .val = an_entry(self),
        };
    hypercall_mmu_update(reqs, 1 + (unsigned)any(self, NUMBER_OF(reqs)), &done,
                         DOMID_SELF);
}

void update_a_mapping(struct racer *self)
{
    static unsigned long vcpus;
    static const unsigned long flags[] = {
        UVMF_NONE,
        UVMF_INVLPG | UVMF_LOCAL,
        UVMF_INVLPG | UVMF_ALL,
        UVMF_TLB_FLUSH | UVMF_LOCAL,
        UVMF_TLB_FLUSH | UVMF_ALL,
    };
    unsigned long flag = flags[any(self, NUMBER_OF(flags))];

    __atomic_store_n(&vcpus, any(self, 1ul << count), __ATOMIC_RELAXED);
    if (any(self, 8) == 0)
        flag = (uintptr_t)&vcpus | UVMF_INVLPG;
    note(&nr_changed,
         !hypercall_update_va_mapping((uintptr_t)tables[any(self, NR_TABLES)],
                                      an_entry(self), flag));
}

void pin_or_unpin(struct racer *self)
{
    struct mmuext_op op = {.cmd = any(self, 2) ? MMUEXT_UNPIN_TABLE
                                               : MMUEXT_PIN_L1_TABLE +
                                                     (unsigned)any(self, 3)};

    op.arg1.mfn = table_mfns[any(self, NR_TABLES)];
    note(&nr_pinned, !hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF) &&
                         op.cmd != MMUEXT_UNPIN_TABLE);
}

void flush(struct racer *self)
{
    static const unsigned cmds[] = {
        MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_INVLPG_LOCAL,  MMUEXT_TLB_FLUSH_MULTI,
        MMUEXT_INVLPG_MULTI,    MMUEXT_TLB_FLUSH_ALL, MMUEXT_INVLPG_ALL,
    };
    unsigned long vcpus = any(self, 1ul << count);
    struct mmuext_op op = {.cmd = cmds[any(self, NUMBER_OF(cmds))]};

    op.arg1.linear_addr = (uintptr_t)tables[any(self, NR_TABLES)];
    if (op.cmd == MMUEXT_TLB_FLUSH_MULTI || op.cmd == MMUEXT_INVLPG_MULTI)
        set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
    hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void set_frames_of_gdt(struct racer *self)
{
    xen_pfn_t frame = table_mfns[any(self, NR_TABLES)];

    hypercall_set_gdt(&frame, any(self, 2) ? 512 : 0);
    hypercall_update_descriptor(frame << PAGE_SHIFT | 8 * any(self, 4), 0);
}

bool find_tables(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_TABLES; i++) {
        volatile uint64_t *pte = entry_of(tables[i], 1);
        const uintptr_t at = (uintptr_t)pte;

        good &= pte != NULL;
        table_mfns[i] = page_mfn(tables[i]);
        table_ptes[i] = (page_mfn((void *)at) << PAGE_SHIFT) + at % PAGE_SIZE;
    }
    return good;
}

bool restore_tables(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_TABLES; i++) {
        struct mmuext_op op = {.cmd = MMUEXT_UNPIN_TABLE};

        op.arg1.mfn = table_mfns[i];
        hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
    }
    /* what was mapped in wrong places holds types of others */
    for (unsigned i = 0; i < NR_TABLES; i++)
        good &= hypercall_update_va_mapping((uintptr_t)tables[i], 0,
                                            UVMF_INVLPG | UVMF_ALL) == 0;
    for (unsigned i = 0; i < NR_TABLES; i++)
        good &= hypercall_update_va_mapping(
                    (uintptr_t)tables[i], table_mfns[i] << PAGE_SHIFT | PTE_RAM,
                    UVMF_INVLPG | UVMF_ALL) == 0;
    return good;
}
