/*
 * The CPU as PVH gives it: descriptor tables of our own, and the state of SSE
 * and AVX that a PV guest finds switched on.
 */
#include "pvh.h"

#include <cpuid.h>

#include "../internal.h"

#define SELECTOR_CODE 8
#define SELECTOR_TSS  24
#define TSS_ENTRY     (SELECTOR_TSS / 8)

#define GATE_INTERRUPT 0x8e /* present, for ring 0 */
#define TYPE_TSS       0x89ull
#define NR_GATES       (PVH_UPCALL_VECTOR + 1)
#define TRAP_STRIDE    16ul /* from one stub to the next */
#define DOUBLE_FAULT   8

#define MSR_EFER    0xc0000080
#define MSR_FS_BASE 0xc0000100
#define EFER_NXE    0x800
#define CPUID_NX    (1u << 20) /* leaf 0x80000001, EDX */
#define CR4_OSXSAVE (1ul << 18)
#define XCR0_BASE   0x07ull /* x87, SSE, AVX */
#define XCR0_AVX512 0xe0ull
#define MXCSR_START 0x1f80

struct gate {
    uint16_t offset_0;
    uint16_t selector;
    uint8_t ist, type;
    uint16_t offset_16;
    uint32_t offset_32;
    uint32_t zero;
};

struct tss {
    uint32_t reserved_0;
    uint64_t rsp[3];
    uint64_t reserved_1;
    uint64_t ist[7];
    uint64_t reserved_2;
    uint16_t reserved_3;
    uint16_t io_map;
} __attribute__((packed));

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct gate idt[NR_GATES] __attribute__((aligned(16)));
static struct tss tss __attribute__((aligned(16)));

/*
 * A stack that overflowed cannot take the frame that would say so. All of the
 * extended state goes here as well: with AVX-512 2.7 KiB.
 */
static char fault_stack[8192] __attribute__((aligned(64)));

static bool nx;

static void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
                     "d"((uint32_t)(value >> 32))
                     : "memory");
}

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void set_gate(unsigned vector, uintptr_t address, uint8_t ist)
{
    idt[vector] = (struct gate){
        .offset_0 = (uint16_t)address,
        .selector = SELECTOR_CODE,
        .ist = ist,
        .type = GATE_INTERRUPT,
        .offset_16 = (uint16_t)(address >> 16),
        .offset_32 = (uint32_t)(address >> 32),
    };
}

static void load_idt(void)
{
    const struct table_pointer pointer = {sizeof idt - 1, (uintptr_t)idt};

    for (unsigned i = 0; i < TRAP_NR; i++)
        set_gate(i, (uintptr_t)pvh_traps + i * TRAP_STRIDE,
                 i == DOUBLE_FAULT ? 1 : 0);
    set_gate(PVH_UPCALL_VECTOR, (uintptr_t)pvh_upcall, 0);
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

static void load_tss(void)
{
    const uint64_t base = (uintptr_t)&tss, limit = sizeof tss - 1;

    tss.ist[0] = (uintptr_t)fault_stack + sizeof fault_stack;
    tss.io_map = sizeof tss;
    pvh_gdt[TSS_ENTRY] = limit | (base & 0xffffff) << 16 | TYPE_TSS << 40 |
                         (base >> 24 & 0xff) << 56;
    pvh_gdt[TSS_ENTRY + 1] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(SELECTOR_TSS) : "memory");
}

/* What of the extended state this CPU has that programs may know of. */
static uint64_t extended_state(void)
{
    uint32_t eax, ebx, ecx, edx;
    uint64_t state;

    __cpuid_count(0xd, 0, eax, ebx, ecx, edx);
    state = eax & XCR0_BASE;
    if (state == XCR0_BASE && (eax & XCR0_AVX512) == XCR0_AVX512)
        state |= XCR0_AVX512;
    return state;
}

/* Before code that the compiler may have vectorized. */
__attribute__((target("general-regs-only"))) static void enable_fpu(void)
{
    const uint32_t mxcsr = MXCSR_START;
    uint32_t eax, ebx, ecx, edx;
    uint64_t cr4, state;

    __asm__ volatile("fninit\n\tldmxcsr %0" ::"m"(mxcsr));
    __cpuid(1, eax, ebx, ecx, edx);
    if (!(ecx & bit_XSAVE))
        return;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | CR4_OSXSAVE) : "memory");
    state = extended_state();
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)state),
                     "d"((uint32_t)(state >> 32)));
}

static void enable_nx(void)
{
    uint32_t eax, ebx, ecx, edx;

    __cpuid(0x80000001, eax, ebx, ecx, edx); /* which told of long mode */
    if (!(edx & CPUID_NX))
        return;
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    nx = true;
}

void pvh_cpu_init(void)
{
    enable_fpu();
    load_tss();
    load_idt();
    enable_nx();
}

bool pvh_cpu_has_nx(void)
{
    return nx;
}

void pvh_cpu_flush_tables(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3)::"memory");
}

bool pvh_set_fs_base(uint64_t base)
{
    write_msr(MSR_FS_BASE, base);
    return true;
}

uint64_t pvh_fault_address(void)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}
