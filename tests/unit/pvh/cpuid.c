/* What a PVH guest's CPUID says. */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/domain.h"
#include "host/pvh/cpuid.h"

Test(pvh_cpuid, xens_leaves_are_found_and_name_the_hypercall_page)
{
    uint32_t leaf[4];

    pvh_xen_leaf(0, 0, leaf);
    cr_expect_eq(leaf[0], PVH_FIRST_LEAF + PVH_NR_LEAVES - 1);
    cr_expect_eq(memcmp(&leaf[1], "XenVMMXenVMM", 12), 0);
    pvh_xen_leaf(1, 0, leaf);
    cr_expect_eq(leaf[0], 0x40011);
    pvh_xen_leaf(2, 0, leaf);
    cr_expect_eq(leaf[0], 1);
    cr_expect_eq(leaf[1], PVH_HYPERCALL_MSR);
    pvh_xen_leaf(4, 0, leaf);
    cr_expect_eq(leaf[0], 1 << 2 | 1 << 3 | 1 << 4,
                 "no APIC of hardware, no vector of its own is preferred");
    cr_expect_eq(leaf[1], 0);
    cr_expect_eq(leaf[2], DOMAIN_ID);
}

Test(pvh_cpuid, the_machine_has_one_cpu_under_a_hypervisor)
{
    uint32_t leaf[4] = {0x800f12, 0x07080800, UINT32_MAX & ~(1u << 31),
                        UINT32_MAX};

    pvh_adjust_leaf(1, 0, 0, leaf);
    cr_expect_eq(leaf[0], 0x800f12);
    cr_expect_eq(leaf[1], 0x00010800, "APIC 0, one CPU");
    cr_expect(leaf[2] >> 31, "a hypervisor");
    cr_expect_not(leaf[2] & (1u << 5 | 1u << 21 | 1u << 24 | 1u << 27),
                  "neither VMX nor x2APIC, TSC deadline, OSXSAVE");
    cr_expect_not(leaf[3] & 1u << 28);
    cr_expect(leaf[3] & 1u << 9, "an APIC");

    memset(leaf, 0xff, sizeof leaf);
    pvh_adjust_leaf(0x80000001, 0, 0, leaf);
    cr_expect_not(leaf[2] & (1u << 1 | 1u << 2 | 1u << 22), "no SVM");
    memset(leaf, 0xff, sizeof leaf);
    pvh_adjust_leaf(0xb, 1, 0, leaf);
    cr_expect_eq(leaf[1], 0);
    cr_expect_eq(leaf[2], 1);
    memset(leaf, 0xff, sizeof leaf);
    pvh_adjust_leaf(7, 0, 0, leaf);
    cr_expect_eq(leaf[1], UINT32_MAX, "other leaves are KVM's");
}
