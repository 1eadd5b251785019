/*
 * host/pv/emulate_port.c: IN and OUT and their kin. A domain owns no port:
 * what it may use reads all ones, and writes vanish.
 */
#include <stdint.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/guest_access.h"
#include "host/pv/emulate_private.h"

#define PORT_PIT        0x40 /* 4 of them */
#define PORT_PIT_GATE   0x61
#define PORT_CMOS_INDEX 0x70
#define PORT_PCI_INDEX  0xcf8

/*
 * The kernel counts as ring 1, or as ring 0 if it asked for the architecture's
 * own rules: then a level of 0 is enough. Its user programs are ring 3.
 */
bool emulate_has_iopl(const struct vcpu *vcpu)
{
    const bool architectural =
        vcpu->domain->vm_assist >> VMASST_TYPE_architectural_iopl & 1;

    if (vcpu->user_mode)
        return vcpu->iopl == 3;
    return architectural || vcpu->iopl >= 1;
}

/* The permission bits from (port) on; what cannot be read is not allowed. */
static uint16_t bitmap_at(struct vcpu *vcpu, uint16_t port)
{
    const uint64_t from = vcpu->iobitmap + port / 8;
    uint8_t bits[2] = {0xff, 0xff};

    for (unsigned i = 0; i < sizeof bits; i++)
        if (guest_read(vcpu, guest_addr(from + i), &bits[i], 1))
            bits[i] = 0xff;
    return (uint16_t)(bits[0] | bits[1] << 8);
}

static bool may_use(struct vcpu *vcpu, uint16_t port, unsigned bytes)
{
    const unsigned mask = ((1u << bytes) - 1) << port % 8;

    if (emulate_has_iopl(vcpu))
        return true;
    return vcpu->iobitmap && port + bytes <= vcpu->nr_ioports &&
           !(bitmap_at(vcpu, port) & mask);
}

/*
 * A timer that never ends and a speaker that is off: kernels that calibrate
 * with them give up at once, while all ones would keep them for seconds.
 */
static bool is_timer(unsigned port)
{
    return (port >= PORT_PIT && port < PORT_PIT + 4) || port == PORT_PIT_GATE;
}

static uint32_t read_port(const struct domain *dom, uint16_t port,
                          unsigned bytes)
{
    uint32_t value = 0;

    if (port == PORT_PCI_INDEX && bytes == 4)
        return dom->pci_index;
    for (unsigned i = 0; i < bytes; i++) {
        uint32_t byte = 0xff;

        if (is_timer(port + i))
            byte = 0;
        else if (port + i == PORT_CMOS_INDEX)
            byte = dom->cmos_index;
        value |= byte << 8 * i;
    }
    return value;
}

/* Only what is read back is kept. */
static void write_port(struct domain *dom, uint16_t port, unsigned bytes,
                       uint32_t value)
{
    if (port == PORT_PCI_INDEX && bytes == 4)
        dom->pci_index = value;
    else if (port <= PORT_CMOS_INDEX && port + bytes > PORT_CMOS_INDEX)
        dom->cmos_index = (uint8_t)(value >> 8 * (PORT_CMOS_INDEX - port));
}

/* Where a string instruction's next element could not be had. */
struct miss {
    uint64_t va;
    uint32_t error;
};

static bool ins(struct emulation *e, void *opaque)
{
    struct vcpu *vcpu = e->vcpu;
    const struct operand *to = &e->insn.operands[0];
    struct miss *miss = opaque;
    const uint32_t value =
        read_port(vcpu->domain, (uint16_t)vcpu->regs.rdx, to->bytes);

    if (guest_write(vcpu, guest_addr(to->value), &value, to->bytes) == 0)
        return true;
    *miss = (struct miss){to->value, PF_WRITE};
    return false;
}

static bool outs(struct emulation *e, void *opaque)
{
    struct vcpu *vcpu = e->vcpu;
    const struct operand *from = &e->insn.operands[1];
    struct miss *miss = opaque;
    uint32_t value = 0;

    if (guest_read(vcpu, guest_addr(from->value), &value, from->bytes)) {
        *miss = (struct miss){from->value, 0};
        return false;
    }
    write_port(vcpu->domain, (uint16_t)vcpu->regs.rdx, from->bytes, value);
    return true;
}

static enum emulated string(struct emulation *e, emulate_round round)
{
    struct miss miss;
    enum emulated how;

    if (emulate_string(e, round, &miss, &how))
        return how;
    return emulate_page_fault(e->vcpu, miss.va, miss.error);
}

enum emulated emulate_port(struct emulation *e)
{
    struct vcpu *vcpu = e->vcpu;
    const struct operand *operands = e->insn.operands;
    uint16_t port = (uint16_t)vcpu->regs.rdx;
    unsigned bytes;

    switch (e->insn.operation) {
    case OP_IN:
        port = (uint16_t)emulate_get(e, &operands[1]);
        bytes = operands[0].bytes;
        if (!may_use(vcpu, port, bytes))
            return EMULATED_NOT;
        emulate_set(e, &operands[0], read_port(vcpu->domain, port, bytes));
        return EMULATED_DONE;
    case OP_OUT:
        port = (uint16_t)emulate_get(e, &operands[0]);
        bytes = operands[1].bytes;
        if (!may_use(vcpu, port, bytes))
            return EMULATED_NOT;
        write_port(vcpu->domain, port, bytes,
                   (uint32_t)emulate_get(e, &operands[1]));
        return EMULATED_DONE;
    case OP_INS:
        return may_use(vcpu, port, operands[0].bytes) ? string(e, ins)
                                                      : EMULATED_NOT;
    case OP_OUTS:
        return may_use(vcpu, port, operands[1].bytes) ? string(e, outs)
                                                      : EMULATED_NOT;
    default:
        return EMULATED_NOT;
    }
}
