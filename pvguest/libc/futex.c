/*
 * Futexes: those who wait stand in one list, each with the address waited at.
 * The library's lock makes "compare, then wait" one step.
 */
#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#include <errno.h>
#include <time.h>

#include "linux.h"

#define FUTEX_WAIT    0
#define FUTEX_WAKE    1
#define FUTEX_REQUEUE 3
#define FUTEX_PRIVATE 128

#define IMPATIENCE_NS 10000000000ull

/* On the waiting thread's stack. */
struct waiter {
    volatile int *addr;
    struct wait_queue queue;
    struct waiter *next;
};

static struct waiter *first, **end = &first;

static void leave(struct waiter *waiter)
{
    struct waiter **at = &first;

    while (*at && *at != waiter)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = waiter->next;
    if (!*at)
        end = at;
}

/*
 * A lock of the C library, as malloc's, is another vCPU's for a moment, and who
 * wants it must not wait here. Nobody waits while holding such a lock, nor for
 * ours; whoever does breaks the rules of event handlers.
 */
static long look_again(const volatile int *addr, int value)
{
    uint64_t until = clock_system_ns() + IMPATIENCE_NS;

    while (*addr == value) {
        __builtin_ia32_pause();
        if (clock_system_ns() > until)
            guest_panic("an event handler waits for what a thread has locked");
    }
    return -EAGAIN;
}

static long futex_wait(volatile int *addr, int value,
                       const struct timespec *timeout)
{
    struct waiter waiter = {.addr = addr, .queue = WAIT_QUEUE_INIT};
    uint64_t deadline = UINT64_MAX, ns;
    bool woken;
    GUEST_LOCKED;

    if (*addr != value)
        return -EAGAIN;
    if (thread_is_inside() && vcpu_count() > 1)
        return look_again(addr, value);
    if (timeout) {
        uint64_t now = clock_system_ns();

        ns = time_ns(timeout);
        deadline = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
    }
    *end = &waiter;
    end = &waiter.next;
    woken = thread_wait(&waiter.queue, deadline);
    if (!woken)
        leave(&waiter);
    return woken ? 0 : -ETIMEDOUT;
}

static int wake(volatile int *addr, int nr)
{
    struct waiter **at = &first;
    int woken = 0;
    GUEST_LOCKED;

    while (*at && woken < nr) {
        struct waiter *waiter = *at;

        if (waiter->addr != addr) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        if (!*at)
            end = at;
        thread_wake_one(&waiter->queue);
        woken++;
    }
    return woken;
}

void futex_wake(volatile int *addr, int nr)
{
    wake(addr, nr);
}

/* Those left over after (nr) were woken wait at (other) from now on. */
static long requeue(volatile int *addr, int nr, uintptr_t nr_moved,
                    volatile int *other)
{
    long count;
    GUEST_LOCKED;

    count = wake(addr, nr);
    for (struct waiter *w = first; w && nr_moved; w = w->next) {
        if (w->addr == addr) {
            w->addr = other;
            nr_moved--;
            count++;
        }
    }
    return count;
}

long linux_futex(volatile int *addr, int op, int value, uintptr_t timeout,
                 volatile int *other)
{
    switch (op & ~FUTEX_PRIVATE) {
    case FUTEX_WAIT:
        return futex_wait(addr, value, (const struct timespec *)timeout);
    case FUTEX_WAKE:
        return wake(addr, value);
    case FUTEX_REQUEUE:
        return requeue(addr, value, timeout, other);
    default:
        return -ENOSYS;
    }
}
