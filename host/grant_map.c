#include "host/grant_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pagetable.h"

#define MAPS_STEP 64

#define GNTMAP_KINDS (GNTMAP_device_map | GNTMAP_host_map)

/* GNTMAP_guest_avail0 is the first of the bits for the entry's AVAIL. */
#define PTE_AVAIL_SHIFT 9

void grants_destroy(struct domain *dom)
{
    for (unsigned i = 0; i < dom->grants.nr_frames; i++)
        free(dom->grants.pins[i]);
    dom->grants = (struct grant_table){0};
    free(dom->grant_maps.table);
    dom->grant_maps = (struct grant_maps){0};
}

int grants_grow(struct domain *dom)
{
    struct grant_pins *pins;
    void *frame;
    size_t index;

    if (dom->grants.nr_frames >= GRANT_MAX_FRAMES)
        return -ENOSPC;
    pins = calloc(GRANT_ENTRIES_PER_PAGE, sizeof *pins);
    if (!pins)
        return -ENOMEM;
    frame = memory_take_frame(&dom->mem, &index);
    if (!frame) {
        free(pins);
        return -ENOMEM;
    }
    return grant_table_grow(&dom->grants, frame, pins);
}

size_t grants_frame_index(const struct domain *dom, unsigned nr)
{
    size_t offset =
        (size_t)((const uint8_t *)dom->grants.frames[nr] - dom->mem.base);

    return offset >> PAGE_SHIFT;
}

mfn_t grants_frame_mfn(const struct domain *dom, unsigned nr)
{
    return memory_mfn(&dom->mem, grants_frame_index(dom, nr));
}

/* A free handle: 0, -ENOSPC or -ENOMEM. */
static int find_free(struct grant_maps *maps, grant_handle_t *handle)
{
    struct grant_map *table;
    uint32_t i = 0;

    while (i < maps->nr && (maps->table[i].flags & GNTMAP_KINDS))
        i++;
    if (i == maps->nr) {
        if (maps->nr + MAPS_STEP > GRANT_MAPS_MAX)
            return -ENOSPC;
        table =
            realloc(maps->table, (maps->nr + MAPS_STEP) * sizeof *maps->table);
        if (!table)
            return -ENOMEM;
        memset(table + maps->nr, 0, MAPS_STEP * sizeof *table);
        maps->table = table;
        maps->nr += MAPS_STEP;
    }
    *handle = i;
    return 0;
}

static struct grant_map *find(struct domain *dom, grant_handle_t handle)
{
    struct grant_maps *maps = &dom->grant_maps;

    if (handle >= maps->nr || !(maps->table[handle].flags & GNTMAP_KINDS))
        return NULL;
    return &maps->table[handle];
}

static uint64_t make_pte(mfn_t mfn, uint32_t flags)
{
    uint64_t avail = flags >> _GNTMAP_guest_avail0;
    uint64_t pte = mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

    if (!(flags & GNTMAP_readonly))
        pte |= PTE_RW;
    if (flags & GNTMAP_application_map)
        pte |= PTE_USER;
    return pte | (avail << PTE_AVAIL_SHIFT & PTE_AVAIL);
}

/* The L1 entry that (host_addr) speaks of; false if there is none. */
static bool locate(const struct vcpu *vcpu, uint64_t host_addr, bool is_pte,
                   maddr_t *pte_addr)
{
    const struct frame *frame;

    if (!is_pte)
        return pagetable_find(vcpu, host_addr, pte_addr) == 0;
    frame = memory_record(&vcpu->domain->mem, host_addr >> PAGE_SHIFT);
    if (host_addr % sizeof(uint64_t) || !frame || frame->type != TYPE_L1)
        return false;
    *pte_addr = host_addr;
    return true;
}

static uint64_t read_pte(const struct domain *dom, maddr_t pte_addr)
{
    const uint8_t *table = memory_frame(&dom->mem, pte_addr >> PAGE_SHIFT);
    uint64_t pte = 0;

    if (table)
        memcpy(&pte, table + pte_addr % PAGE_SIZE, sizeof pte);
    return pte;
}

/*
 * Entries of tables above level 1 show no grants, and to write them would give
 * other vCPUs their turn amidst a mapping.
 */
static int write_pte(struct vcpu *vcpu, maddr_t pte_addr, uint64_t pte)
{
    const struct frame *frame =
        memory_record(&vcpu->domain->mem, pte_addr >> PAGE_SHIFT);

    if (frame && frame->uses && frame->type >= TYPE_L2 &&
        frame->type <= TYPE_L4)
        return -EINVAL;
    return pagetable_write(vcpu, pte_addr, pte, false);
}

/* Does the mapping's entry still show the granted frame? */
static bool is_mapped(const struct domain *dom, maddr_t pte_addr, mfn_t mfn)
{
    uint64_t pte = read_pte(dom, pte_addr);

    return (pte & PTE_PRESENT) && (pte & PTE_MFN_MASK) >> PAGE_SHIFT == mfn;
}

/* Make the mappings that (op) asks for of (mfn), which is pinned. */
static int16_t install(struct vcpu *vcpu, struct gnttab_map_grant_ref *op,
                       mfn_t mfn)
{
    struct domain *dom = vcpu->domain;
    grant_handle_t handle;
    maddr_t pte_addr = 0;

    if (dom->abi == ABI_PVH || !memory_frame(&dom->mem, mfn))
        return GNTST_general_error; /* there are no tables of ours to map by */
    if (find_free(&dom->grant_maps, &handle))
        return GNTST_no_space;
    if (op->flags & GNTMAP_host_map) {
        bool is_pte = op->flags & GNTMAP_contains_pte;

        if (!locate(vcpu, op->host_addr, is_pte, &pte_addr))
            return GNTST_general_error;
        if (write_pte(vcpu, pte_addr, make_pte(mfn, op->flags)))
            return GNTST_general_error;
    }
    dom->grant_maps.table[handle] = (struct grant_map){
        .flags = (uint16_t)op->flags,
        .ref = op->ref,
        .mfn = mfn,
        .host_addr = op->host_addr,
        .pte_addr = pte_addr,
    };
    memory_record(&dom->mem, mfn)->refs++;
    op->handle = handle;
    op->dev_bus_addr = mfn << PAGE_SHIFT;
    return GNTST_okay;
}

/* The end of a mapping's last part: its handle and its pin are free. */
static void release(struct domain *dom, struct grant_map *map)
{
    struct frame *frame = memory_record(&dom->mem, map->mfn);

    if (frame && frame->refs)
        frame->refs--;
    grant_unpin(&dom->grants, map->ref, !(map->flags & GNTMAP_readonly));
    *map = (struct grant_map){0};
}

int16_t grant_map(struct vcpu *vcpu, struct gnttab_map_grant_ref *op)
{
    struct domain *dom = vcpu->domain;
    bool write = !(op->flags & GNTMAP_readonly);
    uint64_t mfn;
    int16_t status;

    if (!(op->flags & GNTMAP_KINDS))
        return GNTST_bad_gntref;
    if (op->dom == BACKEND_ID)
        return GNTST_bad_gntref; /* it has a table, and nothing in it */
    if (!domid_is_self(dom, op->dom))
        return GNTST_bad_domain;
    status = grant_pin(&dom->grants, op->ref, dom->id, write, &mfn);
    if (status != GNTST_okay)
        return status;
    status = install(vcpu, op, mfn);
    if (status != GNTST_okay)
        grant_unpin(&dom->grants, op->ref, write);
    return status;
}

int16_t grant_unmap(struct vcpu *vcpu, const struct gnttab_unmap_grant_ref *op)
{
    struct domain *dom = vcpu->domain;
    struct grant_map *map = find(dom, op->handle);

    if (!map)
        return GNTST_bad_handle;
    if (op->dev_bus_addr && op->dev_bus_addr != map->mfn << PAGE_SHIFT)
        return GNTST_bad_dev_addr;
    if (op->host_addr && (map->flags & GNTMAP_host_map)) {
        if (op->host_addr != map->host_addr ||
            !is_mapped(dom, map->pte_addr, map->mfn))
            return GNTST_general_error;
        if (write_pte(vcpu, map->pte_addr, 0))
            return GNTST_general_error;
        map->flags &= (uint16_t)~GNTMAP_host_map;
    }
    if (op->dev_bus_addr)
        map->flags &= (uint16_t)~GNTMAP_device_map;
    if (!(map->flags & GNTMAP_KINDS))
        release(dom, map);
    return GNTST_okay;
}

int16_t grant_unmap_and_replace(struct vcpu *vcpu,
                                const struct gnttab_unmap_and_replace *op)
{
    struct domain *dom = vcpu->domain;
    struct grant_map *map = find(dom, op->handle);
    maddr_t new_addr;
    uint64_t pte;

    if (!map)
        return GNTST_bad_handle;
    if (!(map->flags & GNTMAP_host_map) || (map->flags & GNTMAP_contains_pte) ||
        op->host_addr != map->host_addr ||
        !is_mapped(dom, map->pte_addr, map->mfn))
        return GNTST_general_error;
    if (pagetable_find(vcpu, op->new_addr, &new_addr))
        return GNTST_bad_virt_addr;

    pte = read_pte(dom, new_addr);
    if (write_pte(vcpu, map->pte_addr, pte) || write_pte(vcpu, new_addr, 0))
        return GNTST_general_error;
    map->flags &= (uint16_t)~GNTMAP_host_map;
    if (!(map->flags & GNTMAP_KINDS))
        release(dom, map);
    return GNTST_okay;
}
