/*
 * host/backend/block.c: a disk's life, from the command line to the ring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <xen/io/protocols.h>

#include "host/backend/block_private.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/port.h"

/* What the toolstack would have written. */
static int publish_config(struct blockdev *dev)
{
    const struct disk_config *config = dev->config;
    const struct disk_file *file = &dev->file;
    struct xenbus_device *bus = &dev->bus;
    const char *type = config->cdrom ? "cdrom" : "disk";
    int rc = 0;

    rc = rc
             ?: xenbus_preset(bus, "virtual-device", "%u",
                              config->virtual_device);
    rc = rc ?: xenbus_preset(bus, "device-type", "%s", type);
    rc = rc ?: xenbus_preset(bus, "trusted", "1");
    rc = rc ?: xenbus_publish(bus, "params", "%s", config->target);
    rc = rc
             ?: xenbus_publish(bus, "type", "%s",
                               file->is_device ? "phy" : "file");
    rc = rc ?: xenbus_publish(bus, "mode", "%c", file->readonly ? 'r' : 'w');
    rc = rc ?: xenbus_publish(bus, "device-type", "%s", type);
    rc = rc ?: xenbus_publish(bus, "dev", "%s", config->vdev);
    rc = rc
             ?: xenbus_publish(bus, "removable", "%d",
                               config->removable || config->cdrom);
    rc = rc ?: xenbus_publish(bus, "bootable", "1");
    rc = rc ?: xenbus_publish(bus, "discard-enable", "%d", config->discard);
    rc = rc
             ?: xenbus_publish(bus, "direct-io-safe", "%d",
                               config->direct_io_safe);
    if (file->is_device)
        rc = rc
                 ?: xenbus_publish(bus, "physical-device", "%x:%x",
                                   major(file->device), minor(file->device));
    rc = rc ?: xenbus_publish(bus, "hotplug-status", "connected");
    return rc;
}

static int publish_features(struct blockdev *dev)
{
    struct xenbus_device *bus = &dev->bus;
    int rc = 0;

    rc = rc ?: xenbus_publish(bus, "feature-barrier", "1");
    rc = rc ?: xenbus_publish(bus, "feature-flush-cache", "1");
    rc = rc ?: xenbus_publish(bus, "feature-persistent", "1");
    rc = rc
             ?: xenbus_publish(bus, "feature-max-indirect-segments", "%d",
                               BLOCK_MAX_INDIRECT);
    rc =
        rc ?: xenbus_publish(bus, "max-ring-page-order", "%d", BLOCK_MAX_ORDER);
    rc = rc ?: xenbus_publish(bus, "multi-queue-max-queues", "1");
    if (dev->config->discard && dev->file.discard) {
        rc = rc ?: xenbus_publish(bus, "feature-discard", "1");
        rc = rc
                 ?: xenbus_publish(bus, "discard-granularity", "%u",
                                   dev->file.physical_sector_size);
        rc = rc ?: xenbus_publish(bus, "discard-alignment", "0");
        rc = rc ?: xenbus_publish(bus, "discard-secure", "0");
    }
    return rc;
}

static int publish_geometry(struct blockdev *dev)
{
    const struct disk_file *file = &dev->file;
    struct xenbus_device *bus = &dev->bus;
    unsigned info = 0;
    int rc = 0;

    if (dev->config->cdrom)
        info |= VDISK_CDROM;
    if (dev->config->cdrom || dev->config->removable)
        info |= VDISK_REMOVABLE;
    if (file->readonly)
        info |= VDISK_READONLY;
    rc = rc
             ?: xenbus_publish(bus, "sectors", "%llu",
                               (unsigned long long)file->sectors);
    rc = rc ?: xenbus_publish(bus, "info", "%u", info);
    rc = rc ?: xenbus_publish(bus, "sector-size", "%u", file->sector_size);
    rc = rc
             ?: xenbus_publish(bus, "physical-sector-size", "%u",
                               file->physical_sector_size);
    return rc;
}

static void unmap_ring(struct blockdev *dev)
{
    while (dev->nr_ring_pages > 0)
        lent_page_return(dev->dom, &dev->ring_grants[--dev->nr_ring_pages],
                         true);
}

static int map_ring_page(struct blockdev *dev, const char *key)
{
    unsigned i = dev->nr_ring_pages;
    uint32_t ref;
    int rc;

    rc = xenbus_read_u32(&dev->bus, key, &ref);
    if (rc)
        return rc;
    dev->ring_pages[i] =
        lent_page_borrow(dev->dom, ref, true, &dev->ring_grants[i]);
    if (!dev->ring_pages[i])
        return -EPERM;
    dev->nr_ring_pages++;
    return 0;
}

/*
 * ring-ref, or ring-ref0 and so on when there is a ring-page-order; some write
 * ring-ref even with an order of 0.
 */
static int map_ring(struct blockdev *dev)
{
    uint32_t order = 0;
    int rc = xenbus_read_u32(&dev->bus, "ring-page-order", &order);

    if (rc && rc != -ENOENT)
        return rc;
    if (order > BLOCK_MAX_ORDER)
        return -EINVAL;
    if (order == 0) {
        rc = map_ring_page(dev, "ring-ref");
        return rc == -ENOENT ? map_ring_page(dev, "ring-ref0") : rc;
    }
    for (unsigned i = 0; i < 1u << order; i++) {
        char key[sizeof "ring-ref" + 10];

        snprintf(key, sizeof key, "ring-ref%u", i);
        rc = map_ring_page(dev, key);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_protocol(struct blockdev *dev)
{
    char protocol[32] = XEN_IO_PROTO_ABI_X86_64;
    long len = xenbus_read(&dev->bus, "protocol", protocol, sizeof protocol);

    if (len < 0 && len != -ENOENT)
        return -EINVAL;
    dev->narrow = strcmp(protocol, XEN_IO_PROTO_ABI_X86_32) == 0;
    return dev->narrow || strcmp(protocol, XEN_IO_PROTO_ABI_X86_64) == 0
               ? 0
               : -EINVAL;
}

/* What the frontend chose; (step) is told when it chose wrongly. */
static int read_choices(struct blockdev *dev, const char **step)
{
    uint32_t queues = 1, persistent = 0;
    int rc;

    *step = "protocol";
    rc = read_protocol(dev);
    if (rc)
        return rc;

    *step = "multi-queue-num-queues";
    rc = xenbus_read_u32(&dev->bus, "multi-queue-num-queues", &queues);
    if ((rc && rc != -ENOENT) || queues != 1)
        return -EINVAL;

    *step = "feature-persistent";
    rc = xenbus_read_u32(&dev->bus, "feature-persistent", &persistent);
    if (rc && rc != -ENOENT)
        return rc;
    dev->persistent = persistent == 1;

    *step = "event-channel";
    return xenbus_read_u32(&dev->bus, "event-channel", &dev->port);
}

static void block_port_closed(void *context)
{
    struct blockdev *dev = context;

    dev->port = 0; /* it may be another's by the time we let go */
}

static void blockdev_disconnect(struct xenbus_device *bus)
{
    struct blockdev *dev = bus->context;

    dev->connected = false;
    block_quiesce(dev);
    block_pages_forget(dev);
    unmap_ring(dev);
    if (dev->port)
        port_unbind_backend(dev->dom, dev->port);
}

static int blockdev_connect(struct xenbus_device *bus)
{
    struct blockdev *dev = bus->context;
    const char *step;
    int rc;

    rc = read_choices(dev, &step);
    if (rc)
        goto fail;
    step = "ring-ref";
    rc = map_ring(dev);
    if (rc)
        goto fail_unmap;
    step = "ring counters";
    rc = ring_back_attach_pages(&dev->ring, dev->ring_pages, dev->nr_ring_pages,
                                dev->narrow ? BLOCK_NARROW_SLOT
                                            : sizeof(union block_slot));
    if (rc)
        goto fail_unmap;
    step = "event-channel";
    rc = port_bind_backend(dev->dom, dev->port, BACKEND_ID, block_notified,
                           block_port_closed, dev);
    if (rc)
        goto fail_unmap;
    step = "backend's keys";
    rc = publish_geometry(dev);
    if (rc)
        goto fail_unbind;

    block_requests_reset(dev);
    dev->connected = true;
    block_notified(dev); /* what it wrote before we looked */
    if (!dev->broken)
        return 0;
    blockdev_disconnect(bus);
    return -EPROTO;

fail_unbind:
    port_unbind_backend(dev->dom, dev->port);
fail_unmap:
    unmap_ring(dev);
fail:
    xenbus_fail(bus, "disk %s: the guest's %s cannot be used: %s",
                dev->config->vdev, step, strerror(-rc));
    return rc;
}

static void blockdev_destroy(struct blockdev *dev)
{
    xenbus_destroy(&dev->bus);
    disk_file_close(&dev->file);
    free(dev);
}

static int blockdev_create(struct domain *dom, const struct disk_config *config)
{
    static const struct xenbus_ops ops = {
        .connect = blockdev_connect,
        .disconnect = blockdev_disconnect,
    };
    struct blockdev *dev = calloc(1, sizeof *dev);
    int rc;

    if (!dev) {
        log_error("disk %s: no memory for its %zu KiB of records", config->vdev,
                  sizeof *dev / 1024);
        return -ENOMEM;
    }
    dev->dom = dom;
    dev->config = config;
    dev->index = dom->nr_disks;
    rc = disk_file_open(&dev->file, config);
    if (rc)
        goto fail;
    dev->no_nowait = dev->file.direct;
    rc =
        xenbus_create(&dev->bus, dom, "vbd", config->virtual_device, &ops, dev);
    if (rc)
        goto fail;
    rc = publish_config(dev);
    if (!rc)
        rc = publish_features(dev);
    if (rc) {
        log_error("disk %s: cannot write its keys to xenstore: %s",
                  config->vdev, strerror(-rc));
        goto fail;
    }
    dom->disks[dom->nr_disks++] = dev;
    return 0;

fail:
    blockdev_destroy(dev);
    return rc;
}

int block_create_all(struct domain *dom)
{
    int rc = 0;

    for (unsigned i = 0; i < dom->config->nr_disks && rc == 0; i++)
        rc = blockdev_create(dom, &dom->config->disks[i]);
    if (rc == 0 && dom->nr_disks > 0)
        rc = block_io_create(dom);
    for (unsigned i = 0; i < dom->nr_disks && rc == 0; i++)
        rc = xenbus_open(&dom->disks[i]->bus);
    if (rc)
        block_destroy_all(dom);
    return rc;
}

int block_unplug(struct domain *dom, const char *vdev)
{
    for (unsigned i = 0; i < dom->nr_disks; i++) {
        if (strcmp(dom->disks[i]->config->vdev, vdev) != 0)
            continue;
        xenbus_unplug(&dom->disks[i]->bus);
        return 0;
    }
    return -ENOENT;
}

void block_settle_all(struct domain *dom)
{
    for (unsigned i = 0; i < dom->nr_disks; i++)
        block_quiesce(dom->disks[i]);
    for (unsigned i = 0; i < dom->nr_disks; i++)
        block_flush(dom->disks[i]);
}

void block_destroy_all(struct domain *dom)
{
    block_settle_all(dom);
    for (unsigned i = 0; i < dom->nr_disks; i++)
        blockdev_destroy(dom->disks[i]);
    dom->nr_disks = 0;
    block_io_destroy(dom);
}
