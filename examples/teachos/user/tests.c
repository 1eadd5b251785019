/*
 * tests: what programs may rely on, and what they must not be able to do. Each
 * line is a promise; the last one is the verdict, and so is the status.
 */
#include "lib/lib.h"

#define KERNEL  0x411000ul
#define NOWHERE 0x10020000000ul
#define PAGE    4096ul

static int broken;

static void promise(bool holds, const char *claim)
{
    printf("%s: %s\n", holds ? "ok" : "FAIL", claim);
    broken += !holds;
}

/* The status of a child that runs (fn). */
static int in_child(void (*fn)(void))
{
    int status = -1;
    long child = fork();

    if (child == 0) {
        fn();
        exit(0);
    }
    if (child < 0 || wait(&status) != child)
        return -1;
    return status;
}

static int run(char *const *argv)
{
    int status = -1;
    long child = fork();

    if (child == 0) {
        exec(argv[0], argv);
        exit(126);
    }
    if (child < 0 || wait(&status) != child)
        return -1;
    return status;
}

static int data = 1;
static char zeros[3 * PAGE];

static void change_data(void)
{
    data = 2;
    zeros[PAGE] = 2;
    exit(data + zeros[PAGE]);
}

static void processes(void)
{
    unsigned long before = time_ns();
    int status;

    promise(getpid() > 0, "a process has a number");
    promise(in_child(change_data) == 4 && data == 1 && zeros[PAGE] == 0,
            "what a child writes, its parent does not see");
    promise(wait(&status) == E_CHILD, "who has no children waits for none");
    promise(kill(12345) == E_SRCH, "nobody can be killed who is not there");
    sleep_ms(20);
    promise(time_ns() - before >= 20000000, "a sleep is not shorter");
    promise(syscall(1000) == E_NOSYS, "there is no such system call");
}

static void compute_for_ever(void)
{
    for (;;)
        __asm__ volatile("");
}

static void preemption(void)
{
    int status = -1;
    long child = fork();

    if (child == 0)
        compute_for_ever();
    sleep_ms(30);
    promise(child > 0 && kill(child) == 0 && wait(&status) == child &&
                status == STATUS_KILLED,
            "who computes for ever is interrupted, and can be killed");
}

static void side_by_side(void)
{
    struct teachos_process about;
    unsigned long seen = 0;
    long children = 0;

    for (long i = 0; i < 2 * nr_cpus(); i++) {
        if (fork() == 0)
            compute_for_ever();
        children++;
    }
    sleep_ms(20);
    for (unsigned n = 0; process_info(n, &about) == 0; n++)
        if (about.parent == getpid() && about.state == PROCESS_RUNS) {
            seen |= 1ul << about.cpu;
            kill(about.id);
        }
    while (wait(NULL) > 0)
        children--;
    promise(children == 0 && seen == (1ul << nr_cpus()) - 1,
            "processes live on all virtual CPUs");
}

/* Programs' registers survive whatever happens between two instructions. */
static void registers(void)
{
    unsigned long start = time_ns();
    bool same = true;
    long child = fork();

    if (child == 0)
        compute_for_ever();
    for (uint64_t i = 1; time_ns() - start < 100000000; i++) {
        uint64_t r12 = i, r11 = ~i, xmm = i * 3, got;

        __asm__ volatile("movq %[xmm], %%xmm7\n\t"
                         "mov %[r12], %%r12\n\t"
                         "mov %[r11], %%r11\n\t"
                         "mov $1000, %%ecx\n"
                         "1: dec %%ecx\n\t"
                         "jnz 1b\n\t"
                         "movq %%xmm7, %[got]\n\t"
                         "mov %%r12, %[r12]\n\t"
                         "mov %%r11, %[r11]"
                         : [r12] "+r"(r12), [r11] "+r"(r11), [got] "=&r"(got)
                         : [xmm] "r"(xmm)
                         : "rcx", "r11", "r12", "xmm7");
        same &= r12 == i && r11 == ~i && got == xmm;
    }
    kill(child);
    wait(NULL);
    promise(same, "registers are kept when a program is interrupted");
}

static void memory(void)
{
    char *heap = sbrk(10 * PAGE), *more;
    unsigned long sum = 0;

    promise(heap != NULL, "a heap can grow");
    for (unsigned i = 0; heap && i < 10; i++) {
        sum += (unsigned char)heap[i * PAGE];
        heap[i * PAGE] = 1;
    }
    promise(sum == 0, "what is new in it is zero");
    promise(sbrk(1ul << 40) == NULL, "but not without end");
    more = sbrk(1);
    promise(more == heap + 10 * PAGE, "and goes on where it ended");
}

static void fill_memory(void)
{
    const unsigned long size = HEAP_MAX / 2;
    char *at = sbrk(size);

    for (unsigned long i = 0; at && i < size; i += PAGE)
        at[i] = 1;
}

static void memory_ends(void)
{
    long before = memory_free();
    int status = in_child(fill_memory);

    promise(status == 0 || status == STATUS_FAULT,
            "who takes more memory than there is dies alone");
    promise(memory_free() >= before - 8, "and all of it comes back");
}

static void read_kernel(void)
{
    exit((int)*(volatile char *)KERNEL & 0);
}

static void write_kernel(void)
{
    *(volatile char *)KERNEL = 1;
}

static void call_kernel(void)
{
    ((void (*)(void))KERNEL)();
}

static void read_nowhere(void)
{
    exit((int)*(volatile char *)NOWHERE & 0);
}

static void write_code(void)
{
    *(volatile char *)(uintptr_t)write_code = 1;
}

static void overflow_stack(void)
{
    volatile char *at = (char *)&at;

    for (;; at -= PAGE)
        *at = 1;
}

static void load_cr3(void)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(0ul));
}

static void stop_interrupts(void)
{
    __asm__ volatile("cli\n\thlt");
}

/* With a number of a hypercall, of both kinds of guests. */
static void call_hypervisor(void)
{
    exit(syscall(29, 2ul, &data) == E_NOSYS ? STATUS_FAULT : 1);
}

static void isolation(void)
{
    static const struct {
        void (*attempt)(void);
        const char *claim;
    } attempts[] = {
        {read_kernel, "no program reads the kernel"},
        {write_kernel, "or writes to it"},
        {call_kernel, "or calls into it"},
        {read_nowhere, "or reads where nothing is"},
        {write_code, "or changes its own code"},
        {overflow_stack, "or has a stack without end"},
        {load_cr3, "or changes its address space"},
        {stop_interrupts, "or stops the CPU"},
        {call_hypervisor, "or asks the hypervisor"},
    };

    for (unsigned i = 0; i < sizeof attempts / sizeof *attempts; i++)
        promise(in_child(attempts[i].attempt) == STATUS_FAULT,
                attempts[i].claim);
    promise(read(0, (void *)KERNEL, 1) == E_FAULT &&
                write(1, (void *)KERNEL, 1) == E_FAULT &&
                open((char *)KERNEL, OPEN_READ) == E_FAULT &&
                pipe((int *)KERNEL) == E_FAULT,
            "nor does the kernel for it");
    promise(write(1, (void *)0xffff800000000000, 1) == E_FAULT &&
                write(1, NULL, 1) == E_FAULT &&
                write(1, (void *)~0ul, 1) == E_FAULT,
            "or anything else that is not the program's");
}

static void files(void)
{
    static char block[5000], again[5000];
    struct teachos_stat about;
    long fd, ok = 1;

    unlink("/test/file");
    unlink("/test");
    if (mkdir("/test") == E_ROFS) {
        printf("# the disk is read-only\n");
        return;
    }
    promise(chdir("/test") == 0 && mkdir("/test") == E_EXIST,
            "a folder can be made, once");
    fd = open("file", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
    promise(fd >= 0, "a file can be created");
    for (unsigned n = 0; n < 20; n++) {
        for (unsigned i = 0; i < sizeof block; i++)
            block[i] = (char)(n * 7 + i);
        ok &= write(fd, block, sizeof block) == sizeof block;
    }
    promise(ok && stat("file", &about) == 0 && about.size == 100000,
            "and written to");
    ok = seek(fd, 0) == 0;
    for (unsigned n = 0; n < 20; n++) {
        for (unsigned i = 0; i < sizeof block; i++)
            block[i] = (char)(n * 7 + i);
        ok &= read(fd, again, sizeof again) == sizeof again &&
              memcmp(block, again, sizeof block) == 0;
    }
    promise(ok && read(fd, again, 1) == 0, "and has it all");
    promise(unlink("file") == E_BUSY, "an open file cannot be removed");
    promise(unlink("/test") == E_NOTEMPTY, "nor a folder with one in it");
    close(fd);
    promise(unlink("file") == 0 && open("file", OPEN_READ) == E_NOENT,
            "a closed one can");
    promise(chdir("..") == 0 && unlink("test") == 0, "and then its folder");
    promise(read(fd, block, 1) == E_BADF && close(99) == E_BADF,
            "a descriptor is good until it is closed");
}

static void too_many_files(void)
{
    long fd;

    while ((fd = open("/bin/sh", OPEN_READ)) >= 0)
        ;
    exit(fd == E_MFILE ? 0 : 1);
}

static void pipes(void)
{
    char bytes[8] = {0};
    static char large[10000];
    unsigned long total = 0;
    int ends[2];
    long n;

    promise(pipe(ends) == 0, "a pipe can be had");
    if (fork() == 0) {
        close(ends[0]);
        write(ends[1], "through", 7);
        exit(0);
    }
    close(ends[1]);
    promise(read(ends[0], bytes, 7) == 7 && memcmp(bytes, "through", 7) == 0,
            "what one writes, the other reads");
    promise(read(ends[0], bytes, 1) == 0, "and its end");
    close(ends[0]);
    wait(NULL);

    pipe(ends);
    if (fork() == 0) {
        close(ends[0]);
        write(ends[1], large, sizeof large);
        exit(0);
    }
    close(ends[1]);
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        total += (unsigned long)n;
    wait(NULL);
    close(ends[0]);
    promise(total == sizeof large, "who writes much waits for who reads it");

    pipe(ends);
    close(ends[0]);
    promise(write(ends[1], bytes, 1) == E_PIPE, "a pipe nobody reads says so");
    close(ends[1]);
    promise(in_child(too_many_files) == 0, "open files have a limit");
}

static void programs(void)
{
    char *const none[] = {(char *)"/bin/nothing", NULL};
    char *const folder[] = {(char *)"/bin", NULL};
    char *const readme[] = {(char *)"/README", NULL};
    char *const forks[] = {(char *)"/bin/forks", NULL};
    char *many[100];

    promise(exec(none[0], none) == E_NOENT, "no program without a file");
    promise(exec(folder[0], folder) < 0, "a folder is none");
    promise(exec(readme[0], readme) == E_NOEXEC, "a text is none");
    for (unsigned i = 0; i < 99; i++)
        many[i] = (char *)"x";
    many[99] = NULL;
    promise(exec("/bin/echo", many) == E_TOOBIG, "arguments have a limit");
    promise(exec("/bin/echo", (char *const *)KERNEL) == E_FAULT,
            "and are the program's own");
    promise(run(forks) == 0, "processes have a limit, and all can end");
}

int main(void)
{
    long before = memory_free();

    processes();
    preemption();
    side_by_side();
    registers();
    memory();
    isolation();
    files();
    pipes();
    programs();
    memory_ends();
    printf("# %ld of %ld pages are free\n", memory_free(), before);
    printf("verdict: %s\n", broken ? "failure" : "success");
    return broken != 0;
}
