#include "tests/harness/fake_domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/console.h"
#include "host/pagetable.h"
#include "host/runstate.h"

/* A sleep beyond this does not move the clock. */
#define FOR_EVER (UINT64_C(1) << 50)

struct domain *dom;
struct vcpu *vcpu;
struct account account;
void (*while_asleep)(struct vcpu *vcpu);
void (*while_working)(struct vcpu *vcpu);
uint64_t fake_now;

/* Whoever uses the fake, with or without a test framework, notices this. */
static void must(bool holds, const char *promise)
{
    if (holds)
        return;
    fprintf(stderr, "fake domain: %s\n", promise);
    abort();
}

/* What domain.c and the console would do. */

void domain_end(struct domain *ended, enum domain_end end)
{
    if (ended->end == DOMAIN_RUNS)
        ended->end = end;
}

void domain_crash(struct vcpu *crashed, const char *format, ...)
{
    (void)format;
    account.crashes++;
    domain_end(crashed->domain, DOMAIN_CRASHED);
}

void domain_work(struct vcpu *worker)
{
    account.works++;
    vcpu_run_timers(worker, clock_now(&worker->domain->clock));
    if (while_working)
        while_working(worker);
}

void domain_sleep(struct vcpu *sleeper, uint64_t until_ns,
                  bool (*woken)(struct vcpu *vcpu))
{
    uint64_t deadline;

    account.sleeps++;
    account.slept_until = until_ns;
    runstate_set(sleeper, RUNSTATE_blocked);
    if (while_asleep)
        while_asleep(sleeper);
    deadline = vcpu_next_deadline(sleeper);
    if (until_ns < deadline)
        deadline = until_ns;
    if (deadline < FOR_EVER && !vcpu_event_deliverable(sleeper) &&
        !(woken && woken(sleeper)))
        fake_now = deadline + 100;
    vcpu_run_timers(sleeper, fake_now);
    runstate_set(sleeper, RUNSTATE_running);
}

void console_write(struct domain *writer, const char *bytes, size_t len)
{
    (void)writer;
    if (account.console_len + len > sizeof account.console)
        account.console_len = 0;
    memcpy(account.console + account.console_len, bytes, len);
    account.console_len += len;
}

/* The clock: one tick is one nanosecond. */

static uint64_t look(void)
{
    return ++fake_now;
}

static const struct clock_source fake_clock = {look, look, look};

/* The engine. */

static void record_invalidate(struct vcpu *v, uint64_t va, uint64_t nr_pages)
{
    (void)v;
    account.invalidations++;
    account.last_va = va;
    account.last_pages = nr_pages;
}

static void record_flush(struct vcpu *v)
{
    (void)v;
    account.flushes++;
}

static void record_kick(struct vcpu *v)
{
    (void)v;
    account.kicks++;
}

static void record_bases(struct vcpu *v)
{
    (void)v;
    account.set_bases++;
}

static void record_sync(struct vcpu *v)
{
    (void)v;
    account.synced++;
}

static void record_regs(struct vcpu *v)
{
    (void)v;
    account.set_regs++;
}

static struct engine_ops null_ops;
static struct engine null_engine;

void fake_engine(uint64_t start, uint64_t end)
{
    null_ops = (struct engine_ops){
        .name = "null",
        .invalidate = record_invalidate,
        .invalidate_all = record_flush,
        .sync_regs = record_sync,
        .set_regs = record_regs,
        .set_bases = record_bases,
        .kick = record_kick,
        .va_start = start,
        .va_end = end,
    };
    null_engine.ops = &null_ops;
    dom->engine = &null_engine;
}

mfn_t page_mfn(unsigned index)
{
    return memory_mfn(&dom->mem, index);
}

void *page(unsigned index)
{
    return dom->mem.base + (size_t)index * PAGE_SIZE;
}

uint64_t page_va(unsigned index)
{
    return BASE_VA + (uint64_t)index * PAGE_SIZE;
}

static uint64_t entry(unsigned index, uint64_t flags)
{
    return page_mfn(index) << PAGE_SHIFT | flags;
}

static void make_tables(void)
{
    const uint64_t upper = PTE_PRESENT | PTE_RW | PTE_USER;
    uint64_t *l4 = page(L4_PAGE), *l3 = page(L3_PAGE), *l2 = page(L2_PAGE),
             *l1 = page(L1_PAGE);

    l4[0] = entry(L3_PAGE, upper);
    l3[0] = entry(L2_PAGE, upper);
    l2[BASE_VA >> 21] = entry(L1_PAGE, upper);
    for (unsigned i = 0; i < MAPPED_PAGES; i++) {
        bool table = i >= L4_PAGE && i <= L1_PAGE;

        l1[i] = entry(i, PTE_PRESENT | PTE_ACCESSED | (table ? 0 : PTE_RW));
    }
}

void fake_create(void)
{
    static const struct domain_config config = {.nr_vcpus = 1};
    const struct memory_config mem = {
        .ram_pages = RAM_PAGES, .shared_pages = SHARED_PAGES, .scatter = true};
    size_t shared;

    account = (struct account){0};
    while_asleep = NULL;
    while_working = NULL;
    fake_now = 0; /* so that system time is about the same */
    dom = calloc(1, sizeof *dom);
    must(dom != NULL, "there is memory");
    dom->id = DOMAIN_ID;
    dom->config = &config;
    dom->nr_vcpus = 1;
    must(memory_create(&dom->mem, &mem) == 0, "the domain can be made");
    for (unsigned i = 0; i < RAM_PAGES; i++)
        memory_set_pfn(&dom->mem, page_mfn(i), i);
    dom->shared = memory_take_frame(&dom->mem, &shared);
    dom->shared_mfn = memory_mfn(&dom->mem, shared);
    must(ports_create(dom) == 0, "the domain can be made");
    must(grants_grow(dom) == 0, "the domain can be made");
    must(clock_create_from(&dom->clock, &fake_clock) == 0,
         "the domain can be made");

    make_tables();
    vcpu = &dom->vcpus[0];
    vcpu->cr3 = page_mfn(L4_PAGE);
    vcpu_create(vcpu, dom, 0);
    must(pagetable_adopt(vcpu) == 0, "the domain can be made");
}

static unsigned open_ports(void)
{
    unsigned nr = 0;

    for (evtchn_port_t i = 1; i < dom->ports.nr; i++)
        nr += dom->ports.table[i].state != PORT_FREE;
    return nr;
}

void fake_destroy(void)
{
    must(open_ports() == 0, "no port is left open");
    must(dom->grants.nr_pinned == 0, "no grant is left in use");
    for (size_t i = 0; i < dom->mem.nr_frames; i++)
        must(dom->mem.frames[i].refs == 0, "no frame is left held");
    ports_destroy(dom);
    grants_destroy(dom);
    memory_destroy(&dom->mem);
    free(dom);
}
