/*
 * The CPU as PVH gives it: descriptor tables of our own, and the state of SSE
 * and AVX that a PV guest finds switched on.
 */
#include "pvh.h"

#include <cpuid.h>
#include <string.h>

#include <pvguest/page.h>

#include "../internal.h"
#include "../this_vcpu.h"
#include "selector.h"

#define TSS_ENTRY (SELECTOR_TSS / 8)

#define GATE_INTERRUPT 0x8e /* present, for ring 0 */
#define TYPE_TSS       0x89ull
#define NR_GATES       (PVH_UPCALL_VECTOR + 1)
#define TRAP_STRIDE    16ul /* from one stub to the next */
#define DOUBLE_FAULT   8

#define MSR_EFER          0xc0000080
#define MSR_STAR          0xc0000081
#define MSR_LSTAR         0xc0000082
#define MSR_SFMASK        0xc0000084
#define MSR_FS_BASE       0xc0000100
#define MSR_GS_BASE       0xc0000101
#define MSR_OTHER_GS_BASE 0xc0000102 /* what SWAPGS brings */
#define EFER_SCE          0x001
#define EFER_NXE          0x800
#define FLAGS_LOST        0x47700 /* AC NT IOPL DF IF TF: for the kernel, 0 */
#define CPUID_NX          (1u << 20) /* leaf 0x80000001, EDX */
#define CR4_OSXSAVE       (1ul << 18)
#define XCR0_BASE         0x07ull /* x87, SSE, AVX */
#define XCR0_AVX512       0xe0ull
#define MXCSR_START       0x1f80

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
static struct tss boot_tss __attribute__((aligned(16)));

/*
 * A stack that overflowed cannot take the frame that would say so. All of the
 * extended state goes here as well: with AVX-512 2.7 KiB.
 */
#define FAULT_STACK 8192
static char boot_fault_stack[FAULT_STACK] __attribute__((aligned(64)));

/* Another vCPU's: the TSS and what points at it cannot be shared. */
struct pvh_cpu {
    char fault_stack[FAULT_STACK] __attribute__((aligned(64)));
    struct tss tss __attribute__((aligned(16)));
    uint64_t gdt[GDT_ENTRIES];
};

#define CPU_PAGES ((sizeof(struct pvh_cpu) + PAGE_SIZE - 1) / PAGE_SIZE)

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

    __asm__ volatile("lidt %0" ::"m"(pointer));
}

static void make_idt(void)
{
    for (unsigned i = 0; i < TRAP_NR; i++)
        set_gate(i, (uintptr_t)pvh_traps + i * TRAP_STRIDE,
                 i == DOUBLE_FAULT ? 1 : 0);
    set_gate(PVH_UPCALL_VECTOR, (uintptr_t)pvh_upcall, 0);
}

static void load_tss(uint64_t *gdt, struct tss *tss, char *fault_stack)
{
    const uint64_t base = (uintptr_t)tss, limit = sizeof *tss - 1;

    tss->ist[0] = (uintptr_t)fault_stack + FAULT_STACK;
    tss->io_map = sizeof *tss;
    gdt[TSS_ENTRY] = limit | (base & 0xffffff) << 16 | TYPE_TSS << 40 |
                     (base >> 24 & 0xff) << 56;
    gdt[TSS_ENTRY + 1] = base >> 32;
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
    load_tss(pvh_gdt, &boot_tss, boot_fault_stack);
    make_idt();
    load_idt();
    enable_nx();
}

struct pvh_cpu *pvh_cpu_make(void)
{
    struct pvh_cpu *cpu = page_alloc_zeroed(CPU_PAGES);

    if (cpu)
        memcpy(cpu->gdt, pvh_gdt, sizeof cpu->gdt);
    return cpu;
}

void pvh_cpu_destroy(struct pvh_cpu *cpu)
{
    page_free(cpu, CPU_PAGES);
}

/* The segments are what the descriptors say already, but for their numbers. */
static void load_gdt(const uint64_t *gdt, size_t size)
{
    const struct table_pointer pointer = {(uint16_t)(size - 1), (uintptr_t)gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "mov %w1, %%ss\n\t"
                     "mov %w1, %%ds\n\t"
                     "mov %w1, %%es\n\t"
                     "pushq %2\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:" ::"m"(pointer),
                     "r"(SELECTOR_DATA), "i"(SELECTOR_CODE)
                     : "rax", "memory");
}

void pvh_cpu_init_other(struct pvh_cpu *cpu)
{
    load_gdt(cpu->gdt, sizeof cpu->gdt);
    enable_fpu();
    load_tss(cpu->gdt, &cpu->tss, cpu->fault_stack);
    load_idt();
}

uint64_t pvh_efer(void)
{
    return read_msr(MSR_EFER);
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

bool pvh_set_gs_base(uint64_t base)
{
    write_msr(MSR_GS_BASE, base);
    return true;
}

/*
 * RSP0 for what interrupts user mode, LSTAR for what it calls. In the kernel GS
 * is the record's (this_vcpu.h), in user mode the other, which nobody sets.
 */
bool pvh_enable_user(struct guest_vcpu *vcpu)
{
    struct pvh_cpu *cpu = vcpu->abi_state;
    struct tss *tss = cpu ? &cpu->tss : &boot_tss;

    tss->rsp[0] = (uintptr_t)(&vcpu->user.frame + 1);
    write_msr(MSR_GS_BASE, (uintptr_t)vcpu);
    write_msr(MSR_OTHER_GS_BASE, 0);
    write_msr(MSR_STAR, (uint64_t)SELECTOR_CODE << 32);
    write_msr(MSR_LSTAR, (uintptr_t)pvh_syscall);
    write_msr(MSR_SFMASK, FLAGS_LOST);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
    return true;
}

uint64_t pvh_fault_address(void)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}
