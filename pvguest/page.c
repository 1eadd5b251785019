/*
 * RAM by the page: runs that were freed, lowest first, and above them the part
 * never used yet, which may not even be mapped.
 *
 * A free run keeps its own book in its first page, so nothing is allocated,
 * and nothing touched at start, for memory that nobody asked for.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/spinlock.h>

#include <string.h>

#include "abi.h"
#include "internal.h"
#include "this_vcpu.h"

#define L1_SPAN 0x200000ul
#define L2_SPAN 0x40000000ul

struct run {
    size_t nr;
    struct run *next;
};

static struct run *runs;
static uintptr_t fresh;      /* never used, from here to ram_end */
static uintptr_t mapped_end; /* mapped up to here */
static uintptr_t ram_end;
static size_t nr_free, nr_ram;

/* What there is of it beyond. */
#define MAX_APART 8
static struct {
    uintptr_t start, end;
} apart[MAX_APART];
static unsigned nr_apart;

uint64_t *page_p2m;

/*
 * Nothing else of the library is called with it held, so that whoever holds
 * any other lock may ask for memory.
 */
static struct spinlock lock;

static void pages_lock(void)
{
    if (guest_smp)
        spin_lock(&lock);
}

static void pages_unlock(void)
{
    if (guest_smp)
        spin_unlock(&lock);
}

/*
 * Mapped pages set aside for the tables that will map the rest: in a row at
 * the beginning, so that no table lies between the program's pages.
 */
static uintptr_t spare, spare_end;

static uintptr_t virt_base(void)
{
    return (uintptr_t)guest_virt_base;
}

static void *take_spare(void)
{
    uintptr_t page = spare;

    if (spare == spare_end)
        return NULL;
    spare += PAGE_SIZE;
    return (void *)page;
}

/* Tables needed to map on from mapped_end to ram_end. */
static size_t nr_tables(void)
{
    return (ram_end - mapped_end + L1_SPAN - 1) / L1_SPAN +
           (ram_end - 1) / L2_SPAN - (mapped_end - 1) / L2_SPAN;
}

static bool map_more(void)
{
    uintptr_t to = mapped_end + L1_SPAN;

    if (to > ram_end)
        to = ram_end;
    if (!guest_abi->map_ram(mapped_end, to, take_spare))
        return false;
    mapped_end = to;
    return true;
}

/*
 * Where RAM is so large that its tables do not fit into what is mapped, some
 * more of it is mapped at once.
 */
static void set_tables_aside(void)
{
    size_t owed = nr_tables();

    nr_free -= owed;
    spare = spare_end = fresh;
    while (owed) {
        size_t room = (mapped_end - fresh) / PAGE_SIZE;
        size_t nr = owed < room ? owed : room;

        fresh += nr * PAGE_SIZE;
        spare_end = fresh;
        owed -= nr;
        if (owed && !map_more())
            return;
    }
}

void page_init(size_t nr, uintptr_t first_free, uintptr_t mapped, uintptr_t end)
{
    nr_ram = nr;
    fresh = first_free;
    ram_end = end;
    mapped_end = mapped < end ? mapped : end;
    nr_free = (ram_end - fresh) / PAGE_SIZE;
    set_tables_aside();
}

void page_add(uintptr_t start, uintptr_t end)
{
    if (nr_apart == MAX_APART)
        return;
    apart[nr_apart].start = start;
    apart[nr_apart++].end = end;
    page_free((void *)start, (end - start) / PAGE_SIZE);
}

static bool lies_in(uintptr_t address, size_t len, uintptr_t start,
                    uintptr_t end)
{
    return address >= start && address < end && len <= end - address;
}

bool page_is_mapped(uintptr_t address, size_t len)
{
    for (unsigned i = 0; i < nr_apart; i++)
        if (lies_in(address, len, apart[i].start, apart[i].end))
            return true;
    return lies_in(address, len, virt_base(), mapped_end);
}

size_t page_nr_pfns(void)
{
    uintptr_t end = ram_end;

    for (unsigned i = 0; i < nr_apart; i++)
        if (apart[i].end > end)
            end = apart[i].end;
    return (end - virt_base()) / PAGE_SIZE;
}

size_t page_nr_ram(void)
{
    return nr_ram;
}

static void *alloc_fresh(size_t nr)
{
    uintptr_t pages = fresh;

    if (nr > (ram_end - fresh) / PAGE_SIZE)
        return NULL;
    while (mapped_end < pages + nr * PAGE_SIZE) {
        if (!map_more())
            return NULL;
    }
    fresh += nr * PAGE_SIZE;
    nr_free -= nr;
    return (void *)pages;
}

/* Runs are cut at their end: the book stays where it is. */
static void *alloc_run(size_t nr)
{
    for (struct run **at = &runs; *at; at = &(*at)->next) {
        struct run *run = *at;

        if (run->nr < nr)
            continue;
        nr_free -= nr;
        run->nr -= nr;
        if (run->nr == 0)
            *at = run->next;
        return (char *)run + run->nr * PAGE_SIZE;
    }
    return NULL;
}

void *page_alloc(size_t nr)
{
    void *pages;

    if (nr == 0)
        return NULL;
    pages_lock();
    pages = alloc_run(nr);
    if (!pages)
        pages = alloc_fresh(nr);
    pages_unlock();
    return pages;
}

void *page_alloc_zeroed(size_t nr)
{
    void *pages = page_alloc(nr);

    if (pages)
        memset(pages, 0, nr * PAGE_SIZE);
    return pages;
}

static bool ends_at(const struct run *run, const void *address)
{
    return (const char *)run + run->nr * PAGE_SIZE == address;
}

void page_free(void *pages, size_t nr)
{
    struct run *run = pages, *before = NULL, **at = &runs;

    if (nr == 0)
        return;
    pages_lock();
    nr_free += nr;
    while (*at && *at < run) {
        before = *at;
        at = &before->next;
    }

    run->nr = nr;
    run->next = *at;
    *at = run;
    if (run->next && ends_at(run, run->next)) {
        run->nr += run->next->nr;
        run->next = run->next->next;
    }
    if (before && ends_at(before, run)) {
        before->nr += run->nr;
        before->next = run->next;
    }
    pages_unlock();
}

size_t page_nr_free(void)
{
    return nr_free;
}

size_t page_pfn(const void *address)
{
    return ((uintptr_t)address - virt_base()) / PAGE_SIZE;
}

uint64_t page_mfn(const void *address)
{
    size_t pfn = page_pfn(address);

    return page_p2m ? page_p2m[pfn] : pfn;
}
