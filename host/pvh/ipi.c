#include "host/pvh/ipi.h"

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pvh/start.h"

#define LOWEST_VECTOR 16
#define ALL           2
#define ALL_OTHERS    3

/* A vCPU that has begun already ignores it, as a CPU does without an INIT. */
static void start_up(struct vcpu *target, uint8_t vector)
{
    const struct engine_ops *ops = engine_ops_of(target->domain);
    struct pvh_start start;

    if (target->initialised)
        return;
    pvh_start_sipi(&start, vector);
    if (ops && ops->start)
        ops->start(target, &start);
    target->initialised = true;
    vcpu_bring_up(target);
}

/* Back to where a SIPI starts it: it must be told again what to do. */
static void init(struct vcpu *target)
{
    if (target->up)
        vcpu_take_down(target);
    target->initialised = false;
    lapic_init(&target->lapic, lapic_id_of(target->id));
}

static void deliver(struct vcpu *target, const struct lapic_command *command)
{
    switch (command->mode) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        if (command->vector < LOWEST_VECTOR)
            return;
        lapic_raise(&target->lapic, command->vector);
        tell_kick(target);
        return;
    case LAPIC_NMI:
        target->nmi_pending = true;
        tell_kick(target);
        return;
    case LAPIC_INIT:
        if (command->assert)
            init(target);
        return;
    case LAPIC_STARTUP:
        start_up(target, command->vector);
        return;
    default:
        return;
    }
}

void ipi_send(struct vcpu *vcpu)
{
    const struct lapic_command command = lapic_last_command(&vcpu->lapic);
    struct domain *dom = vcpu->domain;

    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        struct vcpu *target = &dom->vcpus[i];

        if (target == vcpu)
            continue;
        if (command.shorthand == ALL || command.shorthand == ALL_OTHERS ||
            (command.shorthand == 0 &&
             lapic_is_meant(&target->lapic, &command)))
            deliver(target, &command);
        else
            continue;
        if (command.mode == LAPIC_LOWEST)
            return; /* one of those that are meant */
    }
}
