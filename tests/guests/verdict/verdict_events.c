/* event_channel_op, and its form of before 2006. */
#include "cases.h"

#include <pvguest/guest.h>

#include <string.h>

#include <hypercall/calls.h>

#define NO_PORT   3999u    /* in range, and nobody's */
#define FAR_PORT  0x20000u /* out of every range */
#define LAST_PORT 4095u    /* of the 2-level ABI */

/* Ports of each kind. */
static evtchn_port_t unbound, for_us, ipi, debug_virq, left, right;

static const struct {
    const char *name;
    const evtchn_port_t *port;
    evtchn_port_t number;
} ports[] = {
    {"port 0", NULL, 0},
    {"nobody's port", NULL, NO_PORT},
    {"the last port", NULL, LAST_PORT},
    {"one beyond", NULL, LAST_PORT + 1},
    {"a far port", NULL, FAR_PORT},
    {"port -1", NULL, UINT32_MAX},
    {"an unbound port", &unbound, 0},
    {"an IPI's port", &ipi, 0},
    {"a VIRQ's port", &debug_virq, 0},
    {"a connected port", &left, 0},
};

static evtchn_port_t number_of(size_t i)
{
    return ports[i].port ? *ports[i].port : ports[i].number;
}

static long call(int op, void *arg)
{
    return hypercall_event_channel_op(op, arg);
}

static void make_ports(void)
{
    say(hypercall_evtchn_alloc_unbound(0, &unbound), "make an unbound one");
    say(hypercall_evtchn_alloc_unbound(DOMID_SELF, &for_us), "one for us");
    say(hypercall_evtchn_bind_ipi(0, &ipi), "an IPI");
    say(hypercall_evtchn_bind_virq(VIRQ_DEBUG, 0, &debug_virq), "a VIRQ");
    say(hypercall_evtchn_alloc_unbound(DOMID_SELF, &right), "another for us");
    say(hypercall_evtchn_bind_interdomain(DOMID_SELF, right, &left),
        "a connection");
}

static void alloc_unbound(void)
{
    struct evtchn_alloc_unbound good = {.dom = DOMID_SELF}, op;

    about("event_channel_op alloc_unbound");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_alloc_unbound, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = (struct evtchn_alloc_unbound){.dom = whom[i].id};
        say(call(EVTCHNOP_alloc_unbound, &op), "of %s", whom[i].name);
    }
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = (struct evtchn_alloc_unbound){.dom = DOMID_SELF,
                                           .remote_dom = whom[i].id};
        say(call(EVTCHNOP_alloc_unbound, &op), "for %s", whom[i].name);
        if (op.port)
            hypercall_evtchn_close(op.port);
    }
}

static void bind_interdomain(void)
{
    struct evtchn_bind_interdomain good = {.remote_dom = DOMID_SELF}, op;

    about("event_channel_op bind_interdomain");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_bind_interdomain, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = (struct evtchn_bind_interdomain){.remote_dom = whom[i].id,
                                              .remote_port = FAR_PORT};
        say(call(EVTCHNOP_bind_interdomain, &op), "with %s", whom[i].name);
    }
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        op = (struct evtchn_bind_interdomain){.remote_dom = DOMID_SELF,
                                              .remote_port = number_of(i)};
        say(call(EVTCHNOP_bind_interdomain, &op), "with %s", ports[i].name);
    }
}

static void bind_virq(void)
{
    struct evtchn_bind_virq good = {.virq = VIRQ_DEBUG}, op;
    static const uint32_t vcpus[] = {1, 32, 127, 8192, UINT32_MAX};

    about("event_channel_op bind_virq");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_bind_virq, at));
    for (uint32_t virq = 0; virq <= NR_VIRQS + 1; virq++) {
        if (virq == VIRQ_TIMER)
            continue; /* the library may have it already */
        op = (struct evtchn_bind_virq){.virq = virq};
        say(call(EVTCHNOP_bind_virq, &op), "virq %u", virq);
        if (op.port)
            hypercall_evtchn_close(op.port);
        op = (struct evtchn_bind_virq){.virq = virq, .vcpu = 5000};
        say(call(EVTCHNOP_bind_virq, &op), "virq %u of vCPU 5000", virq);
    }
    op = (struct evtchn_bind_virq){.virq = UINT32_MAX};
    say(call(EVTCHNOP_bind_virq, &op), "virq -1");
    for (size_t i = 0; i < NUMBER_OF(vcpus); i++) {
        op = (struct evtchn_bind_virq){.virq = VIRQ_XENOPROF, .vcpu = vcpus[i]};
        say(call(EVTCHNOP_bind_virq, &op), "vCPU %d", (int)vcpus[i]);
    }
}

static void bind_ipi(void)
{
    struct evtchn_bind_ipi good = {0}, op;
    static const uint32_t vcpus[] = {1, 32, 127, 8192, UINT32_MAX};

    about("event_channel_op bind_ipi");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_bind_ipi, at));
    for (size_t i = 0; i < NUMBER_OF(vcpus); i++) {
        op = (struct evtchn_bind_ipi){.vcpu = vcpus[i]};
        say(call(EVTCHNOP_bind_ipi, &op), "vCPU %d", (int)vcpus[i]);
    }
}

static void bind_pirq(void)
{
    struct evtchn_bind_pirq good = {0}, op;
    static const uint32_t pirqs[] = {0, 1, 16, 300, 100000, UINT32_MAX};

    about("event_channel_op bind_pirq");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_bind_pirq, at));
    for (size_t i = 0; i < NUMBER_OF(pirqs); i++) {
        op = (struct evtchn_bind_pirq){.pirq = pirqs[i]};
        say(call(EVTCHNOP_bind_pirq, &op), "pirq %d", (int)pirqs[i]);
        op.flags = ~0u;
        say(call(EVTCHNOP_bind_pirq, &op), "pirq %d, all flags", (int)pirqs[i]);
    }
}

static const char *status_name(const struct evtchn_status *status)
{
    static const char *const names[] = {"closed", "unbound", "interdomain",
                                        "pirq",   "virq",    "ipi"};

    return status->status < NUMBER_OF(names) ? names[status->status] : "?";
}

static void status(void)
{
    struct evtchn_status good = {.dom = DOMID_SELF, .port = ipi}, op;

    about("event_channel_op status");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_status, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        op = (struct evtchn_status){.dom = whom[i].id, .port = FAR_PORT};
        say(call(EVTCHNOP_status, &op), "a far port of %s", whom[i].name);
        if (whom[i].id == 0)
            continue; /* on Xen, domain 0 has ports of its own */
        op = (struct evtchn_status){.dom = whom[i].id, .port = ipi};
        say(call(EVTCHNOP_status, &op), "of %s", whom[i].name);
    }
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        long rc;

        op = (struct evtchn_status){.dom = DOMID_SELF, .port = number_of(i)};
        if (op.port == NO_PORT || op.port == LAST_PORT)
            continue; /* an error or closed: whatever was allocated by then */
        rc = call(EVTCHNOP_status, &op);
        say(rc, "%s", ports[i].name);
        if (!rc)
            printf("which is %s on vCPU %u\n", status_name(&op), op.vcpu);
    }
}

static void send(void)
{
    struct evtchn_send good = {.port = ipi}, op;

    about("event_channel_op send");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_send, at));
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        op = (struct evtchn_send){.port = number_of(i)};
        say(call(EVTCHNOP_send, &op), "%s", ports[i].name);
    }
}

static void unmask(void)
{
    struct evtchn_unmask good = {.port = ipi}, op;

    about("event_channel_op unmask");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_unmask, at));
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        op = (struct evtchn_unmask){.port = number_of(i)};
        say(call(EVTCHNOP_unmask, &op), "%s", ports[i].name);
    }
}

static void bind_vcpu(void)
{
    struct evtchn_bind_vcpu good = {.port = unbound}, op;
    static const uint32_t vcpus[] = {0, 1, 8192, UINT32_MAX};

    about("event_channel_op bind_vcpu");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_bind_vcpu, at));
    for (size_t i = 0; i < NUMBER_OF(ports); i++)
        for (size_t v = 0; v < NUMBER_OF(vcpus); v++) {
            op = (struct evtchn_bind_vcpu){.port = number_of(i),
                                           .vcpu = vcpus[v]};
            say(call(EVTCHNOP_bind_vcpu, &op), "%s to vCPU %d", ports[i].name,
                (int)vcpus[v]);
        }
}

static void reset(void)
{
    struct evtchn_reset good = {.dom = 0x1234}, op;

    about("event_channel_op reset");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_reset, at));
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        if (whom[i].id == DOMID_SELF || whom[i].id == own_domid)
            continue; /* it would end the console */
        op = (struct evtchn_reset){.dom = whom[i].id};
        say(call(EVTCHNOP_reset, &op), "of %s", whom[i].name);
    }
}

/* Nothing here brings the domain to the FIFO ABI. */
static void fifo(void)
{
    const uint64_t gfn = frame_of(spare_page());
    struct evtchn_init_control bad = {.vcpu = 5000}, control;
    struct evtchn_expand_array good_array = {.array_gfn = gfn}, array;
    struct evtchn_set_priority good_priority = {.port = ipi}, priority;
    static const uint32_t offsets[] = {1, 4, 4088, 4096, UINT32_MAX};

    about("event_channel_op init_control");
    AT_WRONG_PLACES("request", bad, call(EVTCHNOP_init_control, at));
    control = (struct evtchn_init_control){.vcpu = 5000, .control_gfn = gfn};
    say(call(EVTCHNOP_init_control, &control), "vCPU 5000");
    for (size_t i = 0; i < NUMBER_OF(offsets); i++) {
        control = (struct evtchn_init_control){.control_gfn = gfn,
                                               .offset = offsets[i]};
        say(call(EVTCHNOP_init_control, &control), "offset %d",
            (int)offsets[i]);
    }
    control = (struct evtchn_init_control){.control_gfn = ~0ul >> 12};
    say(call(EVTCHNOP_init_control, &control), "a frame that is none");

    about("event_channel_op expand_array");
    AT_WRONG_PLACES("request", good_array, call(EVTCHNOP_expand_array, at));
    array = good_array;
    say(call(EVTCHNOP_expand_array, &array), "without a control block");

    about("event_channel_op set_priority");
    AT_WRONG_PLACES("request", good_priority, call(EVTCHNOP_set_priority, at));
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        priority =
            (struct evtchn_set_priority){.port = number_of(i), .priority = 7};
        say(call(EVTCHNOP_set_priority, &priority), "%s", ports[i].name);
    }
    priority = (struct evtchn_set_priority){.port = ipi, .priority = 16};
    say(call(EVTCHNOP_set_priority, &priority), "priority 16");
}

static void close(void)
{
    struct evtchn_close good = {.port = NO_PORT}, op;

    about("event_channel_op close");
    AT_WRONG_PLACES("request", good, call(EVTCHNOP_close, at));
    for (size_t i = 0; i < NUMBER_OF(ports); i++) {
        op = (struct evtchn_close){.port = number_of(i)};
        say(call(EVTCHNOP_close, &op), "%s", ports[i].name);
        op = (struct evtchn_close){.port = number_of(i)};
        say(call(EVTCHNOP_close, &op), "%s again", ports[i].name);
    }
    op = (struct evtchn_close){.port = right};
    say(call(EVTCHNOP_close, &op), "a port whose other end has gone");
}

static void unknown(void)
{
    struct evtchn_send op = {0};

    about("event_channel_op");
    for (int i = EVTCHNOP_set_priority + 1; i < 20; i++)
        say(call(i, &op), "operation %d", i);
    say(call(-1, &op), "operation -1");
    say(call(0x100, &op), "operation 256");
}

static long compat(void *arg)
{
    return ANY_HYPERCALL(__HYPERVISOR_event_channel_op_compat, arg, 0, 0);
}

static void before_2006(void)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_close};

    about("event_channel_op_compat");
    AT_WRONG_PLACES("request", op, compat(at));
    op = (struct evtchn_op){.cmd = EVTCHNOP_close};
    say(compat(&op), "close port 0");
    op = (struct evtchn_op){.cmd = EVTCHNOP_bind_ipi};
    op.u.bind_ipi.vcpu = 8192;
    say(compat(&op), "an IPI of vCPU 8192");
    for (uint32_t cmd = 10; cmd < 16; cmd++) {
        op = (struct evtchn_op){.cmd = cmd};
        op.u.status.dom = 0x1234;
        say(compat(&op), "operation %u", cmd);
    }
    op = (struct evtchn_op){.cmd = UINT32_MAX};
    say(compat(&op), "operation -1");
}

int main(void)
{
    cases_begin();
    about("event_channel_op");
    make_ports();
    alloc_unbound();
    bind_interdomain();
    bind_virq();
    bind_ipi();
    bind_pirq();
    status();
    send();
    unmask();
    bind_vcpu();
    reset();
    fifo();
    close();
    unknown();
    if (!guest_is_pvh())
        before_2006();
    return 0;
}
