/*
 * Start of day as PVH, from where C can run on: what a PV builder would have
 * set up is made here.
 */
#include "pvh.h"

#include <pvguest/guest.h>

#include <hypercall/calls.h>

#include "../internal.h"
#include "selector.h"

struct hvm_start_info pvh_info;
char pvh_command_line[MAX_GUEST_CMDLINE];
uint32_t pvh_nr_memmap;
struct hvm_memmap_table_entry pvh_memmap[PVH_MEMMAP_MAX + PVH_MEMMAP_OWN];
struct hvm_modlist_entry pvh_module;

_Noreturn void pvh_start(void);

static void open_upcalls(void)
{
    __asm__ volatile("sti" ::: "memory");
}

static void close_upcalls(void)
{
    __asm__ volatile("cli" ::: "memory");
}

/* A page may be given back as it is: nothing of it is in our tables alone. */
static bool show_pages(const size_t *pfns, size_t nr, bool present)
{
    (void)pfns;
    (void)nr;
    (void)present;
    return true;
}

static const struct guest_abi pvh_abi = {
    .is_pvh = true,
    .open_upcalls = open_upcalls,
    .close_upcalls = close_upcalls,
    .fault_address = pvh_fault_address,
    .set_fs_base = pvh_set_fs_base,
    .set_gs_base = pvh_set_gs_base,
    .init_vcpu = pvh_init_vcpu,
    .write_log = pvh_write_log,
    .show_pages = show_pages,
    .open_window = pvh_open_window,
    .map_frame = pvh_map_frame,
    .grow_grants = pvh_grow_grants,
    .ring_port = pvh_ring_port,
    .ring_page = pvh_ring_page,
    .enable_user = pvh_enable_user,
    .user_cs = SELECTOR_USER_CODE,
    .user_ss = SELECTOR_USER_DATA,
};

_Noreturn void pvh_start(void)
{
    guest_abi = &pvh_abi;
    guest_trap_return = pvh_trap_return;
    guest_sleep = pvh_sleep;
    pvh_cpu_init();
    pvh_find_hypervisor();

    if (pvh_info.magic != XEN_HVM_START_MAGIC_VALUE)
        guest_panic("no start info: magic 0x%x", pvh_info.magic);
    if (pvh_info.version < 1)
        guest_panic("start info version %u has no memory map",
                    pvh_info.version);
    if (!pvh_map_init())
        guest_panic("the memory map has no RAM for the image, or none else");
    if (!pvh_introduce())
        guest_panic("the hypervisor refuses shared_info or the callback");

    guest_told = (struct guest_told){
        .command_line = pvh_command_line,
        .is_dom0 = pvh_info.flags & SIF_INITDOMAIN,
        .module = pvh_find_module(),
        .module_size = pvh_module.size,
    };
    guest_go();
}
