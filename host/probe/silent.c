/* Sensitive instructions that ring 3 runs without a trap. */
#include "host/probe/try.h"

#define XEN_LEAF 0x40000000u
#define XEN_WORD 0x566e6558u /* "XenV" */

static bool is_own(const struct probe_world *world, uint64_t address)
{
    return address >= world->start && address < world->end;
}

bool try_pushf(world_t w, uint64_t *value)
{
    (void)w;
    TRY("pushfq\n\tpop %0", "=r"(*value)::"r11", "memory");
    return !(*value & RFLAGS_IF); /* interrupts are off */
}

bool try_popf(world_t w, uint64_t *value)
{
    const uint64_t wanted = probe_flags() ^ RFLAGS_IF;

    TRY("push %0\n\tpopfq", : "r"(wanted) : "r11", "memory", "cc");
    *value = probe_flags();
    probe_set_interrupts(w, false);
    return (*value & RFLAGS_IF) == (wanted & RFLAGS_IF);
}

bool try_iret(world_t w, uint64_t *value)
{
    const uint64_t wanted = probe_flags() ^ RFLAGS_IF;

    TRY("movq %%rsp, %%r10\n\t"
        "movl %%ss, %%ecx\n\tpush %%rcx\n\t"
        "push %%r10\n\t"
        "push %0\n\t"
        "movl %%cs, %%ecx\n\tpush %%rcx\n\t"
        "push %%r11\n\t"
        "iretq",
        : "r"(wanted)
        : "r10", "r11", "rcx", "memory", "cc");
    *value = probe_flags();
    probe_set_interrupts(w, false);
    return (*value & RFLAGS_IF) == (wanted & RFLAGS_IF);
}

bool try_sgdt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    TRY("sgdt %0", "=m"(table)::"r11");
    *value = table.base;
    return is_own(w, table.base);
}

bool try_sidt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    TRY("sidt %0", "=m"(table)::"r11");
    *value = table.base;
    return is_own(w, table.base);
}

bool try_sldt(world_t w, uint64_t *value)
{
    TRY("sldt %w0", "+r"(*value)::"r11");
    return w->ring0;
}

bool try_str(world_t w, uint64_t *value)
{
    TRY("str %w0", "+r"(*value)::"r11");
    return w->ring0 && *value; /* the one it loaded */
}

bool try_smsw(world_t w, uint64_t *value)
{
    TRY("smsw %0", "=r"(*value)::"r11");
    return w->ring0;
}

bool try_lar(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tlar %%rcx, %0", "=r"(*value)::"r11", "rcx", "cc");
    return !(*value >> 13 & 3); /* a kernel's code has DPL 0 */
}

bool try_lsl(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tlsl %%rcx, %0", "=r"(*value)::"r11", "rcx", "cc");
    return *value == UINT32_MAX;
}

bool try_verr(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %%ecx\n\tverr %%cx\n\tsetz %b0", "=q"(*value)::"r11", "rcx",
        "cc");
    return *value & 1;
}

bool try_verw(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%ss, %%ecx\n\tverw %%cx\n\tsetz %b0", "=q"(*value)::"r11", "rcx",
        "cc");
    return *value & 1;
}

bool try_mov_from_cs(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movl %%cs, %k0", "=r"(*value)::"r11");
    return !(*value & 3);
}

bool try_cpuid(world_t w, uint64_t *value)
{
    uint32_t a = XEN_LEAF, b = 0, c = 0, d;

    (void)w;
    TRY("cpuid", "+a"(a), "+b"(b), "+c"(c), "=d"(d)::"r11");
    *value = b;
    return b == XEN_WORD;
}

bool try_forced_cpuid(world_t w, uint64_t *value)
{
    uint32_t a = XEN_LEAF, b = 0, c = 0, d;

    (void)w;
    TRY("ud2\n\t.ascii \"xen\"\n\tcpuid", "+a"(a), "+b"(b), "+c"(c),
        "=d"(d)::"r11");
    *value = b;
    return b == XEN_WORD;
}

bool try_rdtsc(world_t w, uint64_t *value)
{
    uint32_t low, high;

    (void)w;
    TRY("rdtsc", "=a"(low), "=d"(high)::"r11");
    *value = (uint64_t)high << 32 | low;
    return *value;
}
