/* Contexts of PVH guests. */
#include "cases.h"

#include "vcpu_contexts.h"

#define CR0_PG   0x80000000u
#define CR0_PE   1u
#define CR4_PAE  0x20u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u
#define AR_CODE  0xc9b
#define AR_DATA  0xc93
#define AR_TSS   0x08b

static uint64_t read_cr3(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

void make_good_pvh(void (*entry)(void), void *stack_top)
{
    good.hvm = (struct vcpu_hvm_context){
        .mode = VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 = {.rip = (uintptr_t)entry,
                            .rsp = (uintptr_t)stack_top,
                            .rflags = 2,
                            .cr0 = 0x80010033,
                            .cr3 = read_cr3(),
                            .cr4 = 0x620,
                            .efer = 0x501},
    };
}

#define TRY_64(what, change)                                      \
    do {                                                          \
        struct vcpu_hvm_x86_64 *r = &context.hvm.cpu_regs.x86_64; \
        change;                                                   \
        try_it(what);                                             \
    } while (0)

static void wrong_in_long_mode(void)
{
    about("vcpu_op initialise");
    context.hvm.pad = 1;
    try_it("padding that is not zero");
    context.hvm.mode = 2;
    try_it("mode 2");
    context.hvm.mode = UINT32_MAX;
    try_it("mode -1");
    about("vcpu_op initialise for 64 bits:");
    TRY_64("rip that is not canonical", r->rip = NON_CANONICAL);
    TRY_64("no paging", r->cr0 &= ~(uint64_t)CR0_PG);
    TRY_64("no PAE", r->cr4 &= ~(uint64_t)CR4_PAE);
    TRY_64("no LME", r->efer &= ~(uint64_t)EFER_LME);
    TRY_64("all of CR4", r->cr4 = ~0ul);
    TRY_64("all of EFER", r->efer = ~0ul);
}

#define TRY_32(what, change)                                      \
    do {                                                          \
        struct vcpu_hvm_x86_32 *r = &context.hvm.cpu_regs.x86_32; \
        begin_32();                                               \
        change;                                                   \
        try_it(what);                                             \
    } while (0)

static void begin_32(void)
{
    context.hvm = (struct vcpu_hvm_context){
        .mode = VCPU_HVM_MODE_32B,
        .cpu_regs.x86_32 = {.eip = 0x100000,
                            .cr0 = CR0_PE,
                            .cs_limit = UINT32_MAX,
                            .ds_limit = UINT32_MAX,
                            .ss_limit = UINT32_MAX,
                            .es_limit = UINT32_MAX,
                            .tr_limit = 0x67,
                            .cs_ar = AR_CODE,
                            .ds_ar = AR_DATA,
                            .ss_ar = AR_DATA,
                            .es_ar = AR_DATA,
                            .tr_ar = AR_TSS},
    };
}

static void wrong_in_protected_mode(void)
{
    about("vcpu_op initialise for 32 bits:");
    TRY_32("padding that is not zero", r->pad1 = 1);
    TRY_32("more padding that is not zero", r->pad2[2] = 1);
    TRY_32("eip beyond the code", (r->cs_limit = 0x10, r->eip = 0x20000));
    TRY_32("code that is data", r->cs_ar = AR_DATA);
    TRY_32("code that is not present", r->cs_ar = AR_CODE & ~0x80u);
    TRY_32("no code", r->cs_ar = 0);
    TRY_32("a stack that is code", r->ss_ar = AR_CODE);
    TRY_32("a stack that is read-only", r->ss_ar = AR_DATA & ~2u);
    TRY_32("no stack", r->ss_ar = 0);
    TRY_32("a stack of ring 3", r->ss_ar = AR_DATA | 0x60);
    TRY_32("data of ring 3", r->ds_ar = AR_DATA | 0x60);
    TRY_32("data that is code which cannot be read", r->es_ar = AR_CODE & ~2u);
    TRY_32("a TSS that is data", r->tr_ar = AR_DATA);
    TRY_32("no TSS", r->tr_ar = 0);
    TRY_32("attributes with bits of nothing", r->ds_ar = 0xf000 | AR_DATA);
    TRY_32("LMA without LME", r->efer = EFER_LMA);
    TRY_32("all of CR4", r->cr4 = UINT32_MAX);
    TRY_32("all of EFER", r->efer = ~0ul);
}

static void try_odd_hvm(void)
{
    about("vcpu_op initialise for 32 bits:");
    begin_32();
    context.hvm.cpu_regs.x86_32.ds_ar = 0;
    context.hvm.cpu_regs.x86_32.es_ar = 0;
    try_odd(0, "no data segments");
    begin_32();
    context.hvm.cpu_regs.x86_32.cr0 = 0;
    try_odd(1, "real mode");
    about("vcpu_op initialise for 64 bits:");
    context.hvm.cpu_regs.x86_64.rflags = ~0ul;
    context.hvm.cpu_regs.x86_64.cr3 = ~0ul;
    context.hvm.cpu_regs.x86_64.rsp = NON_CANONICAL;
    try_odd(2, "registers of ones");
    context.hvm.cpu_regs.x86_64.cr0 = CR0_PG;
    try_odd(3, "paging without protection");
}

void try_pvh_contexts(void)
{
    wrong_in_long_mode();
    wrong_in_protected_mode();
    try_odd_hvm();
}
