/*
 * host/report.c: the last words of a guest that broke: registers, stack,
 * backtrace with symbols, last hypercalls, on stderr.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <hypercall/trace.h>

#include "host/backend/console.h"
#include "host/build/image.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/guest_access.h"
#include "host/log.h"
#include "host/report_walk.h"

#define STACK_WORDS     16
#define CODE_BYTES      16
#define BACKTRACE_DEPTH 24

/* Not dprintf: it asks where the descriptor is, which the sandbox refuses. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > (int)sizeof text - 1)
        n = sizeof text - 1;
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* nowhere left to complain */
}

static void print_symbol(const struct domain *dom, uint64_t va)
{
    const char *name;
    uint64_t offset;

    if (dom->image && image_symbol(dom->image, va, &name, &offset) == 0)
        say(" %s+0x%" PRIx64, name, offset);
}

/* What follows a call of a function that never returns may be another's. */
static void print_caller(const struct domain *dom, uint64_t return_address)
{
    const char *name;
    uint64_t offset;

    if (dom->image &&
        image_symbol(dom->image, return_address - 1, &name, &offset) == 0)
        say(" %s+0x%" PRIx64, name, offset + 1);
}

static void print_registers(struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;

    say("  rip %016" PRIx64 " rsp %016" PRIx64 " rflags %08" PRIx64 "\n"
        "  rax %016" PRIx64 " rbx %016" PRIx64 " rcx %016" PRIx64 "\n"
        "  rdx %016" PRIx64 " rsi %016" PRIx64 " rdi %016" PRIx64 "\n"
        "  rbp %016" PRIx64 " r8  %016" PRIx64 " r9  %016" PRIx64 "\n"
        "  r10 %016" PRIx64 " r11 %016" PRIx64 " r12 %016" PRIx64 "\n"
        "  r13 %016" PRIx64 " r14 %016" PRIx64 " r15 %016" PRIx64 "\n"
        "  cs %04" PRIx64 " ss %04" PRIx64 " fs %016" PRIx64 " gs %016" PRIx64
        "\n",
        r->rip, r->rsp, r->rflags, r->rax, r->rbx, r->rcx, r->rdx, r->rsi,
        r->rdi, r->rbp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14,
        r->r15, r->cs, r->ss, vcpu->fs_base, *vcpu_gs_base(vcpu));
    if (vcpu->domain->abi == ABI_PVH)
        say("  cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64
            " cr4 %08" PRIx64 " efer %04" PRIx64 "\n",
            vcpu->paging.cr0, vcpu->cr2, vcpu->paging.cr3, vcpu->paging.cr4,
            vcpu->paging.efer);
    else
        say("  cr2 %016" PRIx64 " cr3 mfn %" PRIx64 " (%s mode)\n", vcpu->cr2,
            vcpu_root(vcpu), vcpu->user_mode ? "user" : "kernel");
}

/* What it was executing, and by which entry of its tables. */
static void print_code(struct vcpu *vcpu)
{
    const uint64_t rip = vcpu->regs.rip;
    struct walk walk;
    uint8_t byte;

    say("  code at rip:");
    for (unsigned i = 0; i < CODE_BYTES; i++) {
        if (guest_read(vcpu, guest_addr(rip + i), &byte, 1)) {
            say("%s", i ? "" : " not readable");
            break;
        }
        say(" %02x", byte);
    }
    guest_walk_vcpu(vcpu, rip, &walk);
    say("\n  page of rip: level %u entry %016" PRIx64 ", %s%s%s\n", walk.level,
        walk.pte, walk.present ? "present" : "nothing there",
        walk.present && walk.writable ? ", writable" : "",
        walk.present && walk.noexec ? ", not executable" : "");
}

/*
 * The ways of addresses that may be why it broke: the last fault's, and those
 * of code and stack where these cannot be had.
 */
static void print_walks(struct vcpu *vcpu)
{
    const uint64_t rip = vcpu->regs.rip, rsp = vcpu->regs.rsp;
    uint8_t byte;

    if (vcpu->cr2)
        report_walk(say, vcpu, "cr2", vcpu->cr2);
    if (rip != vcpu->cr2 && guest_read(vcpu, guest_addr(rip), &byte, 1))
        report_walk(say, vcpu, "rip", rip);
    if (rsp != vcpu->cr2 && guest_read(vcpu, guest_addr(rsp - 8), &byte, 1))
        report_walk(say, vcpu, "rsp - 8", rsp - 8);
}

static void print_stack(struct vcpu *vcpu)
{
    const uint64_t sp = vcpu->regs.rsp & ~UINT64_C(7);
    uint64_t word;

    say("  stack at %016" PRIx64 ":", sp);
    for (unsigned i = 0; i < STACK_WORDS; i++) {
        if (guest_read(vcpu, guest_addr(sp + 8ul * i), &word, sizeof word)) {
            say("%s", i ? "" : " not readable");
            break;
        }
        say("%s%016" PRIx64, i % 4 ? " " : "\n    ", word);
    }
    say("\n");
}

/* By frame pointers, upwards only, so that no loop in them is followed. */
static void print_backtrace(struct vcpu *vcpu)
{
    uint64_t frame[2], fp = vcpu->regs.rbp;

    say("  backtrace:\n    %016" PRIx64, vcpu->regs.rip);
    print_symbol(vcpu->domain, vcpu->regs.rip);
    say("\n");
    for (unsigned i = 0; i < BACKTRACE_DEPTH; i++) {
        if (guest_read(vcpu, guest_addr(fp), frame, sizeof frame) || !frame[1])
            return;
        say("    %016" PRIx64, frame[1]);
        print_caller(vcpu->domain, frame[1]);
        say("\n");
        if (frame[0] <= fp)
            return;
        fp = frame[0];
    }
}

static void print_last_calls(const struct domain *dom)
{
    const unsigned size = sizeof dom->last_calls / sizeof *dom->last_calls;
    const unsigned nr = dom->nr_last_calls < size ? dom->nr_last_calls : size;
    char line[256], result[64];

    say("  last hypercalls, newest first:%s\n", nr ? "" : " none");
    for (unsigned i = 0; i < nr; i++) {
        const unsigned slot = (dom->nr_last_calls - 1 - i) % size;
        const uint64_t *args = dom->last_calls[slot].args;
        const uint64_t call = dom->last_calls[slot].nr;

        hypercall_format(line, sizeof line, call, args, NULL, NULL);
        hypercall_format_result(result, sizeof result, call, args,
                                dom->last_calls[slot].result);
        say("    %s = %s\n", line, result);
    }
}

void domain_crash(struct vcpu *vcpu, const char *format, ...)
{
    struct domain *dom = vcpu->domain;
    char reason[256];
    va_list args;

    if (dom->end != DOMAIN_RUNS)
        return;
    console_drain(dom->console);
    console_restore_terminal();
    if (dom->engine && dom->engine->ops)
        dom->engine->ops->sync_regs(vcpu);
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (dom->nr_vcpus > 1)
        log_error("the guest crashed on vCPU %u: %s", vcpu->id, reason);
    else
        log_error("the guest crashed: %s", reason);
    print_registers(vcpu);
    print_code(vcpu);
    print_walks(vcpu);
    print_stack(vcpu);
    print_backtrace(vcpu);
    print_last_calls(dom);
    domain_end(dom, DOMAIN_CRASHED);
}
