/*
 * host/backend/console.h: the primary console: the guest's output ring to
 * stdout, stdin to its input ring, bytes unchanged.
 *
 * Nothing is lost: when stdout does not take more, bytes stay in the guest's
 * ring and the guest sees it full; when its input ring is full, stdin is not
 * read. At the end of stdin the guest goes on without input. When the reader
 * of stdout is gone the domain ends, as host trouble.
 *
 * If stdin and stdout are a terminal, it is raw while the guest runs: each key
 * goes to the guest, Ctrl-C too, but Ctrl-] destroys the domain. Output is
 * still post-processed (a bare newline returns the carriage), as guests
 * disagree on who does that. The terminal is restored on every way out.
 */
#ifndef HOST_BACKEND_CONSOLE_H
#define HOST_BACKEND_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct console;
struct domain;

/*
 * Serve the ring in (ring_page), the host's view of the console frame, through
 * the guest's unbound (port). Becomes dom->console. SIGPIPE must be ignored. 0
 * or -errno with a sentence logged.
 */
int console_create(struct domain *dom, void *ring_page, uint32_t port);

/*
 * The guest is done: print what the ring still holds. Waits for a slow reader
 * of stdout; not for long if the user has told us to end. NULL is fine.
 */
void console_drain(struct console *console);

/*
 * Bytes from HYPERVISOR_console_io, in order with the ring's. Waits for a slow
 * reader of stdout, serving dom->wait meanwhile, until the domain ends.
 */
void console_write(struct domain *dom, const char *bytes, size_t len);

/* Restore the terminal; async-signal-safe; harmless when nothing was done. */
void console_restore_terminal(void);

/* Unbind, forget, restore the terminal. Does not print: see console_drain. */
void console_destroy(struct domain *dom);

#endif
