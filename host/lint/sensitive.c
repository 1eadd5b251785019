#include "host/lint/sensitive.h"

#include <errno.h>
#include <string.h>

#include <Zydis/Zydis.h>

/* What of an instruction's operands makes it one of the table. */
enum shape {
    ANY,
    TO_CR,   /* writes control register (number) */
    FROM_CR, /* reads it */
    TO_DR,
    FROM_DR,
    FROM_SEGMENT, /* reads segment register (number) */
    FAR,          /* a branch to another code segment */
    VECTOR,       /* int with this number */
};

/* Segment registers by their numbers in instructions. */
enum { NUMBER_CS = 1, NUMBER_SS = 2 };

#define SEGMENT_SELECTORS "a selector with RPL 3, where ring 0 would have RPL 0"
#define STORE_NOTHING     "remember what Xen was told; there is nothing to store"
#define FLAT_ONLY                                                            \
    "the GDT is Xen's: it stays in ring 3, and faults for any selector but " \
    "FLAT_KERNEL_CS (0xe033) or one of set_gdt with DPL 3"
#define NO_PRIVILEGE     "#GP: nobody carries it out"
#define VIRTUAL_MACHINES "#UD or #GP: virtual machines are not a guest's"

#define MAX_FORMS 3

static const struct rule {
    uint16_t mnemonics[MAX_FORMS]; /* INVALID where there are fewer */
    uint8_t shape, number;
    struct sensitive is;
} rules[] = {
#define RULE(mnemonic, shape, number, name, group, happens, instead) \
    {                                                                \
        {ZYDIS_MNEMONIC_##mnemonic}, shape, number,                  \
        {                                                            \
            name, SENSITIVE_##group, happens, instead                \
        }                                                            \
    }
/* One instruction in forms that Zydis names apart. */
#define FORMS(a, b, c, name, group, happens, instead)                         \
    {                                                                         \
        {ZYDIS_MNEMONIC_##a, ZYDIS_MNEMONIC_##b, ZYDIS_MNEMONIC_##c}, ANY, 0, \
        {                                                                     \
            name, SENSITIVE_##group, happens, instead                         \
        }                                                                     \
    }

#define IF_IGNORED "IF and IOPL keep their values, without a word"
#define IF_SET     "IF reads 1, whatever evtchn_upcall_mask is"
#define MASK_READ  "read vcpu_info's evtchn_upcall_mask"
#define MASK_WRITE                                                     \
    "write vcpu_info's evtchn_upcall_mask; after clearing it look at " \
    "evtchn_upcall_pending"
    FORMS(POPF, POPFD, POPFQ, "popf", SILENT, IF_IGNORED, MASK_WRITE),
    FORMS(PUSHF, PUSHFD, PUSHFQ, "pushf", SILENT, IF_SET, MASK_READ),
    RULE(SGDT, ANY, 0, "sgdt", SILENT, "the host's table, or made-up values",
         STORE_NOTHING),
    RULE(SIDT, ANY, 0, "sidt", SILENT, "the host's table, or made-up values",
         STORE_NOTHING),
    RULE(SLDT, ANY, 0, "sldt", SILENT, "the host's selector, or made-up values",
         STORE_NOTHING),
    RULE(STR, ANY, 0, "str", SILENT, "the host's selector, or made-up values",
         STORE_NOTHING),
    RULE(SMSW, ANY, 0, "smsw", SILENT, "the host's CR0, or made-up values",
         "mov from CR0 is emulated; better remember fpu_taskswitch's TS"),
    RULE(LAR, ANY, 0, "lar", SILENT, "looks into Xen's GDT, at ring 3",
         "do without: your selectors are those given to set_gdt"),
    RULE(LSL, ANY, 0, "lsl", SILENT, "looks into Xen's GDT, at ring 3",
         "do without: your selectors are those given to set_gdt"),
    RULE(VERR, ANY, 0, "verr", SILENT, "looks into Xen's GDT, at ring 3",
         "do without: your selectors are those given to set_gdt"),
    RULE(VERW, ANY, 0, "verw", SILENT, "looks into Xen's GDT, at ring 3",
         "do without: clearing CPU buffers is Xen's business"),
    RULE(MOV, FROM_SEGMENT, NUMBER_CS, "mov from cs", SILENT, SEGMENT_SELECTORS,
         "do not take the ring from RPL: you are the kernel"),
    RULE(MOV, FROM_SEGMENT, NUMBER_SS, "mov from ss", SILENT, SEGMENT_SELECTORS,
         "do not take the ring from RPL: you are the kernel"),
    RULE(CALL, FAR, 0, "call far", SILENT, FLAT_ONLY, "call near"),
    RULE(JMP, FAR, 0, "jmp far", SILENT, FLAT_ONLY, "jump near"),
    RULE(RET, FAR, 0, "ret far", SILENT, FLAT_ONLY, "the hypercall iret"),
#define IRET_STAYS                                                         \
    "it returns within ring 3: evtchn_upcall_mask, user mode and GS base " \
    "stay as they are"
    FORMS(IRET, IRETD, IRETQ, "iret", SILENT, IRET_STAYS, "the hypercall iret"),
    RULE(CPUID, ANY, 0, "cpuid", SILENT,
         "the host's CPU, with features that a PV guest has not",
         "put Xen's prefix before it: ud2; .ascii \"xen\""),

#define IOPL_LATER "#GP, or with IOPL by PHYSDEVOP_set_iopl nothing at all"
    RULE(CLI, ANY, 0, "cli", FAULTS, IOPL_LATER, MASK_WRITE),
    RULE(STI, ANY, 0, "sti", FAULTS, IOPL_LATER, MASK_WRITE),
    RULE(HLT, ANY, 0, "hlt", FAULTS, NO_PRIVILEGE, "SCHEDOP_block"),
    RULE(LGDT, ANY, 0, "lgdt", FAULTS, NO_PRIVILEGE, "the hypercall set_gdt"),
    RULE(LIDT, ANY, 0, "lidt", FAULTS, NO_PRIVILEGE,
         "the hypercall set_trap_table"),
    RULE(LLDT, ANY, 0, "lldt", FAULTS, NO_PRIVILEGE, "MMUEXT_SET_LDT"),
    RULE(LTR, ANY, 0, "ltr", FAULTS, NO_PRIVILEGE,
         "the hypercall stack_switch: there is no TSS"),
    RULE(LMSW, ANY, 0, "lmsw", FAULTS, NO_PRIVILEGE,
         "the hypercall fpu_taskswitch for TS"),
    RULE(INVLPG, ANY, 0, "invlpg", FAULTS, NO_PRIVILEGE,
         "MMUEXT_INVLPG_LOCAL, or UVMF_INVLPG with update_va_mapping"),
    RULE(INVPCID, ANY, 0, "invpcid", FAULTS, NO_PRIVILEGE,
         "MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_INVLPG_LOCAL"),
    RULE(INVD, ANY, 0, "invd", FAULTS, NO_PRIVILEGE, "do without"),
    RULE(SWAPGS, ANY, 0, "swapgs", FAULTS, NO_PRIVILEGE,
         "Xen swaps it between the modes; SEGBASE_GS_USER sets the user's"),
    RULE(SYSRET, ANY, 0, "sysret", FAULTS, NO_PRIVILEGE,
         "the hypercall iret with VGCF_in_syscall"),
    RULE(SYSEXIT, ANY, 0, "sysexit", FAULTS, NO_PRIVILEGE,
         "the hypercall iret"),
    RULE(SYSENTER, ANY, 0, "sysenter", FAULTS,
         "not a hypercall: Xen bounces it back, or #GP",
         "the hypercall page, or SYSCALL"),
    RULE(MONITOR, ANY, 0, "monitor", FAULTS, "#UD", "SCHEDOP_block"),
    RULE(MWAIT, ANY, 0, "mwait", FAULTS, "#UD", "SCHEDOP_block"),
    RULE(CLAC, ANY, 0, "clac", FAULTS, "#UD", "do without: PV has no SMAP"),
    RULE(STAC, ANY, 0, "stac", FAULTS, "#UD", "do without: PV has no SMAP"),
    RULE(RDPMC, ANY, 0, "rdpmc", FAULTS, NO_PRIVILEGE, "do without"),
    FORMS(XSAVES, XSAVES64, INVALID, "xsaves", FAULTS, NO_PRIVILEGE,
          "xsave, xsaveopt"),
    FORMS(XRSTORS, XRSTORS64, INVALID, "xrstors", FAULTS, NO_PRIVILEGE,
          "xrstor"),
    RULE(VMCALL, ANY, 0, "vmcall", FAULTS, "#UD: that is how PVH guests call",
         "the hypercall page, or SYSCALL"),
    RULE(VMMCALL, ANY, 0, "vmmcall", FAULTS, "#UD: that is how PVH guests call",
         "the hypercall page, or SYSCALL"),
    RULE(VMXON, ANY, 0, "vmxon", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMXOFF, ANY, 0, "vmxoff", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMLAUNCH, ANY, 0, "vmlaunch", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMRESUME, ANY, 0, "vmresume", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMRUN, ANY, 0, "vmrun", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMLOAD, ANY, 0, "vmload", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(VMSAVE, ANY, 0, "vmsave", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(STGI, ANY, 0, "stgi", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(CLGI, ANY, 0, "clgi", FAULTS, VIRTUAL_MACHINES, "do without"),
    RULE(MOV, TO_CR, 8, "mov to cr8", FAULTS, NO_PRIVILEGE,
         "there is no task priority: mask single events by evtchn_mask"),
    RULE(MOV, FROM_CR, 8, "mov from cr8", FAULTS, NO_PRIVILEGE,
         "there is no task priority: mask single events by evtchn_mask"),
    RULE(INT, VECTOR, 0x82, "int 0x82", FAULTS,
         "the hypercall of 32-bit kernels: #GP, or your own gate",
         "the hypercall page, or SYSCALL"),

    RULE(MOV, TO_CR, 0, "mov to cr0", EMULATED, "emulated: TS alone may change",
         "the hypercall fpu_taskswitch"),
    RULE(MOV, FROM_CR, 0, "mov from cr0", EMULATED, "emulated",
         "remember what fpu_taskswitch was told"),
    RULE(CLTS, ANY, 0, "clts", EMULATED, "emulated",
         "the hypercall fpu_taskswitch; before #NM's handler Xen does it"),
    RULE(MOV, TO_CR, 2, "mov to cr2", EMULATED, "emulated",
         "write vcpu_info's arch.cr2"),
    RULE(MOV, FROM_CR, 2, "mov from cr2", EMULATED, "emulated",
         "read vcpu_info's arch.cr2"),
    RULE(MOV, TO_CR, 3, "mov to cr3", EMULATED,
         "emulated: the machine address of a valid L4", "MMUEXT_NEW_BASEPTR"),
    RULE(MOV, FROM_CR, 3, "mov from cr3", EMULATED,
         "emulated: a machine address", "remember what MMUEXT_NEW_BASEPTR got"),
    RULE(MOV, TO_CR, 4, "mov to cr4", EMULATED,
         "emulated: TSD, DE and OSXSAVE alone are yours", "do without"),
    RULE(MOV, FROM_CR, 4, "mov from cr4", EMULATED, "emulated", "do without"),
    RULE(MOV, TO_DR, 0, "mov to dr", EMULATED, "emulated",
         "the hypercall set_debugreg"),
    RULE(MOV, FROM_DR, 0, "mov from dr", EMULATED, "emulated",
         "the hypercall get_debugreg"),
    RULE(RDMSR, ANY, 0, "rdmsr", EMULATED,
         "emulated for few registers, else #GP",
         "rdfsbase and rdgsbase for the bases"),
    RULE(WRMSR, ANY, 0, "wrmsr", EMULATED,
         "emulated for few registers, else #GP",
         "the hypercall set_segment_base for the bases; set_callbacks for the "
         "entry of SYSCALL"),
    RULE(XSETBV, ANY, 0, "xsetbv", EMULATED, "emulated", "do without"),
    RULE(WBINVD, ANY, 0, "wbinvd", EMULATED, "emulated: nothing", "do without"),
    RULE(INT, ANY, 0, "int", EMULATED,
         "emulated: the gate of set_trap_table if its DPL allows, else #GP",
         "call the handler"),
#define PORTS                                                              \
    "#GP, or where PHYSDEVOP_set_iopl or set_iobitmap allow it emulated: " \
    "nobody is behind a port"
    RULE(IN, ANY, 0, "in", EMULATED, PORTS, "the split drivers"),
    RULE(OUT, ANY, 0, "out", EMULATED, PORTS, "the split drivers"),
    FORMS(INSB, INSW, INSD, "ins", EMULATED, PORTS, "the split drivers"),
    FORMS(OUTSB, OUTSW, OUTSD, "outs", EMULATED, PORTS, "the split drivers"),
#undef RULE
#undef FORMS
};

static const struct sensitive red_zone = {
    "red zone",
    SENSITIVE_STACK,
    "memory below RSP: events and traps push their frame there",
    "compile with -mno-red-zone; in assembly move RSP first",
};

#define NR_RULES (sizeof rules / sizeof *rules)

/* Is it one of these registers: the one (wanted), or with -1 any? */
static bool names(const ZydisDecodedOperand *operand, ZydisRegister first,
                  ZydisRegister last, int wanted)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    if (operand->reg.value < first || operand->reg.value > last)
        return false;
    return wanted < 0 || (int)(operand->reg.value - first) == wanted;
}

static bool has_shape(const struct rule *rule,
                      const ZydisDecodedInstruction *insn,
                      const ZydisDecodedOperand *operands)
{
    switch ((enum shape)rule->shape) {
    case ANY:
        return true;
    case TO_CR:
        return names(&operands[0], ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR15,
                     rule->number);
    case FROM_CR:
        return names(&operands[1], ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR15,
                     rule->number);
    case TO_DR:
        return names(&operands[0], ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR15, -1);
    case FROM_DR:
        return names(&operands[1], ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR15, -1);
    case FROM_SEGMENT:
        return names(&operands[1], ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS,
                     rule->number);
    case FAR:
        return insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    case VECTOR:
        return operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
               (uint8_t)operands[0].imm.value.u == rule->number;
    }
    return false;
}

/*
 * A full barrier is often written as a locked addition of 0 below the stack's
 * end, which is safe.
 */
static bool adds_nothing(const ZydisDecodedInstruction *insn,
                         const ZydisDecodedOperand *operands)
{
    return insn->attributes & ZYDIS_ATTRIB_HAS_LOCK &&
           insn->operand_count_visible > 1 &&
           operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           operands[1].imm.value.u == 0;
}

static bool is_below_stack(const ZydisDecodedInstruction *insn,
                           const ZydisDecodedOperand *operands)
{
    for (unsigned i = 0; i < insn->operand_count_visible; i++) {
        const ZydisDecodedOperand *o = &operands[i];

        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            o->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
            o->mem.base == ZYDIS_REGISTER_RSP &&
            o->mem.index == ZYDIS_REGISTER_NONE && o->mem.disp.value < 0 &&
            o->mem.disp.value >= -128 && o->actions)
            return !adds_nothing(insn, operands);
    }
    return false;
}

static bool is_form_of(const struct rule *rule, ZydisMnemonic mnemonic)
{
    for (unsigned i = 0; i < MAX_FORMS; i++)
        if (rule->mnemonics[i] == mnemonic)
            return true;
    return false;
}

static const struct sensitive *find_rule(const ZydisDecodedInstruction *insn,
                                         const ZydisDecodedOperand *operands)
{
    for (size_t i = 0; i < NR_RULES; i++)
        if (is_form_of(&rules[i], insn->mnemonic) &&
            has_shape(&rules[i], insn, operands))
            return &rules[i].is;
    return is_below_stack(insn, operands) ? &red_zone : NULL;
}

/* UD2, the word for Xen, CPUID: the paravirtualized form. */
static bool is_forced_cpuid(const uint8_t *bytes, size_t size, uint8_t *length)
{
    static const uint8_t forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

    *length = sizeof forced;
    return size >= sizeof forced && !memcmp(bytes, forced, sizeof forced);
}

int sensitive_look(const uint8_t *bytes, size_t size,
                   struct sensitive_code *code)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction insn;
    ZydisDecoder decoder;

    *code = (struct sensitive_code){0};
    if (is_forced_cpuid(bytes, size, &code->length))
        return 0;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
                     ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes,
                                             size < ZYDIS_MAX_INSTRUCTION_LENGTH
                                                 ? size
                                                 : ZYDIS_MAX_INSTRUCTION_LENGTH,
                                             &insn, operands)))
        return -EILSEQ;
    code->length = insn.length;
    code->hypercall = insn.mnemonic == ZYDIS_MNEMONIC_SYSCALL;
    code->what = find_rule(&insn, operands);
    return 0;
}

const struct sensitive *sensitive_at(size_t index)
{
    if (index == NR_RULES)
        return &red_zone;
    return index < NR_RULES ? &rules[index].is : NULL;
}
