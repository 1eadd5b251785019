/*
 * Start of day as PV: from the builder's registers on, and what this ABI does
 * by hypercalls.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <hypercall/calls.h>

#include "../internal.h"
#include "../this_vcpu.h"
#include "pv.h"

/* The builder maps this much past the stack, and on to a bound (xen/xen.h). */
#define BUILDER_PAD   0x80000ul
#define BUILDER_ALIGN 0x400000ul

/*
 * Xen's builder puts the ring pages right behind start_info, in RAM that is
 * mapped already; nothing promises that, so other frames are mapped anew.
 */
#define NEAR_PAGES 8

start_info_t *guest_start_info;

_Noreturn void pv_start(start_info_t *si, uintptr_t boot_end);

static void open_upcalls(void)
{
    __atomic_store_n(&this_vcpu()->info->evtchn_upcall_mask, 0,
                     __ATOMIC_SEQ_CST);
}

static void close_upcalls(void)
{
    __atomic_store_n(&this_vcpu()->info->evtchn_upcall_mask, 1,
                     __ATOMIC_SEQ_CST);
}

static uint64_t fault_address(void)
{
    return this_vcpu()->info->arch.cr2;
}

static bool set_fs_base(uint64_t base)
{
    return hypercall_set_segment_base(SEGBASE_FS, base) == 0;
}

static bool write_log(const char *bytes, size_t len)
{
    return hypercall_console_write(bytes, len) >= 0;
}

static uint32_t grow_grants(uint32_t from, uint32_t to, uintptr_t va)
{
    xen_pfn_t frames[GRANT_MAX_FRAMES] = {0};
    int16_t status;

    if (hypercall_grant_setup_table(to, frames, &status) ||
        status != GNTST_okay)
        return 0;
    for (uint32_t i = from; i < to; i++, va += PAGE_SIZE)
        if (!pv_map_frame(va, frames[i], true))
            return i - from;
    return to - from;
}

static uint64_t ring_frame(enum builder_ring ring)
{
    return ring == RING_STORE ? guest_start_info->store_mfn
                              : guest_start_info->console.domU.mfn;
}

static evtchn_port_t pv_ring_port(enum builder_ring ring)
{
    if (guest_is_dom0() || !ring_frame(ring))
        return 0;
    return ring == RING_STORE ? guest_start_info->store_evtchn
                              : guest_start_info->console.domU.evtchn;
}

static void *pv_ring_page(enum builder_ring ring)
{
    uintptr_t start = (uintptr_t)guest_start_info & ~(PAGE_SIZE - 1);
    uint64_t mfn = ring_frame(ring);

    for (unsigned i = 1; i <= NEAR_PAGES; i++) {
        void *page = (void *)(start + i * PAGE_SIZE);

        if (page_mfn(page) == mfn)
            return page;
    }
    return page_map_frame(mfn, true);
}

/* Bounces from user mode start on this stack, from the kernel on its own. */
static bool enable_user(struct guest_vcpu *vcpu)
{
    return hypercall_stack_switch(FLAT_KERNEL_SS,
                                  (uintptr_t)(&vcpu->user.frame + 1)) == 0 &&
           hypercall_register_callback(CALLBACKTYPE_syscall,
                                       CALLBACKF_mask_events,
                                       (uintptr_t)pv_syscall) == 0;
}

static const struct guest_abi pv_abi = {
    .is_pvh = false,
    .open_upcalls = open_upcalls,
    .close_upcalls = close_upcalls,
    .fault_address = fault_address,
    .set_fs_base = set_fs_base,
    .set_gs_base = pv_set_gs_base,
    .init_vcpu = pv_init_vcpu,
    .write_log = write_log,
    .map_ram = pv_map_ram,
    .show_pages = pv_show_pages,
    .open_window = pv_open_window,
    .map_frame = pv_map_frame,
    .grow_grants = grow_grants,
    .ring_port = pv_ring_port,
    .ring_page = pv_ring_page,
    .enable_user = enable_user,
    .user_cs = FLAT_USER_CS,
    .user_ss = FLAT_USER_SS,
};

/*
 * One crossing for all that must be there before anything can go wrong.
 * shared_info is named by machine address and replaces a page of ours.
 */
static bool introduce(void)
{
    multicall_entry_t calls[] = {
        {.op = __HYPERVISOR_set_trap_table, .args = {(uintptr_t)pv_trap_table}},
        {.op = __HYPERVISOR_set_callbacks,
         .args = {(uintptr_t)pv_upcall, (uintptr_t)pv_failsafe}},
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {(uintptr_t)&guest_shared_page,
                  guest_start_info->shared_info | PTE_RAM, UVMF_INVLPG}},
    };

    return hypercall_multicall(calls, 3) == 0 && calls[0].result == 0 &&
           calls[1].result == 0 && calls[2].result == 0;
}

_Noreturn void pv_start(start_info_t *si, uintptr_t boot_end)
{
    guest_abi = &pv_abi;
    guest_trap_return = pv_trap_return;
    guest_sleep = pv_sleep;
    guest_start_info = si;
    page_p2m = (uint64_t *)si->mfn_list;
    if (!introduce())
        guest_shutdown(SHUTDOWN_crash);
    page_init(si->nr_pages, boot_end,
              (boot_end + BUILDER_PAD + BUILDER_ALIGN - 1) &
                  ~(BUILDER_ALIGN - 1),
              (uintptr_t)guest_virt_base + si->nr_pages * PAGE_SIZE);

    si->cmd_line[MAX_GUEST_CMDLINE - 1] = '\0';
    guest_told = (struct guest_told){
        .command_line = (const char *)si->cmd_line,
        .is_dom0 = si->flags & SIF_INITDOMAIN,
        .module = (const void *)si->mod_start, /* no image of ours asks for a
                                                  module that is not mapped */
        .module_size = si->mod_len,
    };
    guest_go();
}
