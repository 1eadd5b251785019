/*
 * host/pvh/start.h: how a PVH guest's vCPU starts: the first by the boot ABI,
 * others by VCPUOP_initialise or by INIT and SIPI.
 */
#ifndef HOST_PVH_START_H
#define HOST_PVH_START_H

#include <stdint.h>

#include "host/vcpu.h"

struct vcpu_hvm_context;

struct pvh_segment {
    uint64_t base;
    uint32_t limit; /* with granularity, as a descriptor has it */
    uint16_t selector;
    uint16_t ar; /* as in xen/hvm/hvm_vcpu.h */
};

/* Bits of (ar). */
#define PVH_AR_TYPE(ar)   ((ar)&0xf)
#define PVH_AR_S(ar)      ((ar) >> 4 & 1)
#define PVH_AR_DPL(ar)    ((ar) >> 5 & 3)
#define PVH_AR_P(ar)      ((ar) >> 7 & 1)
#define PVH_AR_AVL(ar)    ((ar) >> 8 & 1)
#define PVH_AR_L(ar)      ((ar) >> 9 & 1)
#define PVH_AR_DB(ar)     ((ar) >> 10 & 1)
#define PVH_AR_G(ar)      ((ar) >> 11 & 1)
#define PVH_AR_UNUSED(ar) ((ar) >> 12)

struct pvh_start {
    struct regs regs; /* without cs and ss */
    uint64_t cr0, cr3, cr4, efer;
    struct pvh_segment cs, ds, es, ss, tr;
};

/* The state of the PVH boot ABI, at vcpu->regs. */
void pvh_start_boot(struct pvh_start *start, const struct regs *regs);

/* What a SIPI with (vector) makes of a CPU: real mode, at that page. */
void pvh_start_sipi(struct pvh_start *start, uint8_t vector);

/* What (context) says: 0, or -EINVAL where Xen 4.17 says so. */
int pvh_start_from(struct pvh_start *start,
                   const struct vcpu_hvm_context *context);

#endif
