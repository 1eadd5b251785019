/*
 * kernel/console.h: the console as a file, with a line that can be mended
 * before anybody reads it.
 */
#ifndef TEACHOS_CONSOLE_H
#define TEACHOS_CONSOLE_H

#include "file.h"

extern const struct file_kind console_file;

/* Begin to listen. False: no memory. */
bool console_init(void);

/* Whom the interrupt key ends, with all its descendants; 0: nobody. */
void console_set_front(int process);

#endif
