/*
 * vcpu_op on vCPUs that are down: what each may begin with, and its way up and
 * down. Needs as many vCPUs as there are uses in vcpu_contexts.h. A context
 * that was taken stays for good, so those that might be have a vCPU each.
 */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#include "vcpu_contexts.h"

#define STACK_PAGES 2

static long vcpu(int op, unsigned id, void *arg)
{
    return hypercall_vcpu_op(op, id, arg);
}

/* ---- one that runs */

static int nr_runs;

/* On a stack of its own, with nothing of the library's. */
__attribute__((used)) _Noreturn static void run_it(void)
{
    for (;;) {
        __atomic_fetch_add(&nr_runs, 1, __ATOMIC_SEQ_CST);
        vcpu(VCPUOP_down, ID(RUNS), NULL);
    }
}

static void *stack_top(void)
{
    static char *stack;

    if (!stack)
        stack = page_alloc_zeroed(STACK_PAGES);
    return stack + STACK_PAGES * PAGE_SIZE - 8; /* as after a call */
}

static void await_run(int nr)
{
    while (__atomic_load_n(&nr_runs, __ATOMIC_SEQ_CST) != nr ||
           vcpu(VCPUOP_is_up, ID(RUNS), NULL))
        hypercall_yield();
}

/* ---- contexts */

union context good, context __attribute__((aligned(4096)));

void begin_with_good(void)
{
    memcpy(&context, &good, sizeof good);
}

void try_it(const char *what)
{
    say(vcpu(VCPUOP_initialise, ID(REFUSED), &context), "%s", what);
    begin_with_good();
}

void try_odd(unsigned index, const char *what)
{
    const unsigned id = ID(FIRST_ODD) + index;

    say(vcpu(VCPUOP_initialise, id, &context), "%s", what);
    say(vcpu(VCPUOP_is_up, id, NULL), "%s: is_up", what);
    begin_with_good();
}

/* ---- up and down */

static void before_it_is_made(void)
{
    const size_t size = guest_is_pvh() ? sizeof good.hvm : sizeof good.pv;

    about("vcpu_op");
    say(vcpu(VCPUOP_is_up, ID(RUNS), NULL), "is_up before initialise");
    say(vcpu(VCPUOP_up, ID(RUNS), NULL), "up before initialise");
    say(vcpu(VCPUOP_down, ID(RUNS), NULL), "down before initialise");
    say(vcpu(VCPUOP_send_nmi, ID(REFUSED), NULL),
        "send_nmi to one that is down");
    for (enum place place = 0; place < NR_PLACES; place++)
        if (place != PLACE_READ_ONLY)
            say(vcpu(VCPUOP_initialise, ID(RUNS), put(place, &good, size)),
                "initialise: %s", place_names[place]);
}

static void up_and_down(void)
{
    about("vcpu_op");
    say(vcpu(VCPUOP_initialise, ID(RUNS), &good), "initialise");
    say(vcpu(VCPUOP_initialise, ID(RUNS), &good), "initialise again");
    say(vcpu(VCPUOP_initialise, ID(RUNS), NULL), "initialise again by nothing");
    context.pv.flags = 0;
    say(vcpu(VCPUOP_initialise, ID(RUNS), &context),
        "initialise again by another");
    begin_with_good();
    say(vcpu(VCPUOP_is_up, ID(RUNS), NULL), "is_up");
    say(vcpu(VCPUOP_down, ID(RUNS), NULL), "down, as it is");
    say(vcpu(VCPUOP_up, ID(RUNS), NULL), "up");
    await_run(1);
    say(vcpu(VCPUOP_is_up, ID(RUNS), NULL), "is_up when it went down");
    say(vcpu(VCPUOP_up, ID(RUNS), NULL), "up again");
    await_run(2);
    say(vcpu(VCPUOP_down, ID(RUNS), NULL), "down again");
    say(vcpu(VCPUOP_is_up, ID(RUNS), NULL), "is_up again");
    say(vcpu(VCPUOP_initialise, ID(RUNS), &good), "initialise at the end");
}

/* ---- what each has */

static void try_info(unsigned id, const char *what, uint64_t mfn,
                     uint32_t offset)
{
    struct vcpu_register_vcpu_info op = {.mfn = mfn, .offset = offset};

    say(vcpu(VCPUOP_register_vcpu_info, id, &op), "%s", what);
}

static void infos(void)
{
    const uint64_t frame = frame_of(spare_page());
    const unsigned id = ID(INFO);

    about("vcpu_op register_vcpu_info of one that is down:");
    try_info(id, "frame -1", ~0ul, 0);
    try_info(id, "across the page's end", frame, 4096 - 56);
    try_info(id, "beyond the page", frame, 4096);
    try_info(id, "an offset of -1", frame, UINT32_MAX);
    try_info(id, "not aligned", frame, 4);
    try_info(id, "the page's end", frame, 4096 - 64);
    try_info(id, "again", frame, 4096 - 64);
    try_info(id, "another place", frame, 0);
}

static void timers(void)
{
    struct vcpu_set_periodic_timer periodic = {.period_ns = 1000000000};
    struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = 1};
    static struct vcpu_runstate_info info;
    const unsigned id = ID(REFUSED);

    about("vcpu_op of one that is down:");
    say(vcpu(VCPUOP_set_periodic_timer, id, &periodic), "set_periodic_timer");
    say(vcpu(VCPUOP_stop_periodic_timer, id, NULL), "stop_periodic_timer");
    say(vcpu(VCPUOP_set_singleshot_timer, id, &once), "set_singleshot_timer");
    say(vcpu(VCPUOP_stop_singleshot_timer, id, NULL), "stop_singleshot_timer");
    say(vcpu(VCPUOP_get_runstate_info, id, &info), "get_runstate_info");
    say(info.state, "its state");
}

static void beyond_the_last(void)
{
    static const unsigned ids[] = {1 + NR_USES, 31,  32,   63,   64,
                                   127,         128, 8191, 8192, 1u << 31};

    about("vcpu_op");
    for (size_t i = 0; i < NUMBER_OF(ids); i++) {
        say(vcpu(VCPUOP_initialise, ids[i], &good), "initialise vCPU %u",
            ids[i]);
        say(vcpu(VCPUOP_up, ids[i], NULL), "up of vCPU %u", ids[i]);
        say(vcpu(VCPUOP_down, ids[i], NULL), "down of vCPU %u", ids[i]);
    }
}

int main(void)
{
    cases_begin();
    if (guest_is_pvh())
        make_good_pvh(run_it, stack_top());
    else
        make_good_pv(run_it, stack_top());
    begin_with_good();
    before_it_is_made();
    if (guest_is_pvh())
        try_pvh_contexts();
    else
        try_pv_contexts();
    infos();
    timers();
    beyond_the_last();
    up_and_down();
    return 0;
}
