/*
 * FIFO event channels of a guest that writes anything into its words and
 * control block at any time, between calls of any kind.
 *
 * The host stays sane and keeps its books; and a guest that comes to its senses
 * and clears all it shares gets its events again.
 */
#include "input.h"

#include "host/port_fifo.h"
#include "tests/harness/fake_domain.h"

#define NR_PORTS     40
#define CONTROL_PAGE (BARE_PAGE + 0)
#define ARRAY_PAGE   (BARE_PAGE + 1)
#define NR_PAGES     4

static struct evtchn_fifo_control_block *block(void)
{
    return page(CONTROL_PAGE);
}

static event_word_t *word(evtchn_port_t port)
{
    event_word_t *words = page(ARRAY_PAGE);

    return &words[port % FIFO_WORDS_PER_PAGE];
}

#define evtchn(cmd, ...)                                   \
    ({                                                     \
        __VA_ARGS__;                                       \
        call(__HYPERVISOR_event_channel_op, cmd, put(op)); \
    })

static void init_control(uint32_t offset)
{
    evtchn(EVTCHNOP_init_control,
           struct evtchn_init_control op = {
               .control_gfn = page_mfn(CONTROL_PAGE), .offset = offset});
}

static void expand(unsigned which)
{
    evtchn(EVTCHNOP_expand_array,
           struct evtchn_expand_array op = {page_mfn(ARRAY_PAGE + which)});
}

static void reset(void)
{
    evtchn(EVTCHNOP_reset, struct evtchn_reset op = {DOMID_SELF});
}

static long send(evtchn_port_t port)
{
    return evtchn(EVTCHNOP_send, struct evtchn_send op = {port});
}

/* What the guest writes, and it may be what the ABI has it write. */
static void scribble(struct input *in)
{
    uint8_t what = input_u8(in);

    if (what & 0x80)
        *word(what % NR_PORTS) = input_u32(in);
    else if (what & 0x40)
        *word(what % NR_PORTS) &= ~(1u << EVTCHN_FIFO_LINKED);
    else if (what & 0x20)
        block()->ready = input_u32(in);
    else
        block()->head[what % EVTCHN_FIFO_MAX_QUEUES] = input_u32(in);
}

static void step(struct input *in)
{
    uint8_t what = input_u8(in);
    evtchn_port_t port = input_u8(in) % NR_PORTS;

    switch (what % 10) {
    case 0:
        evtchn(EVTCHNOP_bind_ipi, struct evtchn_bind_ipi op = {0});
        break;
    case 1:
        evtchn(EVTCHNOP_close, struct evtchn_close op = {port});
        break;
    case 2:
        evtchn(EVTCHNOP_unmask, struct evtchn_unmask op = {port});
        break;
    case 3:
        evtchn(EVTCHNOP_set_priority,
               struct evtchn_set_priority op = {port, input_u8(in) % 18});
        break;
    case 4:
        if (what == 4)
            reset();
        else if (what == 14)
            init_control(input_u8(in) * 4u);
        else
            expand(input_u8(in) % NR_PAGES);
        break;
    case 5:
    case 6:
        scribble(in);
        break;
    default:
        send(port);
    }
}

static void check_pages(void)
{
    const struct fifo *fifo = dom->ports.fifo;
    uint64_t uses = 0, expected = 0;

    for (unsigned i = 0; i <= NR_PAGES; i++)
        uses += memory_record(&dom->mem, page_mfn(CONTROL_PAGE + i))->uses;
    if (fifo)
        expected = fifo->nr_pages + (fifo->vcpus[0].block ? 1 : 0);
    PROMISE(uses == expected);
}

static void check_recovery(void)
{
    const uint32_t linked = 1u << EVTCHN_FIFO_LINKED;
    struct evtchn_fifo_control_block *control;
    const struct fifo *fifo = dom->ports.fifo;

    if (!fifo || !fifo->nr_pages || !fifo->vcpus[0].block)
        return;
    control = fifo->vcpus[0].block;
    for (unsigned i = 0; i < fifo->nr_pages; i++)
        memset(fifo->array[i], 0, PAGE_SIZE);
    memset(control, 0, sizeof *control);
    for (evtchn_port_t port = 1; port < NR_PORTS; port++) {
        unsigned priority;
        event_word_t *own = &fifo->array[0][port];

        if (send(port))
            continue;
        priority = dom->ports.table[port].priority;
        PROMISE(*own >> EVTCHN_FIFO_PENDING);
        PROMISE(*own & linked);
        PROMISE(control->ready >> priority & 1);
        PROMISE(control->head[priority] == port);
        *own = 0; /* taken */
        control->ready = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    fake_create();
    init_control(0);
    expand(0);
    while (input_left(&input)) {
        step(&input);
        check_pages();
    }
    check_recovery();
    reset();
    fake_destroy();
    return 0;
}
