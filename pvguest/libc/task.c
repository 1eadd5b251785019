/*
 * pthreads on pvguest's threads.
 */
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>
#include <string.h>

#include "linux.h"

/* musl/src/thread/x86_64/ */
size_t guest_libc_tls_size(void);
unsigned long guest_libc_tls_create(void *memory, int tid);
int guest_libc_clone(int (*fn)(void *), void *arg, void *stack, int *ptid,
                     void *tls, int *ctid);
_Noreturn void guest_libc_exit_unmap(void *stack, size_t size);

/* What Linux would know of a thread that pthread_create started. */
struct task {
    int tid;
    int *clear; /* set to 0 and woken when the thread ends */
    int (*fn)(void *);
    void *arg;
    struct thread *thread;
    struct task *next;
};

static struct task main_task = {.tid = 1};
static struct task *tasks = &main_task;
static int last_tid = 1;

static struct task *self(void)
{
    return thread_data();
}

int task_tid(void)
{
    return self() ? self()->tid : 0;
}

long linux_set_tid_address(int *clear)
{
    self()->clear = clear;
    return self()->tid;
}

static uint64_t tls_create(void *memory)
{
    return guest_libc_tls_create(memory, ++last_tid);
}

static size_t tls_size(void)
{
    return guest_libc_tls_size();
}

void task_init(void)
{
    thread_set_data(&main_task);
    main_task.thread = thread_self();
    thread_provide_tls(tls_size, tls_create);
}

static void *word_to_clear(void)
{
    return self() ? self()->clear : NULL;
}

/* Whoever joins may now free what the thread used to run on. */
static void clear_word(void *arg)
{
    int *clear = arg;

    if (clear) {
        __atomic_store_n(clear, 0, __ATOMIC_SEQ_CST);
        futex_wake(clear, 1);
    }
}

/* (task) is no longer to be found by its number. */
static void forget(const struct task *task)
{
    struct task **at = &tasks;
    GUEST_LOCKED;

    while (*at && *at != task)
        at = &(*at)->next;
    if (*at)
        *at = task->next;
}

_Noreturn void linux_exit(void)
{
    forget(self());
    thread_exit_then(clear_word, word_to_clear());
}

static void run(void *arg)
{
    struct task *task = arg;

    thread_set_data(task);
    task->fn(task->arg); /* ends in linux_exit or guest_libc_exit_unmap */
    linux_exit();
}

/* The task lies at the top of the new thread's stack, which is its own. */
int guest_libc_clone(int (*fn)(void *), void *arg, void *stack, int *ptid,
                     void *tls, int *ctid)
{
    struct task *task = (struct task *)((uintptr_t)stack & ~15ul) - 1;
    int tid;
    GUEST_LOCKED;

    *task = (struct task){.clear = ctid, .fn = fn, .arg = arg, .next = tasks};
    task->tid = tid = ++last_tid;
    *ptid = tid;
    tasks = task;
    task->thread = thread_start_on(task, (uint64_t)tls, run, task);
    return tid; /* it may have ended by now, and its task with it */
}

_Noreturn void guest_libc_exit_unmap(void *stack, size_t size)
{
    forget(self());
    thread_exit_free(stack, size / PAGE_SIZE, clear_word, word_to_clear());
}

/* The thread numbered (tid), 0 for the caller; NULL: none that musl knows. */
static struct thread *find(int tid)
{
    if (tid == 0)
        return thread_self();
    for (const struct task *task = tasks; task; task = task->next)
        if (task->tid == tid)
            return task->thread;
    return NULL;
}

long linux_sched_getaffinity(int tid, size_t size, void *mask)
{
    const struct thread *thread;
    uint64_t bits;
    GUEST_LOCKED;

    thread = find(tid);
    if (!thread)
        return -ESRCH;
    if (size < sizeof bits)
        return -EINVAL;
    bits = thread_affinity(thread);
    memcpy(mask, &bits, sizeof bits);
    return sizeof bits;
}

long linux_sched_setaffinity(int tid, size_t size, const void *mask)
{
    struct thread *thread;
    uint64_t bits = 0;
    int rc;
    GUEST_LOCKED;

    thread = find(tid);
    if (!thread)
        return -ESRCH;
    memcpy(&bits, mask, size < sizeof bits ? size : sizeof bits);
    rc = thread_set_affinity(thread, bits);
    if (!rc && thread == thread_self())
        thread_yield(); /* from where it may be no more */
    return rc;
}
