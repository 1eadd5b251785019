/* A PVH guest's addresses, as each of its paging modes translates them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/domain.h"
#include "host/guest_access.h"

#define RAM 2048 /* 8 MiB */

#define P   UINT64_C(0x01)
#define RW  UINT64_C(0x02)
#define PSE UINT64_C(0x80)
#define NX  (UINT64_C(1) << 63)

#define PG   UINT64_C(0x80000000)
#define WP   UINT64_C(0x10000)
#define PAE  UINT64_C(0x20)
#define PS   UINT64_C(0x10)
#define LA57 UINT64_C(0x1000)
#define LMA  UINT64_C(0x400)

static struct domain *dom;
static struct vcpu *vcpu;
static struct walk walk;

static void create(void)
{
    const struct memory_config config = {
        .ram_pages = RAM, .shared_pages = 1, .translated = true};

    dom = calloc(1, sizeof *dom);
    cr_assert_eq(memory_create(&dom->mem, &config), 0);
    dom->abi = ABI_PVH;
    vcpu = &dom->vcpus[0];
    vcpu->domain = dom;
}

static void destroy(void)
{
    memory_destroy(&dom->mem);
    free(dom);
}

TestSuite(paging, .init = create, .fini = destroy);

static uint64_t *table(unsigned gfn)
{
    return (void *)(dom->mem.base + gfn * (size_t)PAGE_SIZE);
}

static uint32_t *table32(unsigned gfn)
{
    return (void *)table(gfn);
}

static uint64_t entry(unsigned gfn, uint64_t flags)
{
    return (uint64_t)gfn * PAGE_SIZE | flags;
}

static bool leads_to(uint64_t va, mfn_t mfn)
{
    guest_walk_paging(&dom->mem, &vcpu->paging, va, &walk);
    return walk.present && walk.mfn == mfn;
}

static bool leads_nowhere(uint64_t va)
{
    guest_walk_paging(&dom->mem, &vcpu->paging, va, &walk);
    return !walk.present && walk.mfn == INVALID_MFN;
}

Test(paging, without_it_addresses_are_physical)
{
    cr_expect(leads_to(0x5123, 5));
    cr_expect(walk.writable);
    cr_expect(leads_nowhere((uint64_t)RAM * PAGE_SIZE));
    cr_expect(leads_nowhere(UINT64_C(0x100005000)), "there are 32 bits");
}

Test(paging, of_32_bits_has_two_levels_and_pages_of_4_mib)
{
    vcpu->paging = (struct paging){.cr0 = PG, .cr3 = 0x1fff};
    table32(1)[1] = (uint32_t)entry(2, P | RW);
    table32(2)[3] = (uint32_t)entry(7, P);
    table32(1)[1023] = (uint32_t)entry(1024, P | RW | PSE);
    cr_expect(leads_to(0x403abc, 7));
    cr_expect_not(walk.writable);
    cr_expect_eq(walk.level, 1);
    cr_expect(leads_nowhere(0x404000));
    cr_expect_eq(walk.level, 1);
    cr_expect(leads_nowhere(0x800000));
    cr_expect_eq(walk.level, 2);
    cr_expect(leads_nowhere(UINT64_C(0x100403000)));
    cr_expect(leads_nowhere(0xffc05000), "PSE is off: that is a table");
    vcpu->paging.cr4 = PS;
    cr_expect(leads_to(0xffc05000, 1024 + 5));
    cr_expect_eq(walk.level, 2);
    /* bits 39:32 of the address stand in 20:13 */
    table32(1)[1023] |= 1u << 13;
    cr_expect(leads_nowhere(0xffc05000));
}

Test(paging, with_pae_has_four_pointers_on_top)
{
    vcpu->paging = (struct paging){.cr0 = PG, .cr3 = 0x1020, .cr4 = PAE};
    table(1)[4 + 2] = entry(2, P); /* 0x20 bytes into the page */
    table(2)[1] = entry(3, P | RW);
    table(2)[2] = entry(512, P | RW | PSE | NX);
    table(3)[511] = entry(9, P | RW | NX);
    cr_expect(leads_to(0x803ff123, 9));
    cr_expect(walk.writable, "pointers say nothing of that");
    cr_expect(walk.noexec);
    cr_expect(leads_to(0x80402000, 512 + 2));
    cr_expect(leads_nowhere(0x40000000));
    cr_expect_eq(walk.level, 3);
}

Test(paging, of_64_bits_has_four_levels_and_large_pages)
{
    const uint64_t va = UINT64_C(0xffff800000000000);

    vcpu->paging =
        (struct paging){.cr0 = PG | WP, .cr3 = 0x1018, .cr4 = PAE, .efer = LMA};
    table(1)[256] = entry(2, P | RW);
    table(2)[0] = entry(3, P | RW);
    table(2)[1] = entry(0, P | RW | PSE);
    table(3)[0] = entry(4, P);
    table(3)[1] = entry(512, P | PSE | UINT64_C(0x1000)); /* PAT */
    table(4)[0] = entry(8, P | RW | PSE); /* there that is PAT as well */
    cr_expect(leads_to(va, 8));
    cr_expect_not(walk.writable);
    cr_expect(leads_to(va + 0x203000, 512 + 3));
    cr_expect_eq(walk.level, 2);
    cr_expect(leads_to(va + 0x40000000 + 0x234567, 0x234));
    cr_expect_eq(walk.level, 3);
    cr_expect(walk.writable);
    cr_expect(leads_nowhere(va + 0x40000000 + (uint64_t)RAM * PAGE_SIZE));
    cr_expect(leads_nowhere(UINT64_C(0x800000000000)), "not canonical");
}

Test(paging, of_57_bits_has_five_levels)
{
    const uint64_t va = UINT64_C(0xff00000000000000);

    vcpu->paging = (struct paging){
        .cr0 = PG, .cr3 = 0x1000, .cr4 = PAE | LA57, .efer = LMA};
    table(1)[256] = entry(2, P | RW);
    table(2)[0] = entry(3, P | RW);
    table(3)[0] = entry(0, P | RW | PSE);
    cr_expect(leads_to(va + 0x5000, 5));
    cr_expect(leads_nowhere(UINT64_C(0xfe00000000000000)));
}

Test(paging, tables_may_lead_anywhere)
{
    vcpu->paging =
        (struct paging){.cr0 = PG, .cr3 = 0x1000, .cr4 = PAE, .efer = LMA};
    table(1)[0] = entry(1, P | RW); /* itself */
    cr_expect(leads_to(0, 1));
    table(1)[0] = UINT64_MAX & ~PSE & ~NX; /* far outside */
    cr_expect(leads_nowhere(0));
    vcpu->paging.cr3 = UINT64_C(0x7ffffff000);
    cr_expect(leads_nowhere(0));
}

Test(paging, read_only_pages_are_read_only_with_wp)
{
    vcpu->paging = (struct paging){.cr0 = PG | WP, .cr3 = 0x1000};
    table32(1)[0] = (uint32_t)entry(2, P | RW);
    table32(2)[5] = (uint32_t)entry(5, P);
    cr_expect_eq(guest_write(vcpu, guest_addr(0x5000), "x", 1), -EFAULT);
    vcpu->paging.cr0 = PG;
    cr_expect_eq(guest_write(vcpu, guest_addr(0x5000), "x", 1), 0);
    cr_expect_eq(*(char *)table(5), 'x');
}

Test(paging, copies_cross_pages_and_stop_where_nothing_is)
{
    char text[] = "hello, world", back[sizeof text];
    const uint64_t end = (uint64_t)RAM * PAGE_SIZE;

    cr_expect_eq(guest_write(vcpu, guest_addr(0x4ffa), text, sizeof text), 0);
    cr_expect_eq(guest_read(vcpu, guest_addr(0x4ffa), back, sizeof back), 0);
    cr_expect_str_eq(back, text);
    cr_expect_eq(guest_read(vcpu, guest_addr(end - 4), back, sizeof back),
                 -EFAULT);
    cr_expect_eq(guest_read(vcpu, guest_addr(UINT64_MAX), back, 2), -EFAULT);
}
