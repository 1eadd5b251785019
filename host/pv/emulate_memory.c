/*
 * host/pv/emulate_memory.c: two kinds of memory that are not what they seem.
 *
 * The M2P table lies at a fixed address in the hypervisor's part of every
 * address space. Kernels that read it there without asking meet a page fault
 * where the engine cannot show it, and the load is carried out from that.
 *
 * Page tables in use are mapped read-only. With the writable_pagetables assist
 * a store to an L1 is carried out as the update it means, checked like one; one
 * that would be refused is the guest's page fault, and so is every other.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/guest_access.h"
#include "host/log.h"
#include "host/pagetable.h"
#include "host/pv/alu.h"
#include "host/pv/emulate_private.h"

#define M2P_START HYPERVISOR_VIRT_START
#define SLOT_SIZE (UINT64_C(1) << 39)

#define RFLAGS_ZF 0x40u

/* One instruction with memory operands, and why it does not get on. */
struct access {
    uint64_t table_va;  /* of the page table that may be written, or 0 */
    maddr_t table_addr; /* the same place as a machine address */
    uint64_t missed;    /* the first byte that could not be had */
    uint32_t error;     /* of the page fault that follows */
};

bool emulate_in_m2p_slot(uint64_t va)
{
    return va - M2P_START < SLOT_SIZE;
}

/* Does [(va), +(bytes)) lie in the table as far as it goes? */
static bool in_m2p(const struct vcpu *vcpu, uint64_t va, size_t bytes)
{
    const size_t size = vcpu->domain->mem.m2p_size;

    return emulate_in_m2p_slot(va) && va - M2P_START <= size - bytes;
}

void emulate_m2p_fault(struct vcpu *vcpu, const struct trap *trap)
{
    uint32_t error = trap->error & (PF_WRITE | PF_FETCH);
    static bool said;

    if (in_m2p(vcpu, trap->cr2, 1)) {
        error |= PF_PRESENT;
        if (!said && error == PF_PRESENT)
            log_warning("the guest reads the M2P table at 0x%lx by an "
                        "instruction that is not emulated (code at 0x%lx): "
                        "have it ask XENMEM_machphys_mapping for the address",
                        trap->cr2, vcpu->regs.rip);
        said = true;
    }
    emulate_page_fault(vcpu, trap->cr2, error);
}

/* Can the guest do this to the page of (va)? If not, it faults. */
static bool reach(struct vcpu *vcpu, uint64_t va, bool write,
                  struct access *access)
{
    struct walk walk;

    guest_walk(&vcpu->domain->mem, vcpu_root(vcpu), va, &walk);
    if (walk.present && (!write || walk.writable))
        return true;
    access->missed = va;
    access->error = (walk.present ? PF_PRESENT : 0) | (write ? PF_WRITE : 0);
    return false;
}

static bool reach_all(struct vcpu *vcpu, uint64_t va, unsigned bytes,
                      bool write, struct access *access)
{
    const uint64_t last = va + bytes - 1;

    return reach(vcpu, va, write, access) &&
           (va / PAGE_SIZE == last / PAGE_SIZE ||
            reach(vcpu, last & ~(uint64_t)(PAGE_SIZE - 1), write, access));
}

/* 0 or -EFAULT with the reason in (access). */
static int load(struct vcpu *vcpu, uint64_t va, unsigned bytes, uint64_t *value,
                struct access *access)
{
    const struct memory *mem = &vcpu->domain->mem;

    *value = 0;
    if (in_m2p(vcpu, va, bytes)) {
        memcpy(value,
               (const uint8_t *)(mem->m2p - mem->first_mfn) + (va - M2P_START),
               bytes);
        return 0;
    }
    if (!reach_all(vcpu, va, bytes, false, access))
        return -EFAULT;
    return guest_read(vcpu, guest_addr(va), value, bytes);
}

/* (bytes) of the entry that they are in, the rest as it was. */
static int store_entry(struct vcpu *vcpu, uint64_t va, unsigned bytes,
                       uint64_t value, const struct access *access)
{
    const unsigned shift = va % sizeof(uint64_t) * 8;
    const uint64_t mask = decode_cut(UINT64_MAX, bytes) << shift;
    const maddr_t entry =
        access->table_addr + (va % PAGE_SIZE & ~(sizeof(uint64_t) - 1));
    const uint64_t *table =
        memory_frame(&vcpu->domain->mem, entry >> PAGE_SHIFT);
    uint64_t whole;

    if (va % bytes || !table)
        return -EINVAL;
    whole = __atomic_load_n(&table[entry % PAGE_SIZE / sizeof *table],
                            __ATOMIC_RELAXED);
    whole = (whole & ~mask) | (value << shift & mask);
    return pagetable_write(vcpu, entry, whole, false);
}

static int store(struct vcpu *vcpu, uint64_t va, unsigned bytes, uint64_t value,
                 struct access *access)
{
    if (access->table_va && va / PAGE_SIZE == access->table_va / PAGE_SIZE) {
        if (store_entry(vcpu, va, bytes, value, access) == 0)
            return 0;
        access->missed = va;
        access->error = PF_PRESENT | PF_WRITE;
        return -EFAULT;
    }
    if (!reach_all(vcpu, va, bytes, true, access))
        return -EFAULT;
    return guest_write(vcpu, guest_addr(va), &value, bytes);
}

static int get(struct emulation *e, const struct operand *operand,
               uint64_t *value, struct access *access)
{
    if (operand->kind == OPERAND_MEMORY)
        return load(e->vcpu, operand->value, operand->bytes, value, access);
    *value = emulate_get(e, operand);
    return 0;
}

static int set(struct emulation *e, const struct operand *operand,
               uint64_t value, struct access *access)
{
    if (operand->kind == OPERAND_MEMORY)
        return store(e->vcpu, operand->value, operand->bytes, value, access);
    emulate_set(e, operand, value);
    return 0;
}

/* Operand 0 from operand 1, by way of (change). */
static int move(struct emulation *e, struct access *access)
{
    const struct operand *operands = e->insn.operands;
    uint64_t value;
    int rc = get(e, &operands[1], &value, access);

    if (rc)
        return rc;
    if (e->insn.operation == OP_MOVSX)
        value = decode_extend(value, operands[1].bytes);
    if (e->insn.operation == OP_CMOV &&
        !alu_condition(e->insn.condition, e->vcpu->regs.rflags))
        value = emulate_get(e, &operands[0]); /* 32 bits clear the upper half */
    return set(e, &operands[0], value, access);
}

static int push(struct emulation *e, struct access *access)
{
    struct regs *r = &e->vcpu->regs;
    const struct operand *from = &e->insn.operands[0];
    uint64_t value;
    int rc = get(e, from, &value, access);

    if (rc == 0)
        rc = store(e->vcpu, r->rsp - from->bytes, from->bytes, value, access);
    if (rc == 0)
        r->rsp -= from->bytes;
    return rc;
}

/* Operand 0 changed by operand 1; flags follow when that worked. */
static int compute(struct emulation *e, struct access *access)
{
    const struct operand *operands = e->insn.operands;
    const enum operation operation = e->insn.operation;
    uint64_t flags = e->vcpu->regs.rflags, a, b, result;
    int rc = get(e, &operands[0], &a, access);

    if (rc == 0)
        rc = get(e, &operands[1], &b, access);
    if (rc)
        return rc;
    result = alu(operation, operands[0].bytes, a, b, &flags);
    if (operation != OP_CMP && operation != OP_TEST && operation != OP_BT)
        rc = set(e, &operands[0], result, access);
    if (rc == 0)
        e->vcpu->regs.rflags = flags;
    return rc;
}

/* XCHG and XADD: operand 1 becomes what operand 0 was. */
static int exchange(struct emulation *e, struct access *access)
{
    const struct operand *to = &e->insn.operands[0];
    const struct operand *from = &e->insn.operands[1];
    uint64_t flags = e->vcpu->regs.rflags, a, b;
    int rc;

    if (to->kind != OPERAND_MEMORY) { /* XCHG is written either way round */
        to = &e->insn.operands[1];
        from = &e->insn.operands[0];
    }
    rc = get(e, to, &a, access);
    if (rc)
        return rc;
    b = emulate_get(e, from);
    if (e->insn.operation == OP_XADD)
        b = alu(OP_XADD, to->bytes, a, b, &flags);
    rc = set(e, to, b, access);
    if (rc)
        return rc;
    emulate_set(e, from, a);
    e->vcpu->regs.rflags = flags;
    return 0;
}

static int compare_exchange(struct emulation *e, struct access *access)
{
    const struct operand *to = &e->insn.operands[0];
    const struct operand accumulator = {.kind = OPERAND_REGISTER,
                                        .bytes = to->bytes};
    uint64_t flags = e->vcpu->regs.rflags, now;
    int rc = get(e, to, &now, access);

    if (rc)
        return rc;
    alu(OP_CMP, to->bytes, emulate_get(e, &accumulator), now, &flags);
    if (flags & RFLAGS_ZF)
        rc = set(e, to, emulate_get(e, &e->insn.operands[1]), access);
    else
        emulate_set(e, &accumulator, now);
    if (rc == 0)
        e->vcpu->regs.rflags = flags;
    return rc;
}

/* The old value in EDX:EAX, the new one in ECX:EBX; only ZF changes. */
static int compare_exchange_8b(struct emulation *e, struct access *access)
{
    struct regs *r = &e->vcpu->regs;
    const struct operand *to = &e->insn.operands[0];
    const uint64_t old = r->rdx << 32 | (uint32_t)r->rax;
    uint64_t now;
    int rc = get(e, to, &now, access);

    if (rc)
        return rc;
    if (now != old) {
        r->rax = (uint32_t)now;
        r->rdx = now >> 32;
        r->rflags &= ~(uint64_t)RFLAGS_ZF;
        return 0;
    }
    rc = set(e, to, r->rcx << 32 | (uint32_t)r->rbx, access);
    if (rc == 0)
        r->rflags |= RFLAGS_ZF;
    return rc;
}

static bool string_round(struct emulation *e, void *opaque)
{
    return move(e, opaque) == 0;
}

/* Carry out the instruction at hand: 0 or -EFAULT as load and store say. */
static int carry_out(struct emulation *e, struct access *access,
                     enum emulated *how)
{
    *how = EMULATED_DONE;
    switch (e->insn.operation) {
    case OP_MOV:
    case OP_MOVSX:
    case OP_MOVZX:
    case OP_CMOV:
        return move(e, access);
    case OP_PUSH:
        return push(e, access);
    case OP_LODS:
    case OP_MOVS:
    case OP_STOS:
        return emulate_string(e, string_round, access, how) ? 0 : -EFAULT;
    case OP_XADD:
    case OP_XCHG:
        return exchange(e, access);
    case OP_CMPXCHG:
        return compare_exchange(e, access);
    case OP_CMPXCHG8B:
        return compare_exchange_8b(e, access);
    default:
        break;
    }
    if (e->insn.operation < OP_ADC) {
        *how = EMULATED_NOT;
        return 0;
    }
    return compute(e, access);
}

/*
 * The L1 table that (trap) is a store to, if the guest may set entries that
 * way; else INVALID_MFN.
 */
static mfn_t table_at(const struct vcpu *vcpu, const struct trap *trap)
{
    const uint32_t denied = PF_WRITE | PF_PRESENT;
    const struct domain *dom = vcpu->domain;
    const struct frame *frame;
    struct walk walk;

    if (vcpu->user_mode || (trap->error & denied) != denied ||
        !(dom->vm_assist >> VMASST_TYPE_writable_pagetables & 1))
        return INVALID_MFN;
    guest_walk(&dom->mem, vcpu->cr3, trap->cr2, &walk);
    if (!walk.present || (walk.pte & PTE_RW))
        return INVALID_MFN;
    frame = memory_record(&dom->mem, walk.mfn);
    return frame && frame->type == TYPE_L1 && frame->uses ? walk.mfn
                                                          : INVALID_MFN;
}

bool emulate_wants_fault(const struct vcpu *vcpu, const struct trap *trap)
{
    return !(trap->error & PF_FETCH) &&
           (in_m2p(vcpu, trap->cr2, 1) || table_at(vcpu, trap) != INVALID_MFN);
}

enum emulated emulate_memory(struct emulation *e)
{
    const mfn_t table = table_at(e->vcpu, e->trap);
    struct access access = {0};
    enum emulated how;

    if (table != INVALID_MFN) {
        access.table_va = e->trap->cr2;
        access.table_addr = table << PAGE_SHIFT;
    }
    if (carry_out(e, &access, &how) == 0)
        return how;
    if (emulate_in_m2p_slot(access.missed))
        return EMULATED_NOT;
    return emulate_page_fault(e->vcpu, access.missed, access.error);
}
