#include "event_ops.h"

#include <criterion/criterion.h>

evtchn_port_t op_bind_ipi(void)
{
    struct evtchn_bind_ipi op = {0};

    cr_assert_eq(evtchn(EVTCHNOP_bind_ipi, op), 0);
    get(op);
    return op.port;
}

long op_send(evtchn_port_t port)
{
    struct evtchn_send op = {port};

    return evtchn(EVTCHNOP_send, op);
}

long op_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {port};

    return evtchn(EVTCHNOP_unmask, op);
}

long op_close(evtchn_port_t port)
{
    struct evtchn_close op = {port};

    return evtchn(EVTCHNOP_close, op);
}

long op_reset(void)
{
    struct evtchn_reset op = {DOMID_SELF};

    return evtchn(EVTCHNOP_reset, op);
}
