/*
 * All vCPUs make all kinds of hypercalls against each other, on a few things
 * that they share: ports, grants, frames, page tables, timers, and the last
 * vCPU, whom the others take down and bring up wherever it happens to be. Which
 * call fails when is a matter of luck. What counts is that in the end nothing
 * is lost: every port, grant and page can be had back and works.
 *
 *   race [MILLISECONDS [SEED]]
 *
 * Racers keep away from the library's locks: the last vCPU may stop for long
 * with one in its hands.
 */
#include "race.h"

#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>

#include <stdlib.h>

#include "../verdict.h"

#define STACK_PAGES 8
#define PATIENCE    (20000 * MS)

static struct racer racers[VCPU_MAX];
static void *stacks[VCPU_MAX];
static unsigned victim;
static int nr_ready, nr_done;
static uint64_t end_ns;

unsigned count;
domid_t own_domid;
int nr_opened, nr_mapped, nr_given, nr_pinned, nr_changed;

bool take(int *holding, int from)
{
    return __atomic_compare_exchange_n(holding, &from, IN_HAND, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void put(int *holding, int as)
{
    __atomic_store_n(holding, as, __ATOMIC_SEQ_CST);
}

static int get(const int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

bool note(int *nr, bool good)
{
    if (good)
        __atomic_fetch_add(nr, 1, __ATOMIC_RELAXED);
    return good;
}

uint64_t any(struct racer *self, uint64_t nr)
{
    self->state ^= self->state >> 12;
    self->state ^= self->state << 25;
    self->state ^= self->state >> 27;
    return (self->state * 2685821657736338717u >> 16) % nr;
}

unsigned any_vcpu(struct racer *self)
{
    return (unsigned)any(self, count + 1);
}

static void disturb_the_victim(struct racer *self)
{
    if (!victim || self->id == victim)
        return;
    hypercall_vcpu_op(any(self, 3) ? VCPUOP_up : VCPUOP_down, victim, NULL);
    hypercall_vcpu_op(VCPUOP_is_up, victim, NULL);
    vcpu_send_ipi(any_vcpu(self));
}

static void let_others_run(struct racer *self)
{
    (void)self;
    hypercall_yield();
}

static void call_several(struct racer *self)
{
    struct evtchn_send send = {.port = a_port(self)};
    domid_t domid = DOMID_SELF;
    struct multicall_entry list[] = {
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {(uintptr_t)tables[any(self, NR_TABLES)], an_entry(self),
                  UVMF_TLB_FLUSH | UVMF_ALL}},
        {.op = __HYPERVISOR_event_channel_op,
         .args = {EVTCHNOP_send, (uintptr_t)&send}},
        {.op = __HYPERVISOR_memory_op,
         .args = {XENMEM_current_reservation, (uintptr_t)&domid}},
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_console_io, .args = {CONSOLEIO_write}},
    };

    if (send.port)
        hypercall_multicall(list, 1 + (unsigned)any(self, NUMBER_OF(list)));
}

static void (*const deeds[])(struct racer *self) = {
    open_a_port,   use_a_port,       use_a_port,        map_a_grant,
    unmap_a_grant, copy_a_grant,     swap_grants,       ask_for_grants,
    give_a_page,   take_a_page,      ask_for_memory,    update_entries,
    pin_or_unpin,  update_a_mapping, set_frames_of_gdt, flush,
    set_a_trap,    set_a_timer,      keep_the_time,     disturb_the_victim,
    call_several,  let_others_run,
};

static bool did_something(void)
{
    return get(&nr_opened) && get(&nr_mapped) && get(&nr_given) &&
           get(&nr_pinned) && get(&nr_changed);
}

/* Where it is slow luck takes longer. */
static bool is_over(void)
{
    uint64_t now = clock_system_ns();

    return now >= end_ns && (did_something() || now >= end_ns + PATIENCE);
}

static void race(void *arg)
{
    struct racer *self = arg;

    __atomic_fetch_add(&nr_ready, 1, __ATOMIC_SEQ_CST);
    while (get(&nr_ready) < (int)count)
        hypercall_yield();
    while (!is_over())
        deeds[any(self, NUMBER_OF(deeds))](self);
    hypercall_set_gdt(NULL, 0);
    hypercall_set_timer_op(0);
    __atomic_fetch_add(&nr_done, 1, __ATOMIC_SEQ_CST);
}

/* Who is down somewhere is brought up until it has come to its end. */
static bool all_come_to_their_end(void)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    while (get(&nr_done) < (int)count && clock_system_ns() < end) {
        hypercall_yield();
        /* the others disturb it no more */
        if (victim && get(&nr_done) == (int)count - 1)
            hypercall_vcpu_op(VCPUOP_up, victim, NULL);
    }
    return get(&nr_done) == (int)count;
}

static bool start_all(void (*fn)(void *arg))
{
    uint64_t end = clock_system_ns() + PATIENCE;
    bool good = true;

    for (unsigned id = 1; id < count; id++) {
        while (vcpu_is_up(id) && clock_system_ns() < end)
            hypercall_yield();
        good &= vcpu_start(id, fn, &racers[id],
                           (char *)stacks[id] + STACK_PAGES * PAGE_SIZE) == 0;
    }
    return good;
}

static bool prepare(void)
{
    struct evtchn_status status = {.dom = DOMID_SELF};
    evtchn_port_t port;

    if (hypercall_evtchn_alloc_unbound(DOMID_SELF, &port))
        return false;
    hypercall_evtchn_status(port, &status);
    hypercall_evtchn_close(port);
    own_domid = status.u.unbound.dom;
    find_frames();
    return lend_pages() && find_tables();
}

/* Every word of every page is its own: no frame is in two places. */
static bool memory_is_whole(void)
{
    static uint64_t *const areas[] = {lent[0], windows[0], given[0], tables[0]};
    static const size_t sizes[] = {sizeof lent, sizeof windows, sizeof given,
                                   sizeof tables};
    bool good = true;

    for (unsigned a = 0; a < NUMBER_OF(areas); a++)
        for (size_t i = 0; i < sizes[a] / 8; i++)
            areas[a][i] = (uintptr_t)&areas[a][i];
    for (unsigned a = 0; a < NUMBER_OF(areas); a++)
        for (size_t i = 0; i < sizes[a] / 8; i++)
            good &= areas[a][i] == (uintptr_t)&areas[a][i];
    return good;
}

static int nr_heard;

static void on_ipi(void *context)
{
    (void)context;
    __atomic_fetch_add(&nr_heard, 1, __ATOMIC_SEQ_CST);
}

static void listens(void *arg)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    (void)arg;
    while (get(&nr_heard) < (int)count - 1 && clock_system_ns() < end) {
        event_dispatch();
        hypercall_yield();
    }
}

static bool all_hear(void)
{
    bool good;

    for (unsigned id = 1; id < count; id++)
        while (vcpu_is_up(id)) /* with IPIs of the race to be forgotten */
            hypercall_yield();
    vcpu_set_ipi_handler(on_ipi, NULL);
    good = start_all(listens);
    for (unsigned id = 1; id < count; id++)
        good &= vcpu_send_ipi(id) == 0;
    listens(NULL);
    return good && get(&nr_heard) >= (int)count - 1;
}

static bool sleeps_and_wakes(void)
{
    evtchn_port_t port;
    uint64_t before = clock_system_ns();

    if (hypercall_evtchn_bind_ipi(0, &port))
        return false;
    event_mask(port);
    if (hypercall_poll(&port, 1, before + 10 * MS) ||
        clock_system_ns() - before < 10 * MS)
        return false;
    hypercall_evtchn_send(port);
    return !hypercall_poll(&port, 1, 0) && !hypercall_evtchn_close(port);
}

int main(int argc, char **argv)
{
    uint64_t length = (argc > 1 ? strtoull(argv[1], NULL, 0) : 1000) * MS;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    evtchn_port_t first_port;
    long reservation;

    count = vcpu_count();
    victim = count - 1;
    printf("%u vCPUs\n", count);
    for (unsigned id = 0; id < count; id++) {
        racers[id] =
            (struct racer){.id = id, .state = (seed << 8 | id) * 2 + 1};
        stacks[id] = page_alloc(STACK_PAGES);
    }
    if (!promise(prepare(), "all is there"))
        return verdict();
    end_ns = UINT64_MAX; /* nobody is past it before all have started */
    promise(start_all(race), "all others start");
    while (get(&nr_ready) < (int)count - 1)
        hypercall_yield();
    first_port = next_port();
    reservation = hypercall_current_reservation();
    end_ns = clock_system_ns() + length;
    race(&racers[0]);

    promise(all_come_to_their_end(), "all come to their end");
    promise(did_something(), "having done something");
    for (unsigned id = 0; id < count; id++)
        hypercall_stop_periodic_timer(id);
    promise(close_all_ports(), "all ports can be closed");
    promise(next_port() == first_port, "and none is lost");
    promise(end_all_grants(), "all that was lent comes back");
    promise(restore_tables(), "all page tables can be pages again");
    promise(take_all_pages(), "all that was given back comes again");
    promise(hypercall_current_reservation() == reservation, "and no more");
    promise(memory_is_whole(), "each page is its own");
    promise(sleeps_and_wakes(), "time and events go on");
    promise(all_hear(), "the vCPUs hear each other");
    return verdict();
}
