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

/*
 * Images have two entries and run by the ABI whose builder started them: PV,
 * or PVH, which is a virtual machine of their own.
 */
bool guest_is_pvh(void);

/* The words after the image, unparsed: at most MAX_GUEST_CMDLINE with NUL. */
const char *guest_command_line(void);

/* xen/xen.h: where it is mapped, as either. */
extern struct shared_info *guest_shared_info;

/* As the builder left it (xen/xen.h). PV's own: NULL as PVH. */
extern start_info_t *guest_start_info;

/* Is this the initial domain, with console_io in place of a console ring? */
bool guest_is_dom0(void);

/*
 * Power off with (code), 0 to 255, which a host that cares finds as
 * data/exit-status in the domain's part of xenstore (nothing there means 0);
 * without a xenstore one
 * that is not 0 is printed. What the console has not sent yet is sent first.
 * main()'s return value and exit() end here, cut to their low byte.
 */
_Noreturn void guest_exit(int code);

/* Leave by (reason), a SHUTDOWN_ of xen/sched.h, at once. */
_Noreturn void guest_shutdown(unsigned reason);

/* Print a report with registers and a backtrace, then SHUTDOWN_crash. */
_Noreturn void guest_panic(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Raw output, for reports and early boot: console_io, then the console driver
 * once there is one (guest_set_console).
 */
void guest_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void guest_vprint(const char *format, va_list args);
void guest_write(const char *bytes, size_t len);

/*
 * As snprintf, with what guest_print knows: %s %c %d %i %u %x %p, l, z, a
 * width, 0 and -. Returns the length of the whole, without the NUL, even where
 * (size) cut it. Needs no C library.
 */
size_t guest_format(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t guest_vformat(char *buf, size_t size, const char *format, va_list args);

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
const struct guest_console *guest_get_console(void); /* NULL: none yet */

/*
 * The first code that is not the library's, on the main thread, with all of
 * pvguest ready. The C library's glue brings one that ends in main(); who links
 * without it, as to port an OS, writes this instead, and calls
 * guest_start_drivers when ready for them. Returning is guest_exit(0).
 */
void guest_main(void);
void guest_start_drivers(void);

/*
 * Drivers register their start here; run on the main thread before main().
 * 0, or a negative errno that is printed and does not stop the others.
 */
#define GUEST_DRIVER(fn)                  \
    static int (*const driver_##fn)(void) \
        __attribute__((used, section("guest_drivers"))) = (fn)

#endif
