/*
 * The virtual CPUs themselves, without threads: every one that the domain has
 * is started, works beside the others, interrupts and is interrupted, has its
 * own timer, stops, and is started again.
 */
#include "verdict.h"

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/spinlock.h>
#include <pvguest/thread.h>
#include <pvguest/trap.h>
#include <pvguest/vcpu.h>

#include <errno.h>

#define MS          1000000ull
#define STACK_PAGES 8
#define ADDITIONS   2000
#define PATIENCE    (10000 * MS)

static unsigned count;
static void *stacks[VCPU_MAX];

static struct state {
    int runs;
    int wrong_id, wrong_data;
    int ipis, pings;
    int timer;
    int traps;
    bool go;
} states[VCPU_MAX];

static struct spinlock lock = SPINLOCK_INIT;
static unsigned long locked_sum; /* plain: only the lock keeps it right */
static int nr_inside, nr_beside, nr_done;

static int get(const int *value)
{
    return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

/* Until (*value) is (wanted): false when it takes too long. */
static bool await(const int *value, int wanted)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    while (get(value) != wanted) {
        event_dispatch();
        hypercall_yield();
        if (clock_system_ns() > end)
            return false;
    }
    return true;
}

static void on_ipi(void *context)
{
    (void)context;
    __atomic_fetch_add(&states[vcpu_id()].ipis, 1, __ATOMIC_SEQ_CST);
}

static void on_timer(evtchn_port_t port, void *context)
{
    (void)port;
    __atomic_fetch_add((int *)context, 1, __ATOMIC_SEQ_CST);
}

static bool on_breakpoint(struct trap_frame *frame)
{
    (void)frame;
    __atomic_fetch_add(&states[vcpu_id()].traps, 1, __ATOMIC_SEQ_CST);
    return true;
}

/* More adding up than one vCPU does while others are kept from running. */
static void add_up(void)
{
    for (int i = 0; i < ADDITIONS; i++) {
        spin_lock(&lock);
        if (__atomic_fetch_add(&nr_inside, 1, __ATOMIC_SEQ_CST) != 0)
            nr_beside++;
        locked_sum++;
        __atomic_fetch_sub(&nr_inside, 1, __ATOMIC_SEQ_CST);
        spin_unlock(&lock);
    }
}

static void work(void *arg)
{
    struct state *self = arg;
    unsigned id = (unsigned)(self - states);
    evtchn_port_t port;

    self->wrong_id = vcpu_id() != id;
    vcpu_set_data(self);
    __asm__ volatile("int3");
    if (self->runs == 0) {
        hypercall_stop_periodic_timer(id);
        self->wrong_data |= event_bind_virq_on(VIRQ_TIMER, id, on_timer,
                                               &self->timer, &port) != 0;
        hypercall_set_timer_op(clock_system_ns() + MS);
        await(&self->timer, 1);
    }
    await(&self->ipis, 1); /* from vCPU 0 */
    add_up();
    vcpu_send_ipi(0);
    self->wrong_data |= vcpu_data() != self;
    self->runs++;
    __atomic_fetch_add(&nr_done, 1, __ATOMIC_SEQ_CST);
}

static bool start_all(void)
{
    bool good = true;

    for (unsigned id = 1; id < count; id++) {
        states[id].ipis = states[id].traps = 0;
        good &= vcpu_start(id, work, &states[id],
                           (char *)stacks[id] + STACK_PAGES * PAGE_SIZE) == 0;
    }
    return good;
}

static bool all(bool (*holds)(unsigned id))
{
    bool good = true;

    for (unsigned id = 1; id < count; id++)
        good &= holds(id);
    return good;
}

static bool is_down(unsigned id)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    while (vcpu_is_up(id) && clock_system_ns() < end)
        hypercall_yield();
    return !vcpu_is_up(id);
}

static bool is_busy(unsigned id)
{
    return vcpu_start(id, work, &states[id], stacks[id]) == -EBUSY;
}

static bool interrupt(unsigned id)
{
    return vcpu_send_ipi(id) == 0;
}

static bool knew_itself(unsigned id)
{
    return !states[id].wrong_id && !states[id].wrong_data;
}

static bool had_its_timer(unsigned id)
{
    return states[id].timer == 1;
}

static bool trapped(unsigned id)
{
    return states[id].traps == 1;
}

static void one_round(const char *name)
{
    int others = (int)count - 1;

    nr_done = 0;
    states[0].ipis = 0;
    locked_sum = 0;
    promise(start_all(), name);
    promise(all(is_busy), "one that runs cannot be started");
    promise(all(interrupt), "each can be interrupted");
    add_up();
    promise(await(&nr_done, others), "each did its work");
    promise(locked_sum == (unsigned long)count * ADDITIONS && nr_beside == 0,
            "beside the others, but for what was locked");
    event_dispatch();
    promise(count == 1 || get(&states[0].ipis) > 0,
            "and interrupted vCPU 0 when it was done");
    promise(all(knew_itself), "each knew its number and its word");
    promise(all(had_its_timer), "each had a timer of its own");
    promise(all(trapped), "and traps");
    promise(all(is_down), "each stops when it is done");
}

static void running_time(void)
{
    const volatile struct vcpu_runstate_info *state = vcpu_runstate();
    uint64_t before;

    if (!promise(state != NULL, "the hypervisor tells how the time is spent"))
        return;
    before = state->time[RUNSTATE_blocked];
    /* on a busy machine a moment may pass before there is time to sleep */
    for (int i = 0; i < 50 && state->time[RUNSTATE_blocked] == before; i++)
        thread_sleep(20 * MS);
    promise(state->state == RUNSTATE_running &&
                state->time[RUNSTATE_blocked] > before,
            "sleep among it");
}

int main(void)
{
    count = vcpu_count();
    printf("%u vCPUs\n", count);
    promise(vcpu_id() == 0, "the guest begins on vCPU 0");
    promise(vcpu_start(count, work, NULL, NULL) == -ENOENT &&
                vcpu_send_ipi(count) == -ENOENT && !vcpu_is_up(count),
            "there is no vCPU more than that");
    for (unsigned id = 1; id < count; id++)
        stacks[id] = page_alloc(STACK_PAGES);
    trap_handle(3, on_breakpoint);
    vcpu_set_ipi_handler(on_ipi, NULL);

    one_round("all others start");
    one_round("and again");
    __asm__ volatile("int3");
    promise(states[0].traps == 1, "traps are still vCPU 0's as well");
    running_time();
    return verdict();
}
