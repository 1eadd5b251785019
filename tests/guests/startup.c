/*
 * Another vCPU started as a PC's CPUs are: by INIT and SIPI through the local
 * APIC, in real mode, at the page that the SIPI names. As PVH; needs 2 vCPUs.
 */
#include "verdict.h"

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/page.h>

#include <stdint.h>
#include <string.h>

#define OTHER    1
#define PATIENCE 10000000000ull /* ns */
#define A_WHILE  50000000ull    /* in which nothing may happen */

/* RAM below 1 MiB that nobody uses. */
#define SLEEPER_PAGE 0x90u
#define WORKER_PAGE  0x91u

#define APIC_FRAME   0xfee00u
#define APIC_ICR     0x300
#define APIC_ICR_TO  0x310
#define ICR_PENDING  0x1000u
#define ICR_INIT     0x4500u /* assert */
#define ICR_DEASSERT 0x8500u /* level */
#define ICR_STARTUP  0x4600u

#define CR0_PE 1u
#define CR0_PG 0x80000000u

/* What code in real mode leaves behind, at the same place in its page. */
struct notes {
    uint32_t count, cr0, flags;
    uint16_t cs, ss;
};

extern const char startup_sleep[], startup_work[], startup_end[];
__asm__(".pushsection .rodata\n"
        ".code16\n"
        ".macro NOTE\n"
        "    mov %cs, %ax\n"
        "    mov %ax, %ds\n"
        "    mov %ax, 0x80c\n"
        "    mov %ss, %ax\n"
        "    mov %ax, 0x80e\n"
        "    mov %cr0, %eax\n"
        "    mov %eax, 0x804\n"
        "    lock incl 0x800\n"
        ".endm\n"
        "startup_sleep:\n"
        "    NOTE\n"
        "    cli\n"
        "1:  hlt\n"
        "    jmp 1b\n"
        "startup_work:\n"
        "    NOTE\n"
        "1:  lock incl 0x808\n"
        "    jmp 1b\n"
        "startup_end:\n"
        ".code64\n"
        ".popsection\n");

#define NOTES 0x800

static volatile uint32_t *apic;
static volatile struct notes *sleeper, *worker;

static volatile struct notes *place(uint32_t frame, const char *code,
                                    const char *end)
{
    char *page = page_map_frame(frame, true);

    if (!page)
        return NULL;
    memset(page, 0, PAGE_SIZE);
    memcpy(page, code, (size_t)(end - code));
    return (volatile struct notes *)(page + NOTES);
}

static void command(uint32_t what)
{
    apic[APIC_ICR_TO / 4] = 2u * OTHER << 24;
    apic[APIC_ICR / 4] = what;
    while (apic[APIC_ICR / 4] & ICR_PENDING)
        hypercall_yield();
}

static bool is_up(void)
{
    return hypercall_vcpu_op(VCPUOP_is_up, OTHER, NULL) > 0;
}

/* Until (notes) count (count), and the vCPU is (up) or not. */
static bool await(const volatile struct notes *notes, uint32_t count, bool up)
{
    uint64_t end = clock_system_ns() + PATIENCE;

    while ((notes->count != count || is_up() != up) && clock_system_ns() < end)
        hypercall_yield();
    return notes->count == count && is_up() == up;
}

static bool nothing_happens(void)
{
    uint64_t end = clock_system_ns() + A_WHILE;

    while (clock_system_ns() < end)
        hypercall_yield();
    return sleeper->count == 1 && worker->count == 0 && !is_up();
}

static bool works(void)
{
    uint64_t end = clock_system_ns() + PATIENCE;
    uint32_t before = worker->flags;

    while (worker->flags == before && clock_system_ns() < end)
        hypercall_yield();
    return worker->flags != before;
}

int main(void)
{
    apic = page_map_frame(APIC_FRAME, true);
    sleeper = place(SLEEPER_PAGE, startup_sleep, startup_work);
    worker = place(WORKER_PAGE, startup_work, startup_end);
    if (!promise(apic && sleeper && worker, "pages are there"))
        return verdict();

    promise(!is_up(), "the other vCPU is down");
    command(ICR_INIT);
    command(ICR_DEASSERT);
    promise(!is_up(), "and after an INIT");
    command(ICR_STARTUP | SLEEPER_PAGE);
    promise(await(sleeper, 1, false),
            "a SIPI starts it, until it sleeps without interrupts");
    promise(sleeper->cs == SLEEPER_PAGE << 8, "in the SIPI's page");
    promise(!(sleeper->cr0 & (CR0_PE | CR0_PG)), "in real mode");
    promise(sleeper->ss == 0, "with a new stack segment");

    command(ICR_STARTUP | WORKER_PAGE);
    promise(nothing_happens(), "a SIPI with no INIT before is ignored");
    command(ICR_INIT);
    command(ICR_DEASSERT);
    command(ICR_STARTUP | WORKER_PAGE);
    promise(await(worker, 1, true), "after an INIT it begins elsewhere");
    promise(worker->cs == WORKER_PAGE << 8, "in the other page");
    promise(works(), "and works there");
    command(ICR_INIT);
    promise(await(worker, 1, false), "until an INIT takes it down");
    return verdict();
}
