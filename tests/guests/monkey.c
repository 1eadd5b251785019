/*
 * A guest that makes hypercalls without a thought.
 *
 *   pointers        every call with every pointer that leads nowhere
 *   random SEED NR  NR calls of any kind, with arguments that often make sense
 *
 * It says "survived" by console_io when it can still do so.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#define NR_CALLS 64
#define NR_PAGES 64

#define PTE_RAM 0x63ull /* present, writable, accessed, dirty */

static uint8_t *pages; /* for arguments */

static long call(unsigned nr, const uint64_t *args)
{
    register uint64_t r10 __asm__("r10") = args[3];
    register uint64_t r8 __asm__("r8") = args[4];
    uint64_t rdi = args[0], rsi = args[1], rdx = args[2];
    long rax;

    __asm__ volatile("call *%[stub]"
                     : "=a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8)
                     : [stub] "b"(hypercall_page + nr * HYPERCALL_STUB_SIZE)
                     : "memory", "cc");
    return rax;
}

static bool is(uint64_t arg, unsigned command)
{
    return (uint32_t)arg == command;
}

/* Calls that end, do not end, or say how the end will be: no use here. */
static bool would_stop(unsigned nr, const uint64_t *args)
{
    return nr == __HYPERVISOR_iret ||
           (nr == __HYPERVISOR_vcpu_op && is(args[0], VCPUOP_down)) ||
           (nr == __HYPERVISOR_sched_op &&
            (is(args[0], SCHEDOP_block) || is(args[0], SCHEDOP_shutdown) ||
             is(args[0], SCHEDOP_shutdown_code) ||
             is(args[0], SCHEDOP_poll))) ||
           (nr == __HYPERVISOR_sched_op_compat &&
            (is(args[0], SCHEDOP_block) || is(args[0], SCHEDOP_shutdown)));
}

_Noreturn static void survived(void)
{
    static char text[] = "survived\n";

    hypercall_console_write(text, sizeof text - 1);
    guest_shutdown(SHUTDOWN_poweroff);
}

static uint64_t shim(void)
{
    uint64_t entry;

    memcpy(&entry, hypercall_page + 16, sizeof entry);
    return entry;
}

/* The pointer as any of the first three arguments, the others small. */
static void try_pointer(unsigned nr, uint64_t pointer)
{
    for (unsigned place = 0; place < 3; place++) {
        for (uint64_t command = 0; command < (place ? 48 : 1); command++) {
            uint64_t args[5] = {command, 1, 1, 1, 1};

            args[place] = pointer;
            if (place == 2)
                args[1] = 0;
            if (!would_stop(nr, args))
                call(nr, args);
        }
    }
}

static void try_pointers(void)
{
    const uint64_t pointers[] = {
        0,
        1,
        0xfff,
        0x1000,
        0x3f0000000000,
        0x3effffffffff,
        0x7ffffffff000,
        0x7fffffffffff,
        0x800000000000,
        0xffff7fffffffffff,
        0xffff800000000000,
        0xffff87ffffffffff,
        0xffff880000000000,
        0xfffffffffffff000,
        0xfffffffffffffff8,
        UINT64_MAX,
        shim(),
        shim() + (1 << 20),
        guest_start_info->pt_base,
        (guest_start_info->nr_pages << PAGE_SHIFT) + 0x400000 - 4,
    };

    for (unsigned nr = 0; nr < NR_CALLS; nr++) {
        if (nr == __HYPERVISOR_set_segment_base ||
            nr == __HYPERVISOR_update_va_mapping)
            continue; /* take addresses, and may well mean ours */
        for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
            try_pointer(nr, pointers[i]);
    }
    survived();
}

static uint64_t state;

static uint64_t next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u >> 16;
}

static uint64_t a_number(void)
{
    switch (next() % 12) {
    case 0:
        return (uint64_t)pages + next() % (NR_PAGES * PAGE_SIZE);
    case 1:
        return (uint64_t)pages + (next() % NR_PAGES << PAGE_SHIFT);
    case 2:
        return page_mfn(pages + (next() % NR_PAGES << PAGE_SHIFT));
    case 3:
        return page_mfn((void *)(guest_start_info->pt_base)) + next() % 4;
    case 4:
        return guest_start_info->pt_base + (next() % 16 << PAGE_SHIFT);
    case 5:
        return page_mfn(pages) << PAGE_SHIFT | (next() & 0xfff);
    case 6:
        return next() << (next() % 64);
    case 7:
        return DOMID_SELF;
    case 8:
        return UINT64_MAX - next() % 4;
    default:
        return next() % 16;
    }
}

/* Calls took it away, perhaps: a page may stay gone, not all of them. */
static uint64_t *a_page(void)
{
    for (;;) {
        uint8_t *page = pages + (next() % NR_PAGES << PAGE_SHIFT);
        const uint64_t pte = page_mfn(page) << PAGE_SHIFT | PTE_RAM;

        if (!hypercall_update_va_mapping((uintptr_t)page, pte, UVMF_INVLPG))
            return (uint64_t *)page;
    }
}

static uint64_t fill_page(void)
{
    uint64_t *words = a_page();

    for (unsigned i = 0; i < 32; i++) {
        words[i] = a_number();
        if (next() % 2)
            words[i] = (uint32_t)words[i] | a_number() << 32;
    }
    return (uint64_t)words;
}

static void try_anything(uint64_t seed, uint64_t nr_calls)
{
    state = seed * 2 + 1;
    for (uint64_t i = 0; i < nr_calls; i++) {
        const unsigned nr = (unsigned)(next() % 48);
        uint64_t args[5];

        for (unsigned a = 0; a < 5; a++)
            args[a] = a_number();
        args[next() % 2] = fill_page();
        if (next() % 4)
            args[0] = next() % 32;
        if (!would_stop(nr, args) && nr != __HYPERVISOR_multicall)
            call(nr, args);
    }
    survived();
}

int main(int argc, char **argv)
{
    pages = page_alloc_zeroed(NR_PAGES);
    if (argc == 2 && strcmp(argv[1], "pointers") == 0)
        try_pointers();
    if (argc == 4 && strcmp(argv[1], "random") == 0)
        try_anything(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
    return 99;
}
