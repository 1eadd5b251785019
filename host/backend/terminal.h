/*
 * host/backend/terminal.h: the user's terminal while a guest has it.
 * console_restore_terminal, its undoing, is part of console.h.
 */
#ifndef HOST_BACKEND_TERMINAL_H
#define HOST_BACKEND_TERMINAL_H

#include <stdbool.h>

#define TERMINAL_LEAVE 0x1d /* Ctrl-] */

/*
 * Make it raw if stdin and stdout are one and we are in its foreground; returns
 * whether. A failure to do so is not an error: the guest then gets lines.
 */
bool terminal_make_raw(void);

#endif
