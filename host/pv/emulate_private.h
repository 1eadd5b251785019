/*
 * host/pv/emulate_private.h: what the files of the emulation share. (private)
 */
#ifndef HOST_PV_EMULATE_PRIVATE_H
#define HOST_PV_EMULATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pv/bounce.h"
#include "host/pv/decode.h"
#include "host/vcpu.h"

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14

/* The error code of a page fault. */
#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_FETCH   16u

#define RFLAGS_TF 0x100u
#define RFLAGS_DF 0x400u
#define RFLAGS_RF 0x10000u

/* One instruction that trapped, and the registers to change. */
struct emulation {
    struct vcpu *vcpu;
    const struct trap *trap;
    struct instruction insn;
};

enum emulated {
    EMULATED_NOT,     /* the trap is the guest's; nothing was changed */
    EMULATED_DONE,    /* go on behind the instruction */
    EMULATED_AS_SET,  /* vcpu->regs say where to go on */
    EMULATED_TRAPPED, /* another trap was delivered */
};

/* The operations, by subject; EMULATED_NOT for those of the others. */
enum emulated emulate_system(struct emulation *e);
enum emulated emulate_port(struct emulation *e);
enum emulated emulate_segment(struct emulation *e);

/* RDMSR or WRMSR of the register in ECX. */
enum emulated emulate_msr(struct emulation *e);

/*
 * Loads from where Xen shows the M2P table, and stores to the guest's own page
 * tables: after a page fault at (trap->cr2) that emulate_wants_fault was for.
 */
enum emulated emulate_memory(struct emulation *e);
bool emulate_wants_fault(const struct vcpu *vcpu, const struct trap *trap);

/* Is (va) where Xen keeps the M2P table, however much of it there is? */
bool emulate_in_m2p_slot(uint64_t va);

/* A fault there that no emulation helped, as Xen would report it. */
void emulate_m2p_fault(struct vcpu *vcpu, const struct trap *trap);

/* May the guest use all ports, and CLI and STI? */
bool emulate_has_iopl(const struct vcpu *vcpu);

/* Deliver a page fault of the guest's own at (va). */
enum emulated emulate_page_fault(struct vcpu *vcpu, uint64_t va,
                                 uint32_t error);

/* An operand of a general register or an immediate, cut to its width. */
uint64_t emulate_get(const struct emulation *e, const struct operand *operand);

/* As instructions do: 32 bits clear the upper half, less leave the rest. */
void emulate_set(struct emulation *e, const struct operand *operand,
                 uint64_t value);

/*
 * String instructions: one round at the addresses in the operands. It returns
 * false, after which nothing of the round may have happened, to stop there.
 */
typedef bool (*emulate_round)(struct emulation *e, void *opaque);

/*
 * As many rounds as the instruction asks for, or as are fair at a time; the
 * registers follow. True if all that were tried succeeded.
 */
bool emulate_string(struct emulation *e, emulate_round round, void *opaque,
                    enum emulated *how);

#endif
