/* How vCPUs start, and whom a local APIC's command names. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdint.h>

#include <xen/hvm/hvm_vcpu.h>

#include "host/pvh/lapic.h"
#include "host/pvh/start.h"

#define CR0_PG   0x80000001u
#define CR4_PAE  0x20u
#define EFER_LME 0x100u

static struct pvh_start start;

static struct vcpu_hvm_context good_64(void)
{
    return (struct vcpu_hvm_context){
        .mode = VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 = {.rip = 0x100000,
                            .rflags = 2,
                            .cr0 = CR0_PG,
                            .cr3 = 0x1000,
                            .cr4 = CR4_PAE,
                            .efer = EFER_LME},
    };
}

static struct vcpu_hvm_context good_32(void)
{
    return (struct vcpu_hvm_context){
        .mode = VCPU_HVM_MODE_32B,
        .cpu_regs.x86_32 = {.eip = 0x100000,
                            .cr0 = 1,
                            .cs_limit = UINT32_MAX,
                            .ds_limit = UINT32_MAX,
                            .ss_limit = UINT32_MAX,
                            .tr_limit = 0x67,
                            .cs_ar = 0xc9b,
                            .ds_ar = 0xc93,
                            .ss_ar = 0xc93,
                            .tr_ar = 0x8b},
    };
}

Test(start, takes_64_and_32_bits)
{
    struct vcpu_hvm_context c = good_64();

    cr_assert_eq(pvh_start_from(&start, &c), 0);
    cr_expect_eq(start.regs.rip, 0x100000);
    cr_expect_eq(start.efer, 0x500, "LMA follows");
    cr_expect_eq(PVH_AR_L(start.cs.ar), 1);
    c = good_32();
    cr_assert_eq(pvh_start_from(&start, &c), 0);
    cr_expect_eq(PVH_AR_L(start.cs.ar), 0);
    cr_expect_eq(start.es.ar, 0, "a null segment stays one");
}

#define EXPECT_BAD(make, change)                                          \
    do {                                                                  \
        struct vcpu_hvm_context c = make();                               \
        struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;                   \
        struct vcpu_hvm_x86_64 *q = &c.cpu_regs.x86_64;                   \
        change;                                                           \
        (void)r, (void)q;                                                 \
        cr_expect_eq(pvh_start_from(&start, &c), -EINVAL, "%s", #change); \
    } while (0)

Test(start, refuses_what_xen_refuses)
{
    EXPECT_BAD(good_64, c.pad = 1);
    EXPECT_BAD(good_64, c.mode = 2);
    EXPECT_BAD(good_64, q->rip = UINT64_C(1) << 47);
    EXPECT_BAD(good_64, q->cr0 = 1);
    EXPECT_BAD(good_64, q->cr4 = 0);
    EXPECT_BAD(good_64, q->cr4 |= UINT64_C(1) << 40);
    EXPECT_BAD(good_64, q->efer = 0);
    EXPECT_BAD(good_64, q->efer |= UINT64_C(1) << 20);
    EXPECT_BAD(good_32, r->pad1 = 1);
    EXPECT_BAD(good_32, r->pad2[2] = 1);
    EXPECT_BAD(good_32, r->cs_ar = 0);
    EXPECT_BAD(good_32, r->cs_ar = 0xc93);
    EXPECT_BAD(good_32, r->cs_ar |= 0x1000);
    EXPECT_BAD(good_32, r->cs_ar &= 0xf7f);
    EXPECT_BAD(good_32, r->ss_ar = 0xc9b);
    EXPECT_BAD(good_32, r->ss_ar = 0xcf3);
    EXPECT_BAD(good_32, r->ds_ar = 0xcf3);
    EXPECT_BAD(good_32, r->ds_ar = 0xc99);
    EXPECT_BAD(good_32, r->tr_ar = 0x9b);
    EXPECT_BAD(good_32, r->tr_ar = 0x81);
    EXPECT_BAD(good_32, (r->cs_limit = 0xfff, r->cs_ar = 0x49b));
    EXPECT_BAD(good_32, r->efer = 0x400);
}

Test(start, a_sipi_begins_at_its_page_in_real_mode)
{
    pvh_start_sipi(&start, 0x9a);
    cr_expect_eq(start.cs.base, 0x9a000);
    cr_expect_eq(start.cs.selector, 0x9a00);
    cr_expect_eq(start.regs.rip, 0);
    cr_expect_eq(start.cr0 & 1, 0);
}

Test(ipi, destinations_are_ids_or_masks)
{
    struct lapic lapic, sender;
    struct lapic_command c;

    lapic_init(&sender, 0);
    lapic_init(&lapic, 4);
    cr_expect_eq(lapic_read(&lapic, 0x20), 4u << 24);
    lapic_write(&lapic, 0xd0, 0x02000000);
    lapic_write(&sender, 0x310, 4u << 24);
    lapic_write(&sender, 0x300, 0x4641);
    c = lapic_last_command(&sender);
    cr_expect(c.mode == LAPIC_STARTUP && c.vector == 0x41 && c.assert);
    cr_expect(lapic_is_meant(&lapic, &c));
    cr_expect_not(lapic_is_meant(&sender, &c));
    c.destination = 0xff;
    cr_expect(lapic_is_meant(&lapic, &c), "all");
    c.logical = true;
    c.destination = 0x03;
    cr_expect(lapic_is_meant(&lapic, &c), "flat");
    c.destination = 0x01;
    cr_expect_not(lapic_is_meant(&lapic, &c));
    lapic_write(&lapic, 0xe0, 0x0fffffff);
    lapic_write(&lapic, 0xd0, 0x32000000);
    c.destination = 0x36;
    cr_expect(lapic_is_meant(&lapic, &c), "of that cluster");
    c.destination = 0x26;
    cr_expect_not(lapic_is_meant(&lapic, &c));
}
