/*
 * vm_assist: which there are, and what each changes that a kernel notices. (The
 * one for page tables is in mapped.c.) As PV only.
 */
#include "verdict.h"

#include <errno.h>
#include <stdint.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>

#include <xen/features.h>
#include <xen/physdev.h>

#include "own_entry.h"
#include "trying.h"

#define RFLAGS_IOPL 0x3000ul
#define PORT        0x2f0

OWN_ENTRY(on_trap, 0);

static long enable(unsigned type)
{
    return HYPERCALL_2(__HYPERVISOR_vm_assist, VMASST_CMD_enable, type);
}

static long disable(unsigned type)
{
    return HYPERCALL_2(__HYPERVISOR_vm_assist, VMASST_CMD_disable, type);
}

static void which(void)
{
    const unsigned types[] = {
        VMASST_TYPE_4gb_segments,        VMASST_TYPE_4gb_segments_notify,
        VMASST_TYPE_writable_pagetables, VMASST_TYPE_pae_extended_cr3,
        VMASST_TYPE_architectural_iopl,  VMASST_TYPE_runstate_update_flag,
        VMASST_TYPE_m2p_strict};
    bool all = true;

    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        all &= enable(types[i]) == 0 && disable(types[i]) == 0 &&
               disable(types[i]) == 0;
    promise(all, "seven assists are known");
    promise(enable(6) == -EINVAL && enable(31) == -EINVAL &&
                enable(33) == -EINVAL && enable(64) == -EINVAL &&
                disable(6) == -EINVAL,
            "and no others");
    promise(HYPERCALL_2(__HYPERVISOR_vm_assist, 2, 2) == -ENOSYS &&
                HYPERCALL_2(__HYPERVISOR_vm_assist, 7, 2) == -ENOSYS,
            "which can be turned on or off");
    promise(HYPERCALL_2(__HYPERVISOR_vm_assist, 2, 6) == -EINVAL,
            "the type is looked at first");
}

static bool feature(unsigned bit)
{
    struct xen_feature_info info = {0};

    hypercall_xen_version(XENVER_get_features, &info);
    return info.submap >> bit & 1;
}

static void extended_cr3(void)
{
    const bool before = feature(XENFEAT_pae_pgdir_above_4gb);

    enable(VMASST_TYPE_pae_extended_cr3);
    promise(!before && feature(XENFEAT_pae_pgdir_above_4gb),
            "pae_extended_cr3 is a feature");
    disable(VMASST_TYPE_pae_extended_cr3);
}

static void set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = {.iopl = iopl};

    hypercall_physdev_op(PHYSDEVOP_set_iopl, &op);
}

ON_TOP static void set_frame_iopl(struct own_note *note, uint64_t *rip)
{
    (void)note;
    rip[2] = (rip[2] & ~RFLAGS_IOPL) | 0x2000; /* 2 */
}

/* Two traps in a row, between which iret sets the level to 2. */
static void two_traps(void)
{
    const struct trap_info table[] = {
        {3, 4, FLAT_KERNEL_CS, (uintptr_t)on_trap}, {0, 0, 0, 0}};

    own_begin();
    hypercall_set_trap_table(table);
    own_hook = set_frame_iopl;
    __asm__ volatile("int3\n\tint3" ::: "memory");
    own_end();
}

static void architectural_iopl(void)
{
    uint64_t rax = 0, flags;

    set_iopl(0);
    two_traps();
    promise(own_nr == 2 && !(own_notes[1].rflags & RFLAGS_IOPL),
            "without architectural_iopl a frame has no level");
    expect(13);
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(came(13, 0), "and ports are closed");

    enable(VMASST_TYPE_architectural_iopl);
    set_iopl(1);
    two_traps();
    promise(own_nr == 2 && (own_notes[0].rflags & RFLAGS_IOPL) == 0x1000,
            "with it the frame has what was set");
    promise((own_notes[1].rflags & RFLAGS_IOPL) == 0x2000, "and iret sets it");
    __asm__ volatile("pushf\n\tpop %0" : "=r"(flags)::"memory");
    promise(!(flags & RFLAGS_IOPL), "the CPU does not know");
    set_iopl(0);
    expect_none();
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(none() && rax == 0xff, "the kernel has all ports at level 0");
    disable(VMASST_TYPE_architectural_iopl);
    expect(13);
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(came(13, 0), "no more when it is turned off");
}

static volatile struct vcpu_runstate_info runstate;

static void update_flag(void)
{
    struct vcpu_register_runstate_memory_area area = {
        .addr.v = (struct vcpu_runstate_info *)(uintptr_t)&runstate};
    const struct vcpu_runstate_info zero = {0};

    runstate = zero;
    enable(VMASST_TYPE_runstate_update_flag);
    promise(hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &area) ==
                    0 &&
                runstate.state == RUNSTATE_running &&
                runstate.state_entry_time > 0,
            "the runstate is told");
    promise(!(runstate.state_entry_time & XEN_RUNSTATE_UPDATE),
            "and is not being updated while we look");
    disable(VMASST_TYPE_runstate_update_flag);
    area.addr.v = NULL;
}

int main(void)
{
    which();
    extended_cr3();
    architectural_iopl();
    update_flag();
    return verdict();
}
