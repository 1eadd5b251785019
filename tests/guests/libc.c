/*
 * musl on pvguest: the heap, formatted output, pthreads with their locks and
 * conditions, errno of each thread, sleeping.
 */
#include "verdict.h"

#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NR_BLOCKS   400
#define NR_THREADS  4
#define NR_ADDED    1000
#define NR_DETACHED 100

static size_t size_of(unsigned i)
{
    return 1 + i * i % 9973;
}

static bool is_filled(const unsigned char *block, size_t size, unsigned byte)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != (unsigned char)byte)
            return false;
    return true;
}

static bool heap_keeps_blocks_apart(void)
{
    unsigned char *blocks[NR_BLOCKS];
    bool good = true;

    for (unsigned i = 0; i < NR_BLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        if (!blocks[i]) {
            while (i)
                free(blocks[--i]);
            return false;
        }
        memset(blocks[i], (int)i, size_of(i));
    }
    for (unsigned i = 0; i < NR_BLOCKS; i += 2) {
        good &= is_filled(blocks[i], size_of(i), i);
        free(blocks[i]);
    }
    for (unsigned i = 1; i < NR_BLOCKS; i += 2) {
        good &= is_filled(blocks[i], size_of(i), i);
        free(blocks[i]);
    }
    return good;
}

static bool heap_gives_large_blocks_back(void)
{
    size_t before = page_nr_free();
    unsigned char *block = calloc(1, 300000), *grown;
    bool good;

    if (!block)
        return false;
    good = is_filled(block, 300000, 0);
    block[299999] = 7;
    grown = realloc(block, 500000);
    if (!grown) {
        free(block);
        return false;
    }
    good &= grown[299999] == 7;
    free(grown);
    return good && page_nr_free() == before;
}

static bool printf_formats(void)
{
    char text[64];

    snprintf(text, sizeof text, "%d %s %.3f %lx", -5, "words", 2.71828,
             0xabcdeful);
    return strcmp(text, "-5 words 2.718 abcdef") == 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned sum, nr_ready;
static bool go;
static __thread unsigned own = 5;

static void *add(void *arg)
{
    pthread_mutex_lock(&mutex);
    nr_ready++;
    while (!go)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);

    for (unsigned i = 0; i < NR_ADDED; i++) {
        pthread_mutex_lock(&mutex);
        sum++;
        if (i % 100 == 0)
            sched_yield(); /* with the lock held */
        pthread_mutex_unlock(&mutex);
        own++;
    }
    errno = (int)(uintptr_t)arg;
    sched_yield();
    return (void *)(uintptr_t)(own == 5 + NR_ADDED &&
                               errno == (int)(uintptr_t)arg);
}

static void pthreads(void)
{
    pthread_t threads[NR_THREADS];
    bool good = true, started = true;
    void *result;

    for (uintptr_t i = 0; i < NR_THREADS; i++)
        started &= !pthread_create(&threads[i], NULL, add, (void *)(i + 40));
    if (!promise(started, "pthread_create starts threads"))
        return;
    while (nr_ready < NR_THREADS)
        sched_yield();
    pthread_mutex_lock(&mutex);
    go = true;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(threads[i], &result);
        good &= result != NULL;
    }
    promise(sum == NR_THREADS * NR_ADDED, "a mutex excludes");
    promise(good, "errno and __thread variables are each thread's own");
    promise(own == 5, "and the main thread's");
}

static void condition_times_out(void)
{
    struct timespec until;
    int rc;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&mutex);
    do
        rc = pthread_cond_timedwait(&cond, &mutex, &until);
    while (rc == 0);
    pthread_mutex_unlock(&mutex);
    promise(rc == ETIMEDOUT, "a condition wait times out");
}

static void *ends_at_once(void *arg)
{
    return arg;
}

/* How many pages fewer there are after than before. */
static long left_by_detached_threads(void)
{
    const size_t before = page_nr_free();

    for (int i = 0; i < NR_DETACHED; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, ends_at_once, NULL) ||
            pthread_detach(thread))
            return -1;
        sched_yield();
    }
    sched_yield();
    return (long)(before - page_nr_free());
}

/*
 * A thread of the library may end meanwhile and give its stack back, as the one
 * that told the store what this guest can, where the store is slow. It does so
 * once: what each time leaves something is not that.
 */
static bool detached_threads_leave_nothing(void)
{
    long left = 1;

    for (int i = 0; i < 3 && left; i++)
        left = left_by_detached_threads();
    if (left)
        printf("pages left: %ld\n", left);
    return left == 0;
}

static void prints(void *arg)
{
    char text[32];

    snprintf(text, sizeof text, "%g", 1.25);
    errno = 99;
    thread_yield();
    *(bool *)arg = strcmp(text, "1.25") == 0 && errno == 99;
}

/* Drivers' threads, too. */
static bool any_thread_may_use_the_library(void)
{
    bool good = false;

    errno = 1;
    if (!thread_start(prints, &good))
        return false;
    thread_yield();
    thread_yield();
    return good && errno == 1;
}

static bool sleeps(void)
{
    struct timespec start, end;

    clock_gettime(CLOCK_MONOTONIC, &start);
    usleep(15000);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec -
               start.tv_nsec >=
           15000000;
}

/* Or says that it cannot. */
static bool random_is_honest(void)
{
    uint64_t a = 0, b = 0;

    if (getrandom(&a, sizeof a, 0) < 0)
        return errno == ENOSYS;
    return getrandom(&b, sizeof b, 0) == sizeof b && a != b;
}

int main(void)
{
    void *volatile huge;

    promise(heap_keeps_blocks_apart(), "the heap keeps blocks apart");
    promise(heap_gives_large_blocks_back(), "large blocks return to the pages");
    promise(!(huge = malloc((size_t)1 << 40)) && errno == ENOMEM,
            "a block larger than memory is refused");
    free(huge);
    promise(printf_formats(), "printf formats");
    pthreads();
    condition_times_out();
    promise(detached_threads_leave_nothing(),
            "detached threads leave no page behind");
    promise(any_thread_may_use_the_library(),
            "threads of pvguest may use the library");
    promise(sleeps(), "usleep is not too short");
    promise(random_is_honest(), "random bytes are random, or refused");
    promise(write(5, "x", 1) < 0 && errno == EBADF,
            "there are no files but the console");
    return verdict();
}
