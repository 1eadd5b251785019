/*
 * Linux's system calls, where musl would have made them.
 *
 * There are no files but the console at 0 to 2, no processes and no signals:
 * what needs those answers -ENOSYS, as an old kernel would.
 */
#include <pvguest/guest.h>
#include <pvguest/linux.h>
#include <pvguest/thread.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "linux.h"

static bool is_console(long fd)
{
    return fd >= 0 && fd <= 2;
}

static long linux_write(int fd, const char *buf, size_t len)
{
    if (!is_console(fd) || fd == 0)
        return -EBADF;
    guest_write(buf, len);
    return (long)len;
}

/*
 * stdio writes what it had and what is new as two pieces; gathered, a line is
 * one write, and one event to the peer.
 */
static long linux_writev(int fd, const struct iovec *iov, int nr)
{
    char line[256];
    size_t held = 0;
    long done = 0;

    if (!is_console(fd) || fd == 0)
        return -EBADF;
    for (int i = 0; i < nr; i++) {
        size_t len = iov[i].iov_len;

        if (len > sizeof line - held) {
            guest_write(line, held);
            held = 0;
        }
        if (len > sizeof line)
            guest_write(iov[i].iov_base, len);
        else
            memcpy(line + held, iov[i].iov_base, len);
        held += len > sizeof line ? 0 : len;
        done += (long)len;
    }
    guest_write(line, held);
    return done;
}

/* End of file where nobody can type. */
static long linux_read(int fd, char *buf, size_t len)
{
    const struct guest_console *console = guest_get_console();

    if (fd != 0)
        return -EBADF;
    return console && console->read ? console->read(buf, len) : 0;
}

/* One console read at most; musl passes its own buffer last. */
static long linux_readv(int fd, const struct iovec *iov, int nr)
{
    for (int i = 0; i < nr; i++) {
        if (iov[i].iov_len)
            return linux_read(fd, iov[i].iov_base, iov[i].iov_len);
    }
    return 0;
}

/* The console is a terminal of unknown size: stdio writes it line by line. */
static long linux_ioctl(int fd, unsigned long request, struct winsize *size)
{
    if (!is_console(fd))
        return -EBADF;
    if (request != TIOCGWINSZ)
        return -ENOTTY;
    memset(size, 0, sizeof *size);
    return 0;
}

/* raise() and abort(): a signal nobody can catch is the end. */
static long linux_tkill(int tid, int signal)
{
    (void)tid;
    if (signal == SIGABRT)
        guest_panic("abort");
    return -ENOSYS;
}

static long file_call(long nr, long a1, long a2, long a3)
{
    GUEST_LOCKED;

    switch (nr) {
    case SYS_read:
        return linux_read((int)a1, (char *)a2, (size_t)a3);
    case SYS_write:
        return linux_write((int)a1, (const char *)a2, (size_t)a3);
    case SYS_readv:
        return linux_readv((int)a1, (const struct iovec *)a2, (int)a3);
    case SYS_writev:
        return linux_writev((int)a1, (const struct iovec *)a2, (int)a3);
    case SYS_ioctl:
        return linux_ioctl((int)a1, (unsigned long)a2, (struct winsize *)a3);
    case SYS_lseek:
        return is_console(a1) ? -ESPIPE : -EBADF;
    case SYS_close:
        return is_console(a1) ? 0 : -EBADF;
    default:
        return -ENOSYS;
    }
}

static linux_call_fn more_calls;

void linux_set_more_calls(linux_call_fn fn)
{
    more_calls = fn;
}

static long ask_others(long nr, const long args[6])
{
    GUEST_LOCKED;

    return more_calls(nr, args);
}

static long yield(void)
{
    thread_yield();
    return 0;
}

long guest_linux_syscall(long nr, long a1, long a2, long a3, long a4, long a5,
                         long a6)
{
    long result;

    switch (nr) {
    case SYS_mmap:
        return linux_mmap((void *)a1, (size_t)a2, (int)a3, (int)a4, (int)a5,
                          a6);
    case SYS_munmap:
        return linux_munmap((void *)a1, (size_t)a2);
    case SYS_mremap:
        return linux_mremap((void *)a1, (size_t)a2, (size_t)a3, (int)a4);
    case SYS_futex:
        return linux_futex((volatile int *)a1, (int)a2, (int)a3, (uintptr_t)a4,
                           (volatile int *)a5);
    case SYS_clock_gettime:
        return guest_libc_clock_gettime((int)a1, (struct timespec *)a2);
    case SYS_clock_getres:
        return linux_clock_getres((int)a1, (struct timespec *)a2);
    case SYS_nanosleep:
        return linux_clock_nanosleep(CLOCK_MONOTONIC, 0,
                                     (const struct timespec *)a1);
    case SYS_clock_nanosleep:
        return linux_clock_nanosleep((int)a1, (int)a2,
                                     (const struct timespec *)a3);
    case SYS_sched_yield:
        return yield();
    case SYS_sched_getaffinity:
        return linux_sched_getaffinity((int)a1, (size_t)a2, (void *)a3);
    case SYS_sched_setaffinity:
        return linux_sched_setaffinity((int)a1, (size_t)a2, (const void *)a3);
    case SYS_gettid:
        return task_tid();
    case SYS_getpid:
        return 1;
    case SYS_set_tid_address:
        return linux_set_tid_address((int *)a1);
    case SYS_set_thread_area:
        thread_set_tls((uint64_t)a1);
        return 0;
    case SYS_tkill:
        return linux_tkill((int)a1, (int)a2);
    case SYS_getrandom:
        return linux_getrandom((void *)a1, (size_t)a2, (unsigned)a3);
    case SYS_exit:
        linux_exit();
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getgid:
    case SYS_getegid:
        return 0; /* these cannot fail */
    case SYS_exit_group:
        guest_exit((int)a1 & 0xff); /* what a parent would see */
    default:
        break;
    }
    result = file_call(nr, a1, a2, a3);
    if (!more_calls || (result != -ENOSYS && result != -EBADF))
        return result;
    return ask_others(nr, (const long[]){a1, a2, a3, a4, a5, a6});
}
