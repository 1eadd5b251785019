#include "host/port_fifo.h"

#include <errno.h>
#include <stdlib.h>

#include "host/domain.h"
#include "host/log.h"
#include "host/pagetable.h"
#include "host/port.h"

#define BIT(n)  (UINT32_C(1) << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED  BIT(EVTCHN_FIFO_MASKED)
#define LINKED  BIT(EVTCHN_FIFO_LINKED)
#define BUSY    BIT(EVTCHN_FIFO_BUSY)

/*
 * The guest may change a word between our look and our write. A sane one does
 * so once, at most twice; what another's ports come to is its own affair.
 */
#define LINK_TRIES 4

/* NULL where the guest has given no page for it. */
static event_word_t *word_of(const struct domain *dom, evtchn_port_t port)
{
    const struct fifo *fifo = dom->ports.fifo;

    if (port / FIFO_WORDS_PER_PAGE >= fifo->nr_pages)
        return NULL;
    return &fifo->array[port / FIFO_WORDS_PER_PAGE][port % FIFO_WORDS_PER_PAGE];
}

static uint32_t set(event_word_t *word, uint32_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static uint32_t clear(event_word_t *word, uint32_t bits)
{
    return __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST);
}

static uint32_t look(const event_word_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* A frame of the guest's that we go on writing to; NULL if it cannot be. */
static void *take_frame(struct domain *dom, mfn_t mfn)
{
    return frame_take_type(dom, mfn, TYPE_WRITABLE)
               ? memory_frame(&dom->mem, mfn)
               : NULL;
}

/* What is pending stays pending, and comes when the guest has the array. */
static void turn_ports(struct domain *dom)
{
    for (evtchn_port_t port = 1; port < dom->ports.nr; port++) {
        struct port *found = &dom->ports.table[port];

        found->early = port_pending(dom, port);
        found->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    }
}

static struct fifo *fifo_create(const struct domain *dom)
{
    struct fifo *fifo =
        calloc(1, sizeof *fifo + dom->nr_vcpus * sizeof *fifo->vcpus);

    if (!fifo)
        log_error("no memory for the queues of the guest's event channels: "
                  "close something else");
    return fifo;
}

int fifo_init_control(struct domain *dom, uint32_t vcpu, mfn_t mfn,
                      uint32_t offset)
{
    struct fifo *fifo = dom->ports.fifo;
    struct fifo_vcpu *queues;
    uint8_t *frame;

    if (vcpu >= dom->nr_vcpus)
        return -ENOENT;
    if (offset > PAGE_SIZE - sizeof *queues->block || offset % 8)
        return -EINVAL;
    if (fifo && fifo->vcpus[vcpu].block)
        return -EINVAL;
    frame = take_frame(dom, mfn);
    if (!frame)
        return -EINVAL;
    if (!fifo) {
        fifo = fifo_create(dom);
        if (!fifo) {
            frame_put_type(dom, mfn, TYPE_WRITABLE);
            return -ENOMEM;
        }
        turn_ports(dom);
        dom->ports.fifo = fifo;
    }
    queues = &fifo->vcpus[vcpu];
    queues->mfn = mfn;
    queues->block = (void *)(frame + offset);
    return 0;
}

int fifo_expand(struct domain *dom, mfn_t mfn)
{
    struct fifo *fifo = dom->ports.fifo;
    evtchn_port_t port;
    void *frame;

    if (!fifo)
        return -EOPNOTSUPP;
    if (fifo->nr_pages == FIFO_MAX_PAGES)
        return -ENOSPC;
    frame = take_frame(dom, mfn);
    if (!frame)
        return -EINVAL;
    port = fifo->nr_pages * FIFO_WORDS_PER_PAGE;
    fifo->mfns[fifo->nr_pages] = mfn;
    fifo->array[fifo->nr_pages++] = frame;
    for (; port < fifo->nr_pages * FIFO_WORDS_PER_PAGE && port < dom->ports.nr;
         port++) {
        if (dom->ports.table[port].early)
            fifo_raise(dom, port);
        dom->ports.table[port].early = false;
    }
    return 0;
}

void fifo_destroy(struct domain *dom)
{
    struct fifo *fifo = dom->ports.fifo;

    if (!fifo)
        return;
    for (unsigned i = 0; i < fifo->nr_pages; i++)
        frame_put_type(dom, fifo->mfns[i], TYPE_WRITABLE);
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        if (fifo->vcpus[i].block)
            frame_put_type(dom, fifo->vcpus[i].mfn, TYPE_WRITABLE);
    free(fifo);
    dom->ports.fifo = NULL;
    if (dom->ports.nr > PORT_MAX_2LEVEL)
        dom->ports.nr = PORT_MAX_2LEVEL;
}

/*
 * Make (word)'s link lead to (port) if it is in a queue: 1; 0 if it is not, for
 * the guest took it; -1 if the guest keeps changing it.
 */
static int try_link(event_word_t *word, evtchn_port_t port)
{
    uint32_t old = look(word), new;

    if (!(old & LINKED))
        return 0;
    new = (old & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;
    return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST)
               ? 1
               : -1;
}

/* False: the queue was empty. BUSY keeps a guest that obeys it from unmasking.
 */
static bool link_behind(event_word_t *tail, evtchn_port_t port)
{
    int done = try_link(tail, port);

    for (int i = 1; done < 0 && i < LINK_TRIES; i++) {
        set(tail, BUSY);
        done = try_link(tail, port);
    }
    if (done <= 0)
        clear(tail, BUSY);
    return done != 0;
}

static void announce(struct vcpu *vcpu, struct fifo_vcpu *queues,
                     unsigned priority)
{
    if (set(&queues->block->ready, BIT(priority)) & BIT(priority))
        return;
    port_upcall(vcpu);
}

/* (port) is pending, and in no queue: into the one it belongs to. */
static void enqueue(struct domain *dom, evtchn_port_t port, event_word_t *word)
{
    struct port *found = &dom->ports.table[port];
    struct fifo_vcpu *queues = &dom->ports.fifo->vcpus[found->vcpu];
    struct fifo_vcpu *last = &dom->ports.fifo->vcpus[found->last_vcpu];
    unsigned priority = found->priority;
    evtchn_port_t *tail = &queues->tail[priority];
    bool behind = false;

    if (!queues->block || set(word, LINKED) & LINKED)
        return;
    /* Where it was the last, the guest has taken all by now. */
    if (last->tail[found->last_priority] == port)
        last->tail[found->last_priority] = 0;
    found->last_vcpu = found->vcpu;
    found->last_priority = (uint8_t)priority;

    clear(word, EVTCHN_FIFO_LINK_MASK);
    if (*tail)
        behind = link_behind(word_of(dom, *tail), port);
    if (!behind)
        __atomic_store_n(&queues->block->head[priority], port,
                         __ATOMIC_SEQ_CST);
    *tail = port;
    if (!behind)
        announce(&dom->vcpus[found->vcpu], queues, priority);
}

void fifo_raise(struct domain *dom, evtchn_port_t port)
{
    event_word_t *word = word_of(dom, port);

    if (!word) {
        dom->ports.table[port].early = true;
        return;
    }
    if (!((set(word, PENDING)) & (MASKED | LINKED)))
        enqueue(dom, port, word);
}

void fifo_unmask(struct domain *dom, evtchn_port_t port)
{
    event_word_t *word = word_of(dom, port);

    if (word && clear(word, MASKED) & PENDING)
        fifo_raise(dom, port);
}

bool fifo_pending(const struct domain *dom, evtchn_port_t port)
{
    const event_word_t *word = word_of(dom, port);

    if (!word)
        return port < dom->ports.nr && dom->ports.table[port].early;
    return look(word) & PENDING;
}

void fifo_clear(struct domain *dom, evtchn_port_t port)
{
    event_word_t *word = word_of(dom, port);

    if (word)
        clear(word, PENDING);
}

bool fifo_is_linked(const struct domain *dom, evtchn_port_t port)
{
    const event_word_t *word = word_of(dom, port);

    return word && look(word) & LINKED;
}
