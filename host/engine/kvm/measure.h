/*
 * host/engine/kvm/measure.h: what kind of KVM is here.
 *
 * A module's name or a vendor's flag does not tell how a guest will fare: the
 * same device can be hardware, hardware inside of another virtual machine, or
 * a KVM that runs ring 3 natively and plays ring 0 itself. A VM of eight pages
 * and a dozen instructions tells, in a few milliseconds.
 */
#ifndef HOST_ENGINE_KVM_MEASURE_H
#define HOST_ENGINE_KVM_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the Xen ABI puts the M2P table by default; a hole on some KVM. */
#define MEASURE_SLOT_256 UINT64_C(0xffff800000000000)

struct kvm_kind {
    uint64_t exit0_ns, exit3_ns; /* an `out` of that ring, to us and back */
    uint64_t step0_ps, step3_ps; /* one plain instruction of that ring */
    bool ring0_emulated;         /* hundreds of times slower than ring 3 */
    bool shadow_paging; /* stores of the host into page tables go unseen */
    bool slot_256;      /* ring 3 can use MEASURE_SLOT_256 */
    bool traps_fpu;     /* CR0.TS has its effect on ring 3 */
    bool breakpoints;   /* and so have its debug registers */
    bool host_is_guest; /* the host itself runs in a virtual machine */
    /* what it offers */
    bool xen_hvm, user_msr, split_irqchip, sync_regs;
};

/*
 * Measure: 0; or -errno and a sentence in (why), where there is no KVM for us
 * or it does not run the VM.
 */
int measure_kvm(struct kvm_kind *kind, char *why, size_t size);

/* "hardware, nested paging" and the like. */
const char *measure_name(const struct kvm_kind *kind);

/* What follows for guests of each kind, as a sentence; 256 bytes are enough. */
void measure_say_pv(const struct kvm_kind *kind, char *text, size_t size);
void measure_say_pvh(const struct kvm_kind *kind, char *text, size_t size);

/* How many times slower ring 0 is than ring 3; 1 where they are alike. */
uint64_t measure_slowdown(const struct kvm_kind *kind);

#endif
