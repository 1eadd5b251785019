/*
 * Memory that is not what it seems: the M2P table can be read where kernels
 * hard-code it, by any plain load; and with the assist for it, a store to an L1
 * table is the update it means, or a page fault where that is refused. As PVH
 * there is no such table.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>
#include <xen/memory.h>

#include "tables.h"
#include "trying.h"

#define M2P      ((const volatile uint64_t *)0xffff800000000000)
#define M2P_LAST 0xffff807ffffffff8ul

#define MSR_GS_BASE 0xc0000101

#define PTE_PRESENT 0x001ul
#define PTE_RW      0x002ul

#define DENIED 3 /* a write to a page that is there */

#define SPOT 0x1122334455667788ul

/* Pages of the image, whose tables the builder made. */
static uint64_t playground[2][NR_ENTRIES] __attribute__((aligned(4096)));

static void m2p_loads(void)
{
    const uint64_t mfn = page_mfn(playground);
    const volatile uint64_t *entry = &M2P[mfn];
    const uint64_t *p2m = (const uint64_t *)guest_start_info->mfn_list;
    uint64_t found = *entry, out, copy[3] = {0}, flags;
    const void *from = (const void *)(uintptr_t)entry;
    void *to = copy;
    uint64_t count = 2;

    expect_none();
    promise(p2m[found] == mfn, "an entry is the frame's number in the p2m");
    TRY("mov (%1), %k0", "=&r"(out) : "r"(entry));
    promise(out == (uint32_t)found, "four bytes of it clear the upper half");
    out = SPOT;
    TRY("mov (%1), %w0", "+r"(out) : "r"(entry));
    promise(out == ((SPOT & ~0xfffful) | (found & 0xffff)),
            "two leave it alone");
    out = SPOT;
    TRY("mov 1(%1), %h0", "+a"(out) : "c"(entry));
    promise(out == ((SPOT & ~0xff00ul) | (found & 0xff00)),
            "and so does one into the second byte");
    TRY("movzbl (%1), %k0", "=&r"(out) : "r"(entry));
    promise(out == (found & 0xff), "one extended by zeros");
    TRY("movslq (%1), %0", "=&r"(out) : "r"(entry));
    promise(out == (uint64_t)(int32_t)found, "four by their sign");
    TRY("mov (%1,%2,8), %%r13\nmov %%r13, %0", "=&r"(out)
        : "r"(M2P), "r"(mfn)
        : "r13");
    promise(out == found, "an array's element, into a high register");
    TRY("cmp %2, (%1)\npushf\npop %0", "=&r"(flags)
        : "r"(entry), "r"(found)
        : "cc");
    promise(flags & 0x40, "a comparison");
    TRY("cmpq $-1, (%1)\npushf\npop %0", "=&r"(flags) : "r"(entry) : "cc");
    promise(!(flags & 0x40), "one with a number");
    TRY("testq $-1, (%1)\npushf\npop %0", "=&r"(flags) : "r"(entry) : "cc");
    promise(!(flags & 0x40) == (found != 0), "a test");
    out = 5;
    TRY("add (%1), %0", "+r"(out) : "r"(entry) : "cc");
    promise(out == found + 5, "a sum");
    out = 0;
    TRY("cmp %0, %0\ncmove (%1), %0", "+r"(out) : "r"(entry) : "cc");
    promise(out == found, "a conditional load");
    TRY("push (%1)\npop %0", "=&r"(out) : "r"(entry) : "memory");
    promise(out == found, "a push");
    TRY("rep movsq", "+S"(from), "+D"(to), "+c"(count)::"memory");
    promise(copy[0] == found && copy[1] == M2P[mfn + 1] && copy[2] == 0 &&
                count == 0,
            "a copy");
    TRY("wrmsr", : "c"(MSR_GS_BASE), "a"(0), "d"(0xffff8000));
    TRY("mov %%gs:(%1), %0", "=&r"(out) : "r"(mfn * 8));
    promise(out == found, "by a segment's base");
    TRY("wrmsr", : "c"(MSR_GS_BASE), "a"(0), "d"(0));
    promise(none(), "all without a trap");
}

static void m2p_is_not_more(void)
{
    uint64_t out = SPOT;

    expect(14);
    TRY("mov (%1), %0", "+r"(out) : "r"(M2P_LAST));
    promise(came(14, 0) && seen_address == M2P_LAST && out == SPOT,
            "beyond its end there is nothing");
    expect(14);
    TRY("movq $0, (%0)", : "r"(M2P) : "memory");
    promise(came(14, DENIED) && seen_address == (uintptr_t)M2P,
            "it cannot be written");
}

static void m2p_is_nowhere(void)
{
    uint64_t out = SPOT;

    expect(14);
    TRY("mov (%1), %0", "+r"(out) : "r"(M2P));
    promise(came(14, 0) && seen_address == (uintptr_t)M2P && out == SPOT,
            "nothing is where PV kernels find the M2P table");
}

static void forget(const volatile void *va)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL};

    op.arg1.linear_addr = (uintptr_t)va;
    hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* Is the first page of the playground there, and may it be written? */
static bool is_there(void)
{
    forget(playground[0]);
    expect(14);
    TRY("mov (%0), %%al", : "r"(playground[0]) : "rax");
    return nr_seen == 0;
}

static bool is_writable(void)
{
    forget(playground[0]);
    expect(14);
    TRY("lock orb $0, (%0)", : "r"(playground[0]) : "memory", "cc");
    return nr_seen == 0;
}

/* The initial domain has it whatever it says. */
static void without_the_assist(volatile uint64_t *pte)
{
    if (guest_start_info->flags & SIF_INITDOMAIN)
        goto enable;
    hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables);
    expect(14);
    TRY("mov %1, (%0)", : "r"(pte), "r"(*pte) : "memory");
    promise(came(14, DENIED) && seen_address == (uintptr_t)pte,
            "without the assist a table cannot be written");
enable:
    hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
}

/* All ways in which kernels change an entry; each must leave it as it was. */
static void with_the_assist(volatile uint64_t *pte)
{
    const uint64_t was = *pte;
    uint64_t old = 0, rax;
    uint8_t flag;

    expect_none();
    TRY("xchg %0, (%1)", "+r"(old) : "r"(pte) : "memory");
    promise(none() && *pte == 0 && old == was, "XCHG clears an entry");
    promise(!is_there(), "and its page is gone");
    expect_none();
    TRY("mov %1, (%0)", : "r"(pte), "r"(was) : "memory");
    promise(none() && (*pte & PTE_FRAME) == (was & PTE_FRAME),
            "MOV sets it again");
    promise(is_writable(), "and it is back");

    expect_none();
    TRY("lock btrq $1, (%1)\nsetc %0", "=q"(flag) : "r"(pte) : "memory", "cc");
    promise(none() && flag && !(*pte & PTE_RW), "BTR write-protects");
    promise(!is_writable() && is_there(), "so that it can only be read");
    expect_none();
    TRY("lock btsq $1, (%1)\nsetc %0", "=q"(flag) : "r"(pte) : "memory", "cc");
    promise(none() && !flag && (*pte & PTE_RW), "BTS does the opposite");
    TRY("lock andb %1, (%0)", : "r"(pte), "r"((uint8_t)~PTE_RW) : "memory");
    promise(none() && !(*pte & PTE_RW), "a byte will do for AND");
    TRY("lock orl %1, (%0)", : "r"(pte), "r"((uint32_t)PTE_RW) : "memory");
    promise(none() && (*pte & PTE_RW), "four for OR");
    TRY("lock xorw %1, (%0)", : "r"(pte), "r"((uint16_t)PTE_RW) : "memory");
    promise(none() && !(*pte & PTE_RW), "two for XOR");

    rax = *pte;
    TRY("lock cmpxchg %2, (%3)\nsete %1", "+a"(rax), "=&q"(flag)
        : "r"(rax | PTE_RW), "r"(pte)
        : "memory", "cc");
    promise(none() && flag && (*pte & PTE_RW), "CMPXCHG knows the entry");
    rax = 0x123;
    TRY("lock cmpxchg %2, (%3)\nsete %1", "+a"(rax), "=&q"(flag)
        : "r"(0ul), "r"(pte)
        : "memory", "cc");
    promise(none() && !flag && rax == *pte, "or learns what it is");
    old = 0;
    TRY("lock xadd %0, (%1)", "+r"(old) : "r"(pte) : "memory", "cc");
    promise(none() && old == *pte, "XADD of nothing tells too");
    TRY("mov %1, 4(%0)", : "r"(pte), "r"((uint32_t)(*pte >> 32)) : "memory");
    promise(none() && (*pte & PTE_FRAME) == (was & PTE_FRAME),
            "the upper half alone can be stored");
    promise(is_writable(), "in the end the page is as it was");
}

static void what_is_refused(volatile uint64_t *pte)
{
    const uint64_t was = *pte;
    volatile uint64_t *upper = entry_of(playground, 2);
    uint64_t table = page_mfn((const void *)(uintptr_t)pte) << PAGE_SHIFT;

    expect(14);
    TRY("mov %1, (%0)",
        : "r"(pte), "r"(table | PTE_PRESENT | PTE_RW)
        : "memory");
    promise(came(14, DENIED) && seen_address == (uintptr_t)pte && *pte == was,
            "no table becomes writable");
    expect(14);
    TRY("mov %1, (%0)", : "r"(pte), "r"(PTE_FRAME | PTE_PRESENT) : "memory");
    promise(came(14, DENIED) && *pte == was, "no frame of others is mapped");
    expect(14);
    TRY("mov %1, (%0)", : "r"((uintptr_t)pte + 4), "r"(was) : "memory");
    promise(came(14, DENIED) && *pte == was, "a store across two entries");
    expect(14);
    TRY("mov %1, (%0)", : "r"(upper), "r"(*upper) : "memory");
    promise(came(14, DENIED), "or to a table of tables");
    promise(is_writable(), "and nothing changed");
}

int main(void)
{
    volatile uint64_t *pte;

    if (guest_is_pvh()) {
        m2p_is_nowhere();
        return verdict();
    }
    playground[0][0] = 1;
    pte = entry_of(playground, 1);
    if (!promise(pte && (*pte & PTE_PRESENT), "the tables can be read"))
        return verdict();
    m2p_loads();
    m2p_is_not_more();
    without_the_assist(pte);
    with_the_assist(pte);
    what_is_refused(pte);
    return verdict();
}
