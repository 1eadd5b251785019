/* Copying by guest virtual address, through tables of any content. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/domain.h"
#include "host/guest_access.h"

#define P    UINT64_C(0x01)
#define RW   UINT64_C(0x02)
#define USER UINT64_C(0x04)
#define PSE  UINT64_C(0x80)
#define NX   (UINT64_C(1) << 63)

#define VA UINT64_C(0x400000)

enum { L4, L3, L2, L1, PAGE_A, PAGE_B, NR_USED };

static struct domain *dom;
static struct vcpu *vcpu;

static uint64_t *frame(unsigned index)
{
    return (uint64_t *)(dom->mem.base + ((size_t)index << PAGE_SHIFT));
}

static uint64_t entry(unsigned index, uint64_t flags)
{
    return memory_mfn(&dom->mem, index) << PAGE_SHIFT | flags;
}

/* VA maps page A, the page behind it page B, with all rights. */
static void two_pages(void)
{
    const struct memory_config config = {
        .ram_pages = 64, .shared_pages = 1, .scatter = true};

    dom = calloc(1, sizeof *dom);
    cr_assert_eq(memory_create(&dom->mem, &config), 0);
    vcpu = &dom->vcpus[0];
    vcpu->domain = dom;
    vcpu->cr3 = memory_mfn(&dom->mem, L4);
    frame(L4)[0] = entry(L3, P | RW | USER);
    frame(L3)[0] = entry(L2, P | RW | USER);
    frame(L2)[2] = entry(L1, P | RW | USER);
    frame(L1)[0] = entry(PAGE_A, P | RW | USER);
    frame(L1)[1] = entry(PAGE_B, P | RW | USER);
}

static void destroy(void)
{
    memory_destroy(&dom->mem);
    free(dom);
}

TestSuite(guest_access, .init = two_pages, .fini = destroy);

static int read_byte(uint64_t va)
{
    uint8_t byte;

    return guest_read(vcpu, guest_addr(va), &byte, 1);
}

static int write_byte(uint64_t va)
{
    return guest_write(vcpu, guest_addr(va), "x", 1);
}

Test(guest_access, copies_across_pages_that_are_not_neighbours)
{
    char out[16] = {0};

    cr_assert_eq(guest_write(vcpu, guest_addr(VA + 4090), "hello, world", 13),
                 0);
    cr_expect_eq(memcmp((char *)frame(PAGE_A) + 4090, "hello,", 6), 0);
    cr_expect_eq(memcmp((char *)frame(PAGE_B), " world", 7), 0);
    cr_assert_eq(guest_read(vcpu, guest_addr(VA + 4090), out, 13), 0);
    cr_expect_str_eq(out, "hello, world");
}

Test(guest_access, copying_nothing_needs_no_page)
{
    cr_expect_eq(guest_read(vcpu, guest_addr(0), NULL, 0), 0);
}

Test(guest_access, faults_where_nothing_is_mapped)
{
    uint8_t buf[8192];

    cr_expect_eq(read_byte(VA - 1), -EFAULT);
    cr_expect_eq(read_byte(VA + 0x2000), -EFAULT);
    cr_expect_eq(read_byte(UINT64_C(1) << 39), -EFAULT);
    cr_expect_eq(guest_read(vcpu, guest_addr(VA + 1), buf, 8192), -EFAULT);
}

Test(guest_access, a_write_needs_rw_at_every_level)
{
    uint64_t *const entries[] = {&frame(L4)[0], &frame(L3)[0], &frame(L2)[2],
                                 &frame(L1)[0]};

    for (unsigned i = 0; i < 4; i++) {
        *entries[i] &= ~RW;
        cr_expect_eq(write_byte(VA), -EFAULT);
        cr_expect_eq(read_byte(VA), 0);
        *entries[i] |= RW;
    }
    cr_expect_eq(write_byte(VA), 0);
}

Test(guest_access, superpages_count_as_not_present)
{
    frame(L2)[2] |= PSE;
    cr_expect_eq(read_byte(VA), -EFAULT);
    frame(L2)[2] &= ~PSE;
    frame(L1)[0] |= PSE; /* PAT */
    cr_expect_eq(read_byte(VA), 0);
}

Test(guest_access, the_hypervisors_slots_always_fault)
{
    for (unsigned slot = 256; slot < 272; slot++) {
        frame(L4)[slot] = entry(L3, P | RW | USER);
        cr_expect_eq(
            read_byte(UINT64_C(0xffff000000000000) | (uint64_t)slot << 39 | VA),
            -EFAULT);
    }
    frame(L4)[272] = entry(L3, P | RW | USER);
    cr_expect_eq(read_byte(UINT64_C(0xffff880000000000) | VA), 0);
}

Test(guest_access, addresses_that_are_not_canonical_fault)
{
    frame(L4)[255] = frame(L4)[0];
    cr_expect_eq(read_byte(UINT64_C(0x00007f8000000000) | VA), 0);
    cr_expect_eq(read_byte(UINT64_C(0x0000ff8000000000) | VA), -EFAULT);
    cr_expect_eq(read_byte(UINT64_C(0x0001000000000000) | VA), -EFAULT);
}

Test(guest_access, lengths_that_wrap_fault)
{
    uint8_t byte = 0;

    cr_expect_eq(guest_read(vcpu, guest_addr(VA), &byte, SIZE_MAX), -EFAULT);
    cr_expect_eq(guest_write(vcpu, guest_addr(UINT64_MAX - 3), &byte, 8),
                 -EFAULT);
}

Test(guest_access, frames_of_others_are_never_reached)
{
    const uint64_t foreign[] = {0, dom->mem.first_mfn - 1,
                                dom->mem.first_mfn + 65, UINT64_C(0xffffffffff),
                                memory_mfn(&dom->mem, 64) /* not shared yet */};

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        frame(L1)[0] = foreign[i] << PAGE_SHIFT | P | RW | USER;
        cr_expect_eq(read_byte(VA), -EFAULT, "leaf %zu", i);
        frame(L3)[1] = foreign[i] << PAGE_SHIFT | P | RW | USER;
        cr_expect_eq(read_byte(VA + (UINT64_C(1) << 30)), -EFAULT);
        vcpu->cr3 = foreign[i];
        cr_expect_eq(read_byte(VA), -EFAULT, "root %zu", i);
        vcpu->cr3 = memory_mfn(&dom->mem, L4);
    }
}

Test(guest_access, released_frames_are_never_reached)
{
    mfn_t mfn = memory_mfn(&dom->mem, PAGE_A);

    cr_assert_eq(memory_release(&dom->mem, mfn), 0);
    cr_expect_eq(read_byte(VA), -EFAULT);
}

Test(guest_access, a_table_that_points_to_itself_ends_after_four_levels)
{
    struct walk walk;

    frame(L4)[511] = entry(L4, P | RW);
    guest_walk(&dom->mem, vcpu->cr3, UINT64_MAX - 7, &walk);
    cr_expect(walk.present);
    cr_expect_eq(walk.level, 1);
    cr_expect_eq(walk.mfn, vcpu->cr3);
    cr_expect(!walk.user);
}

Test(guest_access, a_walk_tells_where_it_ended)
{
    struct walk walk;

    frame(L1)[0] |= NX;
    guest_walk(&dom->mem, vcpu->cr3, VA, &walk);
    cr_expect(walk.present && walk.writable && walk.user && walk.noexec);
    cr_expect_eq(walk.mfn, memory_mfn(&dom->mem, PAGE_A));
    cr_expect_eq(walk.pte_addr, memory_mfn(&dom->mem, L1) << PAGE_SHIFT);
    cr_expect_eq(walk.pte, frame(L1)[0]);

    guest_walk(&dom->mem, vcpu->cr3, VA + 0x200000, &walk);
    cr_expect(!walk.present);
    cr_expect_eq(walk.level, 2);
    cr_expect_eq(walk.pte_addr, (memory_mfn(&dom->mem, L2) << PAGE_SHIFT) + 24);
}

/* Whatever a table holds, a walk stays inside the domain's own frames. */
Test(guest_access, survives_tables_full_of_noise)
{
    uint64_t noise = 88172645463325252u;

    for (unsigned i = 0; i < 8 * 512; i++) {
        noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
        frame(i / 512)[i % 512] = (noise & 0x8000000000000fff) |
                                  entry((unsigned)(noise >> 20) % 65, 0);
    }
    for (unsigned i = 0; i < 20000; i++) {
        struct walk walk;

        noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
        guest_walk(&dom->mem, vcpu->cr3, noise >> 17, &walk);
        cr_expect(!walk.present || memory_frame(&dom->mem, walk.mfn));
    }
}
