/*
 * Threads on all vCPUs: pthreads run beside each other, their locks, conditions
 * and barriers hold, they sleep, allocate, print and read the disk from
 * wherever they are, and cooperative threads still never run beside each other.
 */
#include "verdict.h"

#include <pvdrivers/block.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS          1000000ull
#define NR_THREADS  8
#define ROUNDS      400
#define SLEEPS      20
#define SHORT_LIVED 200
#define READS       30
#define MAX_BLOCK   8 /* sectors */
#define PATIENCE    (20000 * MS)

static unsigned count;

static void *run_all(void *(*fn)(void *))
{
    pthread_t threads[NR_THREADS];
    uintptr_t failed = 0;

    for (uintptr_t i = 0; i < NR_THREADS; i++)
        if (pthread_create(&threads[i], NULL, fn, (void *)i))
            return (void *)1;
    for (int i = 0; i < NR_THREADS; i++) {
        void *result;

        failed |= pthread_join(threads[i], &result) != 0;
        failed |= (uintptr_t)result;
    }
    return (void *)failed;
}

/* ---- beside each other */

static unsigned long seen_running; /* a bit for each vCPU */

/* Until somebody was seen on every vCPU. Nobody waits: it takes them all. */
static void *is_everywhere(void *arg)
{
    unsigned long all = (1ul << count) - 1;
    uint64_t end = clock_system_ns() + PATIENCE;

    if ((uintptr_t)arg >= count)
        return NULL;
    while (__atomic_or_fetch(&seen_running, 1ul << vcpu_id(),
                             __ATOMIC_SEQ_CST) != all)
        if (clock_system_ns() > end)
            return (void *)1;
    return NULL;
}

/* ---- locks */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static unsigned long plain_sum;
static int turn;

static void *adds(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        plain_sum++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *takes_turns(void *arg)
{
    int own = (int)(uintptr_t)arg;

    for (int i = 0; i < ROUNDS / 10; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % NR_THREADS != own)
            pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static int arrived[ROUNDS / 10];

static void *meets(void *arg)
{
    uintptr_t failed = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS / 10; i++) {
        __atomic_fetch_add(&arrived[i], 1, __ATOMIC_SEQ_CST);
        pthread_barrier_wait(&barrier);
        failed |= __atomic_load_n(&arrived[i], __ATOMIC_SEQ_CST) != NR_THREADS;
    }
    return (void *)failed;
}

/* ---- time and memory */

static void *sleeps(void *arg)
{
    uintptr_t failed = 0;
    uint64_t before, last = 0;

    for (int i = 0; i < SLEEPS; i++) {
        before = clock_system_ns();
        failed |= before < last;
        usleep(500 + 100 * (unsigned)(uintptr_t)arg);
        last = clock_system_ns();
        failed |= last - before < 500000;
    }
    return (void *)failed;
}

static void *allocates(void *arg)
{
    uintptr_t failed = 0;

    for (int i = 0; i < ROUNDS; i++) {
        size_t size = 1 + (size_t)i * 997 % 70000;
        char *memory = malloc(size);

        if (!memory)
            return (void *)1;
        memset(memory, (int)(uintptr_t)arg, size);
        if (i % 16 == 0)
            sched_yield();
        for (size_t j = 0; j < size; j += 512)
            failed |= memory[j] != (char)(uintptr_t)arg;
        free(memory);
    }
    return (void *)failed;
}

static void *does_nothing(void *arg)
{
    return arg;
}

static void *starts_others(void *arg)
{
    pthread_t thread;
    void *result;

    (void)arg;
    for (int i = 0; i < SHORT_LIVED / NR_THREADS; i++) {
        if (pthread_create(&thread, NULL, does_nothing, NULL))
            return (void *)1;
        if (i % 2 == 0)
            pthread_detach(thread);
        else if (pthread_join(thread, &result) || result)
            return (void *)1;
    }
    return NULL;
}

static _Thread_local unsigned own_word;

static void *keeps_its_own(void *arg)
{
    own_word = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        errno = (int)own_word;
        sched_yield();
        if (own_word != (uintptr_t)arg || errno != (int)own_word)
            return (void *)1;
    }
    return NULL;
}

/* ---- where they run */

static void *stays_where_put(void *arg)
{
    unsigned where = (unsigned)(uintptr_t)arg % count;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(where, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set))
        return (void *)1;
    for (int i = 0; i < 20; i++) {
        if (vcpu_id() != where)
            return (void *)1;
        usleep(100);
    }
    return NULL;
}

static void affinity(void)
{
    cpu_set_t set;

    promise((unsigned)sysconf(_SC_NPROCESSORS_ONLN) == count,
            "sysconf knows how many CPUs there are");
    promise(!pthread_getaffinity_np(pthread_self(), sizeof set, &set) &&
                (unsigned)CPU_COUNT(&set) == count,
            "a thread may run on all of them");
    CPU_ZERO(&set);
    CPU_SET(count, &set);
    promise(pthread_setaffinity_np(pthread_self(), sizeof set, &set) == EINVAL,
            "and not on one that is not there");
    promise(!run_all(stays_where_put), "threads stay where they are put");
}

/* ---- the two kinds */

static int nr_inside, nr_beside, nr_ended;
static struct wait_queue ended = WAIT_QUEUE_INIT;

static void is_alone(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (__atomic_fetch_add(&nr_inside, 1, __ATOMIC_SEQ_CST))
            nr_beside++;
        for (int j = 0; j < 100; j++)
            __builtin_ia32_pause();
        __atomic_fetch_sub(&nr_inside, 1, __ATOMIC_SEQ_CST);
        thread_yield();
    }
    nr_ended++;
    thread_wake_all(&ended);
}

static void cooperation(void)
{
    GUEST_LOCKED;

    for (int i = 0; i < NR_THREADS; i++)
        if (!thread_start(is_alone, NULL))
            nr_ended++;
    while (nr_ended < NR_THREADS)
        thread_wait(&ended, UINT64_MAX);
}

/* ---- yielding, and being woken together */

static bool put_on(unsigned vcpu, bool everywhere)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned i = 0; i < count; i++)
        if (everywhere || i == vcpu)
            CPU_SET(i, &set);
    return !pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static bool passed;

/* Elsewhere, what takes the library's lock. */
static void *passes(void *arg)
{
    if (!put_on(count - 1, false))
        return (void *)1;
    for (int i = 0; i < ROUNDS; i++) {
        GUEST_LOCKED;

        __builtin_ia32_pause();
    }
    __atomic_store_n(&passed, true, __ATOMIC_SEQ_CST);
    return arg;
}

/* There is nobody else to run here, and it keeps the lock but to yield. */
static bool yielding_lets_others_in(void)
{
    uint64_t end = clock_system_ns() + PATIENCE;
    pthread_t thread;
    void *result = (void *)1;
    bool seen = false;

    if (!put_on(0, false) || pthread_create(&thread, NULL, passes, NULL))
        return false;
    while (!seen && clock_system_ns() < end) {
        GUEST_LOCKED;

        while (!(seen = __atomic_load_n(&passed, __ATOMIC_SEQ_CST)) &&
               clock_system_ns() < end)
            thread_yield();
    }
    return !pthread_join(thread, &result) && !result && put_on(0, true) && seen;
}

static struct wait_queue first_woken = WAIT_QUEUE_INIT;
static struct wait_queue second_woken = WAIT_QUEUE_INIT;
static struct thread *second;
static bool second_ran;

static void *is_second(void *arg)
{
    GUEST_LOCKED;

    second = thread_self();
    if (thread_set_affinity(NULL, 1ull << (count - 1)))
        return (void *)1;
    thread_wait(&second_woken, clock_system_ns() + PATIENCE);
    __atomic_store_n(&second_ran, true, __ATOMIC_SEQ_CST);
    return arg;
}

static void wake_both(void *context)
{
    (void)context;
    thread_wake_all(&first_woken);
    thread_wake_all(&second_woken);
}

/*
 * Waits on the same vCPU as the second, which may then run on any; so when both
 * are woken there, another vCPU has to be told.
 */
static void *is_first(void *arg)
{
    uint64_t end = clock_system_ns() + PATIENCE;
    struct timer timer = {0};

    if (!put_on(count - 1, false))
        return (void *)1;
    guest_lock();
    while (!second || !second_woken.first)
        thread_yield();
    thread_set_affinity(second, ~0ull >> (VCPU_MAX - count));
    timer_arm(&timer, clock_system_ns() + 20 * MS, wake_both, NULL);
    thread_wait(&first_woken, UINT64_MAX);
    guest_unlock();
    while (!__atomic_load_n(&second_ran, __ATOMIC_SEQ_CST))
        if (clock_system_ns() > end)
            return (void *)1;
    return arg;
}

static bool all_that_are_woken_run(void)
{
    pthread_t threads[2];
    void *results[2] = {(void *)1, (void *)1};

    return !pthread_create(&threads[0], NULL, is_second, NULL) &&
           !pthread_create(&threads[1], NULL, is_first, NULL) &&
           !pthread_join(threads[0], &results[0]) &&
           !pthread_join(threads[1], &results[1]) && !results[0] && !results[1];
}

/* ---- an event between threads on two vCPUs */

static evtchn_port_t ping_port;
static int nr_pings, nr_served;
static struct wait_queue pinged = WAIT_QUEUE_INIT;

static void on_ping(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
    nr_served++;
    thread_wake_all(&pinged);
}

static void *pings(void *arg)
{
    if ((uintptr_t)arg)
        return NULL;
    for (nr_pings = 0; nr_pings < 50; nr_pings++) {
        GUEST_LOCKED;
        int before = nr_served;

        if (event_send(ping_port))
            return (void *)1;
        while (nr_served == before)
            if (!thread_wait(&pinged, clock_system_ns() + PATIENCE))
                return (void *)1;
    }
    return NULL;
}

/* ---- the disk */

static struct block *disk;
static struct block_info info;
static char *wanted;

static void *reads(void *arg)
{
    unsigned long state = (unsigned long)(uintptr_t)arg + 1;
    char *buffer = page_alloc(MAX_BLOCK * BLOCK_SECTOR / PAGE_SIZE);
    uintptr_t failed = !buffer;

    for (int i = 0; i < READS && !failed; i++) {
        uint32_t nr;
        uint64_t sector;

        state = state * 6364136223846793005ul + 1442695040888963407ul;
        nr = 1 + (uint32_t)(state >> 60) % MAX_BLOCK;
        sector = (state >> 20) % (info.nr_sectors - nr);
        failed |= block_read(disk, sector, buffer, nr) != 0;
        failed |= memcmp(buffer, wanted + sector * BLOCK_SECTOR,
                         nr * BLOCK_SECTOR) != 0;
    }
    page_free(buffer, MAX_BLOCK * BLOCK_SECTOR / PAGE_SIZE);
    return (void *)failed;
}

static void reading(void)
{
    disk = block_open(0);
    if (!disk)
        return;
    block_get_info(disk, &info);
    wanted = page_alloc(info.nr_sectors * BLOCK_SECTOR / PAGE_SIZE + 1);
    if (promise(wanted &&
                    !block_read(disk, 0, wanted, (uint32_t)info.nr_sectors),
                "the disk can be read as a whole"))
        promise(!run_all(reads), "and in pieces from everywhere");
    block_close(disk);
}

int main(void)
{
    count = vcpu_count();
    printf("%u vCPUs\n", count);
    affinity();
    promise(!run_all(is_everywhere), "threads run on all vCPUs at once");
    promise(!run_all(adds) && plain_sum == NR_THREADS * ROUNDS,
            "a mutex lets one in");
    promise(!run_all(takes_turns) && turn == NR_THREADS * (ROUNDS / 10),
            "a condition wakes who waits for it");
    pthread_barrier_init(&barrier, NULL, NR_THREADS);
    promise(!run_all(meets), "a barrier holds until all are there");
    promise(!run_all(sleeps), "sleeps are not too short anywhere");
    promise(!run_all(allocates), "nobody is given another's memory");
    promise(!run_all(starts_others), "threads come and go");
    promise(!run_all(keeps_its_own), "each has words of its own");
    cooperation();
    promise(nr_beside == 0, "cooperative threads never run beside each other");
    promise(yielding_lets_others_in(), "who yields lets the other vCPUs in");
    promise(count == 1 || all_that_are_woken_run(),
            "of two that are woken at once, both run");
    promise(!event_bind_ipi(count - 1, on_ping, NULL, &ping_port) &&
                !run_all(pings) && nr_served == 50,
            "the last vCPU's events wake threads");
    reading();
    return verdict();
}
