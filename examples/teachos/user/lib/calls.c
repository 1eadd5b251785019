/* user/lib/calls.c: system calls by name. */
#include "lib.h"

_Noreturn void exit(int status)
{
    syscall(SYS_EXIT, (long)status);
    __builtin_unreachable();
}

long fork(void)
{
    return syscall(SYS_FORK);
}

long exec(const char *path, char *const *argv)
{
    return syscall(SYS_EXEC, path, argv);
}

long wait(int *status)
{
    return syscall(SYS_WAIT, status);
}

long kill(long process)
{
    return syscall(SYS_KILL, process);
}

long getpid(void)
{
    return syscall(SYS_GETPID);
}

long sleep_ms(unsigned long ms)
{
    return syscall(SYS_SLEEP, ms);
}

unsigned long time_ns(void)
{
    return (unsigned long)syscall(SYS_TIME);
}

void *sbrk(unsigned long bytes)
{
    long before = syscall(SYS_SBRK, bytes);

    return before < 0 ? NULL : (void *)before;
}

long open(const char *path, unsigned flags)
{
    return syscall(SYS_OPEN, path, (long)flags);
}

long close(long fd)
{
    return syscall(SYS_CLOSE, fd);
}

long read(long fd, void *to, size_t len)
{
    return syscall(SYS_READ, fd, to, len);
}

long write(long fd, const void *from, size_t len)
{
    return syscall(SYS_WRITE, fd, from, len);
}

long dup(long fd, long as)
{
    return syscall(SYS_DUP, fd, as);
}

long pipe(int ends[2])
{
    return syscall(SYS_PIPE, ends);
}

long seek(long fd, unsigned long offset)
{
    return syscall(SYS_SEEK, fd, offset);
}

long stat(const char *path, struct teachos_stat *about)
{
    return syscall(SYS_STAT, path, about);
}

long mkdir(const char *path)
{
    return syscall(SYS_MKDIR, path);
}

long unlink(const char *path)
{
    return syscall(SYS_UNLINK, path);
}

long chdir(const char *path)
{
    return syscall(SYS_CHDIR, path);
}

long process_info(unsigned n, struct teachos_process *about)
{
    return syscall(SYS_PROCESS, (long)n, about);
}

long memory_free(void)
{
    return syscall(SYS_MEMORY);
}

long set_front(long process)
{
    return syscall(SYS_FRONT, process);
}

long nr_cpus(void)
{
    return syscall(SYS_CPUS);
}

const char *error_text(long error)
{
    static const struct {
        long error;
        const char *text;
    } texts[] = {
        {E_PERM, "not allowed"},           {E_NOENT, "no such file"},
        {E_SRCH, "no such process"},       {E_INTR, "interrupted"},
        {E_IO, "the disk is broken"},      {E_TOOBIG, "too many arguments"},
        {E_NOEXEC, "not a program"},       {E_BADF, "not open for that"},
        {E_CHILD, "no children"},          {E_AGAIN, "too many processes"},
        {E_NOMEM, "out of memory"},        {E_FAULT, "bad address"},
        {E_BUSY, "somebody has it open"},  {E_EXIST, "it exists"},
        {E_NOTDIR, "not a folder"},        {E_ISDIR, "a folder"},
        {E_INVAL, "makes no sense"},       {E_MFILE, "too many open files"},
        {E_FBIG, "too large for a file"},  {E_NOSPC, "the disk is full"},
        {E_ROFS, "the disk is read-only"}, {E_PIPE, "nobody reads it"},
        {E_NOSYS, "no such system call"},  {E_NOTEMPTY, "not empty"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].text;
    return "unknown error";
}
