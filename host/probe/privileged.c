/* Instructions that are ring 0's alone. */
#include "host/probe/try.h"

#define CR0_SEEN 0x80050033ul /* what a PV kernel is shown */
#define DR7_OFF  0x400ul
#define MSR_EFER 0xc0000080u
#define MSR_FS   0xc0000100u
#define EFER_LMA 0x400u
#define PORT     0x80 /* of firmware's progress codes: nobody minds */

bool try_cli(world_t w, uint64_t *value)
{
    probe_set_interrupts(w, true);
    TRY("cli", ::"r11", "memory");
    *value = probe_flags();
    probe_set_interrupts(w, false);
    return !(*value & RFLAGS_IF);
}

bool try_sti(world_t w, uint64_t *value)
{
    TRY("sti\n\tnop", ::"r11", "memory");
    *value = probe_flags();
    probe_set_interrupts(w, false);
    return *value & RFLAGS_IF;
}

bool try_hlt(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("hlt", ::"r11", "memory");
    return false; /* it did not wait for anything */
}

bool try_lgdt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    (void)w, (void)value;
    __asm__ volatile("sgdt %0" : "=m"(table));
    TRY("lgdt %0", : "m"(table) : "r11", "memory");
    return true;
}

bool try_lidt(world_t w, uint64_t *value)
{
    struct table_pointer table = {0};

    (void)w, (void)value;
    __asm__ volatile("sidt %0" : "=m"(table));
    TRY("lidt %0", : "m"(table) : "r11", "memory");
    return true;
}

bool try_lldt(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("lldt %w0", : "r"(0) : "r11", "memory");
    return true;
}

/* A TSS that is in use cannot be loaded again: it is told that it is not. */
bool try_ltr(world_t w, uint64_t *value)
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

bool try_lmsw(world_t w, uint64_t *value)
{
    uint64_t word;

    (void)w, (void)value;
    __asm__ volatile("smsw %0" : "=r"(word));
    TRY("lmsw %w0", : "r"(word) : "r11", "memory");
    return true;
}

bool try_clts(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("clts", ::"r11", "memory");
    return true;
}

/* Reads one, or writes back what it was; (value) is that. */
#define CONTROL_REGISTER(n, otherwise)                            \
    bool try_mov_from_cr##n(world_t w, uint64_t *value)           \
    {                                                             \
        (void)w;                                                  \
        TRY("movq %%cr" #n ", %0", "=r"(*value)::"r11");          \
        return true;                                              \
    }                                                             \
    bool try_mov_to_cr##n(world_t w, uint64_t *value)             \
    {                                                             \
        *value = otherwise;                                       \
        try_mov_from_cr##n(w, value);                             \
        probe_forget();                                           \
        TRY("movq %0, %%cr" #n, : "r"(*value) : "r11", "memory"); \
        return true;                                              \
    }

CONTROL_REGISTER(0, CR0_SEEN)
CONTROL_REGISTER(2, 0)
CONTROL_REGISTER(3, 0)
CONTROL_REGISTER(4, 0)
CONTROL_REGISTER(8, 0)

bool try_mov_from_dr(world_t w, uint64_t *value)
{
    (void)w;
    TRY("movq %%dr7, %0", "=r"(*value)::"r11");
    return true;
}

bool try_mov_to_dr(world_t w, uint64_t *value)
{
    (void)w;
    *value = DR7_OFF;
    TRY("movq %0, %%dr7", : "r"(*value) : "r11");
    return true;
}

bool try_invlpg(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("invlpg (%0)", : "r"(value) : "r11", "memory");
    return true;
}

bool try_wbinvd(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("wbinvd", ::"r11", "memory");
    return true;
}

bool try_rdmsr(world_t w, uint64_t *value)
{
    uint32_t low = 0, high = 0;

    (void)w;
    TRY("rdmsr", "+a"(low), "+d"(high) : "c"(MSR_EFER) : "r11");
    *value = (uint64_t)high << 32 | low;
    return *value & EFER_LMA;
}

bool try_wrmsr(world_t w, uint64_t *value)
{
    uint32_t low = 0, high = 0;

    (void)w, (void)value;
    TRY("rdmsr", "+a"(low), "+d"(high) : "c"(MSR_FS) : "r11");
    probe_forget();
    TRY("wrmsr", : "a"(low), "d"(high), "c"(MSR_FS) : "r11");
    return true;
}

bool try_swapgs(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("swapgs\n\tswapgs", ::"r11");
    return true;
}

bool try_sysret(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("leaq 801f(%%rip), %%rcx\n\tsysretq", ::"rcx", "r11", "memory");
    return false;
}

bool try_in(world_t w, uint64_t *value)
{
    uint8_t byte = 0;

    (void)w;
    TRY("inb %w1, %b0", "=a"(byte) : "d"(PORT) : "r11");
    *value = byte;
    return true;
}

bool try_out(world_t w, uint64_t *value)
{
    (void)w, (void)value;
    TRY("outb %b0, %w1", : "a"(0), "d"(PORT) : "r11");
    return true;
}

bool try_ins(world_t w, uint64_t *value)
{
    uint8_t byte = 0;
    void *to = &byte;

    (void)w;
    TRY("insb", "+D"(to) : "d"(PORT) : "r11", "memory");
    *value = byte;
    return true;
}

bool try_outs(world_t w, uint64_t *value)
{
    const uint8_t byte = 0;
    const void *from = &byte;

    (void)w, (void)value;
    TRY("outsb", "+S"(from) : "d"(PORT) : "r11", "memory");
    return true;
}
