/*
 * The lower layer stands alone: an image without a C library boots, allocates,
 * runs threads, keeps time, asks xenstore where there is one, and ends.
 */
#include <stdbool.h>
#include <stdint.h>

#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>

static int broken_promises;

static void promise(bool holds, const char *claim)
{
    guest_print("%s: %s\n", holds ? "ok" : "FAIL", claim);
    broken_promises += !holds;
}

static void add_one(void *counter)
{
    thread_yield();
    ++*(unsigned *)counter;
}

static void memory(void)
{
    size_t free_before = page_nr_free();
    unsigned char *pages = page_alloc_zeroed(3);

    promise(pages && pages[0] == 0 && pages[3 * PAGE_SIZE - 1] == 0,
            "pages can be had, all zeros");
    if (pages)
        page_free(pages, 3);
    promise(page_nr_free() == free_before, "and given back");
}

static void threads(void)
{
    unsigned counter = 0;

    for (int i = 0; i < 3; i++)
        promise(thread_start(add_one, &counter), "a thread can be started");
    while (counter < 3)
        thread_yield();
    promise(counter == 3, "and runs");
}

static void time(void)
{
    uint64_t before = clock_system_ns();

    thread_sleep(2000000);
    promise(clock_system_ns() - before >= 2000000, "a sleep is not shorter");
}

/* The initial domain of real Xen has none. */
static void store(void)
{
    uint64_t domid;

    promise(!store_available() ||
                store_read_u64(STORE_NO_TX, "domid", &domid) == 0,
            "xenstore, where there is one, knows this domain");
}

void guest_main(void)
{
    guest_start_drivers();
    memory();
    threads();
    time();
    store();
    guest_print("verdict: %s\n", broken_promises ? "failure" : "success");
    guest_exit(broken_promises ? 1 : 0);
}
