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
#include "host/port_fifo.h"
#include "tests/harness/fake_domain.h"

#define ENTRIES 512

#define ARG_WORDS 16

/*
 * What calls look like, so that most get past their first check: c a command
 * below (nr_cmds), p a pointer to the arguments, n a small count, v an address,
 * e a page-table entry, m a machine address, s the own domain, . anything.
 */
static const struct shape {
    uint8_t nr, nr_cmds;
    char args[6];
} shapes[] = {
    {__HYPERVISOR_set_trap_table, 0, "p...."},
    {__HYPERVISOR_mmu_update, 0, "pnps."},
    {__HYPERVISOR_mmu_update, 0, "pn.s."},
    {__HYPERVISOR_set_gdt, 0, "p...."},
    {__HYPERVISOR_stack_switch, 0, "....."},
    {__HYPERVISOR_set_callbacks, 0, "vvv.."},
    {__HYPERVISOR_sched_op_compat, 4, "cn..."},
    {__HYPERVISOR_set_debugreg, 10, "cv..."},
    {__HYPERVISOR_update_descriptor, 0, "m...."},
    {__HYPERVISOR_memory_op, 28, "cp..."},
    {__HYPERVISOR_memory_op, 28, "cp..."},
    {__HYPERVISOR_multicall, 0, "pn..."},
    {__HYPERVISOR_update_va_mapping, 0, "ve..."},
    {__HYPERVISOR_update_va_mapping, 0, "ven.."},
    {__HYPERVISOR_set_timer_op, 0, "....."},
    {__HYPERVISOR_event_channel_op_compat, 0, "p...."},
    {__HYPERVISOR_xen_version, 12, "cp..."},
    {__HYPERVISOR_console_io, 3, "cnp.."},
    {__HYPERVISOR_grant_table_op, 13, "cpn.."},
    {__HYPERVISOR_grant_table_op, 2, "cpn.."},
    {__HYPERVISOR_vm_assist, 3, "cn..."},
    {__HYPERVISOR_update_va_mapping_otherdomain, 0, "ve.s."},
    {__HYPERVISOR_vcpu_op, 14, "c0p.."},
    {__HYPERVISOR_set_segment_base, 5, "c...."},
    {__HYPERVISOR_mmuext_op, 0, "pn.s."},
    {__HYPERVISOR_mmuext_op, 0, "pnps."},
    {__HYPERVISOR_sched_op, 8, "cp..."},
    {__HYPERVISOR_callback_op, 3, "cp..."},
    {__HYPERVISOR_event_channel_op, 14, "cp..."},
    {__HYPERVISOR_event_channel_op, 14, "cp..."},
    {__HYPERVISOR_physdev_op, 30, "cp..."},
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

/* One argument in the role that (letter) says, now and then in another. */
static uint64_t pick_arg(struct input *in, char letter, unsigned nr_cmds)
{
    uint8_t byte = input_u8(in);

    if (byte >= 0xf8)
        letter = '.';
    switch (letter) {
    case 'c':
        return byte % nr_cmds;
    case 'p':
        return page_va(ARGS_PAGE);
    case 'n':
        return byte % 8;
    case 's':
        return DOMID_SELF;
    case '0':
        return 0;
    case 'v':
        return page_va(pick_page(in));
    case 'e':
        return page_mfn(pick_page(in)) << PAGE_SHIFT | (byte & 0x67);
    case 'm':
        return (page_mfn(pick_page(in)) << PAGE_SHIFT) + (byte & ~7u);
    default:
        return pick(in);
    }
}

/* Structures begin with a small number, a domain, or a frame. */
static uint64_t pick_word(struct input *in)
{
    uint64_t word = pick(in);

    return input_u8(in) & 1 ? word
                            : (word & 0xffff) | (uint64_t)DOMID_SELF << 32;
}

/* The guest writes its arguments, or pages it wants to make tables of. */
static void fill(struct input *in, uint64_t va)
{
    uint64_t words[ARG_WORDS];

    for (unsigned i = 0; i < ARG_WORDS; i++)
        words[i] = i < 4 ? pick_word(in) : pick(in);
    (void)guest_write(vcpu, guest_addr(va), words, sizeof words);
}

/* A grant to map, or a mapping to undo, with the fields about right. */
static void fill_grant(struct input *in)
{
    const uint8_t byte = input_u8(in);
    struct gnttab_map_grant_ref map = {
        .host_addr = page_va(pick_page(in)),
        .flags = byte % 32,
        .ref = 8 + input_u8(in) % 18,
        .dom = DOMAIN_ID,
    };
    struct gnttab_unmap_grant_ref unmap = {.handle = byte % 4};

    if (byte & 0x80) {
        const uint32_t nr = dom->grant_maps.nr;

        if (unmap.handle < nr)
            unmap.host_addr = dom->grant_maps.table[unmap.handle].host_addr;
        (void)guest_write(vcpu, guest_addr(page_va(ARGS_PAGE)), &unmap,
                          sizeof unmap);
    } else {
        if (map.flags & GNTMAP_contains_pte)
            map.host_addr = (page_mfn(L1_PAGE) << PAGE_SHIFT) + 8ul * byte;
        (void)guest_write(vcpu, guest_addr(page_va(ARGS_PAGE)), &map,
                          sizeof map);
    }
}

/* The number of uses that each frame should have. */
static uint32_t expected[RAM_PAGES + SHARED_PAGES];
static size_t expected_linear; /* entries to tables of their own level */

static void expect_use(mfn_t mfn)
{
    PROMISE(memory_has(&dom->mem, mfn));
    expected[memory_index(&dom->mem, mfn)]++;
}

/* All that the present entries of a table in use refer to. */
/*
 * An entry of table (index). Tables of its own level, which it may only refer
 * to while nobody refers to it so, are counted apart; it itself costs nothing.
 */
static void expect_use_by(size_t index, mfn_t mfn)
{
    const struct frame *table = &dom->mem.frames[index];
    const size_t other = memory_index(&dom->mem, mfn);

    if (table->type > TYPE_L1 && dom->mem.frames[other].type == table->type) {
        expected_linear++;
        if (other == index)
            return;
        PROMISE(table->linear > 0 && dom->mem.frames[other].linear < 0);
    }
    expect_use(mfn);
}

static void recount_table(size_t index)
{
    const struct frame *frame = &dom->mem.frames[index];
    const uint64_t *table = page((unsigned)index);

    for (unsigned i = 0; i < ENTRIES; i++)
        if ((table[i] & PTE_PRESENT) &&
            (frame->type != TYPE_L1 || (table[i] & PTE_RW)))
            expect_use_by(index, (table[i] & PTE_MFN_MASK) >> PAGE_SHIFT);
}

static void check_types(void)
{
    memset(expected, 0, sizeof expected);
    expected_linear = 0;
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
    for (unsigned i = 0; dom->ports.fifo && i < dom->ports.fifo->nr_pages; i++)
        expect_use(dom->ports.fifo->mfns[i]);
    if (dom->ports.fifo && dom->ports.fifo->vcpus[0].block)
        expect_use(dom->ports.fifo->vcpus[0].mfn);
    if (vcpu->info_registered)
        expected[(size_t)((uint8_t *)vcpu->info - dom->mem.base) / PAGE_SIZE]++;
    for (size_t i = 0; i < dom->mem.nr_frames; i++)
        PROMISE(dom->mem.frames[i].uses == expected[i]);
    PROMISE(dom->mem.nr_linear == expected_linear);
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
    const uint8_t deed = input_u8(in);
    const struct shape *shape =
        &shapes[deed % (sizeof shapes / sizeof *shapes)];
    uint64_t nr = shape->nr, args[5];

    if (deed >= 0xf0) {
        fill(in, page_va(pick_page(in)));
        return;
    }
    if (deed >= 0xee)
        nr = input_u64(in);
    fill(in, page_va(ARGS_PAGE));
    if (nr == __HYPERVISOR_grant_table_op && input_u8(in) & 1)
        fill_grant(in);
    for (unsigned i = 0; i < 5; i++)
        args[i] =
            pick_arg(in, shape->args[i], shape->nr_cmds ? shape->nr_cmds : 1);
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
