/*
 * physdev_op: a domain without devices has its virtual I/O privilege level,
 * and nothing else: the rest is refused as Xen refuses it. (xen/physdev.h)
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/physdev.h>

#include "host/calls/calls.h"
#include "host/domain.h"

#define MAX_IOPL  3
#define MAX_PORTS 65536

/* A toolstack leaves room for some; none is wired. */
#define NR_PIRQS 48

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
    if (op.nr_ports > MAX_PORTS ||
        !guest_may_hold(vcpu, guest_addr((uint64_t)op.bitmap.p)))
        return -EINVAL;
    vcpu->iobitmap = (uint64_t)op.bitmap.p;
    vcpu->nr_ioports = op.nr_ports;
    return 0;
}

static long irq_status(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_irq_status_query op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.irq >= NR_PIRQS)
        return -EINVAL;
    op.flags = XENIRQSTAT_needs_eoi;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* Nobody can bind it, so everybody may have the last one. */
static long free_pirq(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_get_free_pirq op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    op.pirq = NR_PIRQS - 1;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* Both begin with the domain whose interrupt is meant. */
static long map_pirq(struct vcpu *vcpu, uint64_t arg, size_t size)
{
    domid_t domid;

    if (!guest_readable(vcpu, guest_addr(arg), size) ||
        guest_read(vcpu, guest_addr(arg), &domid, sizeof domid))
        return -EFAULT;
    return domid_is_self(vcpu->domain, domid) || domid == BACKEND_ID ? -EPERM
                                                                     : -ESRCH;
}

static long setup_gsi(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_setup_gsi op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return op.gsi < 0 || op.gsi >= NR_PIRQS ? -EINVAL : -EPERM;
}

static long add_device(struct vcpu *vcpu, uint64_t arg)
{
    struct physdev_manage_pci_ext op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return op.is_extfn > 1 || op.is_virtfn > 1 ? -EINVAL : -EPERM;
}

/* What is refused once it has been read. */
static long refuse(struct vcpu *vcpu, uint64_t arg, size_t size, int rc)
{
    return guest_readable(vcpu, guest_addr(arg), size) ? rc : -EFAULT;
}

static long serve_refused(struct vcpu *vcpu, int cmd, uint64_t arg)
{
    static const struct {
        int cmd, rc;
        size_t size; /* 0: it is not even read */
    } refused[] = {
        {PHYSDEVOP_IRQ_UNMASK_NOTIFY, 0, 0},
        {PHYSDEVOP_apic_read, -EPERM, sizeof(struct physdev_apic)},
        {PHYSDEVOP_apic_write, -EPERM, sizeof(struct physdev_apic)},
        {PHYSDEVOP_alloc_irq_vector, -EPERM, sizeof(struct physdev_irq)},
        {PHYSDEVOP_eoi, -EINVAL, sizeof(struct physdev_eoi)},
        {PHYSDEVOP_manage_pci_add, -EPERM, sizeof(struct physdev_manage_pci)},
        {PHYSDEVOP_manage_pci_remove, -EPERM,
         sizeof(struct physdev_manage_pci)},
        {PHYSDEVOP_pirq_eoi_gmfn_v1, -EINVAL,
         sizeof(struct physdev_pirq_eoi_gmfn)},
        {PHYSDEVOP_pirq_eoi_gmfn_v2, -EINVAL,
         sizeof(struct physdev_pirq_eoi_gmfn)},
        {PHYSDEVOP_restore_msi, -ENODEV, sizeof(struct physdev_restore_msi)},
        {PHYSDEVOP_restore_msi_ext, -ENODEV, sizeof(struct physdev_pci_device)},
        {PHYSDEVOP_pci_mmcfg_reserved, -EPERM, 0},
        {PHYSDEVOP_pci_device_add, -EPERM,
         offsetof(struct physdev_pci_device_add, optarr)},
        {PHYSDEVOP_pci_device_remove, -EPERM,
         sizeof(struct physdev_pci_device)},
        {PHYSDEVOP_dbgp_op, -EPERM, 0},
        {PHYSDEVOP_prepare_msix, -EPERM, sizeof(struct physdev_pci_device)},
        {PHYSDEVOP_release_msix, -EPERM, sizeof(struct physdev_pci_device)},
    };

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].cmd == cmd)
            return refuse(vcpu, arg, refused[i].size, refused[i].rc);
    return -ENOSYS;
}

long call_physdev_op(void *opaque, const uint64_t *args)
{
    const uint64_t arg = args[1];

    switch ((int)args[0]) {
    case PHYSDEVOP_set_iopl:
        return set_iopl(opaque, arg);
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(opaque, arg);
    case PHYSDEVOP_irq_status_query:
        return irq_status(opaque, arg);
    case PHYSDEVOP_get_free_pirq:
        return free_pirq(opaque, arg);
    case PHYSDEVOP_map_pirq:
        return map_pirq(opaque, arg, sizeof(struct physdev_map_pirq));
    case PHYSDEVOP_unmap_pirq:
        return map_pirq(opaque, arg, sizeof(struct physdev_unmap_pirq));
    case PHYSDEVOP_setup_gsi:
        return setup_gsi(opaque, arg);
    case PHYSDEVOP_manage_pci_add_ext:
        return add_device(opaque, arg);
    default:
        return serve_refused(opaque, (int)args[0], arg);
    }
}
