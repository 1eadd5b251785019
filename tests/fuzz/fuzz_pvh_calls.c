/*
 * A PVH guest that makes any hypercall with any argument, from 64-bit and
 * 32-bit code: its own pages, addresses and structures, or numbers that mean
 * nothing; and uses its APIC as it likes.
 *
 * Whatever it does, the host neither crashes nor hangs, and what lies at a gfn
 * is one story for all who ask: lookups, ranges, and the count of RAM.
 */
#include "input.h"

#include <xen/memory.h>

#include "host/pvh/lapic.h"
#include "host/pvh/physmap.h"
#include "tests/harness/fake_domain.h"

#define ARG_WORDS 12

/* Paging is off: addresses are physical. */
#define ADDRESS(page_nr) ((uint64_t)(page_nr) << PAGE_SHIFT)

/* Calls, with the number of their commands. */
static const struct shape {
    uint8_t nr, nr_cmds;
} shapes[] = {
    {__HYPERVISOR_memory_op, 28},        {__HYPERVISOR_memory_op, 28},
    {__HYPERVISOR_hvm_op, 26},           {__HYPERVISOR_grant_table_op, 13},
    {__HYPERVISOR_vcpu_op, 14},          {__HYPERVISOR_sched_op, 8},
    {__HYPERVISOR_xen_version, 12},      {__HYPERVISOR_vm_assist, 3},
    {__HYPERVISOR_set_timer_op, 255},    {__HYPERVISOR_console_io, 3},
    {__HYPERVISOR_event_channel_op, 14},
};

/* A number that a guest might hand over; few gfns, met in many roles. */
static uint64_t pick(struct input *in)
{
    switch (input_u8(in) % 8) {
    case 0:
        return ADDRESS(ARGS_PAGE) + 8 * (input_u8(in) % 64u);
    case 1:
        return ADDRESS(input_u8(in));
    case 2:
        return input_u8(in); /* a gfn of RAM */
    case 3:
        return RAM_PAGES + input_u8(in) % 8u; /* and behind it */
    case 4:
        return DOMID_SELF;
    case 5:
        return input_u8(in) % 4u;
    case 6:
        return input_u32(in);
    default:
        return input_u64(in);
    }
}

static void fill_args(struct input *in)
{
    uint64_t words[ARG_WORDS];
    uint8_t *page = memory_frame(&dom->mem, ARGS_PAGE);

    for (unsigned i = 0; i < ARG_WORDS; i++) {
        words[i] = pick(in);
        if (input_u8(in) & 1) /* two halves, as many structures begin */
            words[i] = (uint32_t)words[i] | pick(in) << 32;
    }
    if (page)
        memcpy(page, words, sizeof words);
}

static void make_call(struct input *in)
{
    const struct shape *shape =
        &shapes[input_u8(in) % (sizeof shapes / sizeof *shapes)];
    const uint64_t cmd = input_u8(in) % shape->nr_cmds;

    fill_args(in);
    vcpu->in_32bit = input_u8(in) & 1;
    if (input_u8(in) & 7)
        call(shape->nr, cmd, ADDRESS(ARGS_PAGE), input_u8(in) % 4u);
    else
        call(input_u8(in), pick(in), pick(in), pick(in), pick(in), pick(in));
    dom->end = DOMAIN_RUNS;
}

/* Well-formed calls about few gfns, so that they meet each other. */
static void move_pages(struct input *in)
{
    const uint8_t what = input_u8(in);
    const mfn_t gfn = RAM_PAGES - 8 + input_u8(in) % 12u;
    struct xen_memory_reservation res = {
        .nr_extents = 1, .extent_order = what >> 6 & 1, .domid = DOMID_SELF};
    const struct xen_add_to_physmap add = {.domid = DOMID_SELF,
                                           .space = what >> 7,
                                           .idx = what >> 4 & 7,
                                           .gpfn = gfn};
    const struct xen_remove_from_physmap take = {.domid = DOMID_SELF,
                                                 .gpfn = gfn};
    uint8_t *args = memory_frame(&dom->mem, ARGS_PAGE);
    uint64_t *list = memory_frame(&dom->mem, FREE_PAGE);
    unsigned cmd;

    if (!args || !list)
        return;
    vcpu->in_32bit = false;
    *list = gfn;
    res.extent_start.p = (void *)ADDRESS(FREE_PAGE);
    memcpy(args, &res, sizeof res);
    switch (what & 3) {
    case 0:
        cmd = XENMEM_populate_physmap;
        break;
    case 1:
        cmd = XENMEM_decrease_reservation;
        break;
    case 2:
        cmd = XENMEM_add_to_physmap;
        memcpy(args, &add, sizeof add);
        break;
    default:
        cmd = XENMEM_remove_from_physmap;
        memcpy(args, &take, sizeof take);
        break;
    }
    call(__HYPERVISOR_memory_op, cmd, ADDRESS(ARGS_PAGE));
}

static void use_apic(struct input *in)
{
    const uint32_t offset = input_u16(in) % LAPIC_SIZE;
    int vector;

    if (input_u8(in) & 1)
        lapic_write(&vcpu->lapic, offset, input_u32(in));
    lapic_read(&vcpu->lapic, offset);
    vector = lapic_next(&vcpu->lapic);
    PROMISE(vector >= -1 && vector < 256);
    if (vector >= 0)
        lapic_take(&vcpu->lapic, (uint8_t)vector);
    PROMISE(vector < 0 || lapic_next(&vcpu->lapic) < 0 ||
            lapic_next(&vcpu->lapic) > vector);
}

static void check_physmap(void)
{
    static struct physmap_range ranges[PHYSMAP_MAX_RANGES];
    const struct memory *mem = &dom->mem;
    const unsigned nr = physmap_ranges(mem->physmap, ranges);
    size_t nr_ram = 0;

    PROMISE(nr <= PHYSMAP_MAX_RANGES);
    for (unsigned i = 0; i < nr; i++) {
        PROMISE(i == 0 ||
                ranges[i].gfn >= ranges[i - 1].gfn + ranges[i - 1].nr);
        for (size_t j = 0; j < ranges[i].nr; j++) {
            size_t index;

            PROMISE(ranges[i].index + j < mem->nr_frames);
            if (physmap_find(mem, ranges[i].gfn + j, &index))
                PROMISE(index == ranges[i].index + j);
        }
    }
    for (size_t i = 0; i < mem->max_ram; i++)
        nr_ram += mem->frames[i].state == FRAME_RAM;
    PROMISE(nr_ram == mem->nr_ram);
}

static void close_ports(void)
{
    for (evtchn_port_t port = 1; port < dom->ports.nr; port++)
        port_close(dom, port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    fake_create();
    dom->abi = ABI_PVH;
    dom->mem.physmap = calloc(1, sizeof *dom->mem.physmap);
    PROMISE(dom->mem.physmap);
    physmap_init(dom->mem.physmap, RAM_PAGES);
    for (unsigned i = 0; i < RAM_PAGES; i++) {
        dom->mem.frames[i].uses = 0; /* no tables of PV's */
        dom->mem.frames[i].pinned = false;
    }
    lapic_init(&vcpu->lapic, 0);
    while (input_left(&in)) {
        const uint8_t what = input_u8(&in) % 8;

        if (what == 0)
            use_apic(&in);
        else if (what < 4)
            make_call(&in);
        else
            move_pages(&in);
        check_physmap();
    }
    close_ports();
    fake_destroy();
    return 0;
}
