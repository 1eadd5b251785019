/* memory_op. */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

static long call(unsigned op, void *arg)
{
    return hypercall_memory_op(op, arg);
}

static const struct {
    const char *name;
    unsigned op;
} changes[] = {
    {"increase_reservation", XENMEM_increase_reservation},
    {"decrease_reservation", XENMEM_decrease_reservation},
    {"populate_physmap", XENMEM_populate_physmap},
};

static void reservations(void)
{
    static xen_pfn_t list[8];
    struct xen_memory_reservation good = {.domid = DOMID_SELF}, op;
    static const unsigned orders[] = {9, 10, 18, 63, 64, UINT32_MAX};

    for (size_t c = 0; c < NUMBER_OF(changes); c++) {
        unsigned cmd = changes[c].op;

        about("memory_op");
        AT_WRONG_PLACES(changes[c].name, good, call(cmd, at));
        for (size_t i = 0; i < NUMBER_OF(whom); i++) {
            op = (struct xen_memory_reservation){.domid = whom[i].id};
            set_xen_guest_handle(op.extent_start, list);
            say(call(cmd, &op), "%s, none, of %s", changes[c].name,
                whom[i].name);
            op.nr_extents = 1;
            list[0] = ~0ul >> 12;
            if (cmd == XENMEM_decrease_reservation)
                say(call(cmd, &op), "%s, frame that is none, of %s",
                    changes[c].name, whom[i].name);
        }
        for (size_t i = 0; i < NUMBER_OF(orders); i++) {
            op = (struct xen_memory_reservation){.domid = DOMID_SELF,
                                                 .nr_extents = 1,
                                                 .extent_order = orders[i]};
            list[0] = ~0ul >> 12;
            set_xen_guest_handle(op.extent_start, list);
            say(call(cmd, &op), "%s, order %d", changes[c].name,
                (int)orders[i]);
        }
        op = good;
        op.nr_extents = ~0ul;
        set_xen_guest_handle(op.extent_start, list);
        say(call(cmd, &op), "%s, 2^64 - 1 extents", changes[c].name);
        op.nr_extents = 1;
        for (enum place place = 0; place < NR_PLACES; place++) {
            if (cmd == XENMEM_increase_reservation)
                break; /* a machine that has memory left gives some */
            list[0] = ~0ul >> 12;
            set_xen_guest_handle(op.extent_start,
                                 put(place, list, sizeof *list));
            say(call(cmd, &op), "%s, a list %s", changes[c].name,
                place_names[place]);
        }
        say(call(cmd | 1u << 6, &good), "%s, resumed after none",
            changes[c].name);
        say(call(cmd | 5u << 6, &good), "%s, resumed after five of none",
            changes[c].name);
    }
}

/* Frames that a domain cannot give back. */
static void give_back(void)
{
    static const struct {
        const char *name;
        uint64_t frame;
    } frames[] = {
        {"frame -1", ~0ul},
        {"frame 2^52 - 1", ~0ul >> 12},
    };

    about("memory_op decrease_reservation");
    for (size_t i = 0; i < NUMBER_OF(frames); i++) {
        xen_pfn_t list[1] = {frames[i].frame};
        struct xen_memory_reservation op = {.domid = DOMID_SELF,
                                            .nr_extents = 1};

        set_xen_guest_handle(op.extent_start, list);
        say(call(XENMEM_decrease_reservation, &op), "%s", frames[i].name);
    }
}

static void exchange(void)
{
    static xen_pfn_t in[4], out[4];
    struct xen_memory_exchange good = {.in = {.domid = DOMID_SELF},
                                       .out = {.domid = DOMID_SELF}},
                               op;

    about("memory_op exchange");
    AT_WRONG_PLACES("nothing", good, call(XENMEM_exchange, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = good;
        op.in.domid = op.out.domid = whom[i].id;
        say(call(XENMEM_exchange, &op), "nothing of %s", whom[i].name);
    }
    op = good;
    op.out.domid = 0x1234;
    say(call(XENMEM_exchange, &op), "with another domain");
    op = good;
    op.in.nr_extents = 1;
    say(call(XENMEM_exchange, &op), "one for none");
    op = good;
    op.nr_exchanged = 1;
    say(call(XENMEM_exchange, &op), "more done than asked for");
    op = good;
    op.in.nr_extents = op.out.nr_extents = ~0ul;
    say(call(XENMEM_exchange, &op), "2^64 - 1");
    op = good;
    op.in.nr_extents = op.out.nr_extents = 1;
    op.in.extent_order = op.out.extent_order = 64;
    say(call(XENMEM_exchange, &op), "order 64");
    op.in.extent_order = op.out.extent_order = 18;
    say(call(XENMEM_exchange, &op), "order 18");
    op.in.extent_order = op.out.extent_order = 10;
    say(call(XENMEM_exchange, &op), "order 10");
    op.in.extent_order = 1;
    op.out.extent_order = 0;
    op.out.nr_extents = 3;
    say(call(XENMEM_exchange, &op), "two for three");

    in[0] = ~0ul >> 12;
    out[0] = 0;
    op = good;
    op.in.nr_extents = op.out.nr_extents = 1;
    set_xen_guest_handle(op.in.extent_start, in);
    set_xen_guest_handle(op.out.extent_start, out);
    say(call(XENMEM_exchange, &op), "a frame that is none");
    for (enum place place = 0; place < PLACE_READ_ONLY; place++) {
        set_xen_guest_handle(op.in.extent_start, put(place, in, sizeof *in));
        op.nr_exchanged = 0;
        say(call(XENMEM_exchange, &op), "a list %s", place_names[place]);
    }
    if (!guest_is_pvh()) {
        in[0] = page_mfn((void *)guest_start_info->pt_base);
        set_xen_guest_handle(op.in.extent_start, in);
        op.nr_exchanged = 0;
        say(call(XENMEM_exchange, &op), "a page table");
        in[0] = guest_start_info->shared_info >> PAGE_SHIFT;
        op.nr_exchanged = 0;
        say(call(XENMEM_exchange, &op), "shared_info");
    }
}

static void questions(void)
{
    static const struct {
        const char *name;
        unsigned op;
    } kinds[] = {
        {"current_reservation", XENMEM_current_reservation},
        {"maximum_reservation", XENMEM_maximum_reservation},
        {"maximum_gpfn", XENMEM_maximum_gpfn},
    };
    struct xen_memory_domain good = {.domid = DOMID_SELF};

    about("memory_op");
    for (size_t k = 0; k < NUMBER_OF(kinds); k++) {
        AT_WRONG_PLACES(kinds[k].name, good, call(kinds[k].op, at));
        for (size_t i = 0; i < NUMBER_OF(whom); i++) {
            struct xen_memory_domain op = {.domid = whom[i].id};

            say_if_good(call(kinds[k].op, &op), "%s of %s", kinds[k].name,
                        whom[i].name);
        }
        say_if_good(call(kinds[k].op | 1u << 6, &good), "%s, resumed",
                    kinds[k].name);
    }
    say_if_good(call(XENMEM_maximum_ram_page, NULL), "maximum_ram_page");
}

static void maps(void)
{
    static char room[1024];
    struct xen_memory_map good = {.nr_entries = 0}, op;
    struct xen_machphys_mfn_list list = {.max_extents = 0};
    struct xen_machphys_mapping mapping = {0};

    set_xen_guest_handle(good.buffer, room);
    about("memory_op");
    AT_WRONG_PLACES("memory_map", good, call(XENMEM_memory_map, at));
    AT_WRONG_PLACES("machine_memory_map", good,
                    call(XENMEM_machine_memory_map, at));
    AT_WRONG_PLACES("machphys_mfn_list", list,
                    call(XENMEM_machphys_mfn_list, at));
    AT_WRONG_PLACES("machphys_mapping", mapping,
                    call(XENMEM_machphys_mapping, at));
    if (!guest_is_pvh())
        return; /* a toolstack need not say where a PV domain has RAM */
    for (enum place place = 0; place < NR_PLACES; place++) {
        op = (struct xen_memory_map){.nr_entries = 1};
        set_xen_guest_handle(op.buffer, put(place, room, 20));
        say(call(XENMEM_memory_map, &op), "memory_map, its buffer %s",
            place_names[place]);
    }
}

static void placing(void)
{
    const uint64_t gfn = frame_of(spare_page());
    struct xen_add_to_physmap good = {.domid = 0x1234}, add;
    struct xen_remove_from_physmap none = {.domid = 0x1234}, away;
    struct xen_add_to_physmap_batch nothing = {.domid = DOMID_SELF}, batch;
    static const unsigned spaces[] = {XENMAPSPACE_gmfn,
                                      XENMAPSPACE_gmfn_range,
                                      XENMAPSPACE_gmfn_foreign,
                                      XENMAPSPACE_dev_mmio,
                                      6,
                                      1000};
    xen_ulong_t idx = 0;
    xen_pfn_t at_gfn = gfn;
    int err = 99;

    about("memory_op add_to_physmap");
    AT_WRONG_PLACES("request", good, call(XENMEM_add_to_physmap, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        add = (struct xen_add_to_physmap){
            .domid = whom[i].id, .space = 1000, .gpfn = gfn};
        say(call(XENMEM_add_to_physmap, &add), "for %s", whom[i].name);
    }
    for (size_t i = 2; i < NUMBER_OF(spaces); i++) {
        add = (struct xen_add_to_physmap){
            .domid = DOMID_SELF, .space = spaces[i], .gpfn = gfn};
        say(call(XENMEM_add_to_physmap, &add), "space %u", spaces[i]);
    }
    add = (struct xen_add_to_physmap){.domid = DOMID_SELF,
                                      .space = XENMAPSPACE_shared_info,
                                      .idx = 1,
                                      .gpfn = gfn};
    say(call(XENMEM_add_to_physmap, &add), "shared_info 1");
    add.space = XENMAPSPACE_grant_table;
    add.idx = 100000;
    say(call(XENMEM_add_to_physmap, &add), "grant frame 100000");
    add.idx = 1ul << 31;
    say(call(XENMEM_add_to_physmap, &add), "a status frame");
    add.idx = ~0ul;
    say(call(XENMEM_add_to_physmap, &add), "grant frame -1");
    add.space = XENMAPSPACE_gmfn;
    add.idx = ~0ul >> 12;
    say(call(XENMEM_add_to_physmap, &add), "a frame that is none");

    about("memory_op remove_from_physmap");
    AT_WRONG_PLACES("request", none, call(XENMEM_remove_from_physmap, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        away = (struct xen_remove_from_physmap){.domid = whom[i].id,
                                                .gpfn = ~0ul >> 13};
        say(call(XENMEM_remove_from_physmap, &away), "of %s", whom[i].name);
    }
    away = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = ~0ul};
    say(call(XENMEM_remove_from_physmap, &away), "frame -1");

    about("memory_op add_to_physmap_batch");
    AT_WRONG_PLACES("nothing", nothing, call(XENMEM_add_to_physmap_batch, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        batch = nothing;
        batch.domid = whom[i].id;
        say(call(XENMEM_add_to_physmap_batch, &batch), "nothing for %s",
            whom[i].name);
    }
    for (size_t i = 2; i < NUMBER_OF(spaces); i++) {
        batch = (struct xen_add_to_physmap_batch){
            .domid = DOMID_SELF, .space = (uint16_t)spaces[i], .size = 1};
        set_xen_guest_handle(batch.idxs, &idx);
        set_xen_guest_handle(batch.gpfns, &at_gfn);
        set_xen_guest_handle(batch.errs, &err);
        err = 99;
        say(call(XENMEM_add_to_physmap_batch, &batch), "space %u", spaces[i]);
        say(err, "space %u, its element", spaces[i]);
    }
    batch = (struct xen_add_to_physmap_batch){
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 1};
    for (enum place place = 0; place < PLACE_READ_ONLY; place++) {
        set_xen_guest_handle(batch.idxs, put(place, &idx, sizeof idx));
        set_xen_guest_handle(batch.gpfns, &at_gfn);
        set_xen_guest_handle(batch.errs, &err);
        say(call(XENMEM_add_to_physmap_batch, &batch), "indices %s",
            place_names[place]);
    }
}

static void for_tools(void)
{
    static const struct {
        const char *name;
        unsigned op;
    } ops[] = {
        {"operation 8", 8},
        {"set_memory_map", XENMEM_set_memory_map},
        {"set_pod_target", XENMEM_set_pod_target},
        {"get_pod_target", XENMEM_get_pod_target},
        {"get_sharing_freed_pages", 18},
        {"get_sharing_shared_pages", 19},
        {"paging_op", 20},
        {"access_op", 21},
        {"sharing_op", 22},
        {"claim_pages", 24},
        {"machphys_compat_mfn_list", XENMEM_machphys_compat_mfn_list},
        {"get_vnumainfo", XENMEM_get_vnumainfo},
        {"reserved_device_memory_map", 27},
        {"acquire_resource", 28},
        {"operation 29", 29},
        {"operation 63", 63},
        {"operation 64 * 64 + 63", 64 * 64 + 63},
        {"operation -1", ~0u},
    };
    static uint64_t request[64];
    const uint64_t zero = 0; /* which few fit in */
    domid_t self = DOMID_SELF;

    about("memory_op");
    for (size_t i = 0; i < NUMBER_OF(ops); i++) {
        memset(request, 0, sizeof request);
        say_if_good(call(ops[i].op, request), "%s of zeros", ops[i].name);
        memset(request, 0xff, sizeof request);
        say_if_good(call(ops[i].op, request), "%s of ones", ops[i].name);
        memset(request, 0, sizeof request);
        memcpy(request, &self, sizeof self);
        say_if_good(call(ops[i].op, request), "%s of ourselves", ops[i].name);
        AT_WRONG_PLACES(ops[i].name, zero, call(ops[i].op, at));
    }
}

int main(void)
{
    cases_begin();
    reservations();
    give_back();
    exchange();
    questions();
    maps();
    placing();
    for_tools();
    return 0;
}
