/*
 * pvdrivers/ip/system.c: what lwIP wants of an operating system: threads,
 * semaphores, mailboxes, the time. (lwIP's doc/sys_arch.txt)
 */
#include <lwip/sys.h>

#include <stdarg.h>
#include <stdlib.h>

#include <pvguest/clock.h>
#include <pvguest/guest.h>

#define NS_PER_MS 1000000

uint32_t ip_random(void)
{
    static uint64_t state;

    /* for ports and sequence numbers: unlike each time, no secret */
    state = state * 6364136223846793005u + clock_system_ns() +
            __builtin_ia32_rdtsc();
    return (uint32_t)(state >> 32) ^ (uint32_t)(state >> 7);
}

void ip_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    guest_vprint(format, args);
    va_end(args);
}

_Noreturn void ip_assertion_failed(const char *what, const char *file, int line)
{
    guest_panic("lwIP: %s (%s:%d)", what, file, line);
}

void sys_init(void)
{
}

u32_t sys_now(void)
{
    return (u32_t)(clock_system_ns() / NS_PER_MS);
}

sys_thread_t sys_thread_new(const char *name, lwip_thread_fn thread, void *arg,
                            int stacksize, int prio)
{
    (void)name;
    (void)stacksize;
    (void)prio;
    return thread_start(thread, arg);
}

/* 0 of lwIP's milliseconds is for ever. */
static uint64_t deadline(u32_t timeout_ms)
{
    return timeout_ms ? clock_system_ns() + timeout_ms * (uint64_t)NS_PER_MS
                      : UINT64_MAX;
}

err_t sys_sem_new(sys_sem_t *sem, u8_t count)
{
    *sem = (sys_sem_t){.count = count, .valid = true};
    return ERR_OK;
}

void sys_sem_free(sys_sem_t *sem)
{
    sem->valid = false;
}

void sys_sem_signal(sys_sem_t *sem)
{
    sem->count++;
    thread_wake_one(&sem->queue);
}

u32_t sys_arch_sem_wait(sys_sem_t *sem, u32_t timeout_ms)
{
    const uint64_t until = deadline(timeout_ms);

    while (sem->count == 0)
        if (!thread_wait(&sem->queue, until) && sem->count == 0)
            return SYS_ARCH_TIMEOUT;
    sem->count--;
    return 0;
}

err_t sys_mutex_new(sys_mutex_t *mutex)
{
    mutex->valid = true;
    return ERR_OK;
}

void sys_mutex_free(sys_mutex_t *mutex)
{
    mutex->valid = false;
}

void sys_mutex_lock(sys_mutex_t *mutex)
{
    (void)mutex;
}

void sys_mutex_unlock(sys_mutex_t *mutex)
{
    (void)mutex;
}

err_t sys_mbox_new(sys_mbox_t *mbox, int size)
{
    (void)size;
    *mbox = (sys_mbox_t){.slots = calloc(SYS_MBOX_SLOTS, sizeof(void *))};
    return mbox->slots ? ERR_OK : ERR_MEM;
}

void sys_mbox_free(sys_mbox_t *mbox)
{
    free(mbox->slots);
    mbox->slots = NULL;
}

err_t sys_mbox_trypost(sys_mbox_t *mbox, void *message)
{
    if (mbox->nr == SYS_MBOX_SLOTS)
        return ERR_MEM;
    mbox->slots[(mbox->first + mbox->nr++) % SYS_MBOX_SLOTS] = message;
    thread_wake_one(&mbox->readers);
    return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *mbox, void *message)
{
    return sys_mbox_trypost(mbox, message);
}

void sys_mbox_post(sys_mbox_t *mbox, void *message)
{
    while (sys_mbox_trypost(mbox, message) != ERR_OK)
        thread_wait(&mbox->writers, UINT64_MAX);
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *mbox, void **message)
{
    if (mbox->nr == 0)
        return SYS_MBOX_EMPTY;
    if (message)
        *message = mbox->slots[mbox->first];
    mbox->first = (mbox->first + 1) % SYS_MBOX_SLOTS;
    mbox->nr--;
    thread_wake_one(&mbox->writers);
    return 0;
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *mbox, void **message, u32_t timeout_ms)
{
    const uint64_t until = deadline(timeout_ms);

    while (sys_arch_mbox_tryfetch(mbox, message) == SYS_MBOX_EMPTY)
        if (!thread_wait(&mbox->readers, until) && mbox->nr == 0)
            return SYS_ARCH_TIMEOUT;
    return 0;
}
