/*
 * A guest that wants out of the process it runs in. Each attack is one system
 * call, made in one of two ways:
 *
 *   raw      by a SYSCALL instruction of the guest's own, which must be
 *            nothing but a hypercall
 *   inside   by a SYSCALL instruction found in the shim's code, as after a
 *            take-over; the address of that code is in the hypercall page
 *
 * The image only reports what came back; tests/system/sandbox.py looks from
 * outside whether anything happened.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <hypercall/calls.h>

typedef long (*syscall_fn)(long nr, const long *args);

static long raw_syscall(long nr, const long *args)
{
    register long r10 __asm__("r10") = args[3];
    register long r8 __asm__("r8") = args[4];
    register long r9 __asm__("r9") = args[5];
    long rdi = args[0], rsi = args[1], rdx = args[2];

    __asm__ volatile("syscall"
                     : "+a"(nr), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    return nr;
}

/* The bytes of "syscall; ret" in the shim. */
static const uint8_t *shim_gadget;

static long inside_syscall(long nr, const long *args)
{
    register long r10 __asm__("r10") = args[3];
    register long r8 __asm__("r8") = args[4];
    register long r9 __asm__("r9") = args[5];
    long rdi = args[0], rsi = args[1], rdx = args[2];

    __asm__ volatile("call *%[gadget]"
                     : "+a"(nr), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8), "+r"(r9)
                     : [gadget] "b"(shim_gadget)
                     : "rcx", "r11", "memory");
    return nr;
}

/*
 * A hypercall stub is mov $nr,%eax; jmp *0(%rip); address: the way to the
 * shim's code. Search it for a system call that returns.
 */
static bool find_gadget(void)
{
    static const uint8_t wanted[] = {0x0f, 0x05, 0xc3};
    const uint8_t *code;

    memcpy(&code, hypercall_page + 16, sizeof code);
    for (size_t i = 0; i < 4u << 20; i++) {
        if (memcmp(code + i, wanted, sizeof wanted) != 0)
            continue;
        shim_gadget = code + i;
        return true;
    }
    return false;
}

static const char witness[] = "/tmp/paravane-hostile-witness";
static char *const shell[] = {"/bin/sh", "-c",
                              "echo >/tmp/paravane-hostile-witness", NULL};

static const struct attack {
    const char *name;
    long nr;
    long args[6];
} attacks[] = {
    {"open", SYS_open, {(long)witness, O_CREAT | O_RDWR, 0600}},
    {"openat", SYS_openat, {AT_FDCWD, (long)witness, O_CREAT | O_RDWR, 0600}},
    {"mkdir", SYS_mkdir, {(long)witness, 0700}},
    {"execve", SYS_execve, {(long)"/bin/sh", (long)shell, 0}},
    {"fork", SYS_fork, {0}},
    {"clone", SYS_clone, {0x11, 0, 0, 0, 0}},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0}},
    {"kill", SYS_kill, {1, 0}},
    {"memfd", SYS_memfd_create, {(long)"x", 0}},
    {"mmap-anonymous",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
      -1, 0}},
    {"mmap-fixed",
     SYS_mmap,
     {0x10000000, 4096, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0}},
    {"mprotect", SYS_mprotect, {0x10000000, 4096, PROT_READ | PROT_EXEC}},
    {"prctl", SYS_prctl, {4, 1, 0, 0, 0}},
    {"seccomp", SYS_seccomp, {0, 0, 0}},
    {"uring-setup", 425, {8, (long)(uintptr_t)witness}},
    {"uring-register", 427, {5, 0, 0, 0}},
    {"sigaction", SYS_rt_sigaction, {SIGSEGV, 0, 0, 8}},
    {"dup", SYS_dup, {1}},
    {"fcntl", SYS_fcntl, {1, F_SETFL, O_NONBLOCK}},
    {"tiocsti", SYS_ioctl, {0, 0x5412, (long)(uintptr_t)witness}},
};

static int attack_by_name(const char *way, const char *name)
{
    const syscall_fn call =
        strcmp(way, "raw") == 0 ? raw_syscall : inside_syscall;

    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        if (strcmp(attacks[i].name, name) != 0)
            continue;
        printf("attack: %s %s\n", way, name);
        printf("result: %ld\n", call(attacks[i].nr, attacks[i].args));
        return 0;
    }
    printf("no such attack: %s\n", name);
    return 2;
}

/* Write to, and map, every descriptor but the standard ones. */
static int attack_descriptor(const char *way, long fd, bool map)
{
    const syscall_fn call =
        strcmp(way, "raw") == 0 ? raw_syscall : inside_syscall;
    const long write_args[6] = {fd, (long)witness, sizeof witness};
    const long map_args[6] = {0,          4096, PROT_READ | PROT_WRITE,
                              MAP_SHARED, fd,   0};

    printf("attack: %s %s %ld\n", way, map ? "map" : "write", fd);
    printf("result: %ld\n",
           map ? call(SYS_mmap, map_args) : call(SYS_write, write_args));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        printf("usage: hostile raw|inside ATTACK | write FD | map FD\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(argv[1], "inside") == 0 && !find_gadget()) {
        printf("no system call found in the shim\n");
        return 3;
    }
    if (argc == 4)
        return attack_descriptor(argv[1], strtol(argv[3], NULL, 10),
                                 strcmp(argv[2], "map") == 0);
    return attack_by_name(argv[1], argv[2]);
}
