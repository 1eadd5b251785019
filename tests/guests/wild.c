/*
 * A guest that does to itself, one at a time, what no guest should: it jumps
 * to nowhere, runs out of stack, sets odd flags, breaks its own tables. The
 * image says what it is about to do, and "survived" where that is possible;
 * what the host made of it is looked at by tests/system/hostile.py.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#include "wild.h"

uint64_t shim(void)
{
    uint64_t entry;

    memcpy(&entry, hypercall_page + 16, sizeof entry);
    return entry;
}

uint64_t place(const char *name)
{
    if (strncmp(name, "shim", 4) == 0)
        return shim() + (uint64_t)strtoll(name + 4, NULL, 0);
    if (strcmp(name, "shared") == 0)
        return (uint64_t)guest_shared_info;
    if (strcmp(name, "tables") == 0)
        return guest_start_info->pt_base;
    if (strcmp(name, "code") == 0)
        return (uint64_t)place & ~0xfffull;
    if (strcmp(name, "stack") == 0)
        return (uint64_t)__builtin_frame_address(0) & ~0xfffull;
    if (strcmp(name, "page") == 0)
        return (uint64_t)page_alloc_zeroed(1);
    return strtoull(name, NULL, 0);
}

void jump(const char *to)
{
    __asm__ volatile("jmp *%0" : : "r"(place(to)) : "memory");
}

static void call(const char *to)
{
    __asm__ volatile("call *%0" : : "r"(place(to)) : "memory", "cc");
}

void load(const char *from)
{
    printf("%u\n", *(volatile const uint8_t *)place(from));
}

static void store(const char *to)
{
    *(volatile uint8_t *)place(to) = 1;
}

/* Make a hypercall, or the null call, on a stack at (where). */
static void call_on_stack(const char *where)
{
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %0, %%rsp\n\t"
                     "lea 1f(%%rip), %%rcx\n\t"
                     "mov $2, %%edi\n\t"
                     "xor %%esi, %%esi\n\t"
                     "jmp hypercall_page + 32 * 17\n\t"
                     "1: mov %%rbx, %%rsp"
                     :
                     : "r"(place(where))
                     : "rax", "rbx", "rcx", "rdi", "rsi", "memory", "cc");
}

void trap_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"(place(where)) : "memory");
}

static void spin_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "mov $300000000, %%ecx\n\t"
                     "1: dec %%ecx\n\t"
                     "jnz 1b\n\t"
                     "ud2"
                     :
                     : "r"(place(where))
                     : "rcx", "memory");
}

static void syscall_on_stack(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "mov $17, %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "r"(place(where))
                     : "rax", "rdi", "rcx", "r11", "memory");
}

static int recurse(volatile char *outer)
{
    volatile char frame[512];

    frame[0] = *outer;
    return frame[0] ? recurse(frame) + frame[0] : 0;
}

static void overflow(const char *unused)
{
    volatile char start = 1;

    (void)unused;
    printf("%d\n", recurse(&start));
}

/* The handler of page faults, or of invalid opcodes, is (where). */
static void handler(const char *where)
{
    const struct trap_info table[] = {{14, 0, FLAT_KERNEL_CS, place(where)},
                                      {6, 0, FLAT_KERNEL_CS, place(where)},
                                      {0, 0, 0, 0}};

    printf("set_trap_table: %ld\n", hypercall_set_trap_table(table));
    fflush(stdout);
    __asm__ volatile("ud2");
}

static void callback(const char *where)
{
    printf("set_callbacks: %ld\n",
           hypercall_set_callbacks(place(where), place(where), place(where)));
    fflush(stdout);
    guest_shared_info->vcpu_info[0].evtchn_upcall_pending = 1;
    guest_shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    hypercall_version();
    load("0"); /* in case nothing came */
}

/* Return by the iret hypercall to (where), as code and as stack. */
static void iret_to(const char *where)
{
    const uint64_t to = place(where);
    uint64_t frame[] = {0,     to, FLAT_KERNEL_CS & ~3ul,
                        0x202, to, FLAT_KERNEL_SS};

    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(frame)
                     : "memory");
}

static void iret_with(const char *number)
{
    const uint64_t value = place(number);
    uint64_t frame[] = {value, value, value, value, value, value};

    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(frame)
                     : "memory");
}

static void iret_from(const char *where)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "jmp hypercall_page + 32 * 23"
                     :
                     : "r"(place(where))
                     : "memory");
}

void survived(void)
{
    printf("survived\n");
    fflush(stdout);
}

static bool step_over(struct trap_frame *frame)
{
    frame->rip += 2; /* ud2 */
    return true;
}

static bool go_on(struct trap_frame *frame)
{
    (void)frame;
    return true;
}

/* Run (what) with (flag) set in RFLAGS. */
#define WITH_FLAG(flag, what)                                                \
    __asm__ volatile("pushfq\n\torq %0, (%%rsp)\n\tpopfq\n\t" what           \
                     "\n\tpushfq\n\tandq %1, (%%rsp)\n\tpopfq\n\tcld"        \
                     :                                                       \
                     : "r"(flag), "r"(~(flag))                               \
                     : "rax", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", \
                       "r11", "memory", "cc")

static void flags(const char *which)
{
    const uint64_t flag = strtoull(which, NULL, 0);
    uint32_t features = 0;

    trap_handle(1, go_on);
    trap_handle(6, step_over);
    WITH_FLAG(flag, "nop");
    WITH_FLAG(flag, "xor %%edi, %%edi\n\tcall hypercall_page + 32 * 17");
    WITH_FLAG(flag, "mov $1, %%edi\n\txor %%esi, %%esi\n\t"
                    "call hypercall_page + 32 * 17");
    WITH_FLAG(flag, "xor %%edi, %%edi\n\tmov $17, %%eax\n\tsyscall");
    WITH_FLAG(flag, "ud2");
    if (!(flag & 0x100)) /* which a trap for each instruction makes endless */
        WITH_FLAG(flag, "mov $60000000, %%ecx\n\t1: dec %%ecx\n\tjnz 1b");
    hypercall_features(&features);
    survived();
}

/* Every exception of the FPU unmasked, one of the x87's pending. */
static void fpu(const char *unused)
{
    const uint32_t mxcsr = 0;
    const uint16_t control = 0x0340;

    (void)unused;
    __asm__ volatile("ldmxcsr %0\n\t"
                     "fldcw %1\n\t"
                     "fldz\n\t"
                     "fld1\n\t"
                     "fdivrp %%st, %%st(1)"
                     :
                     : "m"(mxcsr), "m"(control)
                     : "memory");
    for (int i = 0; i < 100; i++) {
        hypercall_version();
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    __asm__ volatile("fninit");
    survived();
}

static void base(const char *value)
{
    long rc[2];

    for (unsigned which = 1; which < 3; which++)
        rc[which - 1] = hypercall_set_segment_base(which, place(value));
    printf("set_segment_base: %ld %ld\n", rc[0], rc[1]);
    hypercall_sched_op(SCHEDOP_yield, NULL);
    survived();
}

/* FS without the host's help, and then one of its services. */
static void own_base(const char *value)
{
    uint64_t old, features = 0;

    __asm__ volatile("rdfsbase %0" : "=r"(old));
    __asm__ volatile("wrfsbase %0\n\t" : : "r"(place(value)) : "memory");
    for (int i = 0; i < 1000; i++)
        hypercall_xen_version(XENVER_get_features, &features);
    __asm__ volatile("wrfsbase %0\n\t" : : "r"(old) : "memory");
    survived();
}

static const struct {
    const char *name;
    void (*run)(const char *arg);
} ways[] = {
    {"jump", jump},
    {"call", call},
    {"load", load},
    {"store", store},
    {"call-on-stack", call_on_stack},
    {"trap-on-stack", trap_on_stack},
    {"spin-on-stack", spin_on_stack},
    {"syscall-on-stack", syscall_on_stack},
    {"overflow", overflow},
    {"handler", handler},
    {"callback", callback},
    {"iret-to", iret_to},
    {"iret-with", iret_with},
    {"iret-from", iret_from},
    {"flags", flags},
    {"fpu", fpu},
    {"base", base},
    {"own-base", own_base},
    {"unmap", unmap},
    {"unmap-all", unmap_all},
    {"clear-tables", clear_tables},
    {"table-op", table_op},
    {"balloon", balloon},
    {"exhaust", exhaust},
    {"many-mappings", many_mappings},
    {"damage", damage},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        printf("%s %s\n", argv[1], argv[2]);
        fflush(stdout);
        ways[i].run(argv[2]);
        return 0;
    }
    printf("no such way\n");
    return 99;
}
