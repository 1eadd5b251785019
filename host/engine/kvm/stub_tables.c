/*
 * host/engine/kvm/stub_tables.c: what the CPU reads of the stub's pages: gates,
 * descriptors, the TSS; and the code that is one vCPU's own.
 */
#include <assert.h>
#include <string.h>

#include "host/engine/kvm/stub.h"

#define AT(field, offset) \
    static_assert(offsetof(struct stub_path, field) == (offset), #field)
AT(may_bounce, PATH_BOUNCE);
AT(may_iret, PATH_IRET);
AT(may_call, PATH_CALLS);
AT(user_mode, PATH_USER);
AT(rax, PATH_RAX);
AT(rbx, PATH_RBX);
AT(rcx, PATH_RCX);
AT(rdx, PATH_RDX);
AT(r11, PATH_R11);
AT(rsp, PATH_RSP);
AT(from_user, PATH_FROM_USER);
AT(vector, PATH_VECTOR);
AT(trap, PATH_TRAP);
AT(cr2, PATH_CR2);
AT(cr3, PATH_CR3);
AT(gs_base, PATH_GS);
AT(info, PATH_INFO);
AT(kernel_ss, PATH_KERNEL_SS);
AT(kernel_sp, PATH_KERNEL_SP);
AT(callback, PATH_CALLBACK);
AT(callback_masks, PATH_CALLBACK_MASKS);
AT(handlers, PATH_HANDLERS);
AT(masking, PATH_MASKING);
AT(iopl, PATH_IOPL);
AT(iopl_mask, PATH_IOPL_MASK);
AT(guest_cr2, PATH_GUEST_CR2);
AT(count, PATH_COUNT);
AT(new_rax, PATH_NEW_RAX);
AT(new_rcx, PATH_NEW_RCX);
AT(masks, PATH_MASKS);
AT(mask, PATH_MASK);
AT(has_error, PATH_HAS_ERROR);
AT(keep, PATH_KEEP);
AT(rip, PATH_FRAME);
static_assert(offsetof(struct stub_cpu, stack) ==
                  STUB_STACK_PAGE * (size_t)PAGE_SIZE,
              "the code counts from there");
static_assert(offsetof(struct stub_cpu, code) ==
                  STUB_CODE_PAGE * (size_t)PAGE_SIZE,
              "the code counts from there");
static_assert(offsetof(struct stub_cpu, entry) ==
                  STUB_ENTRY_PAGE * (size_t)PAGE_SIZE,
              "the code counts from there");
static_assert(offsetof(struct stub_cpu, code) ==
                  offsetof(struct stub_cpu, entry) + PAGE_SIZE,
              "the entry finds it there");
static_assert(offsetof(struct stub_cpu, path) ==
                  offsetof(struct stub_cpu, code) + PAGE_SIZE,
              "the code finds it there");
static_assert(sizeof(struct stub_path) == PAGE_SIZE, "a page");

/*
 * A present interrupt gate to STUB_CS; ring 3 may use it if (dpl) is 3.
 * Whatever ring it comes from, the frame is on the first stack of the IST: at
 * the entry of SYSCALL, where a breakpoint may hit late, RSP is still the
 * program's.
 */
#define GATE(dpl) (UINT64_C(0x8e01) << 32 | (uint64_t)(dpl) << 45)

#define VECTOR_BP 3
#define VECTOR_OF 4

/* xen/arch-x86/xen-x86_64.h names the selectors; these are what they mean. */
#define DESC_CODE0   UINT64_C(0x00af9b000000ffff)
#define DESC_DATA0   UINT64_C(0x00cf93000000ffff)
#define DESC_CODE3   UINT64_C(0x00affb000000ffff)
#define DESC_CODE32  UINT64_C(0x00cffb000000ffff)
#define DESC_DATA3   UINT64_C(0x00cff3000000ffff)
#define GDT_FIRST    0xe000
#define GDT_INDEX(s) (((s)-GDT_FIRST) / 8)

#define TSS_RSP0   4
#define TSS_IST1   36
#define TSS_IOMAP  102
#define TSS_BITMAP 104

static void fill_gate(uint64_t *idt, unsigned vector, uint64_t va)
{
    const unsigned dpl = vector == VECTOR_BP || vector == VECTOR_OF ? 3 : 0;
    uint64_t *gate = idt + 2 * (size_t)vector;

    gate[0] = (va & 0xffff) | (uint64_t)STUB_CS << 16 | GATE(dpl) |
              (va >> 16 & 0xffff) << 48;
    gate[1] = va >> 32;
}

void stub_fill_idt(uint64_t *idt)
{
    for (unsigned i = 0; i < 256; i++)
        fill_gate(idt, i,
                  stub_code_va(stub_code + i * (size_t)STUB_VECTOR_SIZE));
}

/* Ports beyond the TSS's limit are closed as those are whose bit is set. */
static void fill_tss(struct stub_cpu *own, unsigned id)
{
    const uint64_t rsp0 =
        stub_cpu_va(id) + offsetof(struct stub_cpu, stack) + sizeof own->stack;
    const uint16_t bitmap = TSS_BITMAP;

    memcpy(own->tss + TSS_RSP0, &rsp0, sizeof rsp0);
    memcpy(own->tss + TSS_IST1, &rsp0, sizeof rsp0);
    memcpy(own->tss + TSS_IOMAP, &bitmap, sizeof bitmap);
    memset(own->tss + TSS_BITMAP, 0xff, STUB_TSS_LIMIT + 1 - TSS_BITMAP);
    own->tss[TSS_BITMAP + STUB_PORT / 8] &= (uint8_t) ~(1 << STUB_PORT % 8);
}

static void fill_gdt(struct stub_cpu *own)
{
    own->gdt[GDT_INDEX(STUB_CS)] = DESC_CODE0;
    own->gdt[GDT_INDEX(STUB_SS)] = DESC_DATA0;
    own->gdt[GDT_INDEX(FLAT_RING3_CS32)] = DESC_CODE32;
    own->gdt[GDT_INDEX(FLAT_RING3_SS64)] = DESC_DATA3;
    own->gdt[GDT_INDEX(FLAT_RING3_CS64)] = DESC_CODE3;
}

void stub_fill_cpu(struct stub_cpu *own, unsigned id)
{
    fill_tss(own, id);
    fill_gdt(own);
    memcpy(own->entry, stub_entry, (size_t)(stub_entry_end - stub_entry));
}

void stub_fill_paths(struct stub_cpu *own, unsigned id)
{
    memcpy(own->code, stub_path, (size_t)(stub_path_end - stub_path));
    stub_fill_idt(own->idt);
    for (unsigned i = 0; i < STUB_NR_GATES; i++)
        if (STUB_GATES >> i & 1)
            fill_gate(
                own->idt, i,
                stub_path_va(id, stub_gates + i * (size_t)STUB_GATE_SIZE));
    stub_lead_to(own, stub_entry_path);
}

void stub_lead_to(struct stub_cpu *own, const char *label)
{
    own->entry[1] = (uint8_t)(label - stub_entry - 2); /* behind that jump */
}
