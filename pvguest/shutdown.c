/*
 * The ways to end.
 */
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include "internal.h"
#include <hypercall/calls.h>

/*
 * There is a xenstore where store.c was linked in and a toolstack listens:
 * neither is needed to end.
 */
bool store_available(void) __attribute__((weak));
int store_printf(uint32_t tx, const char *path, const char *format, ...)
    __attribute__((weak, format(printf, 3, 4)));

_Noreturn void guest_shutdown(unsigned reason)
{
    for (;;)
        hypercall_shutdown(reason);
}

_Noreturn void guest_exit(int code)
{
    const struct guest_console *console;

    /* Nothing said means 0, and spares the store a first use. */
    if (code && store_available && store_printf && store_available())
        store_printf(0, "data/exit-status", "%d", code);
    else if (code)
        guest_print("guest: exit status %d\n", code);

    guest_lock(); /* it is the drivers' now */
    console = guest_get_console();
    if (console && console->flush)
        console->flush();
    guest_shutdown(SHUTDOWN_poweroff);
}
