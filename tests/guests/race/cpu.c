/* What is each CPU's own, and its time. */
#include "race.h"

#include <pvguest/clock.h>
#include <pvguest/vcpu.h>

void set_a_trap(struct racer *self)
{
    struct trap_info table[2] = {{.vector = (uint8_t)(200 + any(self, 8)),
                                  .cs = FLAT_KERNEL_CS,
                                  .address = 0x400000 + any(self, 4096)}};
    struct callback_register op = {.type = CALLBACKTYPE_syscall32,
                                   .address = 0x400000 + any(self, 4096)};
    struct callback_unregister away = {.type = CALLBACKTYPE_syscall32};

    switch (any(self, 5)) {
    case 0:
        hypercall_set_trap_table(table);
        break;
    case 1:
        hypercall_callback_op(CALLBACKOP_register, &op);
        break;
    case 2:
        hypercall_callback_op(CALLBACKOP_unregister, &away);
        break;
    case 3:
        hypercall_set_segment_base(SEGBASE_GS_USER, any(self, 1ul << 47));
        break;
    default:
        hypercall_set_debugreg((int)any(self, 4), any(self, 1ul << 47));
        break;
    }
}

static struct vcpu_runstate_info runstates[VCPU_MAX];
static struct vcpu_time_info times[VCPU_MAX];

void set_a_timer(struct racer *self)
{
    uint64_t soon = clock_system_ns() + any(self, 500 * US);

    switch (any(self, 5)) {
    case 0:
        hypercall_set_timer_op(any(self, 2) ? soon : 0);
        break;
    case 1:
        hypercall_set_singleshot_timer(any_vcpu(self), soon, 0);
        break;
    case 2:
        hypercall_stop_singleshot_timer(any_vcpu(self));
        break;
    case 3:
        hypercall_set_periodic_timer(any_vcpu(self), MS + any(self, MS));
        break;
    default:
        hypercall_stop_periodic_timer(any_vcpu(self));
        break;
    }
}

void keep_the_time(struct racer *self)
{
    unsigned id = any_vcpu(self), place = id % VCPU_MAX;
    struct vcpu_runstate_info info;

    switch (any(self, 3)) {
    case 0:
        hypercall_register_runstate(id, &runstates[place]);
        break;
    case 1:
        hypercall_register_vcpu_time(id, &times[place]);
        break;
    default:
        hypercall_vcpu_op(VCPUOP_get_runstate_info, id, &info);
        break;
    }
}
