/*
 * What a PV kernel says of its virtual CPU: traps, callbacks, stacks, segments,
 * descriptors, debug registers, the FPU, assists. As PVH there are the assists.
 */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#include <string.h>

#include <hypercall/calls.h>

static const struct {
    const char *name;
    uint64_t va;
} addresses[] = {
    {"0", 0},
    {"a low one", 0x400000},
    {"the last low one", 0x7fffffffffff},
    {"the first that is none", 0x800000000000},
    {"a non-canonical one", 0x8000000000000000},
    {"the hole's first", 0xffff800000000000},
    {"the hole's last", 0xffff87ffffffffff},
    {"the first above the hole", 0xffff880000000000},
    {"the last of all", ~0ul},
};

/* Of vectors that nothing here raises. */
static void traps(void)
{
    struct trap_info table[3] = {{.vector = 200, .cs = FLAT_KERNEL_CS}};

    about("set_trap_table");
    for (enum place place = PLACE_NULL + 1; place < NR_PLACES; place++)
        say(hypercall_set_trap_table(put(place, table, sizeof table[0])), "%s",
            place_names[place]);
    for (size_t i = 0; i < NUMBER_OF(addresses); i++) {
        table[0].address = addresses[i].va;
        say(hypercall_set_trap_table(table), "address %s", addresses[i].name);
    }
    table[0] = (struct trap_info){
        .vector = 200, .flags = 0xff, .cs = 0xffff, .address = 0x400000};
    say(hypercall_set_trap_table(table), "all flags, any selector");
    table[0].cs = 0;
    say(hypercall_set_trap_table(table), "no selector");
}

static long register_callback(unsigned type, unsigned flags, uint64_t va)
{
    struct callback_register op = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = va};

    return hypercall_callback_op(CALLBACKOP_register, &op);
}

static void callbacks(void)
{
    struct callback_register bad = {.type = CALLBACKTYPE_nmi,
                                    .address = 1ull << 63};
    struct callback_unregister none = {.type = 100}, away;

    about("callback_op register");
    AT_WRONG_PLACES("request", bad,
                    hypercall_callback_op(CALLBACKOP_register, at));
    for (size_t i = 0; i < NUMBER_OF(addresses); i++)
        say(register_callback(CALLBACKTYPE_syscall32, 0, addresses[i].va),
            "address %s", addresses[i].name);
    for (unsigned type = 0; type < 10; type++)
        say(register_callback(type, 0, 1ull << 63), "type %u, no address",
            type);
    say(register_callback(6, 0, 0x400000), "type 6");
    say(register_callback(8, 0, 0x400000), "type 8");
    say(register_callback(0xffff, 0, 0x400000), "type 65535");
    say(register_callback(CALLBACKTYPE_syscall32, 0xffff, 0x400000),
        "all flags");
    about("callback_op unregister");
    AT_WRONG_PLACES("request", none,
                    hypercall_callback_op(CALLBACKOP_unregister, at));
    for (unsigned type = 0; type < 10; type++) {
        away = (struct callback_unregister){.type = (uint16_t)type};
        say(hypercall_callback_op(CALLBACKOP_unregister, &away), "type %u",
            type);
    }
    about("callback_op");
    say(hypercall_callback_op(2, &bad), "operation 2");
    say(hypercall_callback_op(-1, &bad), "operation -1");
}

static void stacks(void)
{
    about("stack_switch");
    for (size_t i = 0; i < NUMBER_OF(addresses); i++)
        say(hypercall_stack_switch(FLAT_KERNEL_SS, addresses[i].va), "to %s",
            addresses[i].name);
    say(hypercall_stack_switch(0, 0x400000), "selector 0");
    say(hypercall_stack_switch(~0ul, 0x400000), "selector -1");
    say(hypercall_stack_switch(0x10, 0x400000), "a selector of no descriptor");
    say(hypercall_stack_switch(FLAT_KERNEL_CS, 0x400000), "one of code");
}

static void segments(void)
{
    static const char *const names[] = {"FS", "user GS"};

    about("set_segment_base");
    for (unsigned which = SEGBASE_FS; which <= SEGBASE_GS_USER; which++) {
        if (which == SEGBASE_FS)
            continue; /* threads of the C library stand on it */
        for (size_t i = 0; i < NUMBER_OF(addresses); i++)
            say(hypercall_set_segment_base(which, addresses[i].va), "%s to %s",
                names[which], addresses[i].name);
    }
    say(hypercall_set_segment_base(SEGBASE_FS, 1ull << 63),
        "FS to what is none");
    say(hypercall_set_segment_base(SEGBASE_GS_KERNEL, 1ull << 63),
        "kernel GS to what is none");
    say(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0), "selector 0");
    say(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0x10),
        "a selector of no descriptor");
    say(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_KERNEL_CS),
        "one of code");
    say(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, ~0ul), "selector -1");
    say(hypercall_set_segment_base(4, 0), "base 4");
    say(hypercall_set_segment_base(~0u, 0), "base -1");
}

#define CODE 0x00af9b000000ffffull
#define DATA 0x00cf93000000ffffull

static uint64_t maddr_of(const void *address)
{
    return (page_mfn(address) << PAGE_SHIFT) + (uintptr_t)address % PAGE_SIZE;
}

static void descriptors(void)
{
    static const struct {
        const char *name;
        uint64_t value;
    } kinds[] = {
        {"none", 0},
        {"code", CODE},
        {"code of DPL 3", CODE | 3ull << 45},
        {"code for 16 bits", 0x00009b000000ffffull},
        {"code for 32 bits", 0x00cf9b000000ffffull},
        {"code for both", 0x00ef9b000000ffffull},
        {"conforming code", 0x00af9f000000ffffull},
        {"data", DATA},
        {"data that grows down", 0x00cf97000000ffffull},
        {"all ones", ~0ull},
        {"all ones, not present", ~0ull & ~(1ull << 47)},
        {"an LDT", 0x000082000000ffffull},
        {"a TSS", 0x000089000000ffffull},
        {"a busy TSS", 0x00008b000000ffffull},
        {"a call gate", 0x00008c0000000000ull},
        {"a call gate to somewhere", 0x00408ce033001000ull},
        {"a call gate to no ring", 0x00008c0000000000ull | 8 << 16},
        {"an interrupt gate", 0x00008e0000000000ull},
        {"a trap gate", 0x00008f0000000000ull},
        {"a task gate", 0x0000850000000000ull},
        {"system type 0", 0x0000800000000000ull},
        {"system type 1", 0x0000810000000000ull},
        {"system type 8", 0x0000880000000000ull},
        {"system type 13", 0x00008d0000000000ull},
    };
    uint64_t *page = spare_page(), *table = spare_page();

    about("update_descriptor");
    for (size_t i = 0; i < NUMBER_OF(kinds); i++) {
        page[8] = 0x1122334455667788ull;
        say(hypercall_update_descriptor(maddr_of(page + 8), kinds[i].value),
            "%s", kinds[i].name);
        printf("which is 0x%016lx\n", page[8]);
    }
    say(hypercall_update_descriptor(maddr_of(page) + 4, DATA),
        "an address that is not aligned");
    say(hypercall_update_descriptor(~0ull << 3 >> 12, DATA),
        "an address that is none");
    say(hypercall_update_descriptor(~7ull, DATA), "the last address");
    say(hypercall_update_descriptor(
            page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT, DATA),
        "in a page table");
    say(hypercall_update_descriptor(guest_start_info->shared_info, DATA),
        "in shared_info");
    about("set_gdt");
    {
        xen_pfn_t frames[16] = {page_mfn(table)};

        for (enum place place = 0; place < PLACE_READ_ONLY; place++)
            say(hypercall_set_gdt(put(place, frames, sizeof *frames), 1),
                "frames %s", place_names[place]);
        say(hypercall_set_gdt(frames, 1), "a page that is mapped to write");
        say(hypercall_set_gdt(frames, 7169), "7169 entries");
        say(hypercall_set_gdt(frames, UINT32_MAX), "2^32 - 1 entries");
        frames[0] = ~0ul >> 12;
        say(hypercall_set_gdt(frames, 1), "a frame that is none");
        frames[0] = ~0ul;
        say(hypercall_set_gdt(frames, 1), "frame -1");
        frames[0] = page_mfn((void *)guest_start_info->pt_base);
        say(hypercall_set_gdt(frames, 1), "a page table");
        frames[0] = guest_start_info->shared_info >> PAGE_SHIFT;
        say(hypercall_set_gdt(frames, 1), "shared_info");
        say(hypercall_set_gdt(frames, 0), "no entries");
        say(hypercall_set_gdt(NULL, 0), "no entries, nowhere");
    }
}

/* A page that is nobody's but a table of descriptors. */
static void descriptor_pages(void)
{
    uint64_t *table = spare_page();
    const uint64_t mfn = page_mfn(table);
    const uint64_t pte = mfn << PAGE_SHIFT | 0x61;
    xen_pfn_t frames[2] = {mfn, mfn};
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE};

    pin.arg1.mfn = mfn;
    about("set_gdt and its page:");
    table[1] = 0x000089000000ffffull;
    say(hypercall_update_va_mapping((uintptr_t)table, pte, UVMF_INVLPG),
        "it is made read-only");
    say(hypercall_set_gdt(frames, 512), "with a TSS in it");
    say(hypercall_update_va_mapping((uintptr_t)table, pte | 2, UVMF_INVLPG),
        "it may be written again");
    table[1] = DATA;
    table[2] = CODE;
    say(hypercall_update_va_mapping((uintptr_t)table, pte, UVMF_INVLPG),
        "it is made read-only again");
    say(hypercall_set_gdt(frames, 512), "with code and data");
    printf("which are 0x%016lx and 0x%016lx\n", table[1], table[2]);
    say(hypercall_update_va_mapping((uintptr_t)table, pte | 2, UVMF_INVLPG),
        "it cannot be mapped to write now");
    say(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), "nor become a table");
    say(hypercall_update_descriptor(mfn << PAGE_SHIFT | 24, DATA),
        "a descriptor is added");
    printf("which is 0x%016lx\n", table[3]);
    say(hypercall_update_descriptor(mfn << PAGE_SHIFT | 24,
                                    0x000089000000ffffull),
        "a TSS is not");
    say(hypercall_set_gdt(frames, 1024), "twice the same page");
    say(hypercall_set_gdt(NULL, 0), "and without it");
    say(hypercall_update_va_mapping((uintptr_t)table, pte | 2, UVMF_INVLPG),
        "now it can be written");
}

static void ldt(const char *what, uint64_t address, unsigned nr)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT};

    op.arg1.linear_addr = address;
    op.arg2.nr_ents = nr;
    say(hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF), "%s", what);
}

static void ldts(void)
{
    about("mmuext_op set_ldt");
    ldt("none", 0, 0);
    ldt("none, an address that is not aligned", 8, 0);
    ldt("too many", 0x400000, 8193);
    ldt("not aligned", 0x400008, 1);
    ldt("in the hole", 0xffff800000000000, 1);
    ldt("at no address", 1ull << 63, 1);
    ldt("across the low end", 0x7ffffffff000, 8192);
    ldt("-1", 0x400000, ~0u);
    ldt("none again", 0, 0);
}

static void debug_registers(void)
{
    about("set_debugreg");
    for (int reg = 0; reg < 4; reg++)
        for (size_t i = 0; i < NUMBER_OF(addresses); i++)
            say(hypercall_set_debugreg(reg, addresses[i].va), "%d to %s", reg,
                addresses[i].name);
    for (int reg = 0; reg < 4; reg++)
        hypercall_set_debugreg(reg, 0);
    for (int reg = 4; reg < 10; reg++) {
        say(hypercall_set_debugreg(reg, 0), "%d to 0", reg);
        say((long)hypercall_get_debugreg(reg), "%d, read", reg);
    }
    for (int reg = 4; reg < 8; reg++) {
        say(hypercall_set_debugreg(reg, ~0ul), "%d to all ones", reg);
        say((long)hypercall_get_debugreg(reg), "%d, read", reg);
    }
    for (unsigned bit = 0; bit < 64; bit++)
        say(hypercall_set_debugreg(6, 1ul << bit), "6 to bit %u", bit);
    for (unsigned bit = 8; bit < 64; bit++) {
        say(hypercall_set_debugreg(7, 1ul << bit), "7 to bit %u", bit);
        hypercall_set_debugreg(7, 0);
    }
    say(hypercall_set_debugreg(7, 2ul << 16 | 1), "7 to I/O breakpoints");
    say(hypercall_set_debugreg(7, 2ul << 18 | 1), "7 to a length of 8");
    say(hypercall_set_debugreg(7, 1ul << 18 | 1), "7 to code of length 2");
    say(hypercall_set_debugreg(-1, 0), "-1");
    hypercall_set_debugreg(7, 0);
    about("get_debugreg");
    for (int reg = 0; reg < 10; reg++)
        say((long)hypercall_get_debugreg(reg), "%d", reg);
    say((long)hypercall_get_debugreg(-1), "-1");
}

static bool no_fpu(struct trap_frame *frame)
{
    (void)frame;
    return true; /* whoever brings this has made it work again */
}

static void fpu(void)
{
    trap_handle(7, no_fpu);
    about("fpu_taskswitch");
    say(hypercall_fpu_taskswitch(0), "0");
    say(hypercall_fpu_taskswitch(-1), "-1");
    say(hypercall_fpu_taskswitch(0), "0 again");
}

static void assists(void)
{
    static const unsigned types[] = {0,  1,  3,  4,  5,  6,        7,
                                     31, 32, 33, 63, 64, 1u << 31, UINT32_MAX};

    about("vm_assist");
    for (size_t i = 0; i < NUMBER_OF(types); i++) {
        say(hypercall_vm_assist(2, types[i]), "operation 2, type %d",
            (int)types[i]);
        say(hypercall_vm_assist(VMASST_CMD_enable, types[i]), "enable %d",
            (int)types[i]);
        say(hypercall_vm_assist(VMASST_CMD_disable, types[i]), "disable %d",
            (int)types[i]);
    }
    say(hypercall_vm_assist(~0u, 2), "operation -1");
}

int main(void)
{
    cases_begin();
    assists();
    if (guest_is_pvh())
        return 0;
    traps();
    callbacks();
    stacks();
    segments();
    descriptors();
    descriptor_pages();
    ldts();
    debug_registers();
    fpu();
    return 0;
}
