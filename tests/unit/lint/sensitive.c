/* What the linter says of an instruction is what becomes of it here. */
#include <criterion/criterion.h>

#include "host/lint/sensitive.h"
#include "host/pv/bounce.h"
#include "host/pv/emulate.h"
#include "tests/harness/fake_domain.h"

static const struct trap gp = {.vector = 13};

static const struct sample {
    const char *name;
    uint8_t bytes[8];
} samples[] = {
    {"cli", {0xfa}},
    {"sti", {0xfb}},
    {"hlt", {0xf4}},
    {"lgdt", {0x0f, 0x01, 0x17}},
    {"lidt", {0x0f, 0x01, 0x1f}},
    {"lldt", {0x0f, 0x00, 0xd0}},
    {"ltr", {0x0f, 0x00, 0xd8}},
    {"lmsw", {0x0f, 0x01, 0xf0}},
    {"invlpg", {0x0f, 0x01, 0x3f}},
    {"invd", {0x0f, 0x08}},
    {"swapgs", {0x0f, 0x01, 0xf8}},
    {"sysret", {0x48, 0x0f, 0x07}},
    {"sysexit", {0x0f, 0x35}},
    {"sysenter", {0x0f, 0x34}},
    {"rdpmc", {0x0f, 0x33}},
    {"mov to cr8", {0x44, 0x0f, 0x22, 0xc0}},
    {"mov from cr8", {0x44, 0x0f, 0x20, 0xc0}},
    {"vmcall", {0x0f, 0x01, 0xc1}},
    {"vmmcall", {0x0f, 0x01, 0xd9}},
    {"mov to cr0", {0x0f, 0x22, 0xc0}},
    {"mov from cr0", {0x0f, 0x20, 0xc0}},
    {"clts", {0x0f, 0x06}},
    {"mov to cr2", {0x0f, 0x22, 0xd0}},
    {"mov from cr2", {0x0f, 0x20, 0xd0}},
    {"mov to cr3", {0x0f, 0x22, 0xd8}},
    {"mov from cr3", {0x0f, 0x20, 0xd8}},
    {"mov to cr4", {0x0f, 0x22, 0xe0}},
    {"mov from cr4", {0x0f, 0x20, 0xe0}},
    {"mov to dr", {0x0f, 0x23, 0xc0}},
    {"mov from dr", {0x0f, 0x21, 0xc0}},
    {"rdmsr", {0x0f, 0x32}},
    {"wrmsr", {0x0f, 0x30}},
    {"wbinvd", {0x0f, 0x09}},
    {"int", {0xcd, 0x20}},
    {"in", {0xe4, 0x80}},
    {"out", {0xe6, 0x80}},
    {"ins", {0x6c}},
    {"outs", {0x6e}},
};

#define NR_SAMPLES (sizeof samples / sizeof *samples)

static void start(void)
{
    fake_create();
    fake_engine(0, UINT64_C(1) << 40);
}

TestSuite(sensitive, .init = start, .fini = fake_destroy);

/* Registers that an instruction can be content with. */
static void set_registers(const char *name)
{
    struct regs *r = &vcpu->regs;

    *r = (struct regs){.rip = page_va(FREE_PAGE),
                       .rsp = page_va(FREE_PAGE + 1) + 0x800,
                       .rcx = 0xc0000100, /* FS base */
                       .rdx = 0,
                       .rsi = page_va(FREE_PAGE + 1),
                       .rdi = page_va(FREE_PAGE + 1)};
    if (!strcmp(name, "mov to cr0"))
        r->rax = 0x80050033;
    if (!strcmp(name, "mov to cr3"))
        r->rax = page_mfn(L4_PAGE) << PAGE_SHIFT;
    vcpu->iopl = 1;
    vcpu->traps[0x20].address = 0x401000;
    vcpu->traps[0x20].flags = 3;
    if (!strcmp(name, "cli") || !strcmp(name, "sti"))
        vcpu->iopl = 0;
}

Test(sensitive, what_is_called_emulated_is_and_nothing_else)
{
    for (size_t i = 0; i < NR_SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct sensitive_code code;

        cr_assert_eq(sensitive_look(s->bytes, sizeof s->bytes, &code), 0);
        cr_assert_not_null(code.what, "%s", s->name);
        cr_expect_str_eq(code.what->name, s->name);
        memcpy(page(FREE_PAGE), s->bytes, sizeof s->bytes);
        set_registers(s->name);
        cr_expect_eq(emulate(vcpu, &gp), code.what->group == SENSITIVE_EMULATED,
                     "%s", s->name);
    }
}

Test(sensitive, all_that_is_emulated_or_a_fault_is_sampled)
{
    /* These take a CPU that has them, or are #UD everywhere. */
    static const char *const others[] = {
        "invpcid", "monitor",  "mwait",  "clac",   "stac",     "xsaves",
        "xrstors", "vmxon",    "vmxoff", "vmrun",  "vmlaunch", "vmresume",
        "vmload",  "int 0x82", "vmsave", "xsetbv", "stgi",     "clgi"};
    const struct sensitive *what;

    for (size_t i = 0; (what = sensitive_at(i)); i++) {
        bool found = what->group != SENSITIVE_EMULATED &&
                     what->group != SENSITIVE_FAULTS;

        for (size_t j = 0; j < NR_SAMPLES; j++)
            found |= !strcmp(samples[j].name, what->name);
        for (size_t j = 0; j < sizeof others / sizeof *others; j++)
            found |= !strcmp(others[j], what->name);
        cr_expect(found, "%s", what->name);
    }
}

Test(sensitive, texts_have_an_end_and_a_meaning_and_names_stand_once)
{
    const struct sensitive *what;

    for (size_t i = 0; (what = sensitive_at(i)); i++) {
        cr_expect_lt(strnlen(what->name, sizeof what->name), sizeof what->name);
        cr_expect_lt(strnlen(what->happens, sizeof what->happens),
                     sizeof what->happens);
        cr_expect_lt(strnlen(what->instead, sizeof what->instead),
                     sizeof what->instead);
        cr_expect(*what->name && *what->happens && *what->instead, "%zu", i);
        for (size_t j = 0; j < i; j++)
            cr_expect_str_neq(sensitive_at(j)->name, what->name);
    }
}

Test(sensitive, a_cut_instruction_is_none)
{
    static const uint8_t mov_cr3[] = {0x0f, 0x22, 0xd8};
    struct sensitive_code code;

    cr_expect_lt(sensitive_look(mov_cr3, 2, &code), 0);
    cr_expect_lt(sensitive_look(mov_cr3, 0, &code), 0);
    cr_expect_eq(sensitive_look(mov_cr3, 3, &code), 0);
    cr_expect_eq(code.length, 3);
}
