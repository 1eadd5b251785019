/*
 * host/port_fifo.h: the FIFO ABI of event channels (xen/event_channel.h).
 *
 * A guest that asks for it shares an array with a word for each port, and with
 * each vCPU a control block: sixteen queues, one a priority, linked through the
 * words. The guest takes from the heads, we append to the tails; whatever it
 * writes into a word or a block, all that is ever read of it is three bits of
 * one word, so a guest that ties its links into knots hangs itself alone.
 */
#ifndef HOST_PORT_FIFO_H
#define HOST_PORT_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/event_channel.h>

#include "host/memory.h"

struct domain;
struct port;

#define FIFO_WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define FIFO_MAX_PAGES      (EVTCHN_FIFO_NR_CHANNELS / FIFO_WORDS_PER_PAGE)

struct fifo_vcpu {
    struct evtchn_fifo_control_block *block; /* the guest's; NULL: none yet */
    mfn_t mfn;
    evtchn_port_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* 0: empty, as far as known */
};

struct fifo {
    event_word_t *array[FIFO_MAX_PAGES]; /* the guest's */
    mfn_t mfns[FIFO_MAX_PAGES];
    unsigned nr_pages;
    struct fifo_vcpu vcpus[]; /* as many as the domain has */
};

/*
 * EVTCHNOP_init_control: (vcpu)'s control block is at (offset) in frame (mfn),
 * which stays typed writable. The first one turns the domain from the 2-level
 * ABI to this one. 0; -ENOENT; -EINVAL for a place it cannot be at, or a second
 * time; -ENOMEM.
 */
int fifo_init_control(struct domain *dom, uint32_t vcpu, mfn_t mfn,
                      uint32_t offset);

/*
 * EVTCHNOP_expand_array: the words of the next 1024 ports are in frame (mfn).
 * 0; -EOPNOTSUPP where there is no control block; -ENOSPC; -EINVAL for a frame
 * that cannot be written.
 */
int fifo_expand(struct domain *dom, mfn_t mfn);

/* Back to the 2-level ABI, if it is not that, with all ports closed. */
void fifo_destroy(struct domain *dom);

/* As their namesakes of host/port.h, where the domain has this ABI. */
void fifo_raise(struct domain *dom, evtchn_port_t port);
void fifo_unmask(struct domain *dom, evtchn_port_t port);
bool fifo_pending(const struct domain *dom, evtchn_port_t port);

/* (port) is closed: not pending any more. */
void fifo_clear(struct domain *dom, evtchn_port_t port);

/* Is (port) still in a queue? Then its number cannot be given away. */
bool fifo_is_linked(const struct domain *dom, evtchn_port_t port);

#endif
