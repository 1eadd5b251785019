/*
 * What ring 3 cannot do and a PV kernel does all the same is done for it, and
 * what it must not do is a fault that tells the truth: the system's registers,
 * ports, flat selectors, and software interrupts. (mapped.c has the memory.) As
 * PVH the CPU does it: a little of all that shows that it is there.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>
#include <xen/physdev.h>

#include "trying.h"

#define CR0_TS       0x8ul
#define CR0_WP       0x10000ul
#define CR4_DE       0x8ul
#define CR4_FSGSBASE 0x10000ul

#define MSR_TSC         0x10
#define MSR_APIC_BASE   0x1b
#define MSR_PATCH_LEVEL 0x8b
#define MSR_MCG_CAP     0x179
#define MSR_PAT         0x277
#define MSR_X2APIC_ID   0x802
#define MSR_EFER        0xc0000080
#define MSR_LSTAR       0xc0000082
#define MSR_FS_BASE     0xc0000100
#define MSR_GS_BASE     0xc0000101
#define MSR_GS_OTHER    0xc0000102

static uint64_t scratch; /* a result that is looked at once */

#define NOT_CANONICAL 0x800000000000ul

/* A port that nobody has, not even the initial domain's machine. */
#define PORT 0x2f0

static uint32_t cpuid_word(uint32_t leaf, unsigned which)
{
    uint32_t out[4];

    TRY("ud2\n.ascii \"xen\"\ncpuid", "=a"(out[0]), "=b"(out[1]), "=c"(out[2]),
        "=d"(out[3])
        : "a"(leaf), "c"(0));
    return out[which];
}

static void cpuid(void)
{
    expect_none();
    promise(cpuid_word(0x40000000, 1) == 0x566e6558 &&
                cpuid_word(0x40000000, 3) == 0x4d4d566e,
            "cpuid behind the prefix finds Xen");
    promise(cpuid_word(1, 2) >> 31, "and a hypervisor");
    promise(none(), "without a trap");
    expect(6);
    TRY("ud2\n.ascii \"xen\"\nrdtsc", "=a"(scratch)::"rdx");
    promise(came(6, 0) && seen.rip == try_at,
            "behind the prefix there is only cpuid");
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    TRY("rdmsr", "=a"(lo), "=d"(hi) : "c"(msr), "a"(0), "d"(0));
    return (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    TRY("wrmsr", : "c"(msr), "a"((uint32_t)value), "d"(value >> 32));
}

/* Where the CPU has them, a kernel may have instructions for FS and GS. */
static void base_instructions(uint64_t cr4)
{
    const bool there = cpuid_word(7, 1) & 1;
    uint64_t again, fs, gs = 0;

    TRY("mov %1, %%cr4\nmov %%cr4, %0", "=&r"(again) : "r"(cr4 | CR4_FSGSBASE));
    promise(again == (there ? cr4 | CR4_FSGSBASE : cr4),
            "CR4.FSGSBASE can be set where CPUID says so");
    if (there) {
        __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
        TRY("rdfsbase %0", "=r"(scratch));
        TRY("wrgsbase %1\nrdgsbase %0", "=&r"(gs) : "r"(0x123456789000));
        promise(scratch == fs && gs == 0x123456789000 &&
                    rdmsr(MSR_GS_BASE) == gs,
                "and the bases read and written in one instruction");
    }
    TRY("mov %0, %%cr4", : "r"(cr4));
}

static void control_registers(void)
{
    const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base)
                        << PAGE_SHIFT;
    uint64_t cr0, with_ts, after, cr2, cr4, again;

    expect_none();
    TRY("mov %%cr3, %0", "=r"(scratch));
    promise(scratch == l4, "CR3 is where the L4 is");
    TRY("mov %%cr0, %0", "=r"(cr0));
    hypercall_fpu_taskswitch(1);
    TRY("mov %%cr0, %0", "=r"(with_ts));
    TRY("clts\nmov %%cr0, %0", "=r"(after));
    promise(!(cr0 & CR0_TS) && with_ts == (cr0 | CR0_TS) && after == cr0,
            "CR0.TS is what the hypercall and CLTS make it");
    TRY("mov %1, %%cr0\nmov %%cr0, %0\nclts", "=&r"(with_ts)
        : "r"(cr0 | CR0_TS));
    promise(with_ts == (cr0 | CR0_TS), "and what MOV does");
    TRY("mov %1, %%cr2\nmov %%cr2, %0", "=&r"(cr2) : "r"(0x1234567ul));
    promise(cr2 == 0x1234567, "CR2 can be written");
    TRY("mov %%cr4, %0", "=r"(cr4));
    TRY("mov %1, %%cr4\nmov %%cr4, %0", "=&r"(again) : "r"(cr4 | CR4_DE));
    promise(again == (cr4 | CR4_DE), "CR4.DE can be set");
    TRY("mov %1, %%cr4\nmov %%cr4, %0", "=&r"(again) : "r"(cr4 | 1ul << 13));
    promise(again == cr4, "other bits stay as they are");
    base_instructions(cr4);
    TRY("mov %1, %%cr3\nmov %%cr3, %0", "=&r"(again) : "r"(l4));
    promise(again == l4, "CR3 can be loaded");
    promise(none(), "all without a trap");

    expect(13);
    TRY("mov %0, %%cr0", : "r"(cr0 & ~CR0_WP));
    promise(came(13, 0), "no other bit of CR0 may change");
    expect(13);
    TRY("mov %0, %%cr3", : "r"(page_mfn(&scratch) << PAGE_SHIFT));
    promise(came(13, 0), "a frame that is no table is no CR3");
    expect(13);
    TRY("mov %%cr8, %0", "=r"(scratch));
    promise(came(13, 0), "there is no CR8");
}

static void debug_registers(void)
{
    uint64_t dr0, dr6;

    expect_none();
    TRY("mov %1, %%dr0\nmov %%dr0, %0", "=&r"(dr0) : "r"(0x123450ul));
    promise(dr0 == 0x123450 && hypercall_get_debugreg(0) == dr0,
            "DR0 is the same for MOV and the hypercall");
    TRY("mov %1, %%dr0\nmov %%dr6, %0", "=&r"(dr6) : "r"(0ul));
    promise((dr6 & 0xffff0ff0) == 0xffff0ff0, "DR6 has its fixed bits");
    promise(none(), "all without a trap");
    expect(13);
    TRY("mov %0, %%dr0", : "r"(0xffff800000000000));
    promise(came(13, 0), "no breakpoint in the hypervisor");
}

static void machine_registers(void)
{
    static const uint64_t behind_gs = 0x123456789abcdef;
    uint64_t fs, tsc, efer;

    expect_none();
    __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
    promise(rdmsr(MSR_FS_BASE) == fs, "the FS base can be read");
    wrmsr(MSR_FS_BASE, fs);
    wrmsr(MSR_GS_BASE, (uintptr_t)&behind_gs);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(scratch));
    promise(scratch == behind_gs && rdmsr(MSR_GS_BASE) == (uintptr_t)&behind_gs,
            "and the GS base written");
    wrmsr(MSR_GS_OTHER, 0x7f0012345678);
    promise(rdmsr(MSR_GS_OTHER) == 0x7f0012345678, "and that of user mode");
    tsc = rdmsr(MSR_TSC);
    promise(rdmsr(MSR_TSC) > tsc, "the TSC runs");
    promise(rdmsr(MSR_APIC_BASE) == 0xfee00900, "the APIC is where it was");
    promise(rdmsr(MSR_PAT) == 0x050100070406, "the PAT is Xen's");
    efer = rdmsr(MSR_EFER);
    promise((efer & 0xd01) == 0xd01, "EFER says long mode, NX, SYSCALL");
    rdmsr(MSR_PATCH_LEVEL);
    rdmsr(MSR_MCG_CAP);
    promise(none(), "all without a trap");

    expect(13);
    wrmsr(MSR_GS_BASE, NOT_CANONICAL);
    promise(came(13, 0), "a base that is no address is a fault");
    expect(13);
    wrmsr(MSR_LSTAR, 0);
    promise(came(13, 0), "so is the system call's entry");
    expect(13);
    scratch = rdmsr(MSR_X2APIC_ID);
    promise(came(13, 0) && scratch == 0, "and the local APIC");
}

/* Filled, the page does what the builder's does. */
static void hypercall_page_register(void)
{
    uint8_t *page = page_alloc_zeroed(2);
    const uint64_t maddr = page_mfn(page) << PAGE_SHIFT;
    long version;

    expect_none();
    const uint32_t msr = cpuid_word(0x40000002, 1);
    wrmsr(msr, maddr);
    __asm__ volatile("call *%1"
                     : "=a"(version)
                     : "r"(page + 32 * __HYPERVISOR_xen_version), "D"(0l),
                       "S"(0l)
                     : "memory");
    promise(none() && version == hypercall_version(),
            "the hypercall page is written by the register that CPUID names");
    expect(13);
    wrmsr(msr, maddr | 1);
    promise(came(13, 0), "there is one");
    expect(13);
    wrmsr(msr, page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT);
    promise(came(13, 0), "a page table is none");
    expect(13);
    wrmsr(msr, 0);
    promise(came(13, 0), "nor is a frame of somebody else");
    expect_none();
    promise(rdmsr(msr) == 0 && none(), "the register reads zero");
    expect(13);
    scratch = rdmsr(msr + 1);
    promise(came(13, 0), "it has no neighbour");
}

static void set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = {.iopl = iopl};

    hypercall_physdev_op(PHYSDEVOP_set_iopl, &op);
}

static void ports_of_a_level(void)
{
    uint8_t bytes[4] = {1, 2, 3, 4};
    void *at = bytes;
    uint64_t rax = 0x1122334455667788, count = 3;

    set_iopl(0);
    expect(13);
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(came(13, 0), "a port is a fault without a privilege level");
    expect(13);
    TRY("cli", );
    promise(came(13, 0), "and so is CLI");

    set_iopl(1);
    expect_none();
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(rax == 0x11223344556677ff, "with one it reads all ones");
    TRY("in %%dx, %%ax", "+a"(rax) : "d"(PORT));
    promise(rax == 0x112233445566ffff, "in two bytes");
    TRY("in %%dx, %%eax", "+a"(rax) : "d"(PORT));
    promise(rax == 0xffffffff, "and in four");
    TRY("out %%al, %%dx\nout %%ax, %%dx\nout %%eax, %%dx", : "a"(0), "d"(PORT));
    TRY("rep insb", "+D"(at), "+c"(count) : "d"(PORT) : "memory");
    promise(at == bytes + 3 && count == 0 &&
                memcmp(bytes, "\xff\xff\xff\x04", 4) == 0,
            "many bytes at once too");
    count = 2;
    at = bytes;
    TRY("rep outsw", "+S"(at), "+c"(count) : "d"(PORT));
    promise(at == bytes + 4 && count == 0, "writes vanish");
    TRY("cli\nsti", );
    promise(none(), "CLI and STI do nothing");
    set_iopl(0);
}

static void ports_of_a_bitmap(void)
{
    static uint8_t bitmap[PORT / 8 + 2];
    struct physdev_set_iobitmap op = {.nr_ports = PORT + 4};
    uint64_t rax = 0;

    memset(bitmap, 0xff, sizeof bitmap);
    bitmap[PORT / 8] = 0xfc; /* this one and the next */
    set_xen_guest_handle(op.bitmap, bitmap);
    hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &op);
    expect_none();
    TRY("in %%dx, %%ax", "+a"(rax) : "d"(PORT));
    promise(rax == 0xffff && none(), "a port that the bitmap allows");
    expect(13);
    TRY("in %%dx, %%ax", "+a"(rax) : "d"(PORT + 1));
    promise(came(13, 0), "one that it allows half");
    expect(13);
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT + 8));
    promise(came(13, 0), "one beyond its end");
    op.nr_ports = 0;
    hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &op);
}

static void other_privileges(void)
{
    static const uint8_t descriptor[10];

    expect_none();
    TRY("wbinvd", );
    promise(none(), "WBINVD does nothing");
#define REFUSED(insn, name)                              \
    do {                                                 \
        expect(13);                                      \
        TRY(insn, : "r"(descriptor), "a"(0) : "memory"); \
        promise(came(13, 0), name " is a fault");        \
    } while (0)
    REFUSED("hlt", "HLT");
    REFUSED("invd", "INVD");
    REFUSED("invlpg (%0)", "INVLPG");
    REFUSED("lgdt (%0)", "LGDT");
    REFUSED("lidt (%0)", "LIDT");
    REFUSED("lldt %%ax", "LLDT");
    REFUSED("lmsw %%ax", "LMSW");
    REFUSED("ltr %%ax", "LTR");
    REFUSED("swapgs", "SWAPGS");
    REFUSED("sysretq", "SYSRET");
}

static void flat_selectors(void)
{
    const uint64_t fs = rdmsr(MSR_FS_BASE);
    const uint64_t data = FLAT_RING3_SS64, code = FLAT_RING3_CS64;
    uint16_t in_memory = FLAT_RING3_SS64;
    uint64_t sp;

    expect_none();
    TRY("mov %0, %%ds\nmov %0, %%es\nmov %0, %%ss\nmov %0, %%gs", : "r"(data));
    promise(none(), "the flat selectors can be loaded");
    TRY("mov %0, %%ds", : "m"(in_memory));
    /* takes the base along, which the C library's threads live by */
    TRY("push %0\npop %%fs", : "r"(data));
    hypercall_set_segment_base(SEGBASE_FS, fs);
    promise(none(), "and popped");
    TRY("push %[cs]\nlea 2f(%%rip), %%rax\npush %%rax\nlretq\n2:",
        : [cs] "r"(code)
        : "rax", "memory");
    promise(none(), "a far return goes to the flat code");
    TRY("mov %%rsp, %[sp]\n"
        "mov %%rsp, %%rax\n"
        "push %[ss]\npush %%rax\npushf\npush %[cs]\n"
        "lea 2f(%%rip), %%rax\npush %%rax\niretq\n2:\n"
        "sub %%rsp, %[sp]",
        [sp] "=&r"(sp)
        : [cs] "r"(code), [ss] "r"(data)
        : "rax", "memory", "cc");
    promise(none() && sp == 0, "and so does IRETQ, with the stack it says");
    expect(13);
    TRY("mov %0, %%ds", : "r"(0x7770ul));
    promise(came(13, 0x7770), "a selector of nothing is a fault");
    TRY("mov %0, %%ds\nmov %0, %%es\nmov %0, %%gs", : "r"(0ul));
}

static void software_interrupts(void)
{
    expect(13);
    TRY("int $0x81", );
    /* QEMU's TCG counts gates of long mode by 16 bytes */
    promise(
        came(13, seen.error == (0x81 << 4 | 2) ? seen.error : 0x81 << 3 | 2) &&
            seen.rip == try_at,
        "an INT that is not allowed is a fault at it");
    expect(4);
    __asm__ volatile("int $4" ::: "memory");
    promise(came(4, 0), "one that is allowed is its trap");
}

static void as_pvh(void)
{
    uint64_t cr0, with_ts, after, cr2, rax = 0x1122334455667788, fs;

    expect_none();
    TRY("mov %%cr0, %0", "=r"(cr0));
    TRY("mov %1, %%cr0\nmov %%cr0, %0\nclts", "=&r"(with_ts)
        : "r"(cr0 | CR0_TS));
    TRY("mov %%cr0, %0", "=r"(after));
    promise(with_ts == (cr0 | CR0_TS) && after == (cr0 & ~CR0_TS),
            "CR0.TS is what MOV and CLTS make it");
    TRY("mov %1, %%cr2\nmov %%cr2, %0", "=&r"(cr2) : "r"(0x1234567ul));
    promise(cr2 == 0x1234567, "CR2 can be written");
    __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
    promise(rdmsr(MSR_FS_BASE) == fs, "the FS base can be read");
    TRY("in %%dx, %%al", "+a"(rax) : "d"(PORT));
    promise(rax == 0x11223344556677ff, "a port reads all ones");
    TRY("wbinvd", );
    promise(none(), "all without a trap");
    expect(6);
    scratch = cpuid_word(1, 2);
    promise(came(6, 0) && seen.rip == try_at, "the prefix means nothing");
}

int main(void)
{
    if (guest_is_pvh()) {
        as_pvh();
        return verdict();
    }
    cpuid();
    control_registers();
    debug_registers();
    machine_registers();
    hypercall_page_register();
    ports_of_a_level();
    ports_of_a_bitmap();
    other_privileges();
    flat_selectors();
    software_interrupts();
    return verdict();
}
