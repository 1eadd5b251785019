/* The ACPI tables, as a kernel finds its way through them. */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/build/acpi.h"

#define PADDR UINT64_C(0xfc000000)

static _Alignas(8) uint8_t page[PAGE_SIZE];

static uint64_t number(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, at, size);
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;

    while (size-- > 0)
        total = (uint8_t)(total + *bytes++);
    return total;
}

/* The table at (paddr), checked: its signature and its sum. */
static const uint8_t *table(uint64_t paddr, const char *signature)
{
    const uint8_t *at = page + (paddr - PADDR);
    uint32_t length;

    cr_assert(paddr >= PADDR && paddr - PADDR < sizeof page - 36);
    length = (uint32_t)number(at + 4, 4);
    cr_assert_eq(memcmp(at, signature, 4), 0, "%s", signature);
    cr_assert_leq(paddr - PADDR + length, sizeof page, "%s", signature);
    cr_assert_eq(sum(at, length), 0, "%s", signature);
    return at;
}

Test(acpi, tables_lead_from_the_root_to_every_cpu)
{
    const uint8_t *xsdt, *fadt, *madt;

    acpi_build(page, PADDR, 2);
    cr_assert_eq(memcmp(page, "RSD PTR ", 8), 0);
    cr_assert_eq(sum(page, 20), 0);
    cr_assert_eq(sum(page, 36), 0);
    xsdt = table(number(page + 24, 8), "XSDT");
    cr_assert_eq(number(xsdt + 4, 4), 36 + 2 * 8);
    fadt = table(number(xsdt + 36, 8), "FACP");
    cr_expect(number(fadt + 112, 4) >> 20 & 1, "no fixed hardware");
    table(number(fadt + 140, 8), "DSDT");
    cr_expect_eq(number(fadt + 40, 4), number(fadt + 140, 8));
    madt = table(number(xsdt + 44, 8), "APIC");
    cr_assert_eq(number(madt + 4, 4), 44 + 2 * 8);
    cr_expect_eq(number(madt + 36, 4), 0xfee00000);
    cr_expect_eq(number(madt + 44 + 8, 8),
                 UINT64_C(0x100000000) | 2 << 24 | 1 << 16 | 8 << 8,
                 "processor 1, APIC 2, usable");
}

Test(acpi, tables_do_not_overlap_with_as_many_cpus_as_fit)
{
    acpi_build(page, PADDR, 8);
    for (unsigned at = 36; at < 0x40; at++)
        cr_expect_eq(page[at], 0);
    table(PADDR + 0x40, "XSDT");
    table(PADDR + 0x80, "FACP");
    table(PADDR + 0x1c0, "DSDT");
    table(PADDR + 0x200, "APIC");
}
