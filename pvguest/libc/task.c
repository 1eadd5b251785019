/*
 * pthreads on pvguest's threads.
 */
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>

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
};

static struct task main_task = {.tid = 1};
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
    thread_provide_tls(tls_size, tls_create);
}

static void finish(void)
{
    int *clear = self() ? self()->clear : NULL;

    if (clear) {
        *(volatile int *)clear = 0;
        futex_wake(clear, 1);
    }
}

_Noreturn void linux_exit(void)
{
    finish();
    thread_exit();
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

    *task = (struct task){++last_tid, ctid, fn, arg};
    *ptid = task->tid;
    thread_start_on(task, (uint64_t)tls, run, task);
    return task->tid;
}

_Noreturn void guest_libc_exit_unmap(void *stack, size_t size)
{
    finish();
    thread_exit_free(stack, size / PAGE_SIZE);
}
