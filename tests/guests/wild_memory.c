/* Memory: taken away, used up, and written where it is not the guest's. */
#include "wild.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

void unmap(const char *where)
{
    const uint64_t va = place(where);
    long rc = hypercall_update_va_mapping(va, 0, UVMF_INVLPG);

    if (rc)
        printf("update_va_mapping: %ld\n", rc);
    else
        load(where);
    survived();
}

void unmap_all(const char *unused)
{
    const uint64_t end = (guest_start_info->nr_pages + 16384) << PAGE_SHIFT;

    (void)unused;
    for (uint64_t va = end; va; va -= PAGE_SIZE)
        hypercall_update_va_mapping(va - PAGE_SIZE, 0, UVMF_INVLPG);
    survived();
}

void clear_tables(const char *order)
{
    const unsigned long nr = guest_start_info->nr_pt_frames;
    long rc = 0;

    for (unsigned long i = 0; i < nr * 512; i++) {
        const unsigned long at = *order == 't' ? i : nr * 512 - 1 - i;
        const uint64_t *entry = (uint64_t *)guest_start_info->pt_base + at;
        struct mmu_update update = {.ptr = (page_mfn(entry) << PAGE_SHIFT) +
                                           at % 512 * 8};

        rc |= hypercall_mmu_update(&update, 1, NULL, DOMID_SELF);
    }
    printf("mmu_update: %ld\n", rc);
    survived();
}

void table_op(const char *what)
{
    const unsigned cmd = (unsigned)strtoul(what, NULL, 0);
    uint64_t frames[] = {0,
                         page_mfn(page_alloc_zeroed(1)),
                         page_mfn((void *)guest_start_info->pt_base),
                         guest_start_info->console.domU.mfn,
                         guest_start_info->shared_info >> PAGE_SHIFT,
                         UINT64_MAX,
                         UINT64_MAX >> PAGE_SHIFT,
                         1ull << 40};

    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct mmuext_op op = {.cmd = cmd, .arg1.mfn = frames[i]};

        printf("%lx: %ld\n", frames[i],
               hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF));
    }
    survived();
}

void balloon(const char *extent)
{
    const xen_pfn_t *list = (const xen_pfn_t *)guest_start_info->mfn_list;
    unsigned long nr = guest_start_info->nr_pages;
    unsigned long given = 0;

    for (unsigned long i = nr; i-- > 0;) {
        xen_pfn_t mfn = list[i];
        struct xen_memory_reservation op = {.nr_extents = 1,
                                            .extent_order =
                                                (unsigned)atoi(extent),
                                            .domid = DOMID_SELF};

        set_xen_guest_handle(op.extent_start, &mfn);
        given += hypercall_memory_op(XENMEM_decrease_reservation, &op) == 1;
    }
    printf("gave %lu of %lu\n", given, nr);
    survived();
}

void exhaust(const char *what)
{
    unsigned long nr = 0;

    if (strcmp(what, "memory") == 0)
        for (size_t size = 1 << 20; size > 16; size /= 2)
            while (malloc(size))
                nr++;
    if (strcmp(what, "pages") == 0)
        while (page_alloc_zeroed(1))
            nr++;
    if (strcmp(what, "ports") == 0) {
        evtchn_port_t port;

        while (hypercall_evtchn_alloc_unbound(0, &port) == 0)
            nr++;
    }
    if (strcmp(what, "reservation") == 0) {
        xen_pfn_t pfn = guest_start_info->nr_pages;
        struct xen_memory_reservation op = {.nr_extents = 1,
                                            .domid = DOMID_SELF};

        set_xen_guest_handle(op.extent_start, &pfn);
        while (nr < 1u << 20 &&
               hypercall_memory_op(XENMEM_populate_physmap, &op) == 1)
            nr++;
    }
    guest_print("%s: %lu\n", what, nr);
    guest_print("survived\n");
    guest_shutdown(SHUTDOWN_poweroff);
}

void many_mappings(const char *number)
{
    const uint64_t nr = strtoull(number, NULL, 0);
    uint8_t *pages = page_alloc(nr);
    unsigned wrong = 0;

    if (!pages)
        return;
    for (uint64_t i = 0; i < nr; i++) {
        uint64_t *page = (uint64_t *)(pages + i * PAGE_SIZE);

        *page = i;
        if (i % 2)
            wrong += hypercall_update_va_mapping(
                         (uintptr_t)page, page_mfn(page) << PAGE_SHIFT | 0x61,
                         UVMF_INVLPG) != 0;
    }
    for (uint64_t i = 0; i < nr; i++)
        wrong += *(uint64_t *)(pages + i * PAGE_SIZE) != i;
    for (uint64_t i = 0; i < nr; i += 2)
        *(uint64_t *)(pages + i * PAGE_SIZE) = 0;
    printf("wrong: %u\n", wrong);
    survived();
}

static bool skip_store(struct trap_frame *frame)
{
    frame->rip += 5; /* and the jump behind it */
    return true;
}

static bool try_to_store(uint64_t va, uint64_t value)
{
    uint64_t stored = 1;

    __asm__ volatile("mov %1, (%2)\n\t"
                     "jmp 1f\n\t"
                     "xor %0, %0\n"
                     "1:"
                     : "+r"(stored)
                     : "c"(value), "a"(va)
                     : "memory", "cc");
    return stored;
}

static uint64_t random_state;

static uint64_t some_number(void)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return random_state >> 24;
}

/* Where the shim's data begin: the first page behind its code to take it. */
static uint64_t find_data(void)
{
    uint64_t va = shim() & ~0xfffull, end = va + (16 << 20);
    volatile uint64_t *word;

    for (; va < end; va += PAGE_SIZE) {
        word = (volatile uint64_t *)(va + 8 * 17);
        if (try_to_store((uint64_t)word, 0))
            return va;
    }
    return 0;
}

void damage(const char *seed)
{
    static const char *const ends[] = {"shim", "shim+64", "0", "code"};
    const uint64_t values[] = {0, 1, UINT64_MAX, 0x41414141, shim(), 0};
    char place_name[32];
    uint64_t data, nr;

    random_state = strtoull(seed, NULL, 0) * 0x9e3779b97f4a7c15ul + 1;
    trap_handle(14, skip_store);
    trap_handle(13, skip_store);
    data = find_data();
    nr = 1ul << some_number() % 12;
    for (uint64_t i = 0; data && i < nr; i++) {
        uint64_t value = values[some_number() % 6];

        if (some_number() % 4 == 0)
            value = some_number();
        try_to_store(data + some_number() % (64 << 10) / 8 * 8, value);
    }
    trap_handle(14, NULL);
    trap_handle(13, NULL);
    switch (some_number() % 4) {
    case 0:
        jump(ends[some_number() % 4]);
        break;
    case 1:
        trap_on_stack("0");
        break;
    case 2:
        snprintf(place_name, sizeof place_name, "shim+%lu",
                 some_number() % (1 << 20));
        jump(place_name);
        break;
    default:
        survived();
        jump("0");
    }
}
