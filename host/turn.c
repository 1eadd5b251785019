#include "host/turn.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/domain.h"
#include "host/log.h"
#include "host/runstate.h"

#define NS_PER_S   UINT64_C(1000000000)
#define STACK_SIZE (1u << 20)

/* Of turn_vcpu.in_guest. */
#define IN_GUEST 1u
#define AWAITED  2u

/* How often to look for a vCPU to leave the guest before sleeping on it. */
#define SPINS 4000

static _Thread_local struct vcpu *self;

struct vcpu *turn_self(void)
{
    return self;
}

/* What threads ask of the kernel once the sandbox is closed. */
static void allow(struct domain *dom)
{
    static const int futex_ops[] = {
        FUTEX_WAIT_PRIVATE,
        FUTEX_WAKE_PRIVATE,
        FUTEX_WAIT_BITSET_PRIVATE,
        FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME,
    };

    for (size_t i = 0; i < sizeof futex_ops / sizeof *futex_ops; i++)
        sandbox_allow(&dom->sandbox, SYS_futex, SANDBOX_ANY, futex_ops[i],
                      SANDBOX_ANY);
    sandbox_allow_arg(&dom->sandbox, SYS_read, dom->turn.kick_fd);
    sandbox_allow_arg(&dom->sandbox, SYS_write, dom->turn.kick_fd);
    sandbox_allow(&dom->sandbox, SYS_sched_yield, SANDBOX_ANY, SANDBOX_ANY,
                  SANDBOX_ANY);
    sandbox_allow(&dom->sandbox, SYS_tgkill, dom->turn.pid, SANDBOX_ANY,
                  TURN_KICK_SIGNAL);
    dom->sandbox.threads = true;
}

static void begin(struct vcpu *vcpu)
{
    self = vcpu;
    vcpu->turn.tid = (pid_t)syscall(SYS_gettid);
}

static void make_locks(struct domain *dom)
{
    pthread_mutexattr_t kind;
    pthread_condattr_t clock;

    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&dom->turn.mutex, &kind);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&dom->turn.parked, &clock);
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        pthread_cond_init(&dom->vcpus[i].turn.wake, &clock);
}

int turn_create(struct domain *dom)
{
    struct turn *turn = &dom->turn;

    *turn = (struct turn){.domain = dom, .kick_fd = -1};
    if (dom->nr_vcpus == 1)
        return 0;
    mallopt(M_ARENA_MAX, 1); /* no other can be had in the sandbox */
    turn->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (turn->kick_fd < 0) {
        log_error("cannot make an eventfd to wake vCPUs by: %m");
        return -errno;
    }
    turn->pid = getpid();
    make_locks(dom);
    turn->shared = true;
    allow(dom);
    begin(&dom->vcpus[0]);
    turn_take_shared(turn);
    return 0;
}

/* Threads that came to their end stay there: nothing they use goes away. */
void turn_destroy(struct domain *dom)
{
    if (!dom->turn.shared)
        return;
    dom->turn.shared = false;
    close(dom->turn.kick_fd);
    dom->turn.kick_fd = -1;
}

static void wake_poller(const struct turn *turn)
{
    const uint64_t one = 1;

    if (write(turn->kick_fd, &one, sizeof one) < 0)
        return; /* it is full of kicks already */
}

void turn_take_shared(struct turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
}

void turn_give_shared(struct turn *turn)
{
    if (turn->poller && wait_is_outdated(&turn->domain->wait))
        wake_poller(turn);
    pthread_mutex_unlock(&turn->mutex);
}

void turn_pass(struct turn *turn)
{
    if (!turn->shared)
        return;
    turn_give_shared(turn);
    sched_yield();
    turn_take_shared(turn);
}

void turn_enter_guest_shared(struct turn *turn, struct turn_vcpu *own)
{
    own->kicked = false;
    __atomic_store_n(&own->in_guest, IN_GUEST, __ATOMIC_RELAXED);
    turn_give_shared(turn);
}

void turn_leave_guest_shared(struct turn *turn, struct turn_vcpu *own)
{
    if (__atomic_exchange_n(&own->in_guest, 0, __ATOMIC_SEQ_CST) == AWAITED)
        syscall(SYS_futex, &own->in_guest, FUTEX_WAKE_PRIVATE, 1);
    turn_take_shared(turn);
}

static bool is_in_guest(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->turn.in_guest, __ATOMIC_SEQ_CST) != 0;
}

static void signal_guest(struct vcpu *vcpu)
{
    if (!vcpu->turn.kicked)
        syscall(SYS_tgkill, vcpu->domain->turn.pid, vcpu->turn.tid,
                TURN_KICK_SIGNAL);
    vcpu->turn.kicked = true;
}

/* Would it sleep again at once if it were woken? */
static bool may_sleep_on(struct vcpu *vcpu)
{
    if (vcpu->domain->end != DOMAIN_RUNS)
        return false;
    if (vcpu->turn.offline)
        return !vcpu->up;
    return vcpu->up && !vcpu_has_to_wake(vcpu) &&
           !(vcpu->turn.woken && vcpu->turn.woken(vcpu)) &&
           vcpu_next_deadline(vcpu) >= vcpu->turn.wakes_at;
}

static void wake(struct vcpu *vcpu)
{
    vcpu->turn.asleep = false;
    pthread_cond_signal(&vcpu->turn.wake);
}

void turn_kick_shared(struct vcpu *vcpu)
{
    struct turn *turn = &vcpu->domain->turn;

    if (vcpu == self)
        return;
    if (is_in_guest(vcpu)) {
        signal_guest(vcpu);
    } else if (vcpu == turn->poller) {
        if (!may_sleep_on(vcpu))
            wake_poller(turn);
    } else if (vcpu->turn.asleep && !may_sleep_on(vcpu)) {
        if (!turn->poller && !turn->next && !vcpu->turn.offline)
            turn->next = vcpu;
        wake(vcpu);
    }
}

void turn_kick_polls(struct domain *dom)
{
    if (!dom->turn.shared)
        return;
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        if (dom->vcpus[i].nr_poll_ports)
            turn_kick_shared(&dom->vcpus[i]);
}

/* It is on its way out, most often: a look is cheaper than a sleep. */
void turn_stop_shared(struct vcpu *vcpu)
{
    uint32_t *in_guest = &vcpu->turn.in_guest;
    uint32_t expected = IN_GUEST;

    if (vcpu == self || !is_in_guest(vcpu))
        return;
    signal_guest(vcpu);
    for (unsigned i = 0; i < SPINS && is_in_guest(vcpu); i++)
        __builtin_ia32_pause();
    __atomic_compare_exchange_n(in_guest, &expected, AWAITED, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    while (is_in_guest(vcpu))
        syscall(SYS_futex, in_guest, FUTEX_WAIT_PRIVATE, AWAITED, NULL);
}

static struct timespec monotonic_after(uint64_t ns)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(ns / NS_PER_S);
    ts.tv_nsec += (long)(ns % NS_PER_S);
    if (ts.tv_nsec >= (long)NS_PER_S) {
        ts.tv_sec++;
        ts.tv_nsec -= (long)NS_PER_S;
    }
    return ts;
}

static uint64_t time_left(const struct vcpu *vcpu, uint64_t until_ns)
{
    const uint64_t now = clock_now(&vcpu->domain->clock);

    if (until_ns == UINT64_MAX)
        return UINT64_MAX;
    return until_ns > now ? until_ns - now : 0;
}

static void wait_for_kick(struct vcpu *vcpu, uint64_t left_ns)
{
    struct turn *turn = &vcpu->domain->turn;
    struct timespec until = {0};
    int rc = 0;

    if (left_ns != UINT64_MAX)
        until = monotonic_after(left_ns);
    vcpu->turn.asleep = true;
    while (vcpu->turn.asleep && rc != ETIMEDOUT)
        rc = left_ns == UINT64_MAX
                 ? pthread_cond_wait(&vcpu->turn.wake, &turn->mutex)
                 : pthread_cond_timedwait(&vcpu->turn.wake, &turn->mutex,
                                          &until);
    vcpu->turn.asleep = false;
}

/* The set may change while the lock is not ours; then we are kicked. */
static void poll_for_all(struct vcpu *vcpu, uint64_t left_ns)
{
    struct turn *turn = &vcpu->domain->turn;
    struct wait_set *set = &vcpu->domain->wait;
    struct wait_list list;
    uint64_t kicks;

    turn->poller = vcpu;
    turn->next = NULL;
    wait_begin(set, &list, turn->kick_fd);
    pthread_mutex_unlock(&turn->mutex);
    wait_ready(&list, left_ns);
    pthread_mutex_lock(&turn->mutex);
    turn->poller = NULL;
    if (list.extra_is_ready && read(turn->kick_fd, &kicks, sizeof kicks) < 0)
        kicks = 0; /* somebody took them back */
    if (vcpu->domain->end == DOMAIN_RUNS)
        wait_end(set, &list);
}

bool turn_sleep(struct vcpu *vcpu, uint64_t until_ns)
{
    struct turn *turn = &vcpu->domain->turn;
    const uint64_t left_ns = time_left(vcpu, until_ns);

    vcpu->turn.wakes_at = until_ns;
    if (turn->poller || (turn->next && turn->next != vcpu)) {
        wait_for_kick(vcpu, left_ns);
        return false;
    }
    poll_for_all(vcpu, left_ns);
    return true;
}

/* The first that sleeps and might poll. */
static struct vcpu *find_sleeper(struct domain *dom)
{
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        if (dom->vcpus[i].turn.asleep && !dom->vcpus[i].turn.offline)
            return &dom->vcpus[i];
    return NULL;
}

void turn_hand_on(struct vcpu *vcpu)
{
    struct turn *turn = &vcpu->domain->turn;
    struct vcpu *sleeper;

    if (!turn->shared || turn->poller || (turn->next && turn->next != vcpu))
        return;
    sleeper = find_sleeper(vcpu->domain);
    turn->next = sleeper;
    if (sleeper)
        wake(sleeper);
}

void turn_wait_up(struct vcpu *vcpu)
{
    struct domain *dom = vcpu->domain;

    turn_hand_on(vcpu);
    runstate_set(vcpu, RUNSTATE_offline);
    vcpu->turn.offline = true;
    while (!vcpu->up && dom->end == DOMAIN_RUNS)
        wait_for_kick(vcpu, UINT64_MAX);
    vcpu->turn.offline = false;
    runstate_set(vcpu, RUNSTATE_running);
}

static void *thread_main(void *opaque)
{
    struct vcpu *vcpu = opaque;
    struct turn *turn = &vcpu->domain->turn;
    int rc;

    begin(vcpu);
    turn_take_shared(turn);
    rc = turn->begin(vcpu);
    if (rc)
        turn->begin_error = rc;
    turn->nr_begun++;
    turn->nr_threads++;
    pthread_cond_signal(&turn->parked);
    if (rc == 0)
        turn->run(vcpu);
    turn->nr_threads--;
    pthread_cond_signal(&turn->parked);
    while (turn->shared) /* the sandbox lets no thread go */
        pthread_cond_wait(&vcpu->turn.wake, &turn->mutex);
    return NULL;
}

/* On the CPUs of its own list, or of the last there is. */
static int pin(const struct vcpu *vcpu)
{
    const struct domain_config *config = vcpu->domain->config;
    const unsigned nr = config->nr_cpu_lists;
    const struct cpu_list *list =
        &config->cpu_lists[vcpu->id < nr ? vcpu->id : nr - 1];

    if (!nr ||
        syscall(SYS_sched_setaffinity, vcpu->turn.tid, sizeof *list, list) == 0)
        return 0;
    log_error("cannot run vCPU %u on the CPUs that --cpus names: %m: this "
              "process may use others only",
              vcpu->id);
    return -errno;
}

static int start_thread(struct vcpu *vcpu)
{
    struct turn *turn = &vcpu->domain->turn;
    pthread_attr_t attr;
    pthread_t thread;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    rc = -pthread_create(&thread, &attr, thread_main, vcpu);
    pthread_attr_destroy(&attr);
    if (rc) {
        log_error("cannot make a thread for vCPU %u: %s: give the guest fewer "
                  "with --vcpus",
                  vcpu->id, strerror(-rc));
        return rc;
    }
    while (turn->nr_begun < vcpu->id)
        pthread_cond_wait(&turn->parked, &turn->mutex);
    runstate_begin(vcpu);
    return turn->begin_error ? turn->begin_error : pin(vcpu);
}

int turn_start_threads(struct domain *dom, int (*begin_vcpu)(struct vcpu *vcpu),
                       void (*run)(struct vcpu *vcpu))
{
    int rc;

    dom->vcpus[0].turn.tid = (pid_t)syscall(SYS_gettid);
    runstate_begin(&dom->vcpus[0]);
    rc = pin(&dom->vcpus[0]);
    dom->turn.begin = begin_vcpu;
    dom->turn.run = run;
    for (unsigned i = 1; rc == 0 && i < dom->nr_vcpus; i++)
        rc = start_thread(&dom->vcpus[i]);
    return rc;
}

void turn_end_threads(struct domain *dom)
{
    struct turn *turn = &dom->turn;

    while (turn->shared && turn->nr_threads)
        pthread_cond_wait(&turn->parked, &turn->mutex);
}
