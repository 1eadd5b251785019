/*
 * host/build/pv.h: the PV64 domain builder: start-of-day memory exactly as
 * Xen's own tools lay it out.
 */
#ifndef HOST_BUILD_PV_H
#define HOST_BUILD_PV_H

struct domain;

/*
 * Fill (dom)'s fresh memory from dom->image: kernel, p2m, start_info, rings,
 * page tables, stack; give vCPU 0 its entry state. Ports for xenstore and
 * console are allocated here, unbound, for BACKEND_ID, and their ring pages
 * granted (entries 1 and 0). The L4 is vCPU 0's (cr3); its tables have no types
 * in the frames' records yet: pagetable_adopt() gives them theirs. 0, or -errno
 * with a sentence logged.
 */
int pv_build(struct domain *dom);

#endif
