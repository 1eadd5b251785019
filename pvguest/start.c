/*
 * Start of day, where both ABIs have met: to guest_main.
 */
#include <pvguest/guest.h>

#include "abi.h"
#include "internal.h"

const struct guest_abi *guest_abi;
struct shared_info *guest_shared_info = &guest_shared_page;

struct guest_told guest_told;

bool guest_is_pvh(void)
{
    return guest_abi->is_pvh;
}

bool guest_is_dom0(void)
{
    return guest_told.is_dom0;
}

const char *guest_command_line(void)
{
    return guest_told.command_line;
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

_Noreturn void guest_go(void)
{
    for (unsigned i = 0; i < sizeof(xen_ulong_t) * 8; i++)
        guest_shared_info->evtchn_mask[i] = ~0ul;
    thread_init();
    guest_main();
    guest_exit(0);
}
