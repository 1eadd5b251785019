#include "process.h"

#include <string.h>

#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>

#include "../machine/machine.h"
#include "exec.h"
#include "file.h"
#include "syscall.h"

#define PAGE_FAULT       14
#define FAULT_WRITE      0x02
#define FAULT_FETCH      0x10
#define USER_STATE_PAGES 1

_Static_assert(sizeof(struct user_state) <= PAGE_SIZE, "it has a page");

static struct process processes[NR_PROCESSES];
static struct process *first;
static int last_id;

/* What each vCPU has for user mode. */
static struct cpu {
    bool enabled;
    uint64_t *root; /* the address space in use; NULL: none */
    struct timer slice;
    unsigned nr_processes;
} cpus[VCPU_MAX];

static struct cpu *this_cpu(void)
{
    return &cpus[vcpu_id()];
}

struct process *process_current(void)
{
    return thread_data();
}

static struct process *find(int id)
{
    for (unsigned i = 0; i < NR_PROCESSES; i++)
        if (id && processes[i].id == id)
            return &processes[i];
    return NULL;
}

/* The vCPU with the fewest processes, which has one more now. */
static unsigned choose_cpu(void)
{
    unsigned best = 0;

    for (unsigned id = 1; id < vcpu_count(); id++)
        if (cpus[id].nr_processes < cpus[best].nr_processes)
            best = id;
    cpus[best].nr_processes++;
    return best;
}

/* A place in the table, still without an address space. NULL: none is free. */
static struct process *allocate(void)
{
    for (unsigned i = 0; i < NR_PROCESSES; i++) {
        struct process *process = &processes[i];

        if (process->id)
            continue;
        *process = (struct process){
            .id = ++last_id,
            .state = PROCESS_RUNS,
            .user = page_alloc(USER_STATE_PAGES),
        };
        if (!process->user) {
            process->id = 0;
            return NULL;
        }
        process->cpu = choose_cpu();
        return process;
    }
    return NULL;
}

static void release(struct process *process)
{
    cpus[process->cpu].nr_processes--;
    page_free(process->user, USER_STATE_PAGES);
    *process = (struct process){0};
}

static void use_space(uint64_t *root)
{
    struct cpu *cpu = this_cpu();

    if (root == cpu->root)
        return;
    machine->use(root);
    cpu->root = root;
}

/* That the time is up is told by the event itself. */
static void slice_over(void *context)
{
    (void)context;
}

/*
 * Run the program until it needs the kernel: why it does. Meanwhile another
 * vCPU may have the kernel.
 */
static uint64_t run(struct process *process)
{
    struct timer *slice = &this_cpu()->slice;
    uint64_t start = clock_system_ns(), reason;

    if (!slice->armed)
        timer_arm(slice, start + SLICE_NS, slice_over, NULL);
    use_space(process->space.root);
    guest_unlock();
    reason = user_run(process->user);
    guest_lock();
    process->cpu_ns += clock_system_ns() - start;
    return reason;
}

static bool page_fault(struct process *process)
{
    const uint64_t error = process->user->registers.error;

    return !(error & FAULT_FETCH) &&
           space_fault(&process->space, trap_fault_address(),
                       error & FAULT_WRITE);
}

/* The program did what it must not: it dies, and nobody else notices. */
static _Noreturn void die_of(struct process *process, uint64_t vector)
{
    const struct trap_frame *r = &process->user->registers;

    if (vector == PAGE_FAULT)
        guest_print("teachos: process %d (%s) ended: it must not %s 0x%lx, "
                    "at 0x%lx\n",
                    process->id, process->name,
                    r->error & FAULT_FETCH   ? "execute"
                    : r->error & FAULT_WRITE ? "write"
                                             : "read",
                    trap_fault_address(), r->rip);
    else
        guest_print("teachos: process %d (%s) ended: exception %lu, error code "
                    "0x%lx, at 0x%lx\n",
                    process->id, process->name, vector, r->error, r->rip);
    process_exit(STATUS_FAULT);
}

/*
 * Go where the process is to stay: so its address space is in use on no other
 * vCPU, now or later, and nothing of it is cached there.
 */
static void settle(const struct process *process)
{
    thread_set_affinity(NULL, 1ull << process->cpu);
    thread_yield();
    if (!this_cpu()->enabled && !user_enable())
        guest_panic("vCPU %u has no user mode", vcpu_id());
    this_cpu()->enabled = true;
}

/* The life of a process in the kernel, of which it keeps the lock. */
static void live(void *arg)
{
    struct process *process = arg;

    guest_lock();
    thread_set_data(process);
    settle(process);
    for (;;) {
        uint64_t reason;

        if (process->killed)
            process_exit(STATUS_KILLED);
        reason = run(process);
        if (reason == USER_EVENT)
            thread_yield();
        else if (reason == USER_SYSCALL)
            syscall_do(&process->user->registers);
        else if (reason != PAGE_FAULT || !page_fault(process))
            die_of(process, reason);
    }
}

int process_start_first(const char *path, char *const *argv)
{
    struct process *process = allocate();
    int rc;

    if (!process)
        return E_NOMEM;
    first = process;
    process->folder = ROOT_FOLDER;
    thread_set_data(process); /* exec is about the calling process */
    rc = file_open_console(process->files);
    if (!rc)
        rc = exec(path, argv);
    thread_set_data(NULL);
    if (!rc && !thread_start_parallel(live, process))
        rc = E_NOMEM;
    return rc;
}

long process_fork(void)
{
    struct process *parent = process_current(), *child = allocate();

    if (!child)
        return E_AGAIN;
    if (!space_fork(&parent->space, &child->space))
        goto fail;
    memcpy(child->user, parent->user, sizeof *child->user);
    child->user->registers.rax = 0;
    child->parent = parent;
    child->folder = parent->folder;
    memcpy(child->name, parent->name, sizeof child->name);
    if (!thread_start_parallel(live, child))
        goto fail_space;
    file_share_all(child->files, parent->files);
    return child->id;

fail_space:
    space_destroy(&child->space);
fail:
    release(child);
    return E_NOMEM;
}

void process_replace_space(struct space *space)
{
    struct process *process = process_current();
    struct space old = process->space;

    process->space = *space;
    if (old.root == this_cpu()->root)
        use_space(NULL);
    space_destroy(&old);
}

static void orphan(const struct process *parent)
{
    for (unsigned i = 0; i < NR_PROCESSES; i++) {
        if (processes[i].parent != parent || !processes[i].id)
            continue;
        processes[i].parent = first;
        if (processes[i].state == PROCESS_ENDED)
            thread_wake_all(&first->child_ended);
    }
}

_Noreturn void process_exit(int status)
{
    struct process *process = process_current();

    file_close_all(process->files);
    if (process == first)
        guest_exit(status & 0xff);
    if (process->space.root == this_cpu()->root)
        use_space(NULL);
    space_destroy(&process->space);
    orphan(process);
    process->status = status & 0xff;
    process->state = PROCESS_ENDED;
    thread_wake_all(&process->parent->child_ended);
    thread_exit();
}

/* A child of (parent) that has ended, or else any; NULL: there is none. */
static struct process *find_child(const struct process *parent)
{
    struct process *found = NULL;

    for (unsigned i = 0; i < NR_PROCESSES; i++) {
        if (!processes[i].id || processes[i].parent != parent)
            continue;
        found = &processes[i];
        if (found->state == PROCESS_ENDED)
            break;
    }
    return found;
}

long process_wait(int *status)
{
    struct process *self = process_current(), *child;
    int id;

    while ((child = find_child(self))) {
        if (child->state == PROCESS_ENDED) {
            id = child->id;
            *status = child->status;
            release(child);
            return id;
        }
        if (!process_wait_in(&self->child_ended, UINT64_MAX))
            return E_INTR;
    }
    return E_CHILD;
}

int process_kill(int id)
{
    struct process *process = find(id);

    if (!process || process->state == PROCESS_ENDED)
        return E_SRCH;
    process->killed = true;
    if (process->waits_in)
        thread_wake_all(process->waits_in);
    return 0;
}

void process_kill_family(int id)
{
    for (unsigned i = 0; i < NR_PROCESSES; i++) {
        const struct process *up = &processes[i];

        while (up && up->id && up->id != id)
            up = up->parent;
        if (up && up->id)
            process_kill(processes[i].id);
    }
}

bool process_describe(unsigned n, struct teachos_process *about)
{
    const struct process *process = &processes[n];

    memset(about, 0, sizeof *about);
    if (n >= NR_PROCESSES)
        return false;
    about->id = process->id;
    about->parent = process->parent ? process->parent->id : 0;
    about->state = process->id ? process->state : PROCESS_FREE;
    about->cpu = process->cpu;
    about->pages = process->space.nr_pages;
    about->cpu_ns = process->cpu_ns;
    memcpy(about->name, process->name, sizeof about->name);
    return true;
}

bool process_wait_in(struct wait_queue *queue, uint64_t deadline_ns)
{
    struct process *self = process_current();

    if (self->killed)
        return false;
    self->state = PROCESS_WAITS;
    self->waits_in = queue;
    thread_wait(queue, deadline_ns);
    self->waits_in = NULL;
    self->state = PROCESS_RUNS;
    return !self->killed;
}
