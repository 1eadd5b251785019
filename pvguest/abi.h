/*
 * pvguest/abi.h: what the ABI that the image was started by does in its own
 * way: PV by hypercalls (pv/), PVH by instructions (pvh/). All else of the
 * library is the same for both. (private)
 */
#ifndef PVGUEST_ABI_H
#define PVGUEST_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pvguest/ring_page.h>

struct guest_vcpu;

struct guest_abi {
    bool is_pvh;

    /* Let events interrupt, between any two instructions, or not. */
    void (*open_upcalls)(void);
    void (*close_upcalls)(void);

    /* The address of the last page fault. */
    uint64_t (*fault_address)(void);

    /* False if the hypervisor refuses. */
    bool (*set_fs_base)(uint64_t base);
    bool (*set_gs_base)(uint64_t base);

    /*
     * Tell the hypervisor how (vcpu), never initialised before, is to begin:
     * on its stack, with GS at the record, in guest_vcpu_run. 0 or -errno.
     */
    int (*init_vcpu)(struct guest_vcpu *vcpu);

    /*
     * Say it where nothing of ours is needed. False if nobody promises to
     * show it: then it should be said on the console as well.
     */
    bool (*write_log)(const char *bytes, size_t len);

    /*
     * Map the RAM at [from, to), both on 2 MiB bounds unless (to) is RAM's
     * end. Tables come from (table), pages that are mapped and ours; false,
     * with nothing lost, when the hypervisor refuses or there is no page.
     * NULL: all of RAM is mapped from the beginning.
     */
    bool (*map_ram)(uintptr_t from, uintptr_t to, void *(*table)(void));

    /*
     * Map or unmap (nr) pages of RAM, at most BALLOON_BATCH, by their pfns. As
     * PV a page has to be unmapped before it is given back.
     */
    bool (*show_pages)(const size_t *pfns, size_t nr, bool present);

    /*
     * Address space for frames that are not RAM of ours: make the tables for
     * the 2 MiB at (va), with page_alloc, then map single frames there.
     */
    bool (*open_window)(uintptr_t va);
    bool (*map_frame)(uintptr_t va, uint64_t frame, bool writable);

    /*
     * Have the grant table grow to (to) frames, of which there were (from);
     * map the new ones in a row from (va) on. How many of them could be.
     */
    uint32_t (*grow_grants)(uint32_t from, uint32_t to, uintptr_t va);

    /*
     * On (vcpu), which runs this, have user mode enter the kernel by the end of
     * its (user.frame). Selectors of user mode.
     */
    bool (*enable_user)(struct guest_vcpu *vcpu);
    uint16_t user_cs, user_ss;

    /* The builder's rings. A port of 0: there is none. */
    evtchn_port_t (*ring_port)(enum builder_ring ring);
    void *(*ring_page)(enum builder_ring ring);
};

extern const struct guest_abi *guest_abi;

#define BALLOON_BATCH    32
#define GRANT_MAX_FRAMES 64

/* What the builder said, in its own way. */
struct guest_told {
    const char *command_line; /* NUL-terminated */
    bool is_dom0;
    const void *module; /* NULL: none */
    size_t module_size;
};
extern struct guest_told guest_told;

/* What every start of day ends in, with guest_abi set and pages there. */
_Noreturn void guest_go(void);

/* entry_x86_64.S jumps there: back from a trap, and to sleep (guest_block). */
extern const char *guest_trap_return, *guest_sleep;

#endif
