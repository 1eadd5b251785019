/*
 * host/pvh/lapic.h: the local APIC of a PVH guest's vCPU, as far as events
 * need one: it takes vectors, orders them and waits for their end. Its timer
 * does not count, and there is nobody else to send to.
 *
 * Used where KVM has none in the kernel.
 */
#ifndef HOST_PVH_LAPIC_H
#define HOST_PVH_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_SIZE 0x1000u /* of its registers, at the address in APIC_BASE */

struct lapic {
    uint32_t regs[64]; /* by offset / 16; those that are stored */
};

void lapic_init(struct lapic *lapic);

/* The register at (offset); those that are not there read as 0. */
uint32_t lapic_read(const struct lapic *lapic, uint32_t offset);
void lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value);

/* (vector) wants to be taken; one that is waiting already waits once. */
void lapic_raise(struct lapic *lapic, uint8_t vector);

/*
 * The vector that the CPU would take now, or -1: none, or the APIC is off, or
 * one of the same class or higher is being handled.
 */
int lapic_next(const struct lapic *lapic);

/* (vector), from lapic_next, was given to the CPU. */
void lapic_take(struct lapic *lapic, uint8_t vector);

#endif
