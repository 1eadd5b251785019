/* The local APIC: vectors in their order, one end for each. */
#include <criterion/criterion.h>

#include "host/pvh/lapic.h"

#define ID       0x020
#define VERSION  0x030
#define TPR      0x080
#define PPR      0x0a0
#define EOI      0x0b0
#define SVR      0x0f0
#define ISR      0x100
#define IRR      0x200
#define ICR      0x300
#define ICR_HIGH 0x310
#define LVT0     0x350

static struct lapic lapic;

static void enable(void)
{
    lapic_init(&lapic, 0);
    lapic_write(&lapic, SVR, 0x1ff);
}

TestSuite(lapic, .init = enable);

Test(lapic, begins_disabled_and_masked)
{
    lapic_init(&lapic, 0);
    cr_expect_eq(lapic_read(&lapic, ID), 0);
    cr_expect_eq(lapic_read(&lapic, VERSION) & 0xff, 0x14);
    cr_expect_eq(lapic_read(&lapic, SVR), 0xff);
    cr_expect_eq(lapic_read(&lapic, LVT0), 0x10000);
    lapic_raise(&lapic, 0x40);
    cr_expect_eq(lapic_next(&lapic), -1, "nothing comes before it is enabled");
    lapic_write(&lapic, SVR, 0x1ff);
    cr_expect_eq(lapic_next(&lapic), 0x40);
}

Test(lapic, gives_the_highest_first_and_waits_for_its_end)
{
    lapic_raise(&lapic, 0x31);
    lapic_raise(&lapic, 0xf0);
    cr_assert_eq(lapic_next(&lapic), 0xf0);
    lapic_take(&lapic, 0xf0);
    cr_expect_eq(lapic_next(&lapic), -1);
    cr_expect_eq(lapic_read(&lapic, ISR + 0x70), 1u << 16);
    cr_expect_eq(lapic_read(&lapic, IRR + 0x10), 1u << 17);
    cr_expect_eq(lapic_read(&lapic, PPR), 0xf0);
    lapic_write(&lapic, EOI, 0);
    cr_expect_eq(lapic_read(&lapic, ISR + 0x70), 0);
    cr_expect_eq(lapic_next(&lapic), 0x31);
}

Test(lapic, the_same_vector_waits_once_while_it_is_handled)
{
    lapic_raise(&lapic, 0x51);
    lapic_take(&lapic, 0x51);
    lapic_raise(&lapic, 0x51);
    lapic_raise(&lapic, 0x51);
    cr_expect_eq(lapic_next(&lapic), -1);
    lapic_write(&lapic, EOI, 0);
    cr_assert_eq(lapic_next(&lapic), 0x51);
    lapic_take(&lapic, 0x51);
    lapic_write(&lapic, EOI, 0);
    cr_expect_eq(lapic_next(&lapic), -1);
    lapic_write(&lapic, EOI, 0); /* one too many does nothing */
    cr_expect_eq(lapic_next(&lapic), -1);
}

Test(lapic, task_priority_holds_its_class_back)
{
    lapic_raise(&lapic, 0x5f);
    lapic_write(&lapic, TPR, 0x50);
    cr_expect_eq(lapic_next(&lapic), -1);
    lapic_write(&lapic, TPR, 0x4f);
    cr_expect_eq(lapic_next(&lapic), 0x5f);
}

Test(lapic, sends_to_itself_and_to_nobody_else)
{
    lapic_write(&lapic, ICR, 0x40000 | 0x61);
    cr_expect_eq(lapic_next(&lapic), 0x61);
    lapic_take(&lapic, 0x61);
    lapic_write(&lapic, EOI, 0);
    lapic_write(&lapic, ICR_HIGH, 0);
    lapic_write(&lapic, ICR, 0x62);
    cr_expect_eq(lapic_next(&lapic), 0x62);
    lapic_take(&lapic, 0x62);
    lapic_write(&lapic, EOI, 0);
    lapic_write(&lapic, ICR_HIGH, 2u << 24);
    lapic_write(&lapic, ICR, 0x63);
    lapic_write(&lapic, ICR, 0xc0000 | 0x64);  /* all but itself */
    lapic_write(&lapic, ICR, 0x40000 | 0x500); /* INIT */
    lapic_write(&lapic, ICR, 0x40000 | 0x0f);  /* an exception's number */
    cr_expect_eq(lapic_next(&lapic), -1);
    cr_expect_not(lapic_read(&lapic, ICR) & 0x1000, "it is sent at once");
}

Test(lapic, tolerates_any_access)
{
    for (uint32_t offset = 0; offset < LAPIC_SIZE; offset++) {
        lapic_write(&lapic, offset, UINT32_MAX);
        lapic_read(&lapic, offset);
    }
    cr_expect_eq(lapic_read(&lapic, ID), 0);
    cr_expect_eq(lapic_read(&lapic, 0x400), 0);
    cr_expect_eq(lapic_read(&lapic, 0xff0), 0);
}
