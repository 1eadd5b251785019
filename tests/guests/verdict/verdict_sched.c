/* sched_op, its form of before 2006, vcpu_op, set_timer_op. */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>
#include <xen/hvm/hvm_vcpu.h>

static const uint32_t absent[] = {1, 2, 31, 32, 127, 128, 8192, UINT32_MAX};

static long sched(int op, void *arg)
{
    return hypercall_sched_op(op, arg);
}

static long vcpu(int op, unsigned id, void *arg)
{
    return hypercall_vcpu_op(op, id, arg);
}

static void poll(void)
{
    static evtchn_port_t ports[2];
    struct sched_poll good = {.nr_ports = 1, .timeout = 1}, op;
    static const struct {
        const char *name;
        evtchn_port_t port;
    } cases[] = {
        {"port 0", 0},        {"nobody's port", 3999}, {"the last port", 4095},
        {"one beyond", 4096}, {"a far port", 0x20000}, {"port -1", UINT32_MAX},
    };

    set_xen_guest_handle(good.ports, ports);
    about("sched_op poll");
    AT_WRONG_PLACES("request", good, sched(SCHEDOP_poll, at));
    for (size_t i = 0; i < NUMBER_OF(cases); i++) {
        ports[0] = cases[i].port;
        op = good;
        say(sched(SCHEDOP_poll, &op), "%s", cases[i].name);
    }
    for (enum place place = 0; place < NR_PLACES; place++) {
        ports[0] = 3999;
        op = good;
        set_xen_guest_handle(op.ports, put(place, ports, sizeof *ports));
        say(sched(SCHEDOP_poll, &op), "ports %s", place_names[place]);
    }
    op = good;
    op.nr_ports = 129;
    say(sched(SCHEDOP_poll, &op), "129 ports");
    op.nr_ports = UINT32_MAX;
    say(sched(SCHEDOP_poll, &op), "2^32 - 1 ports");
    op = (struct sched_poll){.timeout = 1};
    say(sched(SCHEDOP_poll, &op), "no ports, a time that has gone");
}

static void shutdown(void)
{
    struct sched_shutdown zero = {0};
    struct sched_remote_shutdown remote = {0};

    about("sched_op shutdown");
    for (enum place place = 0; place < PLACE_READ_ONLY; place++)
        say(sched(SCHEDOP_shutdown, put(place, &zero, sizeof zero)),
            "request: %s", place_names[place]);
    about("sched_op remote_shutdown");
    AT_WRONG_PLACES("request", remote, sched(SCHEDOP_remote_shutdown, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        remote = (struct sched_remote_shutdown){.domain_id = whom[i].id};
        say(sched(SCHEDOP_remote_shutdown, &remote), "of %s", whom[i].name);
    }
    /* sched_op shutdown_code would be believed */
    about("sched_op shutdown_code");
    for (enum place place = 0; place < PLACE_READ_ONLY; place++)
        say(sched(SCHEDOP_shutdown_code, put(place, &zero, sizeof zero)),
            "request: %s", place_names[place]);
}

static void watchdog(void)
{
    struct sched_watchdog good = {.id = 1}, op;
    static const uint32_t ids[] = {1, 2, 3, 100, UINT32_MAX};

    about("sched_op watchdog");
    AT_WRONG_PLACES("request", good, sched(SCHEDOP_watchdog, at));
    for (size_t i = 0; i < NUMBER_OF(ids); i++) {
        op = (struct sched_watchdog){.id = ids[i], .timeout = 1000};
        say(sched(SCHEDOP_watchdog, &op), "id %d, which is not in use",
            (int)ids[i]);
    }
    /* a new one without a time would bite at once */
    for (int i = 0; i < 3; i++) {
        op = (struct sched_watchdog){.timeout = 100000};
        say(sched(SCHEDOP_watchdog, &op), "a new one");
    }
    for (uint32_t id = 1; id <= 3; id++) {
        op = (struct sched_watchdog){.id = id};
        say(sched(SCHEDOP_watchdog, &op), "the end of %u", id);
        op = (struct sched_watchdog){.id = id};
        say(sched(SCHEDOP_watchdog, &op), "the end of %u again", id);
    }
}

static void others(void)
{
    struct sched_pin_override pin = {.pcpu = 0};

    about("sched_op pin_override");
    AT_WRONG_PLACES("request", pin, sched(SCHEDOP_pin_override, at));
    say(sched(SCHEDOP_pin_override, &pin), "pcpu 0");
    pin.pcpu = -1;
    say(sched(SCHEDOP_pin_override, &pin), "pcpu -1");
    about("sched_op");
    say(sched(SCHEDOP_yield, NULL), "yield");
    say(sched(8, &pin), "operation 8");
    say(sched(-1, &pin), "operation -1");
    if (guest_is_pvh())
        return;
    about("sched_op_compat");
    say(ANY_HYPERCALL(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0, 0),
        "yield");
    say(ANY_HYPERCALL(__HYPERVISOR_sched_op_compat, SCHEDOP_poll, 0, 0),
        "poll");
    say(ANY_HYPERCALL(__HYPERVISOR_sched_op_compat, 8, 0, 0), "operation 8");
}

static void of_absent_vcpus(void)
{
    static const char *const names[] = {
        "initialise",
        "up",
        "down",
        "is_up",
        "get_runstate_info",
        "register_runstate_memory_area",
        "set_periodic_timer",
        "stop_periodic_timer",
        "set_singleshot_timer",
        "stop_singleshot_timer",
        "register_vcpu_info",
        "send_nmi",
        "get_physid",
        "register_vcpu_time_memory_area",
        "operation 14",
        "operation 15",
    };
    static uint64_t zeros[1024];

    about("vcpu_op");
    for (int op = 0; op < (int)NUMBER_OF(names); op++)
        for (size_t i = 0; i < NUMBER_OF(absent); i++)
            say(vcpu(op, absent[i], zeros), "%s of vCPU %d", names[op],
                (int)absent[i]);
    say(vcpu(14, 0, zeros), "operation 14");
    say(vcpu(-1, 0, zeros), "operation -1");
}

static void of_this_vcpu(void)
{
    static union {
        struct vcpu_guest_context pv;
        struct vcpu_hvm_context hvm;
    } context;
    static struct vcpu_runstate_info info;
    struct vcpu_register_runstate_memory_area area = {0};
    struct vcpu_register_time_memory_area time = {0};
    struct vcpu_get_physid physid = {0};
    static uint64_t words[8];

    about("vcpu_op");
    say(vcpu(VCPUOP_initialise, 0, &context), "initialise what runs");
    say(vcpu(VCPUOP_initialise, 0, NULL), "initialise by nothing");
    say(vcpu(VCPUOP_up, 0, NULL), "up");
    say(vcpu(VCPUOP_is_up, 0, NULL), "is_up");
    AT_WRONG_PLACES("get_runstate_info", info,
                    vcpu(VCPUOP_get_runstate_info, 0, at));
    AT_WRONG_PLACES("register_runstate_memory_area", area,
                    vcpu(VCPUOP_register_runstate_memory_area, 0, at));
    AT_WRONG_PLACES("register_vcpu_time_memory_area", time,
                    vcpu(VCPUOP_register_vcpu_time_memory_area, 0, at));
    for (enum place place = 0; place < NR_PLACES; place++) {
        area.addr.v = put(place, words, sizeof words);
        say(vcpu(VCPUOP_register_runstate_memory_area, 0, &area),
            "register_runstate_memory_area %s", place_names[place]);
        time.addr.v = put(place, words, sizeof words);
        say(vcpu(VCPUOP_register_vcpu_time_memory_area, 0, &time),
            "register_vcpu_time_memory_area %s", place_names[place]);
    }
    AT_WRONG_PLACES("get_physid", physid, vcpu(VCPUOP_get_physid, 0, at));
    say(vcpu(VCPUOP_get_physid, 0, &physid), "get_physid");
    say(vcpu(VCPUOP_send_nmi, 0, words), "send_nmi with an argument");
}

static void vcpu_timers(void)
{
    struct vcpu_set_periodic_timer periodic = {.period_ns = 1000000000}, p;
    struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = 1}, s;
    static const uint64_t periods[] = {0, 1, 999999, 1ull << 60, ~0ull};

    about("vcpu_op set_periodic_timer");
    AT_WRONG_PLACES("request", periodic,
                    vcpu(VCPUOP_set_periodic_timer, 0, at));
    for (size_t i = 0; i < NUMBER_OF(periods); i++) {
        p = (struct vcpu_set_periodic_timer){.period_ns = periods[i]};
        say(vcpu(VCPUOP_set_periodic_timer, 0, &p), "period %llu",
            (unsigned long long)periods[i]);
    }
    say(vcpu(VCPUOP_stop_periodic_timer, 0, NULL), "and its end");
    about("vcpu_op set_singleshot_timer");
    AT_WRONG_PLACES("request", once, vcpu(VCPUOP_set_singleshot_timer, 0, at));
    s = (struct vcpu_set_singleshot_timer){.timeout_abs_ns = 1,
                                           .flags = VCPU_SSHOTTMR_future};
    say(vcpu(VCPUOP_set_singleshot_timer, 0, &s), "in the past, if not");
    s = (struct vcpu_set_singleshot_timer){.timeout_abs_ns = ~0ull,
                                           .flags = ~0u};
    say(vcpu(VCPUOP_set_singleshot_timer, 0, &s), "never, all flags");
    say(vcpu(VCPUOP_stop_singleshot_timer, 0, NULL), "and its end");
    about("set_timer_op");
    say(hypercall_set_timer_op(1ull << 63), "a negative time");
    say(hypercall_set_timer_op(~0ull >> 1), "the last time");
    say(hypercall_set_timer_op(0), "none");
}

static void try_info(const char *what, uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info op = {.mfn = mfn, .offset = offset};

    say(vcpu(VCPUOP_register_vcpu_info, 0, &op), "%s", what);
}

static void vcpu_info(void)
{
    const uint64_t frame = frame_of(spare_page());
    struct vcpu_register_vcpu_info bad = {.mfn = ~0ul >> 12};

    about("vcpu_op register_vcpu_info");
    AT_WRONG_PLACES("request", bad, vcpu(VCPUOP_register_vcpu_info, 0, at));
    try_info("a frame that is none", ~0ul >> 12, 0);
    try_info("frame -1", ~0ul, 0);
    try_info("across the page's end", frame, 4096 - 56);
    try_info("beyond the page", frame, 4096);
    try_info("an offset of -1", frame, UINT32_MAX);
    try_info("not aligned", frame, 4);
    try_info("not aligned at all", frame, 1);
    /* in shared_info it may lie, and the library would not find it there */
    if (!guest_is_pvh())
        try_info("in a page table", page_mfn((void *)guest_start_info->pt_base),
                 0);
}

int main(void)
{
    cases_begin();
    poll();
    shutdown();
    watchdog();
    others();
    of_absent_vcpus();
    of_this_vcpu();
    vcpu_timers();
    vcpu_info();
    return 0;
}
