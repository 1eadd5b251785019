/*
 * pvguest/libc/linux.h: Linux's system calls as far as musl needs them, each
 * with the arguments and the negative errno of the original. (private)
 */
#ifndef PVGUEST_LIBC_LINUX_H
#define PVGUEST_LIBC_LINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* linux.c: called by musl, see musl/arch/x86_64/syscall_arch.h. */
long guest_linux_syscall(long nr, long a1, long a2, long a3, long a4, long a5,
                         long a6);

/* memory.c */
long linux_mmap(void *addr, size_t len, int prot, int flags, int fd,
                off_t offset);
long linux_munmap(void *addr, size_t len);
long linux_mremap(void *addr, size_t old_len, size_t new_len, int flags);

/* futex.c */
long linux_futex(volatile int *addr, int op, int value, uintptr_t timeout,
                 volatile int *other);
void futex_wake(volatile int *addr, int nr);

/* task.c */
void task_init(void);
int task_tid(void);
long linux_set_tid_address(int *clear);
_Noreturn void linux_exit(void);
long linux_sched_getaffinity(int tid, size_t size, void *mask);
long linux_sched_setaffinity(int tid, size_t size, const void *mask);

/* time.c */
uint64_t time_ns(const struct timespec *ts);
int guest_libc_clock_gettime(int clock, struct timespec *ts);
long linux_clock_getres(int clock, struct timespec *ts);
long linux_clock_nanosleep(int clock, int flags, const struct timespec *want);

/* random.c: bytes from the CPU's generator, or -ENOSYS where it has none. */
long linux_getrandom(void *buf, size_t len, unsigned flags);

#endif
