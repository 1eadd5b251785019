#include "host/lint/lines.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/log.h"

#define CPU_SECONDS 60
#define MAX_NAME    1024

/* Sanitizers reserve terabytes, and ask for more than the filter allows. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Beside the file itself, mapped or read. */
#define MEMORY_MAX (UINT64_C(4) << 30)

/* What the child says of one finding; then follow (len) bytes of a name. */
struct answer {
    uint64_t start;
    uint32_t finding, line;
    uint32_t len;
};

/* The end of the child's life, if it is not 0. */
enum { CHILD_UNREADABLE = 1, CHILD_NO_SANDBOX = 2 };

static bool write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    while (size) {
        const ssize_t n = write(fd, from, size);

        if (n <= 0)
            return false;
        from += n;
        size -= (size_t)n;
    }
    return true;
}

static bool answer(void *to, size_t finding, uint64_t start, const char *file,
                   unsigned line)
{
    const int *fd = to;
    const struct answer a = {
        .start = start,
        .finding = (uint32_t)finding,
        .line = line,
        .len = (uint32_t)strnlen(file, MAX_NAME),
    };

    return write_all(*fd, &a, sizeof a) && write_all(*fd, file, a.len);
}

/* Memory, and what is open already; all else is refused. */
static bool shut_in(void)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#define ALLOW(call)                                         \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
        ALLOW(read),
        ALLOW(pread64),
        ALLOW(write),
        ALLOW(lseek),
        ALLOW(fstat),
        ALLOW(newfstatat),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(brk),
        ALLOW(futex),
        ALLOW(getrandom),
        ALLOW(fcntl),
        ALLOW(exit_group),
#undef ALLOW
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code,
                                       .filter = code};
    const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
    const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
    const struct rlimit core = {0, 0};

    setrlimit(RLIMIT_CORE, &core);
    setrlimit(RLIMIT_CPU, &cpu);
    if (SANITIZED)
        return true;
    setrlimit(RLIMIT_AS, &memory);
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Descriptors 0 and 1 become the image and the way back; no other is left. */
static _Noreturn void child(int image, int to, const struct lint *lint)
{
    int out = STDOUT_FILENO;

    signal(SIGPIPE, SIG_IGN);
    if (dup2(to, STDOUT_FILENO) < 0 || dup2(image, STDIN_FILENO) < 0)
        _exit(CHILD_NO_SANDBOX);
    syscall(SYS_close_range, STDERR_FILENO, ~0U, 0);
    if (!shut_in())
        _exit(CHILD_NO_SANDBOX);
    _exit(lines_read(STDIN_FILENO, lint, answer, &out) ? 0 : CHILD_UNREADABLE);
}

static bool read_all(FILE *from, void *bytes, size_t size)
{
    return fread(bytes, 1, size, from) == size;
}

/* False: there is no more, or what came is no answer. */
static bool take_answer(FILE *from, struct lint *lint)
{
    char name[MAX_NAME + 1];
    struct lint_finding *finding;
    struct answer a;

    if (!read_all(from, &a, sizeof a) || a.len > MAX_NAME ||
        a.finding >= lint->nr_findings || !read_all(from, name, a.len))
        return false;
    name[a.len] = '\0';
    finding = &lint->findings[a.finding];
    if (finding->file && a.start <= finding->line_start)
        return true;
    free(finding->file);
    finding->file = strdup(name);
    finding->line = a.line;
    finding->line_start = a.start;
    return finding->file;
}

static void say(struct lint *lint, const char *trouble)
{
    snprintf(lint->lines_trouble, sizeof lint->lines_trouble, "%s", trouble);
}

static void judge(struct lint *lint, int status)
{
    if (WIFSIGNALED(status))
        snprintf(lint->lines_trouble, sizeof lint->lines_trouble,
                 "its debug information ended the process that read it by "
                 "signal %d (%s): it is corrupt, or too much",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == CHILD_UNREADABLE)
        say(lint, "its debug information cannot be read: it is corrupt, or of "
                  "a kind unknown here");
    else if (WEXITSTATUS(status))
        say(lint, "its debug information was not read: this kernel has no "
                  "seccomp filter to do that behind");
}

static int ask_child(const struct image *image, struct lint *lint,
                     const int ends[2])
{
    FILE *from;
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        child(image->fd, ends[1], lint);
    close(ends[1]);
    from = pid < 0 ? NULL : fdopen(ends[0], "r");
    if (!from) {
        log_error("cannot start the process that reads lines: %m");
        close(ends[0]);
        return -errno;
    }
    while (take_answer(from, lint))
        ;
    fclose(from);
    if (waitpid(pid, &status, 0) == pid)
        judge(lint, status);
    return 0;
}

int lint_find_lines(const struct image *image, const struct elf *elf,
                    struct lint *lint)
{
    const Elf64_Shdr *section;
    int ends[2], rc;

    if (!lint->nr_findings)
        return 0;
    rc = elf_find_section(image, elf, ".debug_info", &section);
    if (rc || !section)
        return rc;
    if (!lines_can_be_read) {
        say(lint, "this paravane was built without libdw");
        return 0;
    }
    lint->has_lines = true;
    if (pipe(ends)) {
        rc = -errno;
        log_error("cannot make a pipe for the process that reads lines: %m");
        return rc;
    }
    return ask_child(image, lint, ends);
}
