/*
 * host/engine/kvm/deputy.h: what serves some hypercalls in the host's place,
 * without leaving the VM, where ring 0 is emulated.
 *
 * There SYSCALL leads to code that runs in ring 3, at the CPU's full speed, and
 * can go back by itself: a call takes a 25th of what leaving the VM does. What
 * needs no rights is done so: the kernel's stack pointer and the GS base of
 * user programs are kept here until the VM is left; an iret of the kernel to
 * itself; a question whose answer does not change; an entry of an L1 table that
 * lets a page be read where nothing was mapped, which no count depends on.
 * Whatever is not simple is left to the host, which starts again from the
 * registers that were kept.
 *
 * The deputy sees, in a slot of the kernel's own tables only: a page for each
 * vCPU; the vCPU's struct vcpu_info; the records of all frames, to read; and
 * all frames. So the guest's kernel could write to them as well, to its own
 * harm alone (host/pagetable.h); its user programs cannot see any of it.
 */
#ifndef HOST_ENGINE_KVM_DEPUTY_H
#define HOST_ENGINE_KVM_DEPUTY_H

/* The slot is STUB_LAST_SLOT. */
#define DEPUTY_VA     0xffff878000000000
#define DEPUTY_INFO   0x80000      /* pages of struct vcpu_info */
#define DEPUTY_FRAMES 0x40000000   /* struct frame of each, by index */
#define DEPUTY_WINDOW 0x2000000000 /* the frames, by machine address */
#define DEPUTY_MAX    0x1000000000 /* the highest machine address of a guest */

/* LSTAR of a vCPU is in the middle of its block, behind an `out`. */
#define DEPUTY_BLOCKS     64
#define DEPUTY_BLOCK_SIZE 32
#define DEPUTY_ENTRY      2
#define DEPUTY_KEPT_RAX   17 /* there it is in (rax); soon after RAX changes */

/* Struct deputy by offsets, for the assembler; deputy.c compares. */
#define DEPUTY_RAX       0x00
#define DEPUTY_RBX       0x08
#define DEPUTY_RDX       0x10
#define DEPUTY_RSP       0x18
#define DEPUTY_NEW_RAX   0x20
#define DEPUTY_NEW_RCX   0x28
#define DEPUTY_NEW_R11   0x30
#define DEPUTY_FRAME     0x38
#define DEPUTY_ON        0x60
#define DEPUTY_MAY_IRET  0x64
#define DEPUTY_NR_VCPUS  0x68
#define DEPUTY_VERSION   0x70
#define DEPUTY_INFO_VA   0x78
#define DEPUTY_FIRST_MFN 0x80
#define DEPUTY_NR_FRAMES 0x88
#define DEPUTY_KERNEL_SS 0x90
#define DEPUTY_KERNEL_SP 0x98
#define DEPUTY_GS_USER   0xa0
#define DEPUTY_COUNT     0xa8
#define DEPUTY_STACK     0x800

/* Struct frame by offsets. */
#define FRAME_SIZE       24
#define FRAME_STATE      0
#define FRAME_TYPE       1
#define FRAME_FLAGS      2 /* two bytes, of which only (pinned) may be set */
#define FRAME_USES       4
#define FRAME_NOT_PINNED 0xfffe

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

struct domain;
struct kvm_cpu;
struct kvm_vm;
struct vcpu;

/* One vCPU's page, which the guest may write to: all from it is checked. */
struct deputy {
    uint64_t rax, rbx, rdx, rsp; /* as they were at SYSCALL */
    uint64_t new_rax, new_rcx, new_r11;
    uint64_t rip, cs, rflags, new_rsp, ss; /* for IRETQ */
    uint32_t on, may_iret;
    uint64_t nr_vcpus;
    uint64_t version; /* of Xen */
    uint64_t info;    /* struct vcpu_info, as the deputy sees it */
    uint64_t first_mfn, nr_frames;
    uint64_t kernel_ss, kernel_sp, gs_base_user;
    uint64_t count; /* calls served */
    uint8_t room[4096 - 0xb0];
};

/* Can there be one on this host, for (dom)? */
bool deputy_is_possible(const struct domain *dom);

/* Before the guest goes on: hand over what the deputy may do, and knows. */
void deputy_load(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* After the VM was left: take back what it changed. */
void deputy_take(const struct kvm_cpu *cpu, struct vcpu *vcpu);

/* Is (rip) among its code? */
bool deputy_is_at(uint64_t rip);

/*
 * The VM was left with vcpu->regs.rip among the deputy's code, whatever for.
 * Then the call is made or, if it was served, returned from; else false.
 */
bool deputy_leave(struct kvm_cpu *cpu, struct vcpu *vcpu);

/* LSTAR of vCPU (id). */
uint64_t deputy_entry(unsigned id);

#endif
#endif
