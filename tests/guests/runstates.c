/*
 * Both vCPUs work for a while at the same time, and tell how they spent it:
 * nanoseconds of waiting for a CPU, and of everything, as the hypervisor says
 * if asked, and as it keeps it in the guest's memory. Needs 2 vCPUs.
 */
#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>

#include <stdio.h>

#define WHILE       300000000ull /* ns */
#define STACK_PAGES 8

static struct vcpu_runstate_info asked[2][2]; /* before and after */
static uint64_t kept[2];
static int nr_ready, nr_done;

static void meet(int *nr)
{
    __atomic_fetch_add(nr, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(nr, __ATOMIC_SEQ_CST) < 2)
        hypercall_yield();
}

static void work(void *arg)
{
    const unsigned id = vcpu_id();
    const volatile struct vcpu_runstate_info *own = vcpu_runstate();
    uint64_t end;

    (void)arg;
    meet(&nr_ready);
    hypercall_vcpu_op(VCPUOP_get_runstate_info, id, &asked[0][id]);
    end = clock_system_ns() + WHILE;
    while (clock_system_ns() < end)
        __asm__ volatile("pause");
    hypercall_vcpu_op(VCPUOP_get_runstate_info, id, &asked[1][id]);
    kept[id] = own ? own->time[RUNSTATE_runnable] : 0;
    meet(&nr_done);
}

static uint64_t grown(unsigned id, unsigned state)
{
    return asked[1][id].time[state] - asked[0][id].time[state];
}

int main(void)
{
    char *stack = page_alloc(STACK_PAGES);

    vcpu_start(1, work, NULL, stack + STACK_PAGES * PAGE_SIZE);
    work(NULL);
    for (unsigned id = 0; id < 2; id++) {
        uint64_t sum = 0;

        for (unsigned state = 0; state < 4; state++)
            sum += grown(id, state);
        printf("vCPU %u: %lu of %lu, %lu\n", id, grown(id, RUNSTATE_runnable),
               sum, kept[id]);
    }
    return 0;
}
