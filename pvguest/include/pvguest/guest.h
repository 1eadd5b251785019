/*
 * pvguest/guest.h: what the guest was told at start, and its ways to end.
 */
#ifndef PVGUEST_GUEST_H
#define PVGUEST_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

extern start_info_t *guest_start_info;
extern struct shared_info *guest_shared_info;

/* Is this the initial domain, with console_io in place of a console ring? */
bool guest_is_dom0(void);

/*
 * Power off with (code), which a host that cares finds as data/exit-status in
 * the domain's part of xenstore. main()'s return value and exit() end here.
 */
_Noreturn void guest_exit(int code);

/* Leave by SHUTDOWN_* reason. */
_Noreturn void guest_shutdown(unsigned reason);

/* Print a report with registers and a backtrace, then SHUTDOWN_crash. */
_Noreturn void guest_panic(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Raw output, for reports and early boot: console_io, then the console driver
 * once there is one (guest_set_output).
 */
void guest_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_vprint(const char *format, va_list args);

/*
 * Where standard output goes and input comes from: set by the console driver.
 * (write) takes all bytes, blocking the thread if it must; (flush) waits until
 * the peer has them; (read) blocks until there is a byte.
 */
struct guest_console {
    void (*write)(const char *bytes, size_t len);
    void (*flush)(void);
    long (*read)(char *bytes, size_t len);
};
void guest_set_console(const struct guest_console *console);

/*
 * Drivers register their start here; run on the main thread before main().
 */
#define GUEST_DRIVER(fn)                  \
    static int (*const driver_##fn)(void) \
        __attribute__((used, section("guest_drivers"))) = (fn)

#endif
