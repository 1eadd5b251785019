/* Instructions as the assembler makes them, and what is made of any bytes. */
#include <criterion/criterion.h>

#include <errno.h>

#include "host/pv/decode.h"

#define RIP UINT64_C(0x401000)

static struct regs regs;
static struct instruction insn;

static void start(void)
{
    for (unsigned i = 0; i < 16; i++)
        *decode_register(&regs, i) = UINT64_C(0x1000000000) * (i + 1);
    regs.rip = RIP;
}

TestSuite(decode, .init = start);

static int take(const char *code, const char *end)
{
    const struct decode_state state = {
        .regs = &regs, .fs_base = 0xf5000, .gs_base = 0x65000};

    return decode(&insn, (const uint8_t *)code, (size_t)(end - code), &state);
}

/* One instruction from the real assembler, between two labels. */
#define assembled(name, code)                                    \
    extern const char(name)[];                                   \
    extern const char name##_end[];                              \
    __asm__(".pushsection .rodata\n" #name ":\n" code "\n" #name \
            "_end:\n.popsection")
#define expect_insn(name, op)                                        \
    do {                                                             \
        cr_assert_eq(take((name), name##_end), 0, #name);            \
        cr_expect_eq(insn.operation, op, #name);                     \
        cr_expect_eq(insn.length, name##_end - (name), "%s", #name); \
    } while (0)

assembled(sib, "movq %r12, 0x10(%r13,%r14,8)");
assembled(relative, "movl 0x100(%rip), %r9d");
assembled(by_fs, "movzbl %fs:0x8(%rax), %ecx");
assembled(by_gs, "movswq %gs:(%rbx), %r15");
assembled(narrow, "movl (%esi), %eax");
assembled(high, "movb 1(%rcx), %ch");
assembled(low, "movb (%rcx), %bpl");
assembled(moffs, "movabsq 0xffff800000001000, %rax");

Test(decode, addresses_are_computed)
{
    expect_insn(sib, OP_MOV);
    cr_expect_eq(insn.operands[0].kind, OPERAND_MEMORY);
    cr_expect_eq(insn.operands[0].bytes, 8);
    cr_expect_eq(insn.operands[0].value, regs.r13 + regs.r14 * 8 + 0x10);
    cr_expect_eq(insn.operands[1].kind, OPERAND_REGISTER);
    cr_expect_eq(insn.operands[1].number, 12);
    expect_insn(relative, OP_MOV);
    cr_expect_eq(insn.operands[1].value, RIP + insn.length + 0x100);
    cr_expect_eq(insn.operands[0].number, 9);
    cr_expect_eq(insn.operands[0].bytes, 4);
    expect_insn(by_fs, OP_MOVZX);
    cr_expect_eq(insn.operands[1].value, 0xf5000 + regs.rax + 8);
    cr_expect_eq(insn.operands[1].bytes, 1);
    expect_insn(by_gs, OP_MOVSX);
    cr_expect_eq(insn.operands[1].value, 0x65000 + regs.rbx);
    regs.rsi = UINT64_C(0x123456789abc);
    expect_insn(narrow, OP_MOV);
    cr_expect_eq(insn.operands[1].value, 0x56789abc);
    cr_expect_eq(insn.address_bytes, 4);
    expect_insn(high, OP_MOV);
    cr_expect_eq(insn.operands[0].kind, OPERAND_HIGH_BYTE);
    cr_expect_eq(insn.operands[0].number, 1);
    expect_insn(low, OP_MOV);
    cr_expect_eq(insn.operands[0].kind, OPERAND_REGISTER);
    cr_expect_eq(insn.operands[0].number, 5);
    expect_insn(moffs, OP_MOV);
    cr_expect_eq(insn.operands[1].value, UINT64_C(0xffff800000001000));
}

assembled(cr, "mov %r8, %cr3");
assembled(from_cr, "mov %cr4, %rdx");
assembled(dr, "mov %dr7, %rdi");
assembled(to_dr, "mov %rdi, %dr1");
assembled(to_ss, "mov %ecx, %ss");
assembled(to_ds, "movw (%rdx), %ds");
assembled(from_ds, "mov %ds, %eax");
assembled(pop_gs, "popq %gs");

Test(decode, mov_is_many)
{
    expect_insn(cr, OP_WRITE_CR);
    cr_expect_eq(insn.operands[0].number, 3);
    cr_expect_eq(insn.operands[1].number, 8);
    expect_insn(from_cr, OP_READ_CR);
    cr_expect_eq(insn.operands[0].number, 2);
    cr_expect_eq(insn.operands[1].number, 4);
    expect_insn(dr, OP_READ_DR);
    cr_expect_eq(insn.operands[1].number, 7);
    expect_insn(to_dr, OP_WRITE_DR);
    cr_expect_eq(insn.operands[0].number, 1);
    expect_insn(to_ss, OP_LOAD_SEGMENT);
    cr_expect_eq(insn.operands[0].number, SEGMENT_SS);
    expect_insn(to_ds, OP_LOAD_SEGMENT);
    cr_expect_eq(insn.operands[0].number, SEGMENT_DS);
    cr_expect_eq(insn.operands[1].value, regs.rdx);
    expect_insn(from_ds, OP_OTHER);
    expect_insn(pop_gs, OP_POP_SEGMENT);
    cr_expect_eq(insn.operands[0].number, SEGMENT_GS);
    cr_expect_eq(insn.operands[1].value, regs.rsp);
    cr_expect_eq(insn.operands[1].bytes, 8);
}

assembled(in_imm, "in $0xf0, %eax");
assembled(in_dx, "in %dx, %al");
assembled(out_imm, "out %ax, $0x61");
assembled(rep_ins, "rep insl");
assembled(outs, "outsb %gs:(%rsi), %dx");
assembled(movs, "rep movsq");
assembled(stos, "rep stosl");
assembled(lods, "lodsb");
assembled(vector_movsd, "movsd (%rax), %xmm0");

Test(decode, ports_and_strings)
{
    expect_insn(in_imm, OP_IN);
    cr_expect_eq(insn.operands[0].bytes, 4);
    cr_expect_eq(insn.operands[1].value, 0xf0);
    expect_insn(in_dx, OP_IN);
    cr_expect_eq(insn.operands[1].number, 2);
    expect_insn(out_imm, OP_OUT);
    cr_expect_eq(insn.operands[0].value, 0x61);
    cr_expect_eq(insn.operands[1].bytes, 2);
    expect_insn(rep_ins, OP_INS);
    cr_expect(insn.repeated);
    cr_expect_eq(insn.operands[0].value, regs.rdi);
    cr_expect_eq(insn.operands[0].bytes, 4);
    expect_insn(outs, OP_OUTS);
    cr_expect_not(insn.repeated);
    cr_expect_eq(insn.operands[1].value, 0x65000 + regs.rsi);
    cr_expect_eq(insn.operands[1].bytes, 1);
    expect_insn(movs, OP_MOVS);
    cr_expect(insn.repeated);
    cr_expect_eq(insn.operands[0].value, regs.rdi);
    cr_expect_eq(insn.operands[1].value, regs.rsi);
    expect_insn(stos, OP_STOS);
    cr_expect_eq(insn.operands[0].value, regs.rdi);
    cr_expect_eq(insn.operands[1].number, 0);
    expect_insn(lods, OP_LODS);
    cr_expect_eq(insn.operands[1].value, regs.rsi);
    expect_insn(vector_movsd, OP_OTHER);
}

assembled(bit_near, "lock btsq $65, (%rax)");
assembled(bit_far, "btrq %rbx, (%rax)");
assembled(sign_extended, "addq $-2, (%rax)");
assembled(conditional, "cmovne (%rax), %rdx");
assembled(exchange, "xchg %rcx, (%rax)");
assembled(far_return, "lretq $16");
assembled(near_return, "ret");
assembled(vector_load, "movdqu (%rax), %xmm1");

Test(decode, the_details_that_matter)
{
    expect_insn(bit_near, OP_BTS);
    cr_expect_eq(insn.operands[0].value, regs.rax);
    regs.rbx = (uint64_t)-1;
    expect_insn(bit_far, OP_BTR);
    cr_expect_eq(insn.operands[0].value, regs.rax - 8,
                 "bit numbers reach backwards");
    expect_insn(sign_extended, OP_ADD);
    cr_expect_eq(insn.operands[1].value, (uint64_t)-2);
    cr_expect_eq(insn.operands[1].bytes, 8);
    expect_insn(conditional, OP_CMOV);
    cr_expect_eq(insn.condition, 5);
    expect_insn(exchange, OP_XCHG);
    expect_insn(far_return, OP_LRETQ);
    cr_expect_eq(insn.operands[0].value, 16);
    expect_insn(near_return, OP_OTHER);
    expect_insn(vector_load, OP_OTHER);
}

Test(decode, what_is_cut_short_or_none_is_told_apart)
{
    static const char bad[] = "\x0f\xff"; /* ud0 without its operand */
    static const char cut[] = "\x4c\x89\x84\x24\x10\x00\x00"; /* a byte short */
    static const char locked[] = "\xf0\x90\x90";              /* lock nop */
    static const char prefixes[] =
        "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90";

    cr_expect_eq(take(cut, cut + 7), -ENODATA);
    cr_expect_eq(take(cut, cut), -ENODATA, "no byte at all");
    cr_expect_eq(take(bad, bad + 2), -ENODATA);
    cr_expect_eq(take(locked, locked + 3), -EILSEQ);
    cr_expect_eq(take(prefixes, prefixes + 15), -EILSEQ, "too long");
    cr_expect_eq(take(prefixes, prefixes + 16), -EILSEQ);
}
