/*
 * Any bytes as an instruction, any registers, after any trap: the emulation
 * ends, and reaches no memory but the guest's.
 *
 * The code lies at the end of the guest's mapped pages or in the middle of
 * them, and addresses are often those of its tables, its M2P table and its
 * stack. Page types stay what a recount says (see fuzz_hypercalls.c): a store
 * to a table is an update.
 */
#include "input.h"

#include "host/pagetable.h"
#include "host/pv/bounce.h"
#include "host/pv/decode.h"
#include "host/pv/emulate.h"
#include "tests/harness/fake_domain.h"

#define M2P UINT64_C(0xffff800000000000)

static uint64_t pick(struct input *in)
{
    const uint8_t kind = input_u8(in);

    switch (kind % 8) {
    case 0:
        return page_va(L1_PAGE) + (input_u16(in) & 0xfff);
    case 1:
        return page_va(FREE_PAGE + kind / 8) + input_u8(in);
    case 2:
        return M2P + (page_mfn(0) + input_u8(in)) * 8 + (kind >> 4);
    case 3:
        return page_mfn(input_u8(in)) << PAGE_SHIFT | (kind >> 3 & 7);
    case 4:
        return page_va(MAPPED_PAGES) - kind / 8;
    case 5:
        return input_u64(in);
    default:
        return kind / 8;
    }
}

/* The whole of a decoded instruction is one that can be. */
static void check_decoding(const uint8_t *code, size_t size)
{
    const struct decode_state state = {.regs = &vcpu->regs};
    struct instruction insn;

    if (decode(&insn, code, size, &state))
        return;
    PROMISE(insn.length >= 1 && insn.length <= size);
    PROMISE(insn.length <= DECODE_MAX_LENGTH);
    for (unsigned i = 0; insn.operation != OP_OTHER && i < 2; i++) {
        const struct operand *o = &insn.operands[i];

        if (o->kind != OPERAND_NONE)
            PROMISE(o->bytes == 1 || o->bytes == 2 || o->bytes == 4 ||
                    o->bytes == 8);
        PROMISE(o->number < 16);
    }
}

/* Tables stay tables: nothing in them names a frame of others. */
static void check_tables(void)
{
    for (size_t i = 0; i < dom->mem.nr_frames; i++) {
        const struct frame *frame = &dom->mem.frames[i];
        const uint64_t *table = page((unsigned)i);

        if (!frame->uses || frame->type != TYPE_L1)
            continue;
        for (unsigned slot = 0; slot < 512; slot++)
            if (table[slot] & PTE_PRESENT)
                PROMISE(memory_has(&dom->mem,
                                   (table[slot] & PTE_MFN_MASK) >> PAGE_SHIFT));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t vectors[] = {13, 14, 6, 14};
    struct input in = {data, size};

    fake_create();
    fake_engine(0, UINT64_C(1) << 47);
    while (input_left(&in)) {
        const uint8_t how = input_u8(&in);
        const bool at_end = how & 4;
        uint8_t code[DECODE_MAX_LENGTH + 1];
        const size_t room = 1 + input_u8(&in) % DECODE_MAX_LENGTH;
        struct trap trap = {.vector = vectors[how & 3], .has_error = true};

        input_take(&in, code, sizeof code);
        for (unsigned i = 0; i < 16; i++)
            *decode_register(&vcpu->regs, i) = pick(&in);
        vcpu->regs.cs = FLAT_KERNEL_CS;
        vcpu->regs.rip =
            at_end ? page_va(MAPPED_PAGES) - room : page_va(FREE_PAGE) + 100;
        vcpu->regs.rflags = input_u16(&in);
        (void)guest_write(vcpu, guest_addr(vcpu->regs.rip), code,
                          at_end ? room : sizeof code);
        trap.error = input_u8(&in) & 15;
        trap.cr2 = pick(&in);
        vcpu->iopl = how >> 3 & 1;
        dom->vm_assist = how >> 4;
        vcpu->traps[13].address = vcpu->traps[14].address = how & 128;
        check_decoding(code, sizeof code);
        emulate(vcpu, &trap);
        dom->end = DOMAIN_RUNS; /* one more of its lives */
    }
    check_tables();
    fake_destroy();
    return 0;
}
