/*
 * host/build/pvh.h: the PVH domain builder: start-of-day memory as Xen's own
 * tools lay it out. (xen/arch-x86/hvm/start_info.h)
 */
#ifndef HOST_BUILD_PVH_H
#define HOST_BUILD_PVH_H

struct domain;

/*
 * Fill (dom)'s fresh memory, which is translated, from dom->image: segments at
 * their physical addresses, hvm_start_info behind them, the rings at their
 * special pages; set the HVM parameters that name these, and vCPU 0's entry
 * state: 32-bit, paging off. 0, or -errno with a sentence logged.
 */
int pvh_build(struct domain *dom);

#endif
