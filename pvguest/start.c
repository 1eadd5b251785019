/*
 * Start of day: from the builder's registers to guest_main.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include "internal.h"
#include <hypercall/calls.h>

start_info_t *guest_start_info;
struct shared_info *guest_shared_info = &guest_shared_page;

void guest_start(start_info_t *si, uintptr_t boot_end);

bool guest_is_dom0(void)
{
    return guest_start_info->flags & SIF_INITDOMAIN;
}

void guest_start_drivers(void)
{
    for (int (*const *start)(void) = guest_drivers_start;
         start < guest_drivers_end; start++) {
        int rc = (*start)();

        if (rc < 0)
            guest_print("guest: a driver did not start: error %d\n", rc);
    }
}

/*
 * One crossing for all that must be there before anything can go wrong.
 * shared_info is named by machine address and replaces a page of ours.
 */
static bool introduce(void)
{
    multicall_entry_t calls[] = {
        {.op = __HYPERVISOR_set_trap_table,
         .args = {(uintptr_t)guest_trap_table}},
        {.op = __HYPERVISOR_set_callbacks,
         .args = {(uintptr_t)guest_upcall, (uintptr_t)guest_failsafe}},
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {(uintptr_t)&guest_shared_page,
                  guest_start_info->shared_info | PTE_RAM, UVMF_INVLPG}},
    };

    return hypercall_multicall(calls, 3) == 0 && calls[0].result == 0 &&
           calls[1].result == 0 && calls[2].result == 0;
}

void guest_start(start_info_t *si, uintptr_t boot_end)
{
    guest_start_info = si;
    if (!introduce())
        guest_shutdown(SHUTDOWN_crash);

    for (unsigned i = 0; i < sizeof(xen_ulong_t) * 8; i++)
        guest_shared_info->evtchn_mask[i] = ~0ul;
    page_init(boot_end);
    thread_init();
    guest_main();
    guest_exit(0);
}
