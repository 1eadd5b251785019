/*
 * kernel/exec.h: programs from files.
 */
#ifndef TEACHOS_EXEC_H
#define TEACHOS_EXEC_H

/*
 * The calling process becomes the program in the file (path), an ELF
 * executable for x86-64 linked into [USER_START, USER_STACK), with the
 * arguments (argv), which end in NULL: at its entry RDI is their number and RSI
 * points at them. 0, or why not; then the process is what it was.
 */
int exec(const char *path, char *const *argv);

#endif
