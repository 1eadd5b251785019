/*
 * Each probe is a straight line: what leads up to the instruction, the
 * instruction between LABELS, and a look at what it did. If it traps, the
 * handler goes on behind it with the stack as it was.
 */
#include "probe/probe.h"

#include <stddef.h>

#define RFLAGS_IF 0x200ul
#define CR0_SEEN  0x80050033ul /* what a PV kernel is shown */
#define DR7_OFF   0x400ul
#define MSR_EFER  0xc0000080u
#define MSR_FS    0xc0000100u
#define EFER_LMA  0x400u
#define PORT      0x80 /* of firmware's progress codes: nobody minds */
#define XEN_LEAF  0x40000000u
#define XEN_WORD  0x566e6558u /* "XenV" */

/* Named by assembly, and changed behind the compiler's back. */
volatile uint64_t probe_resume, probe_stack;

static volatile uint32_t trap_vector;
static volatile uint64_t trap_error;
static volatile bool trapped;

#define BEGIN                             \
    "leaq 801f(%%rip), %%r11\n\t"         \
    "movq %%r11, probe_resume(%%rip)\n\t" \
    "movq %%rsp, probe_stack(%%rip)\n\t"
#define END "\n801:\n\tmovq $0, probe_resume(%%rip)\n\t"

/* Behind the code: operands and clobbers, R11 among these. */
#define TRY(code, ...) __asm__ volatile(BEGIN code END : __VA_ARGS__)

bool probe_caught(unsigned vector, uint64_t error, uint64_t *rip, uint64_t *rsp)
{
    if (!probe_resume)
        return false;
    trapped = true;
    trap_vector = vector;
    trap_error = error;
    *rip = probe_resume;
    *rsp = probe_stack;
    return true;
}

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static uint64_t flags(void)
{
    uint64_t value;

    __asm__ volatile("pushfq\n\tpop %0" : "=r"(value)::"memory");
    return value;
}

static void set_interrupts(const struct probe_world *world, bool on)
{
    if (world->ring0 && on)
        __asm__ volatile("sti\n\tnop" ::: "memory");
    else if (world->ring0)
        __asm__ volatile("cli" ::: "memory");
}

static bool is_own(const struct probe_world *world, uint64_t address)
{
    return address >= world->start && address < world->end;
}

/* Each returns whether ring 0's effect was there, and may leave a value. */
typedef const struct probe_world *world_t;

static bool pushf(world_t w, uint64_t *value)
{
    (void)w;
    TRY("pushfq\n\tpop %0", "=r"(*value)::"r11", "memory");
    return !(*value & RFLAGS_IF); /* interrupts are off */
}

static bool popf(world_t w, uint64_t *value)
{
    const uint64_t wanted = flags() ^ RFLAGS_IF;

    TRY("push %0\n\tpopfq", : "r"(wanted) : "r11", "memory", "cc");
    *value = flags();
    set_interrupts(w, false);
    return (*value & RFLAGS_IF) == (wanted & RFLAGS_IF);
}

static bool iret(world_t w, uint64_t *value)
{
    const uint64_t wanted = flags() ^ RFLAGS_IF;

    TRY("movq %%rsp, %%r10\n\t"
        "movl %%ss, %%ecx\n\tpush %%rcx\n\t"
        "push %%r10\n\t"
        "push %0\n\t"
        "movl %%cs, %%ecx\n\tpush %%rcx\n\t"
        "push %%r11\n\t"
        "iretq",
        : "r"(wanted)
        : "r10", "r11", "rcx", "memory", "cc");
    *value = flags();
    set_interrupts(w, false);
    return (*value & RFLAGS_IF) == (wanted & RFLAGS_IF);
}

static bool sgdt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    TRY("sgdt %0", "=m"(table)::"r11");
    *value = table.base;
    return is_own(w, table.base);
}

static bool sidt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    TRY("sidt %0", "=m"(table)::"r11");
    *value = table.base;
    return is_own(w, table.base);
}

static bool sldt(world_t w, uint64_t *value)
{
    TRY("sldt %w0", "+r"(*value)::"r11");
    return w->ring0;
}

static bool str(world_t w, uint64_t *value)
{
    TRY("str %w0", "+r"(*value)::"r11");
    return w->ring0 && *value; /* the one it loaded */
}

static bool smsw(world_t w, uint64_t *value)
{
    TRY("smsw %0", "=r"(*value)::"r11");
    return w->ring0;
}

static bool lar(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tlar %%rcx, %0", "=r"(*value)::"r11", "rcx", "cc");
    return !(*value >> 13 & 3); /* a kernel's code has DPL 0 */
}

static bool lsl(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tlsl %%rcx, %0", "=r"(*value)::"r11", "rcx", "cc");
    return *value == UINT32_MAX;
}

static bool verr(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tverr %%cx\n\tsetz %b0", "=q"(*value)::"r11", "rcx",
        "cc");
    return *value & 1;
}

static bool verw(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%ss, %%ecx\n\tverw %%cx\n\tsetz %b0", "=q"(*value)::"r11", "rcx",
        "cc");
    return *value & 1;
}

static bool mov_from_cs(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %k0", "=r"(*value)::"r11");
    return !(*value & 3);
}

static bool cpuid(world_t w, uint64_t *value)
{
    uint32_t a = XEN_LEAF, b = 0, c = 0, d;

    (void)w;
    TRY("cpuid", "+a"(a), "+b"(b), "+c"(c), "=d"(d)::"r11");
    *value = b;
    return b == XEN_WORD;
}

static bool forced_cpuid(world_t w, uint64_t *value)
{
    uint32_t a = XEN_LEAF, b = 0, c = 0, d;

    (void)w;
    TRY("ud2\n\t.ascii \"xen\"\n\tcpuid", "+a"(a), "+b"(b), "+c"(c),
        "=d"(d)::"r11");
    *value = b;
    return b == XEN_WORD;
}

static bool rdtsc(world_t w, uint64_t *value)
{
    uint32_t low, high;

    (void)w;
    TRY("rdtsc", "=a"(low), "=d"(high)::"r11");
    *value = (uint64_t)high << 32 | low;
    return *value;
}

static bool cli(world_t w, uint64_t *value)
{
    set_interrupts(w, true);
    TRY("cli", ::"r11", "memory");
    *value = flags();
    set_interrupts(w, false);
    return !(*value & RFLAGS_IF);
}

static bool sti(world_t w, uint64_t *value)
{
    TRY("sti\n\tnop", ::"r11", "memory");
    *value = flags();
    set_interrupts(w, false);
    return *value & RFLAGS_IF;
}

static bool hlt(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("hlt", ::"r11", "memory");
    return false; /* it did not wait for anything */
}

static bool lgdt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    (void)w, (void)value;
    __asm__ volatile("sgdt %0" : "=m"(table));
    TRY("lgdt %0", : "m"(table) : "r11", "memory");
    return true;
}

static bool lidt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    (void)w, (void)value;
    __asm__ volatile("sidt %0" : "=m"(table));
    TRY("lidt %0", : "m"(table) : "r11", "memory");
    return true;
}

static bool lldt(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("lldt %w0", : "r"(0) : "r11", "memory");
    return true;
}

/* A TSS that is in use cannot be loaded again: it is told that it is not. */
static bool ltr(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};
    uint64_t selector;

    (void)value;
    __asm__ volatile("sgdt %0" : "=m"(table));
    __asm__ volatile("str %0" : "=r"(selector));
    if (w->ring0) {
        volatile uint8_t *entry =
            (volatile uint8_t *)(uintptr_t)(table.base + (selector & 0xfff8));

        entry[5] &= (uint8_t)~2u;
    }
    TRY("ltr %w0", : "r"(selector) : "r11", "memory");
    return true;
}

static bool lmsw(world_t w, uint64_t *value)
{
    uint64_t word;

    (void)w, (void)value;
    __asm__ volatile("smsw %0" : "=r"(word));
    TRY("lmsw %w0", : "r"(word) : "r11", "memory");
    return true;
}

static bool clts(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("clts", ::"r11", "memory");
    return true;
}

/* Reads one, or writes back what it was; (value) is that. */
#define CONTROL_REGISTER(n, otherwise)                            \
    static bool mov_from_cr##n(world_t w, uint64_t *value)        \
    {                                                             \
        (void)w;                                                  \
        TRY("movq %%cr" #n ", %0", "=r"(*value)::"r11");          \
        return true;                                              \
    }                                                             \
    static bool mov_to_cr##n(world_t w, uint64_t *value)          \
    {                                                             \
        *value = otherwise;                                       \
        mov_from_cr##n(w, value);                                 \
        trapped = false;                                          \
        TRY("movq %0, %%cr" #n, : "r"(*value) : "r11", "memory"); \
        return true;                                              \
    }

CONTROL_REGISTER(0, CR0_SEEN)
CONTROL_REGISTER(2, 0)
CONTROL_REGISTER(3, 0)
CONTROL_REGISTER(4, 0)
CONTROL_REGISTER(8, 0)

static bool mov_from_dr(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movq %%dr7, %0", "=r"(*value)::"r11");
    return true;
}

static bool mov_to_dr(world_t w, uint64_t *value)
{
    (void)w;
    *value = DR7_OFF;
    TRY("movq %0, %%dr7", : "r"(*value) : "r11");
    return true;
}

static bool invlpg(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("invlpg (%0)", : "r"(&trapped) : "r11", "memory");
    return true;
}

static bool wbinvd(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("wbinvd", ::"r11", "memory");
    return true;
}

static bool rdmsr(world_t w, uint64_t *value)
{
    uint32_t low = 0, high = 0;

    (void)w;
    TRY("rdmsr", "+a"(low), "+d"(high) : "c"(MSR_EFER) : "r11");
    *value = (uint64_t)high << 32 | low;
    return *value & EFER_LMA;
}

static bool wrmsr(world_t w, uint64_t *value)
{
    uint32_t low = 0, high = 0;

    (void)w, (void)value;
    TRY("rdmsr", "+a"(low), "+d"(high) : "c"(MSR_FS) : "r11");
    trapped = false;
    TRY("wrmsr", : "a"(low), "d"(high), "c"(MSR_FS) : "r11");
    return true;
}

static bool swapgs(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("swapgs\n\tswapgs", ::"r11");
    return true;
}

static bool sysret(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("leaq 801f(%%rip), %%rcx\n\tsysretq", ::"rcx", "r11", "memory");
    return false;
}

static bool in(world_t w, uint64_t *value)
{
    uint8_t byte = 0;

    (void)w;
    TRY("inb %w1, %b0", "=a"(byte) : "d"(PORT) : "r11");
    *value = byte;
    return true;
}

static bool out(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("outb %b0, %w1", : "a"(0), "d"(PORT) : "r11");
    return true;
}

static bool ins(world_t w, uint64_t *value)
{
    uint8_t byte = 0;
    void *to = &byte;

    (void)w;
    TRY("insb", "+D"(to) : "d"(PORT) : "r11", "memory");
    *value = byte;
    return true;
}

static bool outs(world_t w, uint64_t *value)
{
    const uint8_t byte = 0;
    const void *from = &byte;

    (void)w, (void)value;
    TRY("outsb", "+S"(from) : "d"(PORT) : "r11", "memory");
    return true;
}

/* Where to try it, and whether it leaves a value. */
enum { EVERYWHERE = 0, RING3_ONLY = 1, SHOWS = 2 };

/* clang-format off */
#define EACH_PROBE(X)                                                        \
    X(pushf, "pushf", SHOWS)              X(popf, "popf", SHOWS)             \
    X(iret, "iret", SHOWS)                X(sgdt, "sgdt", SHOWS)             \
    X(sidt, "sidt", SHOWS)                X(sldt, "sldt", SHOWS)             \
    X(str, "str", SHOWS)                  X(smsw, "smsw", SHOWS)             \
    X(lar, "lar", SHOWS)                  X(lsl, "lsl", SHOWS)               \
    X(verr, "verr", EVERYWHERE)           X(verw, "verw", EVERYWHERE)        \
    X(mov_from_cs, "mov from cs", SHOWS)  X(cpuid, "cpuid", SHOWS)           \
    X(forced_cpuid, "ud2 xen cpuid", SHOWS) X(rdtsc, "rdtsc", EVERYWHERE)    \
    X(cli, "cli", EVERYWHERE)             X(sti, "sti", EVERYWHERE)          \
    X(hlt, "hlt", RING3_ONLY)             X(lgdt, "lgdt", EVERYWHERE)        \
    X(lidt, "lidt", EVERYWHERE)           X(lldt, "lldt", EVERYWHERE)        \
    X(ltr, "ltr", EVERYWHERE)             X(lmsw, "lmsw", EVERYWHERE)        \
    X(clts, "clts", EVERYWHERE)                                              \
    X(mov_from_cr0, "mov from cr0", SHOWS) X(mov_to_cr0, "mov to cr0", EVERYWHERE) \
    X(mov_from_cr2, "mov from cr2", SHOWS) X(mov_to_cr2, "mov to cr2", EVERYWHERE) \
    X(mov_from_cr3, "mov from cr3", SHOWS) X(mov_to_cr3, "mov to cr3", EVERYWHERE) \
    X(mov_from_cr4, "mov from cr4", SHOWS) X(mov_to_cr4, "mov to cr4", EVERYWHERE) \
    X(mov_from_cr8, "mov from cr8", SHOWS) X(mov_to_cr8, "mov to cr8", EVERYWHERE) \
    X(mov_from_dr, "mov from dr", SHOWS)  X(mov_to_dr, "mov to dr", EVERYWHERE) \
    X(invlpg, "invlpg", EVERYWHERE)       X(wbinvd, "wbinvd", EVERYWHERE)    \
    X(rdmsr, "rdmsr", SHOWS)              X(wrmsr, "wrmsr", EVERYWHERE)      \
    X(swapgs, "swapgs", EVERYWHERE)       X(sysret, "sysret", RING3_ONLY)    \
    X(in, "in", SHOWS)                    X(out, "out", EVERYWHERE)          \
    X(ins, "ins", SHOWS)                  X(outs, "outs", EVERYWHERE)
/* clang-format on */

enum {
#define NUMBER(function, name, how) NUMBER_##function,
    EACH_PROBE(NUMBER)
#undef NUMBER
        NR_PROBES
};

static const struct {
    char name[16];
    uint8_t how;
} probes[] = {
#define ENTRY(function, name, how) {name, how},
    EACH_PROBE(ENTRY)
#undef ENTRY
};

/* No table of functions: nothing to relocate when paravane starts. */
static bool run(unsigned probe, world_t world, uint64_t *value)
{
    switch (probe) {
#define CALL(function, name, how) \
    case NUMBER_##function:       \
        return function(world, value);
        EACH_PROBE(CALL)
#undef CALL
    default:
        return false;
    }
}

unsigned probe_count(void)
{
    return NR_PROBES;
}

const char *probe_name(unsigned probe)
{
    return probes[probe].name;
}

bool probe_has_value(unsigned probe)
{
    return probes[probe].how & SHOWS;
}

void probe_try(unsigned probe, const struct probe_world *world,
               struct probe_result *result)
{
    bool right;

    *result = (struct probe_result){.outcome = PROBE_NOT_TRIED};
    if (world->ring0 && probes[probe].how & RING3_ONLY)
        return;
    trapped = false;
    right = run(probe, world, &result->value);
    if (trapped) {
        result->outcome = PROBE_TRAPPED;
        result->vector = trap_vector;
        result->error = trap_error;
        result->value = 0;
    } else {
        result->outcome = right ? PROBE_RIGHT : PROBE_WRONG;
    }
}
