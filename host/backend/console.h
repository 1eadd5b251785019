/*
 * host/backend/console.h: the primary console: the guest's output ring to
 * stdout, stdin to its input ring.
 *
 * Nothing is lost: when stdout does not take more, bytes stay in the guest's
 * ring and the guest sees it full; when its input ring is full, stdin is not
 * read. A terminal is put into raw mode while the guest runs and restored on
 * every way out.
 */
#ifndef HOST_BACKEND_CONSOLE_H
#define HOST_BACKEND_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct console;
struct domain;

int console_create(struct domain *dom, void *ring_page, uint32_t port);

/* Print what the ring still holds, waiting for stdout if need be (bounded). */
void console_drain(struct console *console);

/* Bytes from HYPERVISOR_console_io, in order with the ring's. */
void console_write(struct domain *dom, const char *bytes, size_t len);

/* Restore the terminal; async-signal-safe; harmless when nothing was done. */
void console_restore_terminal(void);

void console_destroy(struct domain *dom);

#endif
