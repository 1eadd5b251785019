/*
 * kernel/syscall.h: the system calls.
 */
#ifndef TEACHOS_KERNEL_SYSCALL_H
#define TEACHOS_KERNEL_SYSCALL_H

#include <pvguest/trap.h>

/* Do what the calling process wants; the answer is in (registers) then. */
void syscall_do(struct trap_frame *registers);

#endif
