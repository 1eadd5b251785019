/*
 * The last words of a broken guest: what happened, the registers, the top of
 * the stack, and a backtrace by frame pointers. Addresses are raw; a host that
 * has the image's symbols can put names to them.
 */
#include <pvguest/guest.h>

#include <hypercall/calls.h>

#include "abi.h"
#include "internal.h"
#include "this_vcpu.h"

#define STACK_WORDS 12
#define MAX_FRAMES  24

/*
 * To the hypervisor, which needs nothing of ours to work; to the console ring
 * only where the hypervisor refuses.
 */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    const struct guest_console *console = guest_get_console();
    char line[200];
    va_list args;
    size_t len;

    va_start(args, format);
    len = guest_vformat(line, sizeof line, format, args);
    va_end(args);
    if (len >= sizeof line)
        len = sizeof line - 1;
    if (!guest_abi->write_log(line, len) && console)
        console->write(line, len);
}

static void say_registers(const struct trap_frame *f)
{
    say("rip %016lx  cs %04lx  rflags %08lx\n", f->rip, f->cs & 0xffff,
        f->rflags);
    say("rsp %016lx  rbp %016lx  ss %04lx\n", f->rsp, f->rbp, f->ss);
    say("rax %016lx  rbx %016lx  rcx %016lx\n", f->rax, f->rbx, f->rcx);
    say("rdx %016lx  rsi %016lx  rdi %016lx\n", f->rdx, f->rsi, f->rdi);
    say("r8  %016lx  r9  %016lx  r10 %016lx\n", f->r8, f->r9, f->r10);
    say("r11 %016lx  r12 %016lx  r13 %016lx\n", f->r11, f->r12, f->r13);
    say("r14 %016lx  r15 %016lx\n", f->r14, f->r15);
}

static void say_stack(uint64_t sp)
{
    sp &= ~7ull;
    for (unsigned i = 0; i < STACK_WORDS; i += 4, sp += 32) {
        const uint64_t *words = (const uint64_t *)sp;

        if (!page_is_mapped(sp, 32))
            return;
        say("stack %016lx: %016lx %016lx %016lx %016lx\n", sp, words[0],
            words[1], words[2], words[3]);
    }
}

static void say_backtrace(uint64_t ip, uint64_t bp)
{
    say("backtrace:\n  #0 0x%lx\n", ip);
    for (unsigned i = 1; i < MAX_FRAMES; i++) {
        const uint64_t *frame = (const uint64_t *)bp;

        if ((bp & 7) || !page_is_mapped(bp, 16) || !frame[1])
            return;
        say("  #%u 0x%lx\n", i, frame[1]);
        if (frame[0] <= bp)
            return;
        bp = frame[0];
    }
}

static _Noreturn void report(const struct trap_frame *frame, uint64_t ip,
                             uint64_t bp, const char *format, va_list args)
{
    static struct guest_vcpu *reporter;
    struct guest_vcpu *before = NULL;
    char text[160];

    if (__atomic_compare_exchange_n(&reporter, &before, this_vcpu(), false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        guest_vformat(text, sizeof text, format, args);
        say("guest crashed: %s\n", text);
        if (frame) {
            say_registers(frame);
            say_stack(frame->rsp);
        }
        say_backtrace(ip, bp);
    }
    while (before && before != this_vcpu())
        hypercall_yield(); /* it has more to say than that we crashed too */
    guest_shutdown(SHUTDOWN_crash);
}

_Noreturn void guest_report(const struct trap_frame *frame, const char *format,
                            ...)
{
    va_list args;

    va_start(args, format);
    report(frame, frame->rip, frame->rbp, format, args);
    va_end(args);
}

_Noreturn void guest_panic(const char *format, ...)
{
    const uint64_t *here = __builtin_frame_address(0);
    va_list args;

    va_start(args, format);
    report(NULL, here[1], here[0], format, args);
    va_end(args);
}
