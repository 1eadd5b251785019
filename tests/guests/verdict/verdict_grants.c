/* grant_table_op on a table of version 1. */
#include "cases.h"

#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#define FAR_REF   0x7fffff00u
#define NO_HANDLE 0x7ffffff0u

static char *page, *target;
static grant_ref_t for_us, for_us_readonly, for_other;
static const grant_ref_t unused = 500;

static long call(unsigned op, void *arg, unsigned count)
{
    return hypercall_grant_table_op(op, arg, count);
}

static void counts(void)
{
    static const struct {
        const char *name;
        unsigned op;
    } ops[] = {
        {"map", GNTTABOP_map_grant_ref},
        {"unmap", GNTTABOP_unmap_grant_ref},
        {"setup_table", GNTTABOP_setup_table},
        {"dump_table", GNTTABOP_dump_table},
        {"transfer", GNTTABOP_transfer},
        {"copy", GNTTABOP_copy},
        {"query_size", GNTTABOP_query_size},
        {"unmap_and_replace", GNTTABOP_unmap_and_replace},
        {"set_version", GNTTABOP_set_version},
        {"get_status_frames", GNTTABOP_get_status_frames},
        {"get_version", GNTTABOP_get_version},
        {"swap", GNTTABOP_swap_grant_ref},
        {"cache_flush", GNTTABOP_cache_flush},
        {"operation 13", 13},
        {"operation 63", 63},
        {"operation -1", ~0u},
        {"operation 2^31", 1u << 31},
    };
    static char requests[4096];
    const uint64_t zero = 0; /* which nothing fits in */

    about("grant_table_op");
    for (size_t i = 0; i < NUMBER_OF(ops); i++) {
        memset(requests, 0, sizeof requests);
        say(call(ops[i].op, requests, 0), "%s, none", ops[i].name);
        say(call(ops[i].op, requests, 0x80000000u), "%s, 2^31", ops[i].name);
        say(call(ops[i].op, requests, ~0u), "%s, -1", ops[i].name);
        AT_WRONG_PLACES(ops[i].name, zero, call(ops[i].op, at, 1));
    }
    memset(requests, 0, sizeof requests);
    say(call(GNTTABOP_setup_table, requests, 2), "setup_table, two");
    say(call(GNTTABOP_query_size, requests, 2), "query_size, two");
    say(call(GNTTABOP_set_version, requests, 2), "set_version, two");
    memset(requests, 0, sizeof requests);
    say(call(GNTTABOP_get_version, requests, 2), "get_version, two");
    say(call(GNTTABOP_get_status_frames, requests, 2),
        "get_status_frames, two");
}

static void setup_table(void)
{
    static const uint32_t frames[] = {0, 33, 65, 1000, 0x80000000u, UINT32_MAX};
    static xen_pfn_t list[64];
    struct gnttab_setup_table op;
    long rc;

    about("grant_table_op setup_table");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = (struct gnttab_setup_table){.dom = whom[i].id, .nr_frames = 1};
        set_xen_guest_handle(op.frame_list, list);
        rc = call(GNTTABOP_setup_table, &op, 1);
        say_status(rc, op.status, "of %s", whom[i].name);
    }
    for (size_t i = 1; i < NUMBER_OF(frames); i++) {
        if (frames[i] == 33)
            continue; /* the limit is the toolstack's affair */
        op = (struct gnttab_setup_table){.dom = DOMID_SELF,
                                         .nr_frames = frames[i]};
        set_xen_guest_handle(op.frame_list, list);
        rc = call(GNTTABOP_setup_table, &op, 1);
        say_status(rc, op.status, "%d frames", (int)frames[i]);
    }
    op = (struct gnttab_setup_table){.dom = DOMID_SELF};
    rc = call(GNTTABOP_setup_table, &op, 1);
    say_status(rc, op.status, "no frames, no list");
    for (enum place place = 0; place < NR_PLACES; place++) {
        op = (struct gnttab_setup_table){.dom = DOMID_SELF, .nr_frames = 1};
        set_xen_guest_handle(op.frame_list, put(place, list, sizeof *list));
        rc = call(GNTTABOP_setup_table, &op, 1);
        say_status(rc, op.status, "a list %s", place_names[place]);
    }
}

static void sizes_and_versions(void)
{
    struct gnttab_query_size size;
    struct gnttab_get_version get;
    struct gnttab_set_version set;
    struct gnttab_get_status_frames status;
    static uint64_t list[4];
    long rc;

    about("grant_table_op query_size");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        size = (struct gnttab_query_size){.dom = whom[i].id};
        rc = call(GNTTABOP_query_size, &size, 1);
        say_status(rc, size.status, "of %s", whom[i].name);
    }
    about("grant_table_op get_version");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        get = (struct gnttab_get_version){.dom = whom[i].id};
        say(call(GNTTABOP_get_version, &get, 1), "of %s", whom[i].name);
    }
    about("grant_table_op set_version");
    for (unsigned i = 0; i < 5; i++) {
        if (i == 2)
            continue; /* a Xen may offer it, and need not */
        set = (struct gnttab_set_version){.version = i};
        say(call(GNTTABOP_set_version, &set, 1), "%u", i);
        printf("which leaves %u\n", set.version);
    }
    about("grant_table_op get_status_frames");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        status = (struct gnttab_get_status_frames){.dom = whom[i].id,
                                                   .nr_frames = 1};
        set_xen_guest_handle(status.frame_list, list);
        rc = call(GNTTABOP_get_status_frames, &status, 1);
        say_status(rc, status.status, "of %s", whom[i].name);
    }
}

static void try_map(const char *what, uint32_t flags, domid_t dom,
                    grant_ref_t ref, uint64_t address)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = address, .flags = flags, .ref = ref, .dom = dom};
    long rc = call(GNTTABOP_map_grant_ref, &op, 1);

    say_status(rc, op.status, "%s", what);
    if (rc == 0 && op.status == GNTST_okay) {
        struct gnttab_unmap_grant_ref undo = {.host_addr = address,
                                              .handle = op.handle};

        if (flags & GNTMAP_device_map)
            undo.dev_bus_addr = op.dev_bus_addr;
        rc = call(GNTTABOP_unmap_grant_ref, &undo, 1);
        say_status(rc, undo.status, "%s, and its end", what);
    }
}

static void map(void)
{
    const uint32_t host = GNTMAP_host_map;
    const uint64_t here = (uintptr_t)target;

    about("grant_table_op map");
    for (size_t i = 0; i < NUMBER_OF(whom); i++)
        if (whom[i].id != DOMID_SELF && whom[i].id != own_domid)
            try_map(whom[i].name, host, whom[i].id, FAR_REF, here);
    try_map("no flags", 0, own_domid, for_us, here);
    try_map("neither host nor device", GNTMAP_readonly, own_domid, for_us,
            here);
    try_map("a reference that is far off", host, own_domid, FAR_REF, here);
    try_map("one that nobody offers", host, own_domid, unused, here);
    try_map("one for another", host, own_domid, for_other, here);
    if (guest_is_pvh())
        return; /* where it goes is another matter there */
    try_map("one to read, for writing", host, own_domid, for_us_readonly, here);
    try_map("at a non-canonical address", host, own_domid, for_us,
            0x8000000000000000);
    try_map("in the hole", host, own_domid, for_us, 0xffff800000000000);
    try_map("where there is no table", host, own_domid, for_us,
            0x7123456780000);
    try_map("by an entry that is no table's", host | GNTMAP_contains_pte,
            own_domid, for_us, page_mfn(target) << PAGE_SHIFT);
    try_map("by an entry that is out of range", host | GNTMAP_contains_pte,
            own_domid, for_us, ~0ul << 12 >> 8);
    try_map("by an entry that is not aligned", host | GNTMAP_contains_pte,
            own_domid, for_us,
            (page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT) + 4);
    try_map("by an entry of an L4", host | GNTMAP_contains_pte, own_domid,
            for_us, page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT);
}

static void unmap(void)
{
    static const grant_handle_t handles[] = {NO_HANDLE, 4000, UINT32_MAX};

    about("grant_table_op unmap");
    for (size_t i = 0; i < NUMBER_OF(handles); i++) {
        struct gnttab_unmap_grant_ref op = {.handle = handles[i],
                                            .host_addr = (uintptr_t)target};
        struct gnttab_unmap_and_replace replace = {
            .handle = handles[i], .host_addr = (uintptr_t)target};
        long rc = call(GNTTABOP_unmap_grant_ref, &op, 1);

        say_status(rc, op.status, "handle %d", (int)handles[i]);
        if (guest_is_pvh())
            continue;
        rc = call(GNTTABOP_unmap_and_replace, &replace, 1);
        say_status(rc, replace.status, "and replace, handle %d",
                   (int)handles[i]);
    }
}

static struct gnttab_copy_ptr by_frame(uint64_t frame, unsigned offset)
{
    struct gnttab_copy_ptr end = {.domid = DOMID_SELF,
                                  .offset = (uint16_t)offset};

    end.u.gmfn = frame;
    return end;
}

static struct gnttab_copy_ptr by_ref(grant_ref_t ref, domid_t dom)
{
    struct gnttab_copy_ptr end = {.domid = dom};

    end.u.ref = ref;
    return end;
}

static void try_copy(const char *what, struct gnttab_copy_ptr from,
                     struct gnttab_copy_ptr to, unsigned len, unsigned flags)
{
    struct gnttab_copy op = {.source = from,
                             .dest = to,
                             .len = (uint16_t)len,
                             .flags = (uint16_t)flags};
    long rc = call(GNTTABOP_copy, &op, 1);

    say_status(rc, op.status, "%s", what);
}

static void copy(void)
{
    const struct gnttab_copy_ptr from = by_frame(page_mfn(page), 0);
    const struct gnttab_copy_ptr to = by_frame(page_mfn(target), 0);
    struct gnttab_copy_ptr end;
    char what[80];

    about("grant_table_op copy");
    try_copy("frame to frame", from, to, 4096, 0);
    try_copy("nothing", from, to, 0, 0);
    try_copy("more than a page", from, to, 4097, 0);
    try_copy("all that len can say", from, to, 65535, 0);
    try_copy("across the source's end", by_frame(page_mfn(page), 4000), to, 97,
             0);
    try_copy("across the target's end", from, by_frame(page_mfn(target), 4095),
             2, 0);
    try_copy("an offset beyond the page", by_frame(page_mfn(page), 5000), to, 0,
             0);
    try_copy("from a frame that is none", by_frame(~0ul >> 12, 0), to, 8, 0);
    try_copy("to a frame that is none", from, by_frame(~0ul >> 12, 0), 8, 0);
    try_copy("from frame -1", by_frame(~0ul, 0), to, 8, 0);
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        end = from;
        end.domid = whom[i].id;
        snprintf(what, sizeof what, "from a frame of %s", whom[i].name);
        try_copy(what, end, to, 8, 0);
        end = to;
        end.domid = whom[i].id;
        snprintf(what, sizeof what, "to a frame of %s", whom[i].name);
        try_copy(what, from, end, 8, 0);
    }
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        if (whom[i].id == DOMID_SELF || whom[i].id == own_domid)
            continue;
        snprintf(what, sizeof what, "from a grant of %s", whom[i].name);
        try_copy(what, by_ref(FAR_REF, whom[i].id), to, 8, GNTCOPY_source_gref);
    }
    try_copy("from a grant of our own", by_ref(for_us, own_domid), to, 8,
             GNTCOPY_source_gref);
    try_copy("the same, by self", by_ref(for_us, DOMID_SELF), to, 8,
             GNTCOPY_source_gref);
    try_copy("to a grant to read", from, by_ref(for_us_readonly, own_domid), 8,
             GNTCOPY_dest_gref);
    try_copy("to a grant for another", from, by_ref(for_other, own_domid), 8,
             GNTCOPY_dest_gref);
    try_copy("to a grant of nobody", from, by_ref(unused, own_domid), 8,
             GNTCOPY_dest_gref);
    try_copy("grant to grant", by_ref(for_us, own_domid),
             by_ref(for_us, own_domid), 8,
             GNTCOPY_source_gref | GNTCOPY_dest_gref);
    try_copy("with flags that are none", from, to, 8, 0xfffc);
    if (!guest_is_pvh()) {
        const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base);
        const uint64_t shared = guest_start_info->shared_info >> PAGE_SHIFT;

        try_copy("from a page table", by_frame(l4, 0), to, 8, 0);
        try_copy("to a page table", from, by_frame(l4, 0), 8, 0);
        try_copy("from shared_info", by_frame(shared, 0), to, 8, 0);
    }
}

static void swap(void)
{
    static const struct {
        const char *name;
        grant_ref_t a, b;
    } pairs[] = {
        {"free ones", 501, 502},     {"one with itself", 501, 501},
        {"a far one", FAR_REF, 501}, {"with a far one", 501, FAR_REF},
        {"-1", UINT32_MAX, 501},
    };

    about("grant_table_op swap");
    for (size_t i = 0; i < NUMBER_OF(pairs); i++) {
        struct gnttab_swap_grant_ref op = {.ref_a = pairs[i].a,
                                           .ref_b = pairs[i].b};
        long rc = call(GNTTABOP_swap_grant_ref, &op, 1);

        say_status(rc, op.status, "%s", pairs[i].name);
    }
}

static void transfer(void)
{
    struct gnttab_transfer op;
    long rc;

    if (guest_is_pvh())
        return;
    about("grant_table_op transfer");
    op = (struct gnttab_transfer){.mfn = ~0ul >> 12, .domid = 0x1234};
    rc = call(GNTTABOP_transfer, &op, 1);
    say_status(rc, op.status, "of a frame that is none");
    op = (struct gnttab_transfer){.mfn = ~0ul, .domid = 0x1234};
    rc = call(GNTTABOP_transfer, &op, 1);
    say_status(rc, op.status, "of frame -1");
    op = (struct gnttab_transfer){
        .mfn = page_mfn((void *)guest_start_info->pt_base), .domid = 0x1234};
    rc = call(GNTTABOP_transfer, &op, 1);
    say_status(rc, op.status, "of a page table");
    op = (struct gnttab_transfer){
        .mfn = guest_start_info->shared_info >> PAGE_SHIFT, .domid = 0x1234};
    rc = call(GNTTABOP_transfer, &op, 1);
    say_status(rc, op.status, "of shared_info");
    op = (struct gnttab_transfer){.mfn = page_mfn(page), .domid = 0x1234};
    rc = call(GNTTABOP_transfer, &op, 1);
    say_status(rc, op.status, "of a page that is mapped");
}

static void flush(void)
{
    static const struct {
        const char *name;
        uint32_t op;
        uint16_t offset, length;
    } kinds[] = {
        {"nothing", 0, 0, 8},
        {"an unknown operation", 4, 0, 8},
        {"across a page's end", GNTTAB_CACHE_CLEAN, 4090, 10},
        {"no bytes", GNTTAB_CACHE_CLEAN, 0, 0},
        {"by address", GNTTAB_CACHE_CLEAN, 0, 8},
        {"by reference", GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF, 0, 8},
    };

    about("grant_table_op cache_flush");
    for (size_t i = 0; i < NUMBER_OF(kinds); i++) {
        struct gnttab_cache_flush op = {.op = kinds[i].op,
                                        .offset = kinds[i].offset,
                                        .length = kinds[i].length};

        say(call(GNTTABOP_cache_flush, &op, 1), "%s", kinds[i].name);
    }
}

int main(void)
{
    cases_begin();
    page = spare_page();
    target = spare_page();
    for_us = (grant_ref_t)guest_grant(own_domid, page, false);
    for_us_readonly = (grant_ref_t)guest_grant(own_domid, spare_page(), true);
    for_other = (grant_ref_t)guest_grant(0x1234, spare_page(), false);
    counts();
    setup_table();
    sizes_and_versions();
    map();
    unmap();
    copy();
    swap();
    transfer();
    flush();
    return 0;
}
