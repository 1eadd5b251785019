/*
 * A guest's calls, into a hypercall page that is this test: which stub, which
 * registers, which structure, and that lost registers are lost on nobody.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <hypercall/calls.h>

#include "hypercall/decode.h"

/*
 * Each stub calls fake_stub, which learns the number from where it was called.
 * It hands the argument registers to fake_hypercall() as an array and loads
 * them again from there; all else is kept.
 */
__asm__(".pushsection .text\n"
        ".balign 4096\n"
        ".global hypercall_page\n"
        "hypercall_page:\n"
        ".rept 128\n"
        ".balign 32\n"
        "call fake_stub\n"
        ".endr\n"
        "fake_stub:\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "push %rcx\n"
        "push %r11\n"
        "push %r9\n"
        "push %r8\n"
        "push %r10\n"
        "push %rdx\n"
        "push %rsi\n"
        "push %rdi\n"
        "mov %rsp, %rdi\n"
        "mov 8(%rbp), %rsi\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "and $-16, %rsp\n"
        "sub $512, %rsp\n"
        "fxsave (%rsp)\n"
        "call fake_hypercall\n"
        "fxrstor (%rsp)\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        "pop %rdi\n"
        "pop %rsi\n"
        "pop %rdx\n"
        "pop %r10\n"
        "pop %r8\n"
        "pop %r9\n"
        "pop %r11\n"
        "pop %rcx\n"
        "pop %rbp\n"
        "add $8, %rsp\n"
        "ret\n"
        ".popsection\n");

static struct {
    unsigned long nr;
    unsigned long args[HYPERCALL_NR_ARGS];
    uint8_t op[64]; /* what the last pointer argument pointed to */
} made;

static long answer;
static uint32_t answer_at; /* offset of a word of the structure to answer in */
static uint32_t answer_word;

long fake_hypercall(unsigned long *args, const char *from);

long fake_hypercall(unsigned long *args, const char *from)
{
    const struct decode_call *call;
    uint32_t subop = (uint32_t)args[0];

    made.nr = (unsigned long)(from - hypercall_page) / HYPERCALL_STUB_SIZE;
    call = decode_call(made.nr);
    for (int i = 0; i < HYPERCALL_NR_ARGS; i++) {
        void *op = (void *)args[i];

        made.args[i] = args[i];
        if (call->args[i].kind == kind_none)
            continue;
        if (op && (call->args[i].kind == kind_arg ||
                   call->args[i].kind == kind_args)) {
            enum decode_id id = decode_subop(made.nr, subop)->ref;

            memcpy(made.op, op, decode_struct_size(id));
            if (answer_at)
                memcpy((char *)op + answer_at, &answer_word, 4);
        }
        args[i] = 0xdeaddeaddeaddead; /* as a debug Xen does */
    }
    return answer;
}

#define OP(type) ((const struct type *)(void *)made.op)

static void answers(long result, size_t at, uint32_t word)
{
    answer = result;
    answer_at = (uint32_t)at;
    answer_word = word;
}

Test(calls, reach_the_stub_of_their_number)
{
    hypercall_set_trap_table(NULL);
    cr_expect_eq(made.nr, 0);
    hypercall_set_timer_op(123456789012);
    cr_expect_eq(made.nr, 15);
    cr_expect_eq(made.args[0], 123456789012);
    hypercall_version();
    cr_expect_eq(made.nr, 17);
    hypercall_set_segment_base(SEGBASE_GS_KERNEL, 0x7000);
    cr_expect_eq(made.nr, 25);
    hypercall_block();
    cr_expect_eq(made.nr, 29);
    hypercall_hvm_op(HVMOP_flush_tlbs, NULL);
    cr_expect_eq(made.nr, 34);
}

Test(calls, pass_arguments_in_the_registers_of_the_abi)
{
    struct mmu_update reqs[1];
    unsigned done;

    hypercall_mmu_update(reqs, 7, &done, DOMID_SELF);
    cr_expect_eq(made.nr, __HYPERVISOR_mmu_update);
    cr_expect_eq(made.args[0], (unsigned long)reqs);
    cr_expect_eq(made.args[1], 7);
    cr_expect_eq(made.args[2], (unsigned long)&done);
    cr_expect_eq(made.args[3], DOMID_SELF);

    HYPERCALL_5(__HYPERVISOR_argo_op, 1, 2, 3, 4, 5);
    for (unsigned long i = 0; i < 5; i++)
        cr_expect_eq(made.args[i], i + 1);
}

Test(calls, return_what_the_host_answers)
{
    answers(0x40011, 0, 0);
    cr_expect_eq(hypercall_version(), 0x40011);
    answers(-ENOSYS, 0, 0);
    cr_expect_eq(hypercall_yield(), -ENOSYS);
}

/* Values held across many calls survive the loss of argument registers. */
Test(calls, lose_no_register_of_their_caller)
{
    unsigned long sum = 0;

    for (unsigned long i = 0; i < 100; i++) {
        hypercall_update_va_mapping(i, i, i);
        hypercall_vcpu_op(VCPUOP_is_up, (unsigned)i, NULL);
        sum += i + made.args[1];
    }
    cr_expect_eq(sum, 9900);
}

Test(calls, fill_the_structures_of_event_channel_ops)
{
    evtchn_port_t port = 0;

    answers(0, offsetof(struct evtchn_alloc_unbound, port), 9);
    cr_expect_eq(hypercall_evtchn_alloc_unbound(3, &port), 0);
    cr_expect_eq(OP(evtchn_alloc_unbound)->dom, DOMID_SELF);
    cr_expect_eq(OP(evtchn_alloc_unbound)->remote_dom, 3);
    cr_expect_eq(port, 9);

    answers(0, offsetof(struct evtchn_bind_interdomain, local_port), 10);
    cr_expect_eq(hypercall_evtchn_bind_interdomain(0, 5, &port), 0);
    cr_expect_eq(OP(evtchn_bind_interdomain)->remote_port, 5);
    cr_expect_eq(port, 10);

    answers(0, offsetof(struct evtchn_bind_virq, port), 11);
    cr_expect_eq(hypercall_evtchn_bind_virq(VIRQ_DEBUG, 2, &port), 0);
    cr_expect_eq(OP(evtchn_bind_virq)->virq, VIRQ_DEBUG);
    cr_expect_eq(OP(evtchn_bind_virq)->vcpu, 2);
    cr_expect_eq(port, 11);

    answers(-EEXIST, offsetof(struct evtchn_bind_ipi, port), 12);
    cr_expect_eq(hypercall_evtchn_bind_ipi(1, &port), -EEXIST);
    cr_expect_eq(port, 11, "an error answers nothing");

    answers(0, 0, 0);
    hypercall_evtchn_send(4);
    cr_expect_eq(made.args[0], EVTCHNOP_send);
    cr_expect_eq(OP(evtchn_send)->port, 4);
}

Test(calls, fill_the_other_structures)
{
    evtchn_port_t ports[2];
    xen_pfn_t frames[4];
    uint32_t features = 0;
    int16_t status = 0;

    hypercall_poll(ports, 2, 77);
    cr_expect_eq(OP(sched_poll)->ports.p, ports);
    cr_expect_eq(OP(sched_poll)->nr_ports, 2);
    cr_expect_eq(OP(sched_poll)->timeout, 77);

    hypercall_shutdown(SHUTDOWN_crash);
    cr_expect_eq(OP(sched_shutdown)->reason, SHUTDOWN_crash);

    hypercall_set_singleshot_timer(1, 99, VCPU_SSHOTTMR_future);
    cr_expect_eq(made.args[1], 1);
    cr_expect_eq(OP(vcpu_set_singleshot_timer)->timeout_abs_ns, 99);

    answers(0, offsetof(struct gnttab_setup_table, status), 0xfff3);
    hypercall_grant_setup_table(4, frames, &status);
    cr_expect_eq(made.args[2], 1);
    cr_expect_eq(OP(gnttab_setup_table)->nr_frames, 4);
    cr_expect_eq(status, GNTST_no_space);

    answers(0, offsetof(struct xen_feature_info, submap), 0x220);
    cr_expect_eq(hypercall_features(&features), 0);
    cr_expect_eq(features, 0x220);
}
