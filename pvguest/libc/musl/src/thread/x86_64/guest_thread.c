/*
 * What makes a thread that pthread_create did not start (pvguest's own, and
 * the drivers') one that may use the library: a TLS block, and locks in use.
 */
#include <string.h>

#include "pthread_impl.h"
#include "stdio_impl.h"

extern volatile size_t __pthread_tsd_size;
hidden extern FILE *volatile __stdin_used, *volatile __stdout_used,
                                               *volatile __stderr_used;

size_t guest_libc_tls_size(void)
{
    return libc.tls_size + __pthread_tsd_size;
}

static void lock_file(FILE *file)
{
    if (file && file->lock < 0)
        file->lock = 0;
}

/* As the first pthread_create does. */
static void become_threaded(void)
{
    if (libc.threaded)
        return;
    for (FILE *file = *__ofl_lock(); file; file = file->next)
        lock_file(file);
    __ofl_unlock();
    lock_file(__stdin_used);
    lock_file(__stdout_used);
    lock_file(__stderr_used);
    __pthread_self()->tsd = (void **)__pthread_tsd_main;
    libc.threaded = 1;
}

unsigned long guest_libc_tls_create(void *memory, int tid)
{
    struct pthread *self;

    become_threaded();
    memset(memory, 0, guest_libc_tls_size());
    self = __copy_tls(memory);
    self->self = self;
    self->tid = tid;
    self->next = self->prev = self;
    self->tsd = (void *)((char *)memory + libc.tls_size);
    self->locale = &libc.global_locale;
    self->robust_list.head = &self->robust_list.head;
    self->detach_state = DT_DETACHED;
    self->canary = __pthread_self()->canary;
    a_inc(&libc.threads_minus_1);
    libc.need_locks = 1;
    return (unsigned long)TP_ADJ(self);
}
