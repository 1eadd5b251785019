/*
 * host/engine/kvm/exit.c: out of the guest. It leaves the VM by an `out` and
 * nothing else; where that lies says what happened.
 */
#include <errno.h>
#include <string.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/log.h"
#include "host/pv/bounce.h"
#include "host/pv/emulate.h"

#define VECTOR_DB     1
#define VECTOR_UD     6
#define VECTOR_GP     13
#define VECTOR_PF     14
#define PF_USER       4u
#define ERROR_VECTORS 0x227d00u /* 8, 10-14, 17, 21 */

void exit_store_general(struct regs *to, const struct kvm_regs *r)
{
    *to = (struct regs){
        REGS_GENERAL(r),
        .rflags = r->rflags,
    };
}

/* vcpu->regs := the VM's, with the selectors that it stopped with. */
static void store_all(const struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    exit_store_general(&vcpu->regs, &cpu->run->s.regs.regs);
    vcpu->regs.cs = s->cs.selector;
    vcpu->regs.ss = s->ss.selector;
    vcpu->fs_base = s->fs.base;
    *vcpu_gs_base(vcpu) = s->gs.base;
}

void exit_serve_hypercall(struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;
    const uint64_t nr = r->rax & 0xffffffff;
    const uint64_t args[5] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8};
    long result;

    kvm_cpu_of(vcpu)->counts.nr[EXIT_HYPERCALL]++;
    result = domain_hypercall(vcpu, nr, args);

    if (nr != __HYPERVISOR_iret)
        vcpu->regs.rax = (uint64_t)result;
}

void exit_serve_trap(struct vcpu *vcpu, const struct trap *trap)
{
    if (emulate(vcpu, trap))
        return;
    bounce_trap(vcpu, trap);
}

static enum exit_kind kind_of(uint8_t vector)
{
    switch (vector) {
    case VECTOR_PF:
        return EXIT_PAGE_FAULT;
    case VECTOR_UD:
    case VECTOR_GP:
        return EXIT_PROTECTION;
    default:
        return EXIT_TRAP;
    }
}

static bool has_error(uint8_t vector)
{
    return vector < 32 && (ERROR_VECTORS >> vector & 1);
}

/* A trap of ring 3; vcpu->regs have what is not in (frame). */
static void serve_frame(struct kvm_cpu *cpu, struct vcpu *vcpu, uint8_t vector,
                        const struct stub_frame *frame, uint64_t cr2)
{
    struct trap trap = {.vector = vector, .has_error = has_error(vector)};

    vcpu->regs.rip = frame->rip;
    vcpu->regs.cs = frame->cs;
    vcpu->regs.rflags = frame->rflags;
    vcpu->regs.rsp = frame->rsp;
    vcpu->regs.ss = frame->ss;
    if (deputy_leave(cpu, vcpu))
        return;
    if (trap.has_error)
        trap.error = (uint32_t)frame->error;
    if (vector == VECTOR_PF) {
        if (!vcpu->user_mode)
            trap.error &= ~PF_USER; /* the kernel lives in ring 3, too */
        trap.cr2 = cr2;
    }
    if (vector == VECTOR_PF && segment_serve_fault(cpu, vcpu, &trap))
        return;
    if (vector == VECTOR_DB)
        control_note_debug(cpu, vcpu);
    exit_serve_trap(vcpu, &trap);
}

bool exit_serve_path(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t rip,
                     bool faulted)
{
    struct path_cut cut;

    if (!path_undo(cpu, vcpu, rip, faulted, &cut))
        return false;
    cpu->in_ring0 = true;
    if (cut.what == CUT_CALL)
        syscall_make(cpu, vcpu);
    else
        serve_frame(cpu, vcpu, cut.vector, &cut.frame, cut.cr2);
    return true;
}

static void serve_vector(struct kvm_cpu *cpu, struct vcpu *vcpu, uint8_t vector)
{
    const struct stub_frame *frame = &cpu->stub->frame;
    const uint64_t pushed =
        cpu->stub_va + (has_error(vector)
                            ? offsetof(struct stub_cpu, frame.error)
                            : offsetof(struct stub_cpu, frame.rip));

    cpu->in_ring0 = true;
    cpu->counts.nr[kind_of(vector)]++;
    if (vcpu->regs.rsp == pushed && frame->cs != STUB_CS) {
        serve_frame(cpu, vcpu, vector, frame, cpu->run->s.regs.sregs.cr2);
        return;
    }
    if (vector == VECTOR_DB)
        control_note_debug(cpu, vcpu);
    if (vcpu->regs.rsp == pushed &&
        exit_serve_path(cpu, vcpu, frame->rip, true))
        return;
    if (syscall_serve_lost(cpu, vcpu, vector))
        return;
    domain_crash(vcpu, "trap %u beside the guest: please report this", vector);
}

static bool in_stub(uint64_t rip)
{
    return rip >= STUB_VA && rip < STUB_M2P_VA;
}

static void serve_out(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const uint64_t rip = vcpu->regs.rip;
    const uint64_t vectors = stub_code_va(stub_code);
    uint8_t vector;

    if (!in_stub(rip) && vcpu->user_mode)
        port_refuse_out(vcpu);
    else if (!in_stub(rip))
        exit_serve_hypercall(vcpu);
    else if (rip - vectors < 256ul * STUB_VECTOR_SIZE)
        serve_vector(cpu, vcpu, (uint8_t)((rip - vectors) / STUB_VECTOR_SIZE));
    else if (path_is_gate(cpu, rip, &vector))
        serve_vector(cpu, vcpu, vector);
    else if (!deputy_leave(cpu, vcpu) && !syscall_serve(cpu, vcpu))
        domain_crash(vcpu, "the VM left from 0x%lx: please report this", rip);
}

static const char *suberror_name(uint32_t suberror)
{
    switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return "it met an instruction that it cannot emulate";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return "it could not deliver a trap";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        return "the CPU left the guest for an unknown reason";
    default:
        return "it does not say why";
    }
}

/* A triple fault resets the virtual CPU of some. */
#define RESET_RIP 0xfff0
#define RESET_CS  0xf000
#define LOST                                                            \
    ", of which this CPU kept no registers: what follows is its state " \
    "after a reset"

static bool was_reset(const struct kvm_run *run)
{
    return run->s.regs.regs.rip == RESET_RIP &&
           run->s.regs.sregs.cs.selector == RESET_CS;
}

/* What KVM has no answer for: the guest's doing, or KVM's own limits. */
void exit_serve_failure(const struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_run *run = cpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        domain_crash(vcpu, "KVM gave up (internal error %u): %s",
                     run->internal.suberror,
                     suberror_name(run->internal.suberror));
        return;
    case KVM_EXIT_FAIL_ENTRY:
        domain_crash(vcpu, "the CPU refuses the guest's state (reason 0x%llx)",
                     run->fail_entry.hardware_entry_failure_reason);
        return;
    case KVM_EXIT_SHUTDOWN:
        domain_crash(vcpu, "triple fault%s", was_reset(run) ? LOST : "");
        return;
    case KVM_EXIT_MMIO:
        domain_crash(vcpu, "access to machine address 0x%llx, where nothing is",
                     run->mmio.phys_addr);
        return;
    case KVM_EXIT_IO:
        domain_crash(vcpu, "access to port 0x%x, which should be closed",
                     run->io.port);
        return;
    default:
        domain_crash(vcpu,
                     "KVM stopped for reason %u, which nothing here "
                     "should give it",
                     run->exit_reason);
        return;
    }
}

void exit_serve(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_run *run = cpu->run;

    cpu->in_stub = false;
    deputy_take(cpu, vcpu);
    path_take(cpu, vcpu);
    store_all(cpu, vcpu);
    if (run->exit_reason != KVM_EXIT_IO || run->io.port != STUB_PORT)
        exit_serve_failure(cpu, vcpu);
    else if (run->io.direction == KVM_EXIT_IO_OUT)
        serve_out(cpu, vcpu);
    else
        port_refuse_in(cpu, vcpu);
}

/*
 * Did the CPU meet a trap that KVM has still to deliver? Then RIP is where that
 * came from, and must stay: an event's frame put between would be the trap's.
 */
static bool trap_is_on_its_way(const struct kvm_run *run)
{
    return run->s.regs.events.exception.injected ||
           run->s.regs.events.exception.pending;
}

/* A short path does not leave by itself: it would pass by what is to be done.
 */
void exit_interrupted(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_run *run = cpu->run;
    const uint64_t rip = run->s.regs.regs.rip;
    const bool on_path =
        run->s.regs.sregs.cs.selector == STUB_CS && path_is_at(cpu, rip);

    cpu->in_stub = trap_is_on_its_way(run) ||
                   (in_stub(rip) && !deputy_is_at(rip) && !on_path);
    if (cpu->in_stub)
        return;
    deputy_take(cpu, vcpu);
    path_take(cpu, vcpu);
    store_all(cpu, vcpu);
    if (on_path)
        exit_serve_path(cpu, vcpu, rip, false);
    else
        deputy_leave(cpu, vcpu);
}
