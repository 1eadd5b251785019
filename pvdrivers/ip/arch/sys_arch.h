/*
 * pvdrivers/ip/arch/sys_arch.h: lwIP's threads are pvguest's, cooperative, and
 * who calls it holds the library's lock, so nothing of it ever runs beside
 * itself and a lock has nothing to lock.
 * (lwIP's doc/sys_arch.txt)
 */
#ifndef ARCH_SYS_ARCH_H
#define ARCH_SYS_ARCH_H

#include <stdbool.h>

#include <pvguest/thread.h>

typedef struct {
    struct wait_queue queue;
    unsigned count;
    bool valid;
} sys_sem_t;

/* No code of lwIP waits while it holds one. */
typedef struct {
    bool valid;
} sys_mutex_t;

#define SYS_MBOX_SLOTS 256

typedef struct {
    struct wait_queue readers, writers;
    void **slots; /* SYS_MBOX_SLOTS; NULL: not valid */
    unsigned first, nr;
} sys_mbox_t;

typedef struct thread *sys_thread_t;

#define sys_sem_valid(sem)           ((sem)->valid)
#define sys_sem_set_invalid(sem)     ((sem)->valid = false)
#define sys_mutex_valid(mutex)       ((mutex)->valid)
#define sys_mutex_set_invalid(mutex) ((mutex)->valid = false)
#define sys_mbox_valid(mbox)         ((mbox)->slots != NULL)
#define sys_mbox_set_invalid(mbox)   ((mbox)->slots = NULL)

#endif
