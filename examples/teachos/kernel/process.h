/*
 * kernel/process.h: processes.
 *
 * A process is a thread of the kernel's (pvguest/thread.h) that calls its
 * program again and again (pvguest/user.h): the program computes until it wants
 * something of the kernel, or faults, or its time is up; the thread sees to it,
 * on a stack of its own, waiting where it must, and calls the program again.
 *
 * Kernel code is not interrupted; programs are, by the timer, every
 * SLICE_NS, and by every other event. Programs run on all vCPUs at once, but
 * the kernel is on one of them at a time: there is one lock for all of it, the
 * library's, which is let go in user mode and in every wait. So between two
 * waits a thread in the kernel has all data to itself.
 *
 * A process stays on one vCPU for life, the one that had the fewest when it was
 * forked.
 */
#ifndef TEACHOS_PROCESS_H
#define TEACHOS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <pvguest/thread.h>
#include <pvguest/user.h>
#include <teachos/syscall.h>

#include "space.h"

#define NR_PROCESSES 64
#define NR_FILES     16
#define SLICE_NS     10000000ull

struct file;

struct process {
    int id; /* 0: nobody is here */
    struct process *parent;
    unsigned state; /* PROCESS_ */
    bool killed;    /* it ends where it next could go on */
    int status;     /* once it has ended */
    char name[NAME_SIZE];
    unsigned cpu; /* the vCPU it lives on */

    struct user_state *user; /* its part of the CPU */
    struct space space;
    struct file *files[NR_FILES];
    uint32_t folder; /* the inode of its current one */

    struct wait_queue *waits_in; /* for whoever kills it */
    struct wait_queue child_ended;
    uint64_t cpu_ns;
};

/* Whose kernel code this is. */
struct process *process_current(void);

/* Process 1: (path) with (argv), which ends in NULL. Its end is the end of all.
 * 0, or why not. */
int process_start_first(const char *path, char *const *argv);

/* A copy of the calling process, but that fork returns 0 in it: its number. */
long process_fork(void);

/* The calling process gets another address space, which is live. */
void process_replace_space(struct space *space);

/* End the calling process. */
_Noreturn void process_exit(int status);

/* Wait for a child to end: its number, its status in (*status); E_CHILD,
 * E_INTR. */
long process_wait(int *status);

/* It ends as soon as it leaves the kernel, or waits there: 0, or E_SRCH. */
int process_kill(int id);

/* The process, and all who descend from it. */
void process_kill_family(int id);

/* About the (n)th place for a process. False: there are no more. */
bool process_describe(unsigned n, struct teachos_process *about);

/*
 * Wait in (queue), until woken or (deadline_ns). False: the process was killed,
 * and the caller must go back to where it began. Else test your condition.
 */
bool process_wait_in(struct wait_queue *queue, uint64_t deadline_ns);

#endif
