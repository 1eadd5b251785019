/*
 * Takes and gives back what a host keeps records of, a round for each line it
 * reads: ports, grants, pages, mappings, nodes, watches, transactions, a disk.
 * Seen from outside, a round more must leave nothing more behind.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/block.h>
#include <pvguest/event.h>
#include <pvguest/grant.h>
#include <pvguest/page.h>
#include <pvguest/store.h>

#include <hypercall/calls.h>

#define NR_PORTS  500
#define NR_GRANTS 300
#define NR_PAGES  200
#define NR_NODES  50

#define OURSELVES 1 /* as the host numbers us */

static unsigned nr_wrong;

static void expect(bool holds, const char *what)
{
    if (!holds && nr_wrong++ < 10)
        printf("wrong: %s\n", what);
}

static void ignore(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
}

static void churn_ports(void)
{
    evtchn_port_t ports[NR_PORTS];

    for (unsigned i = 0; i < NR_PORTS; i++)
        expect(event_alloc_unbound(0, ignore, NULL, &ports[i]) == 0, "port");
    for (unsigned i = 0; i < NR_PORTS; i++)
        expect(event_close(ports[i]) == 0, "closed port");
}

/* Lend pages to ourselves, borrow them twice, and give all of that back. */
static void churn_grants(void *page, uint8_t *window)
{
    int64_t refs[NR_GRANTS];
    grant_handle_t handles[NR_GRANTS];

    for (unsigned i = 0; i < NR_GRANTS; i++) {
        struct gnttab_map_grant_ref map = {.host_addr = (uintptr_t)window +
                                                        i * PAGE_SIZE,
                                           .flags = GNTMAP_host_map,
                                           .dom = DOMID_SELF};

        refs[i] = guest_grant(OURSELVES, page, false);
        expect(refs[i] > 0, "grant");
        map.ref = (grant_ref_t)refs[i];
        hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
        expect(map.status == GNTST_okay, "mapped grant");
        handles[i] = map.handle;
        window[i * PAGE_SIZE] = 1;
    }
    for (unsigned i = 0; i < NR_GRANTS; i++) {
        struct gnttab_unmap_grant_ref unmap = {.host_addr = (uintptr_t)window +
                                                            i * PAGE_SIZE,
                                               .handle = handles[i]};

        hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
        expect(unmap.status == GNTST_okay, "unmapped grant");
        expect(guest_grant_end((grant_ref_t)refs[i]) == 0, "ended grant");
    }
}

static void churn_pages(void)
{
    uint8_t *pages[NR_PAGES];
    size_t given;

    for (unsigned i = 0; i < NR_PAGES; i++) {
        pages[i] = page_alloc_zeroed(1);
        expect(pages[i] != NULL, "page");
    }
    for (unsigned i = 0; i < NR_PAGES; i++)
        page_free(pages[i], 1);
    given = page_give_back(NR_PAGES);
    expect(given == NR_PAGES, "pages given back");
    expect(page_take_again(given) == given, "pages taken again");
}

/* Every other page read-only: as many mappings as the host can be made to. */
static void churn_mappings(uint8_t *pages)
{
    for (unsigned i = 0; i < NR_PAGES; i++) {
        const uint64_t pte = page_mfn(pages + i * PAGE_SIZE) << PAGE_SHIFT;

        expect(hypercall_update_va_mapping((uintptr_t)pages + i * PAGE_SIZE,
                                           pte | (i % 2 ? 0x61 : 0x63),
                                           UVMF_INVLPG) == 0,
               "mapping");
        (void)*(volatile uint8_t *)(pages + i * PAGE_SIZE);
    }
    for (unsigned i = 0; i < NR_PAGES; i++) {
        const uint64_t pte = page_mfn(pages + i * PAGE_SIZE) << PAGE_SHIFT;

        hypercall_update_va_mapping((uintptr_t)pages + i * PAGE_SIZE,
                                    pte | 0x63, UVMF_INVLPG);
        pages[i * PAGE_SIZE] = 1;
    }
}

static void changed(struct store_watch *watch, const char *path)
{
    (void)watch;
    (void)path;
}

static void churn_store(void)
{
    static struct store_watch watch;
    char path[64], value[200];
    uint32_t tx;

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    watch = (struct store_watch){.fn = changed, .path = "data/churn"};
    expect(store_watch(&watch) == 0, "watch");
    for (unsigned i = 0; i < NR_NODES; i++) {
        snprintf(path, sizeof path, "data/churn/%u/a/b", i);
        expect(store_write(STORE_NO_TX, path, value) == 0, "node");
    }
    for (unsigned i = 0; i < NR_NODES; i++) {
        expect(store_tx_begin(&tx) == 0, "transaction");
        store_write(tx, "data/churn/tx", value);
        expect(store_tx_end(tx, i % 2) == 0, "its end");
    }
    expect(store_remove(STORE_NO_TX, "data/churn") == 0, "removal");
    expect(store_unwatch(&watch) == 0, "unwatch");
}

static void churn_disk(uint8_t *buffer)
{
    for (unsigned i = 0; i < 3; i++) {
        struct block *disk = block_find("xvda");

        expect(disk != NULL, "disk");
        if (!disk)
            return;
        for (unsigned sector = 0; sector < 64; sector += 8)
            expect(block_read(disk, sector, buffer, 8) == 0, "read");
        block_close(disk);
    }
}

int main(void)
{
    uint8_t *page = page_alloc_zeroed(1);
    uint8_t *window = page_alloc_zeroed(NR_GRANTS);
    uint8_t *pages = page_alloc_zeroed(NR_PAGES);
    char line[16];

    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        churn_ports();
        churn_pages();
        churn_mappings(pages);
        churn_store();
        churn_disk(pages);
        churn_grants(page, window);
        printf("wrong: %u\n", nr_wrong);
        fflush(stdout);
    }
    return nr_wrong ? 1 : 0;
}
