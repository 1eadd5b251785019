/*
 * host/engine/kvm/kvm.h: the kvm engine's own record.
 *
 * A PV guest runs in ring 3 of a VM, on its own page tables: a
 * guest-physical address of the VM is a machine address of the domain. A PVH
 * guest has the VM for itself. The registers are in (run->s.regs) when KVM_RUN
 * returns and are taken from there when it is called (KVM_CAP_SYNC_REGS): no
 * other system call is needed.
 */
#ifndef HOST_ENGINE_KVM_KVM_H
#define HOST_ENGINE_KVM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/domain.h"
#include "host/engine/kvm/count.h"
#include "host/engine/kvm/stub.h"
#include "host/memory.h"
#include "host/vcpu.h"

struct trap;
struct pvh_start;

/* Why to look before entering the guest. */
#define WORK_KICK 1 /* a deadline may be nearer, or the domain ended */
#define WORK_TICK 2 /* look at everything that may be due */

/* One of the VM's CPUs, which is its vcpu->engine_vcpu. */
struct kvm_cpu {
    struct kvm_vm *vm;
    struct vcpu *vcpu;
    int fd; /* of the vCPU */
    struct kvm_run *run;
    size_t run_size;
    struct stub_cpu *stub;   /* its own part of the VM's */
    uint64_t stub_va;        /* where the guest has that */
    mfn_t cr3;               /* the L4 in use in the VM */
    enum stub_view cr3_view; /* what it shows of our slots */
    bool in_ring0;           /* the segments are the stub's */
    bool in_stub;      /* it was interrupted: the guest's registers are on its
                          stack, or about to be, not yet in vcpu->regs */
    bool new_bases;    /* vcpu->fs_base or gs_base changed */
    bool new_debug;    /* vcpu->debugreg changed */
    bool new_ldt;      /* its local table did */
    bool armed;        /* the VM has the guest's breakpoints */
    bool dr6_used;     /* the VM's says what the last #DB was for */
    bool flush;        /* translations changed */
    bool short_paths;  /* it has them */
    unsigned nr_could; /* calls before that one might have served */
    unsigned nr_touched;
    volatile uint32_t work;    /* WORK_* */
    uint64_t nr_exits;         /* times it left */
    struct exit_counts counts; /* why */
};

/* Are there short paths (path.c)? Where they cost more than they save, not. */
enum paths {
    PATHS_UNKNOWN, /* to be found out when it matters: probe.c */
    PATHS_NONE,
    PATHS_USED,
};

/* What the vCPUs share. */
struct kvm_vm {
    int fd; /* of a PVH guest, whose memory may be rearranged; else -1: it is
               closed by then, as is /dev/kvm's */
    struct stub stub;
    enum paths paths; /* the stub's short ones */
    bool irqchip;     /* a PVH guest's APIC is KVM's own */
    uint8_t *view;    /* the frames by mfn; NULL: as the host has them */
    uint8_t tss_type; /* KVM changes that of sregs.tr at its exits */
    struct kvm_cpu cpus[DOMAIN_MAX_VCPUS];
};

static inline struct kvm_cpu *kvm_cpu_of(const struct vcpu *vcpu)
{
    return vcpu->engine_vcpu;
}

/* What the engine does for one ABI. */
struct kvm_abi {
    /* Make the VM around (dom): 0, or -errno with a sentence logged. */
    int (*create)(struct kvm_vm *vm, struct domain *dom);

    /* Take an event if there is one, hand over registers. */
    void (*enter)(struct kvm_cpu *cpu, struct vcpu *vcpu);

    /* KVM_RUN returned: find out why and serve it. */
    void (*serve)(struct kvm_cpu *cpu, struct vcpu *vcpu);

    /* A signal stopped it. */
    void (*interrupted)(struct kvm_cpu *cpu, struct vcpu *vcpu);
};

extern const struct kvm_abi kvm_abi_pv, kvm_abi_pvh;

/* vm.c: make the VM around (dom): 0, or -errno with a sentence logged. */
int vm_create(struct kvm_vm *vm, struct domain *dom);
void vm_destroy(struct kvm_vm *vm, const struct memory *mem);

/*
 * 0 if there is a KVM for us here, else -errno and a sentence in (why) that
 * says what is missing.
 */
int vm_probe(char *why, size_t size);

/* The same, and returns the descriptor of /dev/kvm. */
int vm_open(char *why, size_t size);

/* What a user can do about (error), an errno. */
const char *vm_remedy(int error);

/* Parts of vm_create, each 0 or -errno. */
int vm_create_vcpu(struct kvm_cpu *cpu, unsigned id, int kvm, int vm);
int vm_add_memory(int vm, uint32_t slot, uint64_t gpa, const void *at,
                  size_t size, uint32_t flags);

/* The guest's TSC is the host's: the clock's line is drawn by that. */
int vm_set_tsc(int vcpu);

/* pvh_vm.c: the same for a PVH guest. */
int pvh_vm_create(struct kvm_vm *vm, struct domain *dom);

/* It begins so; for a vCPU that does not run. */
void pvh_vm_start(struct kvm_cpu *cpu, const struct pvh_start *start);

/* pvh.c: vcpu->regs := the VM's, with what a report shows of it. */
void pvh_store_all(const struct kvm_cpu *cpu, struct vcpu *vcpu);

/* The physmap changed: so does the VM. 0, or -errno. */
int pvh_vm_follow(struct kvm_vm *vm, const struct memory *mem);

/* exit.c: general registers as KVM has them, and what broke in the VM. */
void exit_store_general(struct regs *to, const struct kvm_regs *from);
void exit_serve_failure(const struct kvm_cpu *cpu, struct vcpu *vcpu);

/* A new VM of that: its descriptor, or -1 with errno set. */
int vm_new(int kvm);

/*
 * enter.c: can ring 3 go on at vcpu->regs? If not, (error) is the error code
 * of its general protection fault.
 */
bool enter_possible(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                    uint32_t *error);

/*
 * Who uses the L4 (root), which is there: programs, on any vCPU, see nothing in
 * it that is for the kernel.
 */
enum stub_view enter_view(const struct domain *dom, mfn_t root);

/* Fill our slots of it for those. */
enum stub_view enter_install(struct kvm_cpu *cpu, struct vcpu *vcpu,
                             mfn_t root);

/* Hand vcpu->regs to the VM, by way of the helper if need be. */
void enter_prepare(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* Write again what the host wrote to page tables, now. */
void enter_touch(struct kvm_cpu *cpu, struct vcpu *vcpu);

/*
 * DS, ES, FS and GS as the guest itself would read them: a KVM that runs ring 3
 * by itself does not see all loads. False if it cannot be asked.
 */
bool enter_read_selectors(struct kvm_cpu *cpu, struct vcpu *vcpu,
                          uint16_t selectors[4]);

/* Run our own code in ring 3, from (from) to the `out` at (end). False if it
 * did not get there. The guest's registers in the VM are lost. */
bool enter_own(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t from,
               uint64_t end);

/* KVM_RUN: 0, or the -errno it answered. */
int enter_run(struct kvm_cpu *cpu);

/* exit.c: the VM stopped: find out why and serve it. */
void exit_serve(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* The hypercall that the guest's registers say. */
void exit_serve_hypercall(struct vcpu *vcpu);

/* The VM stopped at (rip), or ring 0 faulted there: if that is on a short path,
 * what it was for is served now. Else false. */
bool exit_serve_path(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t rip,
                     bool faulted);

/* A trap of the guest: emulated, or its own. */
void exit_serve_trap(struct vcpu *vcpu, const struct trap *trap);

/*
 * probe.c: a call left the VM that a short path might have served, and
 * vcpu->regs are its. When it seems worth while, find out if there are short
 * paths here.
 */
void probe_note(struct kvm_cpu *cpu, struct vcpu *vcpu);

/*
 * path.c: tell the short paths what they may do; take back what they changed,
 * before anything of the VM's state is looked at. Nothing happens where there
 * are none.
 */
void path_load(struct kvm_cpu *cpu, struct vcpu *vcpu);
void path_take(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* What a short path was for that did not come to its end. */
struct path_cut {
    enum { CUT_CALL, CUT_TRAP } what; /* a SYSCALL, or ... */
    uint8_t vector;
    struct stub_frame frame;
    uint64_t cr2;
};

/*
 * The VM stopped at (rip), or ring 0 faulted there. True if that is on a short
 * path. Then vcpu->regs are now as behind the SYSCALL that it began with, but
 * for RIP, RFLAGS, CS and SS; or as at the trap, but for what is in the frame.
 */
bool path_undo(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t rip,
               bool faulted, struct path_cut *cut);

/* Is there one for hypercall (nr)? */
bool path_is_for(unsigned nr);

/* Is that a gate into them? Then of (vector). */
bool path_is_gate(const struct kvm_cpu *cpu, uint64_t rip, uint8_t *vector);

/* Is that a place of theirs, in ring 0? */
bool path_is_at(const struct kvm_cpu *cpu, uint64_t rip);

/*
 * syscall.c: the VM left from where SYSCALL leads, or not: then false. Of the
 * guest's kernel it is a hypercall, of its user programs and of 32-bit code a
 * call of the guest's own.
 */
bool syscall_serve(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* The same for whoever is known to have been on the way there: RCX and R11 are
 * in vcpu->regs. */
void syscall_make(struct kvm_cpu *cpu, struct vcpu *vcpu);

/*
 * One KVM takes a SYSCALL of 32-bit code to the lower half of CSTAR, and faults
 * there in ring 0. True if that is what (vector) is: then it was an undefined
 * instruction, as it is on other CPUs.
 */
bool syscall_serve_lost(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                        uint8_t vector);

/*
 * port.c: (vcpu) did something else than a hypercall to the engine's port: an
 * OUT in user mode, or an IN. They are faults like those of any other port.
 */
void port_refuse_out(struct vcpu *vcpu);
void port_refuse_in(struct kvm_cpu *cpu, struct vcpu *vcpu);

/*
 * segment.c: what (selector) is, to be loaded; can it be, by an iret to ring 3,
 * into CS (code) or SS?
 */
struct kvm_segment segment_of(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                              uint16_t selector);
bool segment_fits(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                  uint16_t selector, bool code);

/*
 * Others have run: do DS, ES, FS and GS still mean something? If not, they are
 * emptied and the failsafe callback is entered.
 */
void segment_reload(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* Hand over where the local table is, if that changed. */
void segment_load_ldt(struct kvm_cpu *cpu, const struct vcpu *vcpu);

/*
 * A page fault: was it the CPU's, for a page of the local table that it has
 * not? Then that is there now, or (trap) names where the guest should have it.
 */
bool segment_serve_fault(struct kvm_cpu *cpu, struct vcpu *vcpu,
                         struct trap *trap);

/* kvm.c: the host wrote the page-table entry at (maddr), of the guest or of our
 * own: it is written again from inside before the guest goes on. */
void kvm_touch(struct kvm_cpu *cpu, struct vcpu *vcpu, maddr_t maddr);

/* The entry for page (page) of the local table was written. */
void kvm_touch_ldt(struct vcpu *vcpu, unsigned page);

/*
 * control.c: hand over the guest's part of CR0, CR4 and the debug registers, as
 * far as they changed; the latter at any rate; note in the guest's DR6 what a
 * #DB was for.
 */
void control_load(struct kvm_cpu *cpu, const struct vcpu *vcpu);
void control_arm(struct kvm_cpu *cpu, const struct vcpu *vcpu);
void control_note_debug(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* (vcpu), which never ran, begins with that (host/engine/fxsave.h). */
void control_set_fpu(struct vcpu *vcpu, const void *fxsave);

/* A signal stopped it. */
void exit_interrupted(struct kvm_cpu *cpu, struct vcpu *vcpu);

#endif
