/*
 * Exceptions: what becomes of each.
 */
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/trap.h>

#include <cpuid.h>
#include <stddef.h>

#include "abi.h"
#include "internal.h"

#define VECTOR_UPCALL 256

#define XCR0_SSE 2

void guest_trap(struct trap_frame *frame);

static const char *const names[TRAP_NR] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [9] = "coprocessor segment overrun",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack segment fault",
    [13] = "general protection fault",
    [14] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point error",
    [21] = "control protection exception",
};

static trap_fn handlers[TRAP_NR];

trap_fn trap_handle(unsigned vector, trap_fn fn)
{
    trap_fn before;

    if (vector >= TRAP_NR)
        return NULL;
    before = handlers[vector];
    handlers[vector] = fn;
    return before;
}

uint64_t trap_fault_address(void)
{
    return guest_abi->fault_address();
}

__attribute__((target("general-regs-only"))) static uint64_t read_xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/*
 * Bytes that XSAVE (or FXSAVE) writes here. Found at the first trap: CPUID can
 * be dear, and most guests never need it. Runs before any state is saved.
 *
 * XCR0 is x87 alone after a reset: then XSAVE would leave SSE out, which is
 * usable all the same. A hypervisor under which setting it comes to nothing
 * (AMD-V as QEMU's TCG has it, where the instruction never leaves the guest)
 * shows that here.
 */
__attribute__((target("general-regs-only"))) size_t trap_state_size(void)
{
    static uint32_t size;
    uint32_t eax, ebx, ecx, edx;

    if (size)
        return size;
    __cpuid(1, eax, ebx, ecx, edx);
    if (ecx & bit_OSXSAVE && read_xcr0() & XCR0_SSE) {
        __cpuid_count(0xd, 0, eax, ebx, ecx, edx);
        size = ebx;
    } else {
        size = FXSAVE_SIZE;
    }
    return size;
}

void guest_trap(struct trap_frame *frame)
{
    uint64_t vector = frame->vector;
    const char *name;

    if (vector == VECTOR_UPCALL) {
        while (event_dispatch())
            ;
        return;
    }
    if (vector < TRAP_NR && handlers[vector] && handlers[vector](frame))
        return;

    name = vector < TRAP_NR ? names[vector] : NULL;
    if (!name)
        name = "unexpected trap";
    if (vector == 14)
        guest_report(frame, "%s at address 0x%lx, error code 0x%lx", name,
                     (unsigned long)trap_fault_address(),
                     (unsigned long)frame->error);
    else
        guest_report(frame, "%s, error code 0x%lx", name,
                     (unsigned long)frame->error);
}
