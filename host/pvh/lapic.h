/*
 * host/pvh/lapic.h: the local APIC of a PVH guest's vCPU, as far as events
 * need one: it takes vectors, orders them and waits for their end, and sends
 * them to others (ipi.h). Its timer does not count.
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

/* Xen's numbers: each vCPU is a core with two threads, one of them there. */
static inline uint8_t lapic_id_of(unsigned vcpu_id)
{
    return (uint8_t)(2 * vcpu_id);
}

void lapic_init(struct lapic *lapic, uint8_t id);

/* The register at (offset); those that are not there read as 0. */
uint32_t lapic_read(const struct lapic *lapic, uint32_t offset);
void lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value);

/* A write at this offset is a command, to others as well. */
#define LAPIC_COMMAND 0x300u

/* What was commanded: to whom, and what. */
struct lapic_command {
    uint8_t vector, mode; /* LAPIC_FIXED and so on */
    uint8_t destination;  /* of the shorthand 0 */
    uint8_t shorthand;    /* 0: (destination), 1: self, 2: all, 3: all others */
    bool logical;         /* (destination) is a mask, not an ID */
    bool assert;
};

#define LAPIC_FIXED   0
#define LAPIC_LOWEST  1
#define LAPIC_NMI     4
#define LAPIC_INIT    5
#define LAPIC_STARTUP 6

struct lapic_command lapic_last_command(const struct lapic *lapic);

/* Is (lapic) whom (command) names by its destination? */
bool lapic_is_meant(const struct lapic *lapic,
                    const struct lapic_command *command);

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
