/*
 * Descriptors: which a kernel may have in its tables and what becomes of them,
 * and which frames can be tables. (segments.c loads them.) As PV only.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>

#define PTE_READ_ONLY 0x21ul /* present, accessed */
#define PTE_WRITABLE  0x63ul

#define NR_MAX 7168
#define HOLE   0xffff800000000000ul
#define DPL(d) ((uint64_t)(d) << 45)

#define DATA        0x00cf93000000fffful
#define CODE        0x00af9b000000fffful
#define ABSENT      0x00cf13000000fffful
#define CALL_TO(cs) (0x00008c0000001234ul | (uint64_t)(cs) << 16)
#define TSS         0x00008900ffff0067ul
#define LDT         0x00008200ffff0067ul
#define INT_GATE    0x00008e00e0331234ul
#define NOTHING     0x0000800000000000ul /* present, of type 0 */

static uint64_t *table; /* a plain frame, mapped writable */
static uint64_t table_at;

/* What is stored for (desc), or ~0 if it is refused. */
static uint64_t store(uint64_t desc)
{
    table[1] = 0x1234;
    if (hypercall_update_descriptor(table_at + 8, desc) == 0)
        return table[1];
    return table[1] == 0x1234 ? ~0ul : 0xbad;
}

static void kinds(void)
{
    promise(store(DATA) == (DATA | DPL(3)) && store(CODE) == (CODE | DPL(3)) &&
                store(DATA | DPL(1)) == (DATA | DPL(3)),
            "code and data are for ring 3, whatever they say");
    promise(store(ABSENT) == ABSENT && store(0) == 0 &&
                store(TSS & ~(1ul << 47)) == (TSS & ~(1ul << 47)),
            "what is not present is nobody's concern");
    promise(store(TSS) == ~0ul && store(LDT) == ~0ul && store(INT_GATE) == ~0ul,
            "system segments and interrupt gates are refused");
    promise(store(NOTHING) == NOTHING,
            "type 0 may be, as the second half of a gate");
}

static void call_gates(void)
{
    promise(store(CALL_TO(0xe033) | DPL(3)) == CALL_TO(0xe033),
            "a call gate is nobody's to use");
    promise(store(CALL_TO(0x8) | DPL(1)) == CALL_TO(0xb) &&
                store(CALL_TO(0x4) | DPL(3)) == CALL_TO(0x7),
            "its level is kept in the selector, which may be the guest's own");
    promise(store(CALL_TO(0xe008)) == ~0ul && store(CALL_TO(0xe02b)) == ~0ul,
            "but none of the hypervisor's");
    promise(store(CALL_TO(0xe033) | 5ul << 32) == ~0ul,
            "reserved bits are clear");
}

static void places(void)
{
    const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base);

    promise(hypercall_update_descriptor(table_at + 4, 0) == -EINVAL,
            "a descriptor is aligned");
    promise(hypercall_update_descriptor(l4 << PAGE_SHIFT, 0) == -EINVAL,
            "not in a page table");
    promise(hypercall_update_descriptor(0, 0) == -EINVAL &&
                hypercall_update_descriptor(1ul << 52, 0) == -EINVAL,
            "in a frame of the guest's own");
}

static long show(void *page, uint64_t flags)
{
    return hypercall_update_va_mapping(
        (uintptr_t)page, page_mfn(page) << PAGE_SHIFT | flags, UVMF_INVLPG);
}

static void tables(void)
{
    unsigned long frames[15] = {0};
    uint64_t *other = page_alloc_zeroed(1);

    memset(table, 0, PAGE_SIZE);
    frames[0] = page_mfn(table);
    promise(hypercall_set_gdt(frames, 8) == -EINVAL,
            "a writable frame is no table");
    table[1] = DATA;
    table[511] = TSS;
    show(table, PTE_READ_ONLY);
    promise(hypercall_set_gdt(frames, 8) == -EINVAL,
            "nor one with anything wrong, however short it shall be");
    promise(show(table, PTE_WRITABLE) == 0, "refused, it can be written");
    table[511] = 0;
    show(table, PTE_READ_ONLY);
    promise(hypercall_set_gdt(frames, 8) == 0 && table[1] == (DATA | DPL(3)),
            "one with nothing wrong is, and its levels are set");
    promise(show(table, PTE_WRITABLE) == -EBUSY,
            "from then on it cannot be mapped writable");
    promise(hypercall_update_descriptor(table_at + 16, CODE) == 0 &&
                table[2] == (CODE | DPL(3)),
            "but changed by the hypercall");
    promise(hypercall_update_descriptor(table_at + 16, TSS) == -EINVAL &&
                table[2] == (CODE | DPL(3)),
            "with the same rules");
    frames[0] = page_mfn(other);
    promise(hypercall_set_gdt(frames, 1) == -EINVAL,
            "a table that is refused leaves the old one");
    promise(show(table, PTE_WRITABLE) == -EBUSY, "in use");
    promise(hypercall_set_gdt(frames, NR_MAX + 1) == -EINVAL,
            "there are 7168 entries");
    promise(hypercall_set_gdt((unsigned long *)HOLE, 512) == -EFAULT &&
                hypercall_set_gdt((unsigned long *)16, 512) == -EFAULT,
            "frames that cannot be read are a fault");
    frames[0] = 0;
    promise(hypercall_set_gdt(frames, 512) == -EINVAL, "frames are own ones");
    promise(hypercall_set_gdt(NULL, 0) == 0, "there may be none");
    promise(show(table, PTE_WRITABLE) == 0, "then it is a plain page again");
}

static uint64_t user_gs_base(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000102));
    return (uint64_t)hi << 32 | lo;
}

static bool base_of_selector(uint64_t selector, uint64_t base)
{
    hypercall_set_segment_base(SEGBASE_GS_USER, 0x123456789000);
    return hypercall_set_segment_base(SEGBASE_GS_USER_SEL, selector) == 0 &&
           user_gs_base() == base;
}

/* Of user mode, so that nothing changes for us. */
static void selectors(void)
{
    unsigned long frames[1] = {page_mfn(table)};

    memset(table, 0, PAGE_SIZE);
    table[1] = DATA | 0x345678ul << 16 | 0x12ul << 56;
    table[2] = ABSENT;
    show(table, PTE_READ_ONLY);
    hypercall_set_gdt(frames, 8);
    promise(base_of_selector(1 << 3, 0x12345678) &&
                base_of_selector(1 << 3 | 3, 0x12345678),
            "a selector for GS of user mode brings its base");
    promise(base_of_selector(FLAT_RING3_SS64, 0) && base_of_selector(0, 0) &&
                base_of_selector(3, 0),
            "a flat or an empty one brings none");
    promise(base_of_selector(2 << 3, 0) && base_of_selector(0x7770, 0) &&
                base_of_selector(1 << 3 | 4, 0),
            "and so does one that cannot be loaded, without an error");
    promise(hypercall_set_segment_base(SEGBASE_GS_USER, 0x800000000000) ==
                    -EINVAL &&
                hypercall_set_segment_base(SEGBASE_GS_KERNEL, 1ul << 63) ==
                    -EINVAL &&
                hypercall_set_segment_base(4, 0) == -EINVAL,
            "a base that is no address is refused, and other segments");
    hypercall_set_segment_base(SEGBASE_GS_USER, 0);
    hypercall_set_gdt(NULL, 0);
    show(table, PTE_WRITABLE);
}

static long set_ldt(uint64_t at, unsigned nr)
{
    struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = at, .arg2.nr_ents = nr};

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void local_tables(void)
{
    const uint64_t at = (uintptr_t)table;

    promise(set_ldt(at + 8, 1) == -EINVAL && set_ldt(at, 8193) == -EINVAL &&
                set_ldt(HOLE, 1) == -EINVAL &&
                set_ldt(0x800000000000, 1) == -EINVAL,
            "a local table is aligned, of 8192 entries, and the guest's");
    promise(set_ldt(at, 8192) == 0 && set_ldt(0x7000000000, 1) == 0,
            "it may be anywhere else, mapped or not");
    promise(set_ldt(HOLE + 5, 0) == 0, "without entries it may be nowhere");
}

int main(void)
{
    table = page_alloc_zeroed(1);
    table_at = page_mfn(table) << PAGE_SHIFT;
    kinds();
    call_gates();
    places();
    tables();
    selectors();
    local_tables();
    return verdict();
}
