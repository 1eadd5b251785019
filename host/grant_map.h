/*
 * host/grant_map.h: the grants a domain has mapped, by handle (Xen calls it
 * maptrack).
 *
 * The only other domain is the backend, which grants nothing; so what is
 * mapped here are the domain's own grants to itself, which the ABI allows.
 */
#ifndef HOST_GRANT_MAP_H
#define HOST_GRANT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/grant_table.h>

#include "host/memory.h"

#define GRANT_MAPS_MAX 4096

struct domain;
struct vcpu;

struct grant_map {
    uint16_t flags; /* GNTMAP_device_map, _host_map, _readonly, _contains_pte;
                       neither of the first two: the handle is free */
    grant_ref_t ref;
    mfn_t mfn;
    uint64_t host_addr; /* as given */
    maddr_t pte_addr;   /* with GNTMAP_host_map */
};

struct grant_maps {
    struct grant_map *table; /* grows in steps to GRANT_MAPS_MAX */
    uint32_t nr;
};

/* Free the accounts of grants and mappings; the domain is going. */
void grants_destroy(struct domain *dom);

/*
 * One element of GNTTABOP_map_grant_ref, unmap_grant_ref, unmap_and_replace:
 * each returns the status (GNTST_*), map fills handle and dev_bus_addr.
 */
int16_t grant_map(struct vcpu *vcpu, struct gnttab_map_grant_ref *op);
int16_t grant_unmap(struct vcpu *vcpu, const struct gnttab_unmap_grant_ref *op);
int16_t grant_unmap_and_replace(struct vcpu *vcpu,
                                const struct gnttab_unmap_and_replace *op);

/* One element of GNTTABOP_copy: the status. */
int16_t grant_copy(struct domain *dom, const struct gnttab_copy *op);

/* One more frame for the domain's own table: 0, -ENOSPC or -ENOMEM. */
int grants_grow(struct domain *dom);

/* Frame (nr) of the domain's own table: which it is, and what it is called. */
size_t grants_frame_index(const struct domain *dom, unsigned nr);
mfn_t grants_frame_mfn(const struct domain *dom, unsigned nr);

#endif
