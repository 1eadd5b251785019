/*
 * physdev_op: a domain without devices has its virtual I/O privilege level,
 * and nothing else. (xen/physdev.h)
 */
#include <errno.h>
#include <stdint.h>

#include <xen/physdev.h>

#include "host/calls/calls.h"
#include "host/domain.h"

#define MAX_IOPL  3
#define MAX_PORTS 65536

static long set_iopl(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_set_iopl op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.iopl > MAX_IOPL)
        return -EINVAL;
    vcpu->iopl = op.iopl;
    return 0;
}

static long set_iobitmap(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_set_iobitmap op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.nr_ports > MAX_PORTS)
        return -EINVAL;
    vcpu->iobitmap = (uint64_t)op.bitmap.p;
    vcpu->nr_ioports = op.nr_ports;
    return 0;
}

long call_physdev_op(void *opaque, const uint64_t *args)
{
    switch ((int)args[0]) {
    case PHYSDEVOP_set_iopl:
        return set_iopl(opaque, args[1]);
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(opaque, args[1]);
    case PHYSDEVOP_eoi:
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_unmap_pirq:
        return -EINVAL; /* no such interrupt */
    case PHYSDEVOP_map_pirq:
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
    case PHYSDEVOP_alloc_irq_vector:
    case PHYSDEVOP_setup_gsi:
    case PHYSDEVOP_get_free_pirq:
    case PHYSDEVOP_pci_device_add:
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_pci_mmcfg_reserved:
        return -EPERM;
    default:
        return -ENOSYS;
    }
}
