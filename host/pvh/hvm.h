/*
 * host/pvh/hvm.h: what hvm_op knows of a PVH domain. (xen/hvm/params.h)
 */
#ifndef HOST_PVH_HVM_H
#define HOST_PVH_HVM_H

#include <stdint.h>

#include <xen/hvm/params.h>
#include <xen/xen.h>

struct domain;

struct hvm {
    uint64_t params[HVM_NR_PARAMS];
    uint8_t callback_vector; /* for events, 0: none */
};

/*
 * HVMOP_get_param and HVMOP_set_param, as an unprivileged guest may: 0; -EPERM
 * for what is its builder's, -EINVAL for what does not exist.
 */
int hvm_get_param(const struct domain *dom, uint32_t index, uint64_t *value);
int hvm_set_param(struct domain *dom, uint32_t index, uint64_t value);

#endif
