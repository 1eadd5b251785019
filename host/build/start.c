#include "host/build/start.h"

#include <errno.h>

#include <stdint.h>

#include <xen/grant_table.h>

#include "host/domain.h"
#include "host/log.h"

int start_shared_info(struct domain *dom, size_t *index)
{
    if (!dom->shared)
        dom->shared = memory_take_frame(&dom->mem, index);
    if (!dom->shared) {
        log_error("no frame is left for shared_info: this is a fault of "
                  "paravane's own, please report it");
        return -ENOMEM;
    }
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        dom->vcpus[i].info = &dom->shared->vcpu_info[i];
    return 0;
}

int start_port(struct domain *dom, evtchn_port_t *port)
{
    int rc = port_alloc(dom, PORT_UNBOUND, port);

    if (rc) {
        log_error("no event channel is left for the guest's rings: this is a "
                  "fault of paravane's own, please report it");
        return rc;
    }
    port_find(dom, *port)->remote = BACKEND_ID;
    return 0;
}

int start_grants(struct domain *dom, mfn_t console, mfn_t store)
{
    grant_entry_v1_t *entries;
    int rc = grants_grow(dom);

    if (rc) {
        log_error("no memory for the guest's grant table: give it less with "
                  "--memory");
        return rc;
    }
    entries = dom->grants.frames[0];
    entries[GNTTAB_RESERVED_CONSOLE] = (grant_entry_v1_t){
        .flags = GTF_permit_access,
        .domid = BACKEND_ID,
        .frame = (uint32_t)console,
    };
    entries[GNTTAB_RESERVED_XENSTORE] = (grant_entry_v1_t){
        .flags = GTF_permit_access,
        .domid = BACKEND_ID,
        .frame = (uint32_t)store,
    };
    return 0;
}
