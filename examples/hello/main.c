/*
 * hello: the smallest guest: it prints, and powers off.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <hypercall/calls.h>

void guest_main(void)
{
    long version = hypercall_version();

    guest_print("Hello from a Paravane guest.\n");
    guest_print("hypervisor: Xen %ld.%ld\n", version >> 16, version & 0xffff);
    guest_print("start of day: %s\n", guest_start_info->magic);
    guest_exit(0);
}
