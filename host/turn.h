/*
 * host/turn.h: whose turn it is, in a domain with several vCPUs.
 *
 * Each vCPU has a thread, and one lock per domain is held by whoever runs host
 * code: it is dropped while the guest runs and while a vCPU sleeps. So host
 * code is as if it were alone, but for words shared with the guest. A domain
 * with one vCPU has one thread and none of this.
 *
 *   in the guest   (in_guest) is set; a kick is a signal to the thread
 *   in host code   has the lock or waits for it; looks around before it enters
 *   asleep         waits for its own condition, or is the one that polls the
 *                  domain's descriptors for all of them; a kick wakes it
 *
 * To wake a CPU that idles is dear, so nobody is woken without need: a vCPU
 * that polls and wakes another leaves that one to poll when it sleeps again,
 * and one that runs for long has a sleeper do it.
 */
#ifndef HOST_TURN_H
#define HOST_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct domain;
struct vcpu;

/* Ends guest code on a vCPU's thread; its engine says what it does. */
#define TURN_KICK_SIGNAL SIGUSR1

/* Of a domain. */
struct turn {
    bool shared; /* there are several vCPUs; if not, nothing below is used */
    struct domain *domain;
    pid_t pid;
    pthread_mutex_t mutex;
    pthread_cond_t parked;         /* a thread began, or came to its end */
    unsigned nr_begun, nr_threads; /* besides the main one; not ended yet */
    int begin_error;
    int kick_fd;         /* an eventfd: ends the sleep of who polls */
    struct vcpu *poller; /* in ppoll() now */
    struct vcpu *next;   /* who shall poll when it sleeps; NULL: the first */
    int (*begin)(struct vcpu *vcpu);
    void (*run)(struct vcpu *vcpu);
};

/* Of a vCPU. */
struct turn_vcpu {
    pid_t tid;
    pthread_cond_t wake;
    bool asleep;       /* waits for (wake) */
    bool offline;      /* and is down */
    bool kicked;       /* in the guest, and was told to leave it */
    uint32_t in_guest; /* 1: is; 2: and somebody waits for it to leave */
    uint64_t wakes_at; /* system time, while it sleeps */
    bool (*woken)(struct vcpu *vcpu); /* as domain_sleep has it */
};

/* Before and after everything else. 0, or -errno with a sentence logged. */
int turn_create(struct domain *dom);
void turn_destroy(struct domain *dom);

/* With several vCPUs: see below for what they are. */
void turn_take_shared(struct turn *turn);
void turn_give_shared(struct turn *turn);
void turn_kick_shared(struct vcpu *vcpu);
void turn_stop_shared(struct vcpu *vcpu);
void turn_enter_guest_shared(struct turn *turn, struct turn_vcpu *own);
void turn_leave_guest_shared(struct turn *turn, struct turn_vcpu *own);

/* Run host code, and let others. */
static inline void turn_take(struct turn *turn)
{
    if (turn->shared)
        turn_take_shared(turn);
}

static inline void turn_give(struct turn *turn)
{
    if (turn->shared)
        turn_give_shared(turn);
}

/* This thread's vCPU goes into the guest, having looked around; and is back. */
static inline void turn_enter_guest(struct turn *turn, struct turn_vcpu *own)
{
    if (turn->shared)
        turn_enter_guest_shared(turn, own);
}

static inline void turn_leave_guest(struct turn *turn, struct turn_vcpu *own)
{
    if (turn->shared)
        turn_leave_guest_shared(turn, own);
}

/*
 * (vcpu) may have something to do: have it look, whatever it is doing. What
 * it will see must be there already.
 */
static inline void turn_kick(const struct turn *turn, struct vcpu *vcpu)
{
    if (turn->shared)
        turn_kick_shared(vcpu);
}

/* Wait until (vcpu) has left the guest; the lock is kept, so it stays out. */
static inline void turn_stop(const struct turn *turn, struct vcpu *vcpu)
{
    if (turn->shared)
        turn_stop_shared(vcpu);
}

/* Somebody made a port pending: those that poll may have waited for it. */
void turn_kick_polls(struct domain *dom);

/* Others get their turn now if they want it. */
void turn_pass(struct turn *turn);

/*
 * Sleep until (until_ns) of system time or a kick. True if this one polled
 * the descriptors for all, and called those that were ready.
 */
bool turn_sleep(struct vcpu *vcpu, uint64_t until_ns);

/* Does a sleeper poll? Then nobody else need look. */
static inline bool turn_is_polled(const struct turn *turn)
{
    return turn->shared && turn->poller;
}

/* (vcpu) runs for long: have a sleeper poll, if nobody does. */
void turn_hand_on(struct vcpu *vcpu);

/* (vcpu) is down: it waits until it is up, or the domain ended. */
void turn_wait_up(struct vcpu *vcpu);

/* Whose thread this is; NULL with one vCPU. */
struct vcpu *turn_self(void);

/*
 * Start a thread for each vCPU but the first, which is the caller's: each calls
 * (begin), then (run) with the lock held. A (begin) that fails, with -errno
 * and a sentence, fails the start. Threads are pinned as the configuration
 * says, the caller's as well.
 */
int turn_start_threads(struct domain *dom, int (*begin)(struct vcpu *vcpu),
                       void (*run)(struct vcpu *vcpu));

/* The domain ended: wait for the others. The lock is kept from then on. */
void turn_end_threads(struct domain *dom);

#endif
