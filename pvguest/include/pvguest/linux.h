/*
 * pvguest/linux.h: Linux's system calls, for drivers that bring files of their
 * own to the C library: sockets, say.
 */
#ifndef PVGUEST_LINUX_H
#define PVGUEST_LINUX_H

/*
 * Answers a system call that pvguest does not know, or one on a descriptor
 * that it does not know, with what Linux would: a result or negative errno;
 * -ENOSYS or -EBADF if it is not known here either. Arguments as on Linux.
 */
typedef long (*linux_call_fn)(long nr, const long args[6]);

/* There is one who is asked; (fn) is from now on. */
void linux_set_more_calls(linux_call_fn fn);

#endif
