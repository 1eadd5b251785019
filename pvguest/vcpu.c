/*
 * Virtual CPUs, as far as both ABIs do them the same way.
 */
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#include <errno.h>

#include <hypercall/calls.h>

#include "abi.h"
#include "event_abi.h"
#include "internal.h"
#include "this_vcpu.h"

_Static_assert(offsetof(struct guest_vcpu, block_sp) == VCPU_BLOCK_SP &&
                   offsetof(struct guest_vcpu, info) == VCPU_INFO &&
                   offsetof(struct guest_vcpu, preempt) == VCPU_PREEMPT,
               "as entry_x86_64.S has it");
_Static_assert(sizeof(struct guest_vcpu) <= PAGE_SIZE,
               "vcpu_info must not cross a page");

struct guest_vcpu guest_boot_vcpu = {
    .self = &guest_boot_vcpu,
    .info = &guest_shared_page.vcpu_info[0],
    .up = true,
    .initialised = true,
};
struct guest_vcpu *guest_vcpus[VCPU_MAX] = {&guest_boot_vcpu};
bool guest_smp;

static struct {
    void (*fn)(void *context);
    void *context;
} ipi;

/* There is no other way to learn it than to ask for each. */
unsigned vcpu_count(void)
{
    static unsigned count;
    unsigned nr = 1;

    if (count)
        return count;
    while (nr < VCPU_MAX && hypercall_vcpu_op(VCPUOP_is_up, nr, NULL) >= 0)
        nr++;
    return count = nr;
}

unsigned vcpu_id(void)
{
    return this_vcpu()->id;
}

static void ipi_event(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
    if (ipi.fn)
        ipi.fn(ipi.context);
}

void vcpu_set_ipi_handler(void (*fn)(void *context), void *context)
{
    ipi.context = context;
    ipi.fn = fn;
}

int vcpu_send_ipi(unsigned id)
{
    const struct guest_vcpu *vcpu = id < VCPU_MAX ? guest_vcpus[id] : NULL;

    return vcpu && vcpu->ipi_port ? event_send(vcpu->ipi_port) : -ENOENT;
}

/* The ports others reach it by. The one for kicks is only ever polled. */
static int bind_ports(struct guest_vcpu *vcpu)
{
    int rc = 0;

    if (!vcpu->ipi_port)
        rc = event_bind_ipi(vcpu->id, ipi_event, NULL, &vcpu->ipi_port);
    if (!rc && !vcpu->kick_port)
        rc = (int)hypercall_evtchn_bind_ipi(vcpu->id, &vcpu->kick_port);
    if (!rc && event_fifo)
        rc = fifo_cover(vcpu->kick_port);
    if (!rc)
        event_mask(vcpu->kick_port);
    return rc;
}

/*
 * The first that is not the only one: give the one that is here a GS base. An
 * IPI may come before another vCPU is up, and finds all it needs.
 */
static int become_smp(void)
{
    int rc;

    if (guest_smp)
        return 0;
    rc = bind_ports(&guest_boot_vcpu);
    if (rc)
        return rc;
    if (!guest_abi->set_gs_base((uintptr_t)&guest_boot_vcpu))
        return -EINVAL;
    schedule_becomes_smp();
    guest_smp = true;
    lock_becomes_real();
    return 0;
}

/* vcpu_info in the record: shared_info has room for 32 only. */
static int place_info(struct guest_vcpu *vcpu)
{
    struct vcpu_register_vcpu_info op = {
        .mfn = page_mfn(&vcpu->own_info),
        .offset = (uint32_t)((uintptr_t)&vcpu->own_info & (PAGE_SIZE - 1)),
    };
    int rc = (int)hypercall_vcpu_op(VCPUOP_register_vcpu_info, vcpu->id, &op);

    vcpu->info = &vcpu->own_info;
    vcpu->info->evtchn_upcall_mask = !guest_is_pvh();
    return rc;
}

/* A record for (id), which is kept for ever; NULL, and why in (*rc). */
static struct guest_vcpu *make(unsigned id, int *rc)
{
    struct guest_vcpu *vcpu = page_alloc_zeroed(1);

    *rc = vcpu ? 0 : -ENOMEM;
    if (!vcpu)
        return NULL;
    vcpu->self = vcpu;
    vcpu->id = id;
    if (event_fifo)
        *rc = fifo_add_vcpu(vcpu);
    if (!*rc)
        *rc = bind_ports(vcpu);
    if (!*rc)
        *rc = place_info(vcpu);
    if (!*rc) {
        __atomic_store_n(&guest_vcpus[id], vcpu, __ATOMIC_RELEASE);
        return vcpu;
    }
    if (vcpu->ipi_port)
        event_close(vcpu->ipi_port);
    if (vcpu->kick_port)
        event_close(vcpu->kick_port);
    page_free(vcpu, 1);
    return NULL;
}

static int start(unsigned id, void (*entry)(void *arg), void *arg,
                 void *stack_top)
{
    struct guest_vcpu *vcpu = guest_vcpus[id];
    int rc = become_smp();

    if (rc)
        return rc;
    if (!vcpu)
        vcpu = make(id, &rc);
    if (!vcpu)
        return rc;
    if (vcpu->up || hypercall_vcpu_op(VCPUOP_is_up, id, NULL) != 0)
        return -EBUSY;
    vcpu->entry = entry;
    vcpu->arg = arg;
    vcpu->stack_top = (void *)((uintptr_t)stack_top & ~15ul);
    vcpu->preempt = false;
    if (!vcpu->initialised) {
        rc = guest_abi->init_vcpu(vcpu);
        if (rc)
            return rc;
    }
    vcpu->initialised = true;
    __atomic_store_n(&vcpu->up, true, __ATOMIC_SEQ_CST);
    rc = (int)hypercall_vcpu_op(VCPUOP_up, id, NULL);
    if (rc)
        vcpu->up = false;
    return rc;
}

int vcpu_start(unsigned id, void (*entry)(void *arg), void *arg,
               void *stack_top)
{
    GUEST_LOCKED;

    return id < vcpu_count() ? start(id, entry, arg, stack_top) : -ENOENT;
}

void guest_vcpu_run(struct guest_vcpu *vcpu)
{
    vcpu->entry(vcpu->arg);
    vcpu_stop();
}

/* VCPUOP_down returns when somebody has the vCPU up again. */
_Noreturn void vcpu_stop(void)
{
    struct guest_vcpu *vcpu = this_vcpu();

    if (vcpu->id == 0)
        guest_panic("vCPU 0 cannot be stopped");
    guest_abi->close_upcalls();
    vcpu->preempt = false;
    __atomic_store_n(&vcpu->up, false, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&vcpu->up, __ATOMIC_SEQ_CST))
        hypercall_vcpu_op(VCPUOP_down, vcpu->id, NULL);
    guest_vcpu_rerun(vcpu, vcpu->stack_top);
}

bool vcpu_is_up(unsigned id)
{
    return hypercall_vcpu_op(VCPUOP_is_up, id, NULL) > 0;
}

void *vcpu_data(void)
{
    return this_vcpu()->data;
}

void vcpu_set_data(void *data)
{
    this_vcpu()->data = data;
}

const volatile struct vcpu_runstate_info *vcpu_runstate(void)
{
    struct guest_vcpu *vcpu = this_vcpu();

    if (!vcpu->runstate_told &&
        hypercall_register_runstate(vcpu->id, &vcpu->runstate))
        return NULL;
    vcpu->runstate_told = true;
    return &vcpu->runstate;
}
