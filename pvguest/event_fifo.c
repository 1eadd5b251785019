/*
 * The FIFO ABI of event channels: a word for each port, and sixteen queues for
 * each vCPU that are linked through the words (xen/event_channel.h). We take
 * from their heads, the hypervisor appends.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <errno.h>

#include <hypercall/calls.h>

#include "event_abi.h"
#include "internal.h"
#include "this_vcpu.h"

#define BIT(n)  (1u << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED  BIT(EVTCHN_FIFO_MASKED)
#define LINKED  BIT(EVTCHN_FIFO_LINKED)
#define BUSY    BIT(EVTCHN_FIFO_BUSY)

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))

bool event_fifo;

static event_word_t *array[EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE];
static evtchn_port_t nr_words;

/* In a page of its own; what we know of the queues beside what we share. */
struct event_queues {
    struct evtchn_fifo_control_block block;
    evtchn_port_t head[EVTCHN_FIFO_MAX_QUEUES];
};

/* NULL: no page for it, so it can only be masked. */
static event_word_t *word_of(evtchn_port_t port)
{
    if (port >= __atomic_load_n(&nr_words, __ATOMIC_ACQUIRE))
        return NULL;
    return &array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

int fifo_add_vcpu(struct guest_vcpu *vcpu)
{
    struct evtchn_init_control op = {.vcpu = vcpu->id};
    int rc;

    vcpu->queues = page_alloc_zeroed(1);
    if (!vcpu->queues)
        return -ENOMEM;
    op.control_gfn = page_mfn(vcpu->queues);
    rc = (int)hypercall_event_channel_op(EVTCHNOP_init_control, &op);
    if (!rc)
        return 0;
    page_free(vcpu->queues, 1);
    vcpu->queues = NULL;
    return rc;
}

/* One more page of words, which begin as they are under the 2-level ABI. */
static int expand(void)
{
    struct evtchn_expand_array op;
    event_word_t *words;
    int rc;

    if (nr_words == EVTCHN_FIFO_NR_CHANNELS)
        return -ENOSPC;
    words = page_alloc(1);
    if (!words)
        return -ENOMEM;
    for (evtchn_port_t i = 0; i < WORDS_PER_PAGE; i++)
        words[i] = event_fifo || level_is_masked(nr_words + i) ? MASKED : 0;
    op.array_gfn = page_mfn(words);
    array[nr_words / WORDS_PER_PAGE] = words;
    rc = (int)hypercall_event_channel_op(EVTCHNOP_expand_array, &op);
    if (rc) {
        page_free(words, 1);
        return rc;
    }
    __atomic_store_n(&nr_words, nr_words + WORDS_PER_PAGE, __ATOMIC_RELEASE);
    return 0;
}

int fifo_cover(evtchn_port_t port)
{
    int rc = 0;

    while (!rc && port >= nr_words)
        rc = expand();
    return rc;
}

/* All ports that the other ABI can have, and that may be in use by now. */
int fifo_begin(void)
{
    int rc = page_nr_free() > LEVEL_NR_PORTS / WORDS_PER_PAGE
                 ? fifo_add_vcpu(&guest_boot_vcpu)
                 : -ENOMEM;

    if (rc)
        return rc;
    rc = fifo_cover(LEVEL_NR_PORTS - 1);
    if (rc) /* and there is no way back */
        guest_panic("no words for event channels: error %d", rc);
    return 0;
}

void fifo_mask(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word)
        __atomic_fetch_or(word, MASKED, __ATOMIC_SEQ_CST);
}

/* While it is BUSY the hypervisor counts on it not to change. */
void fifo_unmask(evtchn_port_t port)
{
    event_word_t *word = word_of(port);
    uint32_t old;

    if (!word)
        return;
    old = __atomic_load_n(word, __ATOMIC_SEQ_CST) & ~BUSY;
    while (!__atomic_compare_exchange_n(word, &old, old & ~MASKED, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        old &= ~BUSY;
    if (old & PENDING)
        hypercall_evtchn_unmask(port);
}

void fifo_forget(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word)
        __atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
}

/* Take (word) out of the queue that it is the first of: what comes next. */
static evtchn_port_t unlink_word(event_word_t *word)
{
    uint32_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST);

    while (!__atomic_compare_exchange_n(
        word, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK), false,
        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return old & EVTCHN_FIFO_LINK_MASK;
}

/* The first of queue (priority), which may turn out to hold nothing. */
static bool take_one(struct guest_vcpu *self, unsigned priority,
                     uint32_t *ready)
{
    struct event_queues *queues = self->queues;
    evtchn_port_t port = queues->head[priority];
    event_word_t *word;

    if (!port)
        port = __atomic_load_n(&queues->block.head[priority], __ATOMIC_SEQ_CST);
    word = word_of(port);
    queues->head[priority] = word ? unlink_word(word) : 0;
    if (!queues->head[priority])
        *ready &= ~BIT(priority);
    if (!word || (*word & (PENDING | MASKED)) != PENDING)
        return false;
    return event_deliver(self, port);
}

/* What comes with a higher priority meanwhile, comes next. */
bool fifo_dispatch(struct guest_vcpu *self)
{
    uint32_t *shared = &self->queues->block.ready;
    uint32_t ready = 0;
    bool handled = false;

    while ((ready |= __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST)))
        handled |= take_one(self, (unsigned)__builtin_ctz(ready), &ready);
    return handled;
}
