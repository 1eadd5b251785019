/*
 * host/build/acpi.h: the ACPI tables of a PVH guest: a platform of local APICs
 * and nothing else (hardware-reduced), as Xen's tools describe it.
 */
#ifndef HOST_BUILD_ACPI_H
#define HOST_BUILD_ACPI_H

#include <stdint.h>

#include "host/memory.h"

/*
 * Write RSDP, XSDT, FADT, MADT and an empty DSDT for (nr_cpus), at most 8, to
 * (page), which the guest finds at (paddr); the RSDP comes first.
 */
void acpi_build(uint8_t page[PAGE_SIZE], uint64_t paddr, unsigned nr_cpus);

#endif
