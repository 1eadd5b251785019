/*
 * A guest that makes any hypercall with any argument: its own pages, tables,
 * addresses and structures, or numbers that mean nothing.
 *
 * Whatever it does, the host neither crashes nor hangs, and its books stay
 * true: page types are what a recount of all tables says, ports know their
 * peers, and each borrowed page has its borrower.
 */
#include "input.h"

#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

#define ENTRIES 512

#define ARG_WORDS 16

/* Those with something to get wrong, the common ones more often. */
static const uint8_t calls[] = {
    __HYPERVISOR_set_trap_table,
    __HYPERVISOR_mmu_update,
    __HYPERVISOR_mmu_update,
    __HYPERVISOR_mmu_update,
    __HYPERVISOR_set_gdt,
    __HYPERVISOR_stack_switch,
    __HYPERVISOR_set_callbacks,
    __HYPERVISOR_sched_op_compat,
    __HYPERVISOR_set_debugreg,
    __HYPERVISOR_update_descriptor,
    __HYPERVISOR_memory_op,
    __HYPERVISOR_memory_op,
    __HYPERVISOR_multicall,
    __HYPERVISOR_update_va_mapping,
    __HYPERVISOR_update_va_mapping,
    __HYPERVISOR_set_timer_op,
    __HYPERVISOR_event_channel_op_compat,
    __HYPERVISOR_xen_version,
    __HYPERVISOR_console_io,
    __HYPERVISOR_grant_table_op,
    __HYPERVISOR_grant_table_op,
    __HYPERVISOR_vm_assist,
    __HYPERVISOR_update_va_mapping_otherdomain,
    __HYPERVISOR_vcpu_op,
    __HYPERVISOR_set_segment_base,
    __HYPERVISOR_mmuext_op,
    __HYPERVISOR_mmuext_op,
    __HYPERVISOR_sched_op,
    __HYPERVISOR_callback_op,
    __HYPERVISOR_event_channel_op,
    __HYPERVISOR_event_channel_op,
    __HYPERVISOR_physdev_op,
};

/* Few pages, so that the same one is met in many roles. */
static unsigned pick_page(struct input *in)
{
    uint8_t byte = input_u8(in);

    return byte & 0x80 ? BARE_PAGE + byte % 12 : byte % 24;
}

/* A number that a guest might hand over. */
static uint64_t pick(struct input *in)
{
    uint8_t kind = input_u8(in);

    switch (kind % 12) {
    case 0:
        return page_va(pick_page(in));
    case 1:
        return page_va(ARGS_PAGE) + input_u8(in);
    case 2:
        return page_mfn(pick_page(in));
    case 3:
        return page_mfn(pick_page(in)) << PAGE_SHIFT | (input_u8(in) & 0x67);
    case 4:
        return page_mfn(pick_page(in)) << PAGE_SHIFT | PTE_PRESENT | PTE_RW;
    case 5: /* the address of an entry */
        return (page_mfn(pick_page(in)) << PAGE_SHIFT) +
               input_u16(in) % PAGE_SIZE;
    case 6:
        return DOMID_SELF;
    case 7:
        return input_u64(in);
    case 8:
        return kind & 0x10 ? HOLE : NOWHERE;
    default:
        return input_u8(in);
    }
}

/* The guest writes its arguments, or pages it wants to make tables of. */
static void fill(struct input *in, uint64_t va)
{
    uint64_t words[ARG_WORDS];

    for (unsigned i = 0; i < ARG_WORDS; i++)
        words[i] = pick(in);
    (void)guest_write(vcpu, guest_addr(va), words, sizeof words);
}

/* The number of uses that each frame should have. */
static uint32_t expected[RAM_PAGES + SHARED_PAGES];

static void expect_use(mfn_t mfn)
{
    PROMISE(memory_has(&dom->mem, mfn));
    expected[memory_index(&dom->mem, mfn)]++;
}

/* All that the present entries of a table in use refer to. */
static void recount_table(size_t index)
{
    const struct frame *frame = &dom->mem.frames[index];
    const uint64_t *table = page((unsigned)index);

    for (unsigned i = 0; i < ENTRIES; i++)
        if ((table[i] & PTE_PRESENT) &&
            (frame->type != TYPE_L1 || (table[i] & PTE_RW)))
            expect_use((table[i] & PTE_MFN_MASK) >> PAGE_SHIFT);
}

static void check_types(void)
{
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < dom->mem.nr_frames; i++) {
        const struct frame *frame = &dom->mem.frames[i];

        expected[i] += frame->pinned;
        if (frame->uses && frame->type >= TYPE_L1 && frame->type <= TYPE_L4)
            recount_table(i);
        PROMISE(!frame->uses || frame->type != TYPE_NONE);
        PROMISE(!frame->uses || frame->state != FRAME_FREE);
    }
    expect_use(vcpu->cr3);
    if (vcpu->cr3_user)
        expect_use(vcpu->cr3_user);
    for (unsigned i = 0; i < (vcpu->nr_gdt_entries + 511) / 512; i++)
        expect_use(vcpu->gdt[i]);
    if (vcpu->info_registered)
        expected[(size_t)((uint8_t *)vcpu->info - dom->mem.base) / PAGE_SIZE]++;
    for (size_t i = 0; i < dom->mem.nr_frames; i++)
        PROMISE(dom->mem.frames[i].uses == expected[i]);
}

static void check_ports(void)
{
    for (evtchn_port_t i = 1; i < dom->ports.nr; i++) {
        const struct port *port = &dom->ports.table[i], *peer;

        if (port->state == PORT_VIRQ)
            PROMISE(vcpu->virq_port[port->virq] == i);
        if (port->state != PORT_LOCAL)
            continue;
        peer = port_find(dom, port->peer);
        PROMISE(peer && peer->state == PORT_LOCAL && peer->peer == i);
    }
}

/* Each live handle holds one pin and one hold; then they are let go. */
static void check_and_release_grants(void)
{
    uint64_t live = 0, held = 0;

    for (uint32_t i = 0; i < dom->grant_maps.nr; i++)
        live += dom->grant_maps.table[i].flags & 3 ? 1 : 0;
    for (size_t i = 0; i < dom->mem.nr_frames; i++) {
        held += dom->mem.frames[i].refs;
        dom->mem.frames[i].refs = 0;
    }
    PROMISE(dom->grants.nr_pinned == live);
    PROMISE(held == live);
    dom->grants.nr_pinned = 0;
}

static void close_ports(void)
{
    for (evtchn_port_t i = 1; i < dom->ports.nr; i++)
        port_close(dom, i);
}

static void step(struct input *in)
{
    uint8_t deed = input_u8(in);
    uint64_t nr = calls[deed % sizeof calls], args[5];

    if (deed >= 0xf0) {
        fill(in, page_va(pick_page(in)));
        return;
    }
    if (deed >= 0xec)
        nr = input_u64(in);
    fill(in, page_va(ARGS_PAGE));
    args[0] = deed & 0x80 ? page_va(ARGS_PAGE) : pick(in);
    args[1] = deed & 0x40 ? page_va(ARGS_PAGE) : pick(in);
    for (unsigned i = 2; i < 5; i++)
        args[i] = pick(in);
    if (nr == __HYPERVISOR_iret)
        return; /* the engine's affair */
    domain_hypercall(vcpu, nr, args);
    dom->end = DOMAIN_RUNS; /* one more of its lives */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    fake_create();
    /* some granted pages, for its own use */
    for (grant_ref_t ref = 8; ref < 24; ref++)
        dom->grants.frames[0][ref] = (grant_entry_v1_t){
            .flags = GTF_permit_access | (ref & 1 ? GTF_readonly : 0),
            .domid = DOMAIN_ID,
            .frame = (uint32_t)page_mfn(ref),
        };
    while (input_left(&in)) {
        step(&in);
        check_types();
    }
    check_ports();
    check_and_release_grants();
    close_ports();
    fake_destroy();
    return 0;
}
