/*
 * FIFO event channels: what worked goes on, events come by priority and in the
 * order of sending, masks hold, there are more channels than the 2-level ABI
 * has, and they move between vCPUs.
 */
#include "verdict.h"

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#include <errno.h>

#define MS          1000000ull
#define NR_QUEUED   48
#define NR_MANY     5000
#define STACK_PAGES 8
#define PATIENCE    (10000 * MS)

static evtchn_port_t came[NR_QUEUED];
static unsigned nr_came;

static void note(evtchn_port_t port, void *context)
{
    (void)context;
    if (nr_came < NR_QUEUED)
        came[nr_came] = port;
    nr_came++;
}

static void dispatch_all(void)
{
    while (event_dispatch())
        ;
}

static bool came_were(const evtchn_port_t *ports, unsigned nr)
{
    bool good = nr_came == nr;

    for (unsigned i = 0; i < nr && good; i++)
        good = came[i] == ports[i];
    nr_came = 0;
    return good;
}

static evtchn_port_t before;

static void beginning(void)
{
    evtchn_port_t one[] = {0};

    promise(!event_bind_ipi(0, note, NULL, &before), "two levels first");
    promise(event_set_priority(before, 3) == -ENOSYS, "without priorities");
    event_send(before);
    promise(event_use_fifo() == 0, "the hypervisor has the FIFO ABI");
    promise(event_use_fifo() == 0, "which may be asked for again");
    dispatch_all();
    one[0] = before;
    promise(came_were(one, 1), "what was pending comes after all");
    event_mask(before);
    event_send(before);
    dispatch_all();
    promise(came_were(one, 0), "a masked port's event does not come");
    event_unmask(before);
    dispatch_all();
    promise(came_were(one, 1), "until it is unmasked");
    promise(event_set_priority(before, 16) == -EINVAL &&
                event_set_priority(0x1ffff, 3) == -EINVAL,
            "there are sixteen priorities");
}

static void order(void)
{
    evtchn_port_t ports[NR_QUEUED], expected[NR_QUEUED];
    unsigned nr = 0, nr_expected = 0;
    bool good = true;

    for (; nr < NR_QUEUED; nr++)
        good &= !event_bind_ipi(0, note, NULL, &ports[nr]);
    for (unsigned i = 0; i < nr; i++)
        event_send(ports[i * 7 % nr]);
    for (unsigned i = 0; i < nr; i++)
        expected[i] = ports[i * 7 % nr];
    dispatch_all();
    promise(good && came_were(expected, nr), "events come as they were sent");

    for (unsigned i = 0; i < nr; i++)
        good &= !event_set_priority(ports[i], i % 16);
    for (unsigned i = nr; i-- > 0;)
        event_send(ports[i]);
    for (unsigned priority = 0; priority < 16; priority++)
        for (unsigned i = nr; i-- > 0;)
            if (i % 16 == priority)
                expected[nr_expected++] = ports[i];
    dispatch_all();
    promise(good && came_were(expected, nr), "those of high priority first");

    for (unsigned i = 0; i < nr; i++)
        good &= !event_close(ports[i]);
    promise(good, "and can be closed");
}

static evtchn_port_t urgent;

static void sends_urgent(evtchn_port_t port, void *context)
{
    if (nr_came == 0)
        event_send(urgent);
    note(port, context);
}

static void overtaking(void)
{
    evtchn_port_t a = 0, b = 0, expected[3];
    bool good;

    good = !event_bind_ipi(0, sends_urgent, NULL, &a) &&
           !event_bind_ipi(0, note, NULL, &b) &&
           !event_bind_ipi(0, note, NULL, &urgent) &&
           !event_set_priority(urgent, 0);
    event_send(a);
    event_send(b);
    dispatch_all();
    expected[0] = a;
    expected[1] = urgent;
    expected[2] = b;
    promise(good && came_were(expected, 3),
            "what is urgent overtakes those that wait");

    event_send(b);
    good = !event_close(b);
    dispatch_all();
    promise(good && came_were(expected, 0), "what was closed never comes");
    event_close(a);
    event_close(urgent);
}

static unsigned char seen[NR_MANY];
static evtchn_port_t many[NR_MANY];

static void see(evtchn_port_t port, void *context)
{
    (void)port;
    ++*(unsigned char *)context;
}

static void many_channels(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_MANY && good; i++)
        good &= !event_bind_ipi(0, see, &seen[i], &many[i]);
    promise(good && many[NR_MANY - 1] > 4096,
            "there are more channels than two levels have");
    for (unsigned i = 0; i < NR_MANY; i++)
        good &= !event_send(many[i]);
    dispatch_all();
    for (unsigned i = 0; i < NR_MANY; i++)
        good &= seen[i] == 1;
    promise(good, "each brings its event, once");
    for (unsigned i = 0; i < NR_MANY; i++)
        good &= !event_close(many[i]);
    promise(good, "and is closed");
}

/* ---- vCPUs */

static evtchn_port_t mover;
static int where[VCPU_MAX];
static bool stop;

static void notes_where(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
    __atomic_fetch_add(&where[vcpu_id()], 1, __ATOMIC_SEQ_CST);
}

static void dispatches(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        event_dispatch();
        hypercall_yield();
    }
}

/* Sent by vCPU 0, it comes to vCPU (id). */
static bool comes_to(unsigned id)
{
    uint64_t end = clock_system_ns() + PATIENCE;
    int had = __atomic_load_n(&where[id], __ATOMIC_SEQ_CST);

    if (event_send(mover))
        return false;
    while (__atomic_load_n(&where[id], __ATOMIC_SEQ_CST) == had) {
        event_dispatch();
        hypercall_yield();
        if (clock_system_ns() > end)
            return false;
    }
    return true;
}

static void moving(void)
{
    evtchn_port_t far_end = 0;
    char *stack = page_alloc(STACK_PAGES);
    bool good =
        stack &&
        !event_alloc_unbound(DOMID_SELF, notes_where, NULL, &far_end) &&
        !event_bind_interdomain(DOMID_SELF, far_end, notes_where, NULL, &mover);

    dispatch_all();
    promise(good && !vcpu_start(1, dispatches, NULL,
                                stack + STACK_PAGES * PAGE_SIZE),
            "another vCPU has queues as well");
    /* what is sent to one end comes out of the other */
    promise(comes_to(0), "events come to vCPU 0 at first");
    for (int i = 0; i < 50 && good; i++)
        good = !event_move(far_end, 1) && comes_to(1) &&
               !event_move(far_end, 0) && comes_to(0);
    promise(good, "and move to the other and back");

    event_mask(far_end);
    event_send(mover);
    good = !event_move(far_end, 1);
    where[0] = where[1] = 0;
    event_unmask(far_end);
    promise(good && comes_to(1) && where[0] == 0, "pending ones as well");
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
}

int main(void)
{
    beginning();
    order();
    overtaking();
    many_channels();
    thread_sleep(2 * MS);
    promise(true, "timers and the console go on");
    if (vcpu_count() > 1)
        moving();
    return verdict();
}
