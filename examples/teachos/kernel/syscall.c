/*
 * kernel/syscall.c: from numbers in registers to the functions that do it. All
 * that comes from a program is looked at here before anybody believes it.
 */
#include "syscall.h"

#include <pvguest/clock.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>
#include <teachos/syscall.h>

#include "console.h"
#include "exec.h"
#include "file.h"
#include "filesystem.h"
#include "heap.h"
#include "pipe.h"
#include "process.h"

#define NS_PER_MS 1000000ull

typedef long (*syscall_fn)(const uint64_t *args);

static struct space *space(void)
{
    return &process_current()->space;
}

/* A path that the program has at (from). */
static bool read_path(char path[PATH_SIZE], uint64_t from)
{
    return space_read_string(space(), path, from, PATH_SIZE) >= 0;
}

static long sys_exit(const uint64_t *args)
{
    process_exit((int)args[0]);
}

static long sys_fork(const uint64_t *args)
{
    (void)args;
    return process_fork();
}

/* Copies of the strings at (from), one behind the other in (strings). */
static long read_args(char *strings, char **argv, uint64_t from)
{
    size_t room = ARGS_SIZE;

    for (unsigned i = 0; i <= ARGS_MAX; i++) {
        uint64_t pointer;
        long len;

        if (!space_read(space(), &pointer, from + i * sizeof pointer,
                        sizeof pointer))
            return E_FAULT;
        argv[i] = NULL;
        if (!pointer)
            return 0;
        if (i == ARGS_MAX)
            break;
        len = space_read_string(space(), strings, pointer, room);
        if (len < 0)
            return room < ARGS_SIZE ? E_TOOBIG : E_FAULT;
        argv[i] = strings;
        strings += len + 1;
        room -= (size_t)len + 1;
    }
    return E_TOOBIG;
}

static long sys_exec(const uint64_t *args)
{
    char path[PATH_SIZE], *argv[ARGS_MAX + 1], *strings;
    long rc;

    if (!read_path(path, args[0]))
        return E_FAULT;
    strings = malloc(ARGS_SIZE);
    if (!strings)
        return E_NOMEM;
    rc = read_args(strings, argv, args[1]);
    if (!rc)
        rc = exec(path, argv);
    free(strings);
    return rc;
}

static long sys_wait(const uint64_t *args)
{
    int status = 0;
    long id;

    if (args[0] && !space_reach(space(), args[0], true))
        return E_FAULT;
    id = process_wait(&status);
    if (id > 0 && args[0] &&
        !space_write(space(), args[0], &status, sizeof status))
        return E_FAULT;
    return id;
}

static long sys_kill(const uint64_t *args)
{
    return process_kill((int)args[0]);
}

static long sys_getpid(const uint64_t *args)
{
    (void)args;
    return process_current()->id;
}

static long sys_sleep(const uint64_t *args)
{
    struct wait_queue nobody = WAIT_QUEUE_INIT;
    uint64_t deadline;

    if (args[0] > UINT32_MAX)
        return E_INVAL;
    deadline = clock_system_ns() + args[0] * NS_PER_MS;
    while (clock_system_ns() < deadline)
        if (!process_wait_in(&nobody, deadline))
            return E_INTR;
    return 0;
}

static long sys_time(const uint64_t *args)
{
    (void)args;
    return (long)clock_system_ns();
}

static long sys_sbrk(const uint64_t *args)
{
    uint64_t before = space_grow_heap(space(), args[0]);

    return before ? (long)before : E_NOMEM;
}

static long sys_open(const uint64_t *args)
{
    char path[PATH_SIZE];

    if (!read_path(path, args[0]))
        return E_FAULT;
    return file_open(path, (unsigned)args[1]);
}

static long sys_close(const uint64_t *args)
{
    return file_close((long)args[0]);
}

static long sys_read(const uint64_t *args)
{
    struct file *file = file_get((long)args[0]);

    if (!file || !(file->flags & OPEN_READ))
        return E_BADF;
    return file_read(file, args[1], args[2]);
}

static long sys_write(const uint64_t *args)
{
    struct file *file = file_get((long)args[0]);

    if (!file || !(file->flags & OPEN_WRITE))
        return E_BADF;
    return file_write(file, args[1], args[2]);
}

static long sys_dup(const uint64_t *args)
{
    return file_dup((long)args[0], (long)args[1]);
}

static long sys_pipe(const uint64_t *args)
{
    struct file *reader, *writer;
    long ends[2];
    int out[2];

    if (pipe_create(&reader, &writer))
        return E_NOMEM;
    ends[0] = file_install(reader);
    ends[1] = file_install(writer);
    out[0] = (int)ends[0];
    out[1] = (int)ends[1];
    if (ends[0] >= 0 && ends[1] >= 0 &&
        space_write(space(), args[0], out, sizeof out))
        return 0;
    for (unsigned i = 0; i < 2; i++)
        if (ends[i] >= 0)
            file_close(ends[i]);
        else
            file_drop(i ? writer : reader);
    return ends[0] < 0 || ends[1] < 0 ? E_MFILE : E_FAULT;
}

static long sys_seek(const uint64_t *args)
{
    return file_seek((long)args[0], args[1]);
}

static long sys_stat(const uint64_t *args)
{
    struct teachos_stat stat;
    char path[PATH_SIZE];
    long inode;
    int rc;

    if (!read_path(path, args[0]))
        return E_FAULT;
    inode = fs_find(process_current()->folder, path);
    if (inode < 0)
        return inode;
    rc = fs_stat((uint32_t)inode, &stat);
    if (rc)
        return rc;
    return space_write(space(), args[1], &stat, sizeof stat) ? 0 : E_FAULT;
}

static long sys_mkdir(const uint64_t *args)
{
    char path[PATH_SIZE];
    long inode;

    if (!read_path(path, args[0]))
        return E_FAULT;
    inode = fs_create(process_current()->folder, path, TYPE_FOLDER);
    return inode < 0 ? inode : 0;
}

static long sys_unlink(const uint64_t *args)
{
    char path[PATH_SIZE];

    if (!read_path(path, args[0]))
        return E_FAULT;
    return fs_remove(process_current()->folder, path);
}

static long sys_chdir(const uint64_t *args)
{
    struct process *process = process_current();
    struct teachos_stat stat;
    char path[PATH_SIZE];
    long inode;

    if (!read_path(path, args[0]))
        return E_FAULT;
    inode = fs_find(process->folder, path);
    if (inode < 0)
        return inode;
    if (fs_stat((uint32_t)inode, &stat))
        return E_IO;
    if (stat.type != TYPE_FOLDER)
        return E_NOTDIR;
    process->folder = (uint32_t)inode;
    return 0;
}

static long sys_process(const uint64_t *args)
{
    struct teachos_process about;

    if (args[0] >= NR_PROCESSES)
        return E_SRCH;
    process_describe((unsigned)args[0], &about);
    return space_write(space(), args[1], &about, sizeof about) ? 0 : E_FAULT;
}

static long sys_memory(const uint64_t *args)
{
    (void)args;
    return (long)page_nr_free();
}

static long sys_front(const uint64_t *args)
{
    console_set_front((int)args[0]);
    return 0;
}

static long sys_cpus(const uint64_t *args)
{
    (void)args;
    return vcpu_count();
}

static const syscall_fn calls[] = {
    [SYS_EXIT] = sys_exit,       [SYS_FORK] = sys_fork,
    [SYS_EXEC] = sys_exec,       [SYS_WAIT] = sys_wait,
    [SYS_KILL] = sys_kill,       [SYS_GETPID] = sys_getpid,
    [SYS_SLEEP] = sys_sleep,     [SYS_TIME] = sys_time,
    [SYS_SBRK] = sys_sbrk,       [SYS_OPEN] = sys_open,
    [SYS_CLOSE] = sys_close,     [SYS_READ] = sys_read,
    [SYS_WRITE] = sys_write,     [SYS_DUP] = sys_dup,
    [SYS_PIPE] = sys_pipe,       [SYS_SEEK] = sys_seek,
    [SYS_STAT] = sys_stat,       [SYS_MKDIR] = sys_mkdir,
    [SYS_UNLINK] = sys_unlink,   [SYS_CHDIR] = sys_chdir,
    [SYS_PROCESS] = sys_process, [SYS_MEMORY] = sys_memory,
    [SYS_FRONT] = sys_front,     [SYS_CPUS] = sys_cpus,
};

void syscall_do(struct trap_frame *registers)
{
    const uint64_t args[] = {registers->rdi, registers->rsi, registers->rdx};
    const uint64_t number = registers->rax;
    long answer = E_NOSYS;

    if (number < sizeof calls / sizeof *calls && calls[number])
        answer = calls[number](args);
    /* exec that worked has made new registers, which are not to be spoilt */
    if (number != SYS_EXEC || answer)
        registers->rax = (uint64_t)answer;
}
