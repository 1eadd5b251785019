/*
 * A guest that hands the hypervisor garbage by the dozen, of one kind each
 * run: descriptors and selectors, callbacks, machine registers, page-table
 * entries, tables that lead to themselves. It may be told no or get a fault,
 * which it steps over; then it says how much was taken, and "survived".
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#define PRESENT   0x1ul
#define WRITABLE  0x2ul
#define USER      0x4ul
#define LARGE     0x80ul
#define READ_ONLY 0x21ul
#define TABLE     0x67ul
#define NX        (1ul << 63)

#define FS_BASE 0xc0000100u /* we live by it */

static const uint64_t garbage[] = {
    0,
    1,
    7,
    0xfff,
    0x1000,
    0x80000000,
    0x3f0000000000,
    0x7fffffffffff,
    0x800000000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffff800000000000,
    0xffff808000000000,
    0xffff808000002000,
    0xffff810000000000,
    0xffff818000000000,
    0xffff87ffffffffff,
    0xfffffffffffff000,
    UINT64_MAX,
};

#define NR_GARBAGE (sizeof garbage / sizeof *garbage)

static unsigned taken, refused;

static void count(bool good)
{
    if (good)
        taken++;
    else
        refused++;
}

/* What faults is two bytes long, or says otherwise. */
static volatile unsigned skip_bytes = 2;
static volatile bool faulted;

static bool skip(struct trap_frame *frame)
{
    frame->rip += skip_bytes;
    faulted = true;
    return true;
}

#define TRY(bytes, instruction, ...)                              \
    do {                                                          \
        skip_bytes = (bytes);                                     \
        faulted = false;                                          \
        __asm__ volatile(instruction : : __VA_ARGS__ : "memory"); \
        count(!faulted);                                          \
    } while (0)

static void make_read_only(void *page)
{
    const uint64_t pte = page_mfn(page) << PAGE_SHIFT | READ_ONLY;

    if (hypercall_update_va_mapping((uintptr_t)page, pte, UVMF_INVLPG))
        printf("FAIL: a page cannot be made read-only\n");
}

static void load_selectors(void)
{
    for (uint64_t selector = 0; selector < 0x10000;
         selector += 1 + selector / 64) {
        TRY(2, "mov %%eax, %%ds", "a"(selector));
        TRY(2, "mov %%eax, %%es", "a"(selector));
        TRY(2, "mov %%eax, %%gs", "a"(selector));
    }
    TRY(2, "mov %%eax, %%ds", "a"(0));
    TRY(2, "mov %%eax, %%es", "a"(0));
    TRY(2, "mov %%eax, %%gs", "a"(0));
}

/* Every type of descriptor, of ring 0 and of ring 3; then some of no type. */
static void descriptors(void)
{
    uint64_t *gdt = page_alloc_zeroed(1);
    const uint64_t at = page_mfn(gdt) << PAGE_SHIFT;
    xen_pfn_t frame = page_mfn(gdt);
    struct mmuext_op ldt = {.cmd = MMUEXT_SET_LDT};

    load_selectors();
    for (unsigned i = 0; i < 256; i++) /* type, S, DPL, P */
        gdt[i] = 0x00af00000000ffff | (uint64_t)i << 40;
    count(hypercall_set_gdt(&frame, 256) == 0); /* it is still writable */
    memset(gdt, 0, PAGE_SIZE);
    make_read_only(gdt);
    printf("set_gdt: %ld\n", hypercall_set_gdt(&frame, 512));
    for (unsigned i = 0; i < 512; i++) {
        uint64_t desc = 0x00af00000000ffff | (uint64_t)(i & 255) << 40;

        if (i >= 256)
            desc = garbage[i % NR_GARBAGE] ^ (uint64_t)i << 40;
        count(hypercall_update_descriptor(at + 8ul * i, desc) == 0);
    }
    load_selectors();
    for (unsigned i = 0; i < NR_GARBAGE; i++) {
        count(hypercall_update_descriptor(garbage[i], garbage[i]) == 0);
        ldt.arg1.linear_addr = garbage[i];
        ldt.arg2.nr_ents = i & 1 ? 8192 : (unsigned)garbage[i];
        count(hypercall_mmuext_op(&ldt, 1, NULL, DOMID_SELF) == 0);
        frame = garbage[i];
        count(hypercall_set_gdt(&frame, 1 + i * 512) == 0);
        load_selectors();
    }
    hypercall_set_gdt(NULL, 0);
}

static void callbacks(void)
{
    struct trap_info traps[33];

    for (unsigned i = 0; i < NR_GARBAGE; i++) {
        const uint64_t va = garbage[i];
        struct callback_register reg = {.address = va};

        for (unsigned type = 0; type < 10; type++) {
            reg.type = (uint16_t)type;
            reg.flags = (uint16_t)i;
            if (type != CALLBACKTYPE_event)
                count(hypercall_callback_op(CALLBACKOP_register, &reg) == 0);
        }
        count(hypercall_stack_switch(va, va) == 0);
        for (unsigned v = 0; v < 32; v++)
            traps[v] = (struct trap_info){.vector = (uint8_t)(200 + v),
                                          .flags = (uint8_t)i,
                                          .cs = (uint16_t)(va | v),
                                          .address = va | 1};
        traps[32].address = 0;
        count(hypercall_set_trap_table(traps) == 0);
        count(hypercall_set_trap_table((void *)va) == 0);
    }
}

static void write_msr(uint32_t msr, uint64_t value)
{
    uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);

    TRY(2, "wrmsr", "c"(msr), "a"(low), "d"(high));
    skip_bytes = 2;
    __asm__ volatile("rdmsr" : "+a"(low), "+d"(high) : "c"(msr) : "memory");
}

static void registers(void)
{
    static const uint32_t msrs[] = {
        0,          0x10,       0x1b,       0x8b,       0x10a,      0x174,
        0x1a0,      0x1d9,      0x277,      0x2ff,      0x38f,      0x400,
        0x802,      0xda0,      0x40000000, 0x40000200, 0x4b564d00, 0xc0000080,
        0xc0000081, 0xc0000082, 0xc0000084, 0xc0000101, 0xc0000102, 0xc0000103,
        0xc0010015, 0xc0010117, UINT32_MAX};

    for (unsigned i = 0; i < NR_GARBAGE; i++) {
        const uint64_t value = garbage[i];

        for (unsigned m = 0; m < sizeof msrs / sizeof *msrs; m++)
            if (msrs[m] != FS_BASE)
                write_msr(msrs[m], value);
        if (value & 0xfffff000) { /* not to the page we are on */
            TRY(3, "mov %%rax, %%cr3", "a"(value));
            TRY(3, "mov %%rax, %%cr2", "a"(value));
        }
        TRY(3, "mov %%rax, %%cr4", "a"(value));
        TRY(4, "mov %%rax, %%cr8", "a"(value));
        TRY(3, "mov %%rax, %%cr0", "a"(value));
        TRY(2, "clts", "a"(0));
        TRY(3, "lgdt (%%rax)", "a"(&garbage[i]));
        TRY(3, "lidt (%%rax)", "a"(&garbage[i]));
        TRY(3, "lldt %%ax", "a"(value));
        TRY(3, "ltr %%ax", "a"(value));
        for (int reg = 0; reg < 9; reg++)
            count(hypercall_set_debugreg(reg, reg == 7 ? value & ~0xfful
                                                       : value) == 0);
        for (unsigned which = 1; which < 5; which++)
            count(hypercall_set_segment_base(which, value) == 0);
    }
}

/* Frames that are not the domain's, and bits that no entry may have. */
static void entries(void)
{
    uint64_t *page = page_alloc_zeroed(1);
    const uint64_t own = page_mfn(page) << PAGE_SHIFT;
    const uint64_t flags[] = {PRESENT, PRESENT | WRITABLE,
                              PRESENT | WRITABLE | USER, PRESENT | LARGE,
                              PRESENT | NX};

    for (unsigned i = 0; i < NR_GARBAGE; i++)
        for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++) {
            const uint64_t frame = garbage[i] & 0x000ffffffffff000;

            count(hypercall_update_va_mapping((uintptr_t)page, frame | flags[f],
                                              UVMF_INVLPG) == 0);
            count(hypercall_update_va_mapping(garbage[i], own | flags[f],
                                              UVMF_INVLPG) == 0);
        }
    /* just behind the domain: what the engine has beside it */
    for (uint64_t mfn = 0; mfn < 4096; mfn++) {
        const uint64_t there = own + (mfn + page_nr_ram()) * PAGE_SIZE;

        count(hypercall_update_va_mapping((uintptr_t)page, there | 3,
                                          UVMF_INVLPG) == 0);
    }
    hypercall_update_va_mapping((uintptr_t)page, own | 0x63, UVMF_INVLPG);
    *(volatile uint64_t *)page = 1;
}

static long pin(unsigned level, void *page)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE + level - 1,
                           .arg1.mfn = page_mfn(page)};
    const long rc = hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);

    if (rc == 0) {
        op.cmd = MMUEXT_NEW_BASEPTR;
        if (level == 4)
            count(hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0);
        op.cmd = MMUEXT_UNPIN_TABLE;
        hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
    }
    return rc;
}

/* Tables of which every entry leads to itself, or to each other. */
static void circles(void)
{
    for (unsigned length = 1; length <= 4; length++) {
        uint64_t *pages[4];

        for (unsigned i = 0; i < length; i++)
            pages[i] = page_alloc_zeroed(1);
        for (unsigned i = 0; i < length; i++)
            for (unsigned slot = 0; slot < 512; slot++)
                if (slot < 256 || slot >= 272)
                    pages[i][slot] =
                        page_mfn(pages[(i + 1) % length]) << PAGE_SHIFT | TABLE;
        for (unsigned i = 0; i < length; i++)
            make_read_only(pages[i]);
        for (unsigned level = 1; level <= 4; level++)
            for (unsigned i = 0; i < length; i++)
                count(pin(level, pages[i]) == 0);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"descriptors", descriptors}, {"callbacks", callbacks},
    {"registers", registers},     {"entries", entries},
    {"circles", circles},
};

int main(int argc, char **argv)
{
    trap_handle(13, skip);
    trap_handle(14, skip);
    trap_handle(6, skip);
    trap_handle(11, skip);
    trap_handle(12, skip);
    trap_handle(10, skip);
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        kinds[i].run();
        printf("%s: taken %u, refused %u\nsurvived\n", argv[1], taken, refused);
        return 0;
    }
    printf("no such kind\n");
    return 99;
}
