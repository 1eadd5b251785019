/* Contexts of PV guests. */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#include "vcpu_contexts.h"

void make_good_pv(void (*entry)(void), void *stack_top)
{
    struct vcpu_guest_context *c = &good.pv;

    c->flags = VGCF_IN_KERNEL;
    c->user_regs.rip = (uintptr_t)entry;
    c->user_regs.rsp = (uintptr_t)stack_top;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.saved_upcall_mask = 1;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = (uintptr_t)stack_top;
    c->ctrlreg[3] = page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT;
}

/* Such a context is none for any vCPU. */
#define TRY(what, change)                           \
    do {                                            \
        struct vcpu_guest_context *c = &context.pv; \
        change;                                     \
        try_it(what);                               \
    } while (0)

static void wrong_addresses(void)
{
    about("vcpu_op initialise");
    TRY("rip that is not canonical", c->user_regs.rip = NON_CANONICAL);
    TRY("rsp that is not canonical", c->user_regs.rsp = NON_CANONICAL);
    TRY("kernel_sp that is not canonical", c->kernel_sp = NON_CANONICAL);
    TRY("fs_base that is not canonical", c->fs_base = NON_CANONICAL);
    TRY("gs_base_kernel that is not canonical",
        c->gs_base_kernel = NON_CANONICAL);
    TRY("gs_base_user that is not canonical", c->gs_base_user = NON_CANONICAL);
    TRY("event callback that is not canonical",
        c->event_callback_eip = NON_CANONICAL);
    TRY("syscall callback that is not canonical",
        c->syscall_callback_eip = NON_CANONICAL);
    TRY("failsafe callback that is not canonical",
        c->failsafe_callback_eip = NON_CANONICAL);
    TRY("first trap's handler that is not canonical",
        c->trap_ctxt[0].address = NON_CANONICAL);
    TRY("last trap's handler that is not canonical",
        c->trap_ctxt[255].address = NON_CANONICAL);
}

static void wrong_tables(void)
{
    static uint64_t data[512] __attribute__((aligned(4096)));
    const uint64_t mfn = page_mfn(data);
    const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base);
    const uint64_t l3 =
        page_mfn((void *)(guest_start_info->pt_base + PAGE_SIZE));

    about("vcpu_op initialise");
    TRY("ldt_base that is not canonical",
        (c->ldt_base = NON_CANONICAL, c->ldt_ents = 1));
    TRY("ldt_base in the hypervisor's room",
        (c->ldt_base = RESERVED, c->ldt_ents = 1));
    TRY("ldt_base that is not canonical, without entries",
        c->ldt_base = NON_CANONICAL);
    TRY("ldt_base that is not aligned",
        (c->ldt_base = 0x400010, c->ldt_ents = 1));
    TRY("an LDT of 8193 entries", (c->ldt_base = 0x400000, c->ldt_ents = 8193));
    TRY("an LDT of 2^32 entries",
        (c->ldt_base = 0x400000, c->ldt_ents = 1ul << 32));
    TRY("a GDT of 7169 entries", (c->gdt_frames[0] = mfn, c->gdt_ents = 7169));
    TRY("a GDT of 2^32 entries",
        (c->gdt_frames[0] = mfn, c->gdt_ents = 1ul << 32));
    TRY("a GDT in frame -1", (c->gdt_frames[0] = ~0ul, c->gdt_ents = 1));
    TRY("a GDT in a frame that is mapped writable",
        (c->gdt_frames[0] = mfn, c->gdt_ents = 1));
    TRY("a GDT in a page table", (c->gdt_frames[0] = l4, c->gdt_ents = 1));
    TRY("a GDT whose second frame is none",
        (c->gdt_frames[0] = mfn, c->gdt_frames[1] = ~0ul, c->gdt_ents = 513));
    TRY("cr3 0", c->ctrlreg[3] = 0);
    TRY("cr3 -1", c->ctrlreg[3] = ~0ul);
    TRY("cr3 that is a page of data", c->ctrlreg[3] = mfn << PAGE_SHIFT);
    TRY("cr3 that is a table of level 3", c->ctrlreg[3] = l3 << PAGE_SHIFT);
    TRY("user mode without tables of its own", c->flags = 0);
}

/* Its kernel's tables may stay in use when the user's are refused. */
static void wrong_user_base(void)
{
    static uint64_t data[512] __attribute__((aligned(4096)));

    about("vcpu_op initialise");
    context.pv.ctrlreg[1] = page_mfn(data) << PAGE_SHIFT;
    say(hypercall_vcpu_op(VCPUOP_initialise, ID(USER_BASE), &context),
        "user tables that are a page of data");
    begin_with_good();
}

/* Not one of them is ever brought up. */
static void odd_contexts(void)
{
    struct vcpu_guest_context *c = &context.pv;

    about("vcpu_op initialise");
    c->kernel_ss = 0;
    c->user_regs.cs = c->user_regs.ss = 0;
    c->user_regs.ds = c->user_regs.es = 0x1234;
    c->user_regs.fs = c->user_regs.gs = 0xffff;
    try_odd(0, "selectors of nothing");
    c->user_regs.rflags = ~0ul;
    c->flags = VGCF_IN_KERNEL | 0xffff0000u;
    c->vm_assist = ~0ul;
    try_odd(1, "all flags");
    memset(c->debugreg, 0xff, sizeof c->debugreg);
    c->ctrlreg[0] = c->ctrlreg[2] = c->ctrlreg[4] = ~0ul;
    try_odd(2, "control and debug registers of ones");
    c->user_regs.rip = RESERVED;
    c->event_callback_eip = c->kernel_sp = RESERVED;
    memset(&c->fpu_ctxt, 0xff, sizeof c->fpu_ctxt);
    c->flags |= VGCF_I387_VALID;
    try_odd(3, "addresses in the hypervisor's room");
}

void try_pv_contexts(void)
{
    wrong_addresses();
    wrong_tables();
    wrong_user_base();
    odd_contexts();
}
