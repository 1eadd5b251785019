/* host/report_walk.h: an address's way through the guest's page tables. */
#ifndef HOST_REPORT_WALK_H
#define HOST_REPORT_WALK_H

#include <stdint.h>

#include "host/memory.h"

struct domain;
struct vcpu;

/* Prints, as printf does. */
typedef void (*report_fn)(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Print each level's entry for (va), which is called (name) in the report, as
 * far as there are any: of a PV guest, from the table (vcpu) has in use. Tables
 * of any content are printed; nothing is believed.
 */
void report_walk(report_fn say, const struct vcpu *vcpu, const char *name,
                 uint64_t va);

/* What (mfn) is used as, in words. */
const char *report_frame_use(const struct domain *dom, mfn_t mfn);

#endif
