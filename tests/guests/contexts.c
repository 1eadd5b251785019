/*
 * What other vCPUs begin with is what VCPUOP_initialise was given: registers,
 * bases and the FPU's contents; or an FPU as new where none were given; and
 * one whose contents are nonsense begins as well. Needs 4 vCPUs.
 */
#include "verdict.h"

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#define PATIENCE    10000000000ull /* ns */
#define STACK_PAGES 2
#define NR_REGS     15
#define FIRST_VALUE 0x0123456789abcdefull

#define RFLAGS_CF 0x001ul
#define RFLAGS_ZF 0x040ul
#define RFLAGS_SF 0x080ul

/* An FXSAVE area, as far as it is looked at. */
struct fxsave {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t opcode;
    uint64_t ip, dp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
    uint8_t rest[96];
} __attribute__((aligned(16)));

#define FCW_NEW   0x37f
#define MXCSR_NEW 0x1f80

/* What a vCPU finds; its RDI says where to note it. */
struct found {
    struct fxsave fpu;
    uint64_t regs[NR_REGS]; /* rax, rbx, ... as below; not rsp */
    uint64_t rflags, rsp;
    uint64_t from_fs, from_gs; /* the word that each base points at */
    uint64_t id;
};

#define FOUND_REGS 512

extern const char contexts_entry[];
__asm__(".pushsection .text\n"
        "contexts_entry:\n"
        "    fxsave64 (%rdi)\n"
        "    mov %rax, 512(%rdi)\n"
        "    mov %rbx, 520(%rdi)\n"
        "    mov %rcx, 528(%rdi)\n"
        "    mov %rdx, 536(%rdi)\n"
        "    mov %rsi, 544(%rdi)\n"
        "    mov %rdi, 552(%rdi)\n"
        "    mov %rbp, 560(%rdi)\n"
        "    mov %r8, 568(%rdi)\n"
        "    mov %r9, 576(%rdi)\n"
        "    mov %r10, 584(%rdi)\n"
        "    mov %r11, 592(%rdi)\n"
        "    mov %r12, 600(%rdi)\n"
        "    mov %r13, 608(%rdi)\n"
        "    mov %r14, 616(%rdi)\n"
        "    mov %r15, 624(%rdi)\n"
        "    pushf\n"
        "    pop 632(%rdi)\n"
        "    mov %rsp, 640(%rdi)\n"
        "    mov %fs:0, %rax\n"
        "    mov %rax, 648(%rdi)\n"
        "    mov %gs:0, %rax\n"
        "    mov %rax, 656(%rdi)\n"
        "    cld\n"
        "    fninit\n"
        "    push $0x1f80\n"
        "    ldmxcsr (%rsp)\n"
        "    call contexts_found\n"
        "    ud2\n"
        ".popsection\n");

_Static_assert(offsetof(struct found, regs) == FOUND_REGS &&
                   offsetof(struct found, rflags) == 632 &&
                   offsetof(struct found, from_gs) == 656,
               "as contexts_entry has it");

static struct found found[4];
static struct vcpu_guest_context contexts[4] __attribute__((aligned(4096)));
static uint64_t words[2] = {0x1122334455667788, 0x99aabbccddeeff00};

__attribute__((used)) _Noreturn void contexts_found(const struct found *self);

_Noreturn void contexts_found(const struct found *self)
{
    for (;;)
        hypercall_vcpu_op(VCPUOP_down, (unsigned)self->id, NULL);
}

/* Each register a value of its own but RDI and RSP. */
static void fill(unsigned id)
{
    struct vcpu_guest_context *c = &contexts[id];
    struct cpu_user_regs *r = &c->user_regs;
    char *stack = page_alloc(STACK_PAGES);
    uint64_t *const all[] = {&r->rax, &r->rbx, &r->rcx, &r->rdx, &r->rsi,
                             &r->rdi, &r->rbp, &r->r8,  &r->r9,  &r->r10,
                             &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

    for (unsigned i = 0; i < NR_REGS; i++)
        *all[i] = (int64_t)(FIRST_VALUE + i);
    found[id].id = id;
    c->flags = VGCF_IN_KERNEL;
    r->rdi = (uintptr_t)&found[id];
    r->rip = (uintptr_t)contexts_entry;
    r->rsp = (uintptr_t)stack + STACK_PAGES * PAGE_SIZE - 16;
    r->rflags = RFLAGS_CF | RFLAGS_SF;
    r->saved_upcall_mask = 1;
    r->cs = FLAT_KERNEL_CS;
    r->ss = FLAT_KERNEL_SS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = r->rsp;
    c->ctrlreg[3] = page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT;
    c->fs_base = (uintptr_t)&words[0];
    c->gs_base_kernel = (uintptr_t)&words[1];
}

/* Up, and down again by itself. */
static bool runs(unsigned id)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    if (hypercall_vcpu_op(VCPUOP_initialise, id, &contexts[id]) ||
        hypercall_vcpu_op(VCPUOP_up, id, NULL))
        return false;
    while (hypercall_vcpu_op(VCPUOP_is_up, id, NULL) && clock_system_ns() < end)
        hypercall_yield();
    return hypercall_vcpu_op(VCPUOP_is_up, id, NULL) == 0;
}

static bool registers_are_there(unsigned id)
{
    const struct cpu_user_regs *r = &contexts[id].user_regs;
    const uint64_t *at = found[id].regs;
    bool good =
        at[5] == (uintptr_t)&found[id] && found[id].rsp == (uint64_t)r->rsp;

    for (unsigned i = 0; i < NR_REGS; i++)
        good &= i == 5 || at[i] == FIRST_VALUE + i;
    return good && (found[id].rflags & (RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF)) ==
                       (RFLAGS_CF | RFLAGS_SF);
}

/* Control words, one number on the x87's stack, and all XMM registers. */
static void give_fpu(unsigned id)
{
    static const uint8_t pi[10] = {0x35, 0xc2, 0x68, 0x21, 0xa2,
                                   0xda, 0x0f, 0xc9, 0x00, 0x40};
    struct fxsave *fpu = (struct fxsave *)&contexts[id].fpu_ctxt;

    contexts[id].flags |= VGCF_I387_VALID;
    fpu->fcw = 0x27f; /* double precision */
    fpu->fsw = 7 << 11;
    fpu->ftw = 0x80;
    fpu->mxcsr = 0x9fc0; /* flush to zero, denormals are zeros */
    memcpy(fpu->st[0], pi, sizeof pi);
    for (unsigned i = 0; i < 16; i++)
        memset(fpu->xmm[i], (int)(0xa0 + i), 16);
}

static bool fpu_is_as_given(unsigned id)
{
    const struct fxsave *given = (struct fxsave *)&contexts[id].fpu_ctxt;
    const struct fxsave *fpu = &found[id].fpu;

    return fpu->fcw == given->fcw && fpu->fsw == given->fsw &&
           fpu->ftw == given->ftw && fpu->mxcsr == given->mxcsr &&
           memcmp(fpu->st[0], given->st[0], 10) == 0 &&
           memcmp(fpu->xmm, given->xmm, sizeof fpu->xmm) == 0;
}

static bool fpu_is_new(unsigned id)
{
    static const uint8_t zeros[16][16];
    const struct fxsave *fpu = &found[id].fpu;

    return fpu->fcw == FCW_NEW && fpu->fsw == 0 && fpu->ftw == 0 &&
           fpu->mxcsr == MXCSR_NEW &&
           memcmp(fpu->xmm, zeros, sizeof zeros) == 0;
}

int main(void)
{
    for (unsigned id = 1; id < 4; id++)
        fill(id);
    give_fpu(1);
    promise(runs(1), "a vCPU with an FPU's contents runs");
    promise(registers_are_there(1), "its registers are what was given");
    promise(found[1].from_fs == words[0] && found[1].from_gs == words[1],
            "its bases as well");
    promise(fpu_is_as_given(1), "and so is its FPU");

    memset(&contexts[2].fpu_ctxt, 0x55, sizeof contexts[2].fpu_ctxt);
    promise(runs(2), "one with contents that are not said to be valid runs");
    promise(registers_are_there(2), "its registers are what was given");
    promise(fpu_is_new(2), "its FPU is as new");

    contexts[3].flags |= VGCF_I387_VALID;
    memset(&contexts[3].fpu_ctxt, 0xff, sizeof contexts[3].fpu_ctxt);
    promise(runs(3), "one with nonsense in its FPU runs");
    promise(registers_are_there(3), "its registers are what was given");
    return verdict();
}
