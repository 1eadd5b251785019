/*
 * From guest_main to main(): the arguments, and the block of words that a
 * Linux kernel would have left on the stack.
 */
#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <elf.h>
#include <string.h>

#include "linux.h"

#define MAX_ARGS (MAX_GUEST_CMDLINE / 2)
#define NR_AUX   14

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*fn)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void),
                      void (*unload)(void));

/* guest.ld */
extern char guest_tdata[], guest_tdata_size[], guest_tls_size[],
    guest_tls_align[];

/*
 * Cut (line) in place at blanks. Quotes of either kind keep blanks together
 * and are removed; a backslash keeps the next character, but not in ''.
 */
static int split(char *line, char **words, int max)
{
    const char *in = line;
    char *out = line;
    int nr = 0;

    for (;;) {
        char quote = 0;

        while (*in == ' ' || *in == '\t')
            in++;
        if (!*in || nr == max)
            return nr;
        words[nr++] = out;
        for (; *in && (quote || (*in != ' ' && *in != '\t')); in++) {
            if (quote ? *in == quote : *in == '\'' || *in == '"')
                quote = (char)(quote ? 0 : *in);
            else if (*in == '\\' && quote != '\'' && in[1])
                *out++ = *++in;
            else
                *out++ = *in;
        }
        if (*in)
            in++;
        *out++ = '\0';
    }
}

/* Drivers come between the C library's start and the program's. */
static int start_program(int argc, char **argv, char **envp)
{
    guest_start_drivers();
    return main(argc, argv, envp);
}

/*
 * For stack protectors and the heap's own checks: unlike from run to run, but
 * no secret.
 */
static void stir(uint64_t seed[2])
{
    seed[0] = clock_wall_ns() * 0x9e3779b97f4a7c15ull;
    seed[1] = __builtin_ia32_rdtsc() * 0xd1342543de82ef95ull;
}

void guest_main(void)
{
    static char line[MAX_GUEST_CMDLINE + 1];
    static char name[] = "guest";
    static uint64_t seed[2];
    static Elf64_Phdr tls;
    /* argv and its NULL, envp's NULL, auxv */
    static size_t words[1 + MAX_ARGS + 2 + NR_AUX];
    char **argv = (char **)words;
    int argc;

    strncpy(line, guest_command_line(), MAX_GUEST_CMDLINE);
    argv[0] = name;
    argc = 1 + split(line, argv + 1, MAX_ARGS);
    stir(seed);
    tls = (Elf64_Phdr){
        .p_type = PT_TLS,
        .p_vaddr = (uintptr_t)guest_tdata,
        .p_filesz = (uintptr_t)guest_tdata_size,
        .p_memsz = (uintptr_t)guest_tls_size,
        .p_align = (uintptr_t)guest_tls_align,
    };
    memcpy(&words[argc + 2],
           (size_t[NR_AUX]){AT_PAGESZ, PAGE_SIZE, AT_PHDR, (uintptr_t)&tls,
                            AT_PHENT, sizeof tls, AT_PHNUM, 1, AT_RANDOM,
                            (uintptr_t)seed, AT_NULL},
           NR_AUX * sizeof(size_t));
    task_init();
    __libc_start_main(start_program, argc, argv, NULL, NULL, NULL);
}
