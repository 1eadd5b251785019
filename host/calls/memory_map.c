/*
 * memory_op: where RAM is. A guest may have its map replaced, for whoever asks
 * later. (xen/memory.h)
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/memory.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pvh/memory_map.h"

#define E820_RAM 1

/* As many as Xen takes. */
#define MAX_OWN_ENTRIES 128

struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

/* Of a PV domain: one piece of RAM, from 0 to all that it may have. */
static unsigned describe_memory(const struct memory *mem,
                                struct e820_entry e820[MEMORY_MAP_MAX])
{
    struct memory_map_entry entries[MEMORY_MAP_MAX] = {
        {0, (uint64_t)mem->max_ram << PAGE_SHIFT, E820_RAM}};
    const unsigned nr = mem->physmap ? memory_map_of(mem, entries) : 1;

    for (unsigned i = 0; i < nr; i++)
        e820[i] = (struct e820_entry){entries[i].addr, entries[i].size,
                                      entries[i].type};
    return nr;
}

/* As many of (nr) entries as there is room for. */
static long give(struct vcpu *vcpu, struct xen_memory_map *map,
                 const struct e820_entry *entries, unsigned nr)
{
    if (map->nr_entries > nr)
        map->nr_entries = nr;
    return guest_write(vcpu, guest_addr((uint64_t)map->buffer.p), entries,
                       map->nr_entries * sizeof *entries);
}

long memory_map_give(struct vcpu *vcpu, struct xen_memory_map *map)
{
    const struct domain *dom = vcpu->domain;
    struct e820_entry all[MEMORY_MAP_MAX];

    if (dom->own_map_set)
        return dom->nr_own_map ? give(vcpu, map, dom->own_map, dom->nr_own_map)
                               : -ENOSYS;
    return give(vcpu, map, all, describe_memory(&dom->mem, all));
}

long memory_map_get(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_memory_map map;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &map, sizeof map))
        return -EFAULT;
    rc = memory_map_give(vcpu, &map);
    return rc ? rc : guest_write(vcpu, guest_addr(arg), &map, sizeof map);
}

static long replace(struct vcpu *vcpu, const struct xen_memory_map *map)
{
    struct domain *dom = vcpu->domain;
    struct e820_entry entries[MAX_OWN_ENTRIES];
    const size_t size = map->nr_entries * sizeof *entries;
    void *own = NULL;

    if (guest_read(vcpu, guest_addr((uint64_t)map->buffer.p), entries, size))
        return -EFAULT;
    if (size) {
        own = malloc(size);
        if (!own)
            return -ENOMEM;
        memcpy(own, entries, size);
    }
    free(dom->own_map);
    dom->own_map = own;
    dom->nr_own_map = map->nr_entries;
    dom->own_map_set = true;
    return 0;
}

long memory_map_set(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_foreign_memory_map op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.map.nr_entries > MAX_OWN_ENTRIES)
        return -EINVAL;
    if (!domid_is_self(vcpu->domain, op.domid))
        return op.domid == BACKEND_ID ? -EPERM : -ESRCH;
    return replace(vcpu, &op.map);
}
