/*
 * Exceptions reach their handlers with the truth in the frame, and the code
 * they interrupted goes on as if nothing had been.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/trap.h>

#include <stdint.h>

static struct trap_frame seen;
static unsigned nr_seen;
static uint64_t seen_address;
static uint64_t skip;          /* bytes of the instruction to step over */
volatile double scratch = 1.5; /* not static: nothing reads the last value */

static bool note(struct trap_frame *frame)
{
    seen = *frame;
    seen_address = trap_fault_address();
    nr_seen++;
    frame->rip += skip;
    scratch = scratch * 1.25 + 0.5; /* uses the interrupted code's registers */
    return true;
}

static bool came(unsigned vector)
{
    return nr_seen == 1 && seen.vector == vector;
}

static void expect(unsigned vector, uint64_t step)
{
    trap_handle(vector, note);
    nr_seen = 0;
    skip = step;
}

static void divide(void)
{
    expect(0, 2);
    __asm__ volatile("xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tdiv %%ecx" ::
                         : "rax", "rcx", "rdx", "cc", "memory");
    promise(came(0), "a division by zero is vector 0");
}

static void breakpoint(void)
{
    uint64_t after;

    expect(3, 0);
    __asm__ volatile("int3\n\tlea (%%rip), %0" : "=r"(after)::"memory");
    promise(came(3), "int3 is vector 3");
    promise(seen.rip + 7 == after, "its frame points behind the instruction");
    promise(seen.error == 0, "and has no error code");
}

static void invalid_opcode(void)
{
    uint64_t at;

    expect(6, 2);
    __asm__ volatile("lea (%%rip), %0\n\tud2" : "=r"(at)::"memory");
    promise(came(6) && seen.rip == at, "ud2 is vector 6, at the instruction");
}

/* movb $1,(%rax) is three bytes; reads and writes of nothing are told apart. */
static void page_faults(void)
{
    uint64_t value = 7;

    expect(14, 3);
    __asm__ volatile("movb $1, (%%rax)" ::"a"(0x1234ul) : "memory");
    promise(came(14) && seen_address == 0x1234,
            "a page fault names the address");
    promise((seen.error & 3) == 2, "a write to nothing has error code 2");

    expect(14, 3);
    __asm__ volatile("mov (%%rax), %0"
                     : "+c"(value)
                     : "a"(0x5678ul)
                     : "memory");
    promise(came(14) && seen_address == 0x5678 && (seen.error & 3) == 0,
            "a read of nothing has error code 0");
    promise(value == 7, "an instruction that faulted changed nothing");
}

static void general_protection(void)
{
    expect(13, 3);
    __asm__ volatile("movb $1, (%%rax)" ::"a"(1ul << 62) : "memory");
    promise(came(13) && seen.error == 0, "what is no address is vector 13");
    if (guest_is_pvh())
        return;
    expect(13, 1);
    __asm__ volatile("hlt" ::: "memory");
    promise(came(13), "so is a privileged instruction, as PV");
}

static void registers(void)
{
    uint64_t rcx = 0x1111, r11 = 0x2222, rbx = 0x3333;
    bool flags;

    expect(3, 0);
    __asm__ volatile("mov %[rcx], %%rcx\n\t"
                     "mov %[r11], %%r11\n\t"
                     "stc\n\t"
                     "int3\n\t"
                     "setc %[flags]\n\t"
                     "mov %%rcx, %[rcx]\n\t"
                     "mov %%r11, %[r11]"
                     : [rcx] "+D"(rcx), [r11] "+S"(r11),
                       "+b"(rbx), [flags] "=d"(flags)
                     :
                     : "rcx", "r11", "cc", "memory");
    promise(seen.rcx == 0x1111 && seen.r11 == 0x2222 && seen.rbx == 0x3333,
            "the frame has the interrupted registers");
    promise(rcx == 0x1111 && r11 == 0x2222 && rbx == 0x3333,
            "and they survive");
    promise(flags, "flags survive");
}

static void extended_state(void)
{
    double value = 2.5;

    expect(3, 0);
    __asm__ volatile("int3" : "+x"(value)::"memory");
    promise(value == 2.5, "vector registers survive");
}

int main(void)
{
    divide();
    breakpoint();
    invalid_opcode();
    page_faults();
    general_protection();
    registers();
    extended_state();
    return verdict();
}
