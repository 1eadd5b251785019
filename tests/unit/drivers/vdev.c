#include <criterion/criterion.h>

#include "pvdrivers/vdev.h"

Test(vdev, names_disks_as_xen_does)
{
    static const struct {
        uint32_t number;
        const char *name;
    } disks[] = {
        {51712, "xvda"},
        {51713, "xvda1"},
        {51728, "xvdb"},
        {202 << 8 | 15 << 4, "xvdp"},
        {1 << 28 | 16 << 8, "xvdq"},
        {1 << 28 | 26 << 8, "xvdaa"},
        {1 << 28 | 701 << 8 | 20, "xvdzz20"},
        {1 << 28 | 702 << 8, "xvdaaa"},
        {1 << 28 | 0xfffff << 8 | 255, "xvdbgqcv255"},
        {2048, "sda"},
        {2049, "sda1"},
        {768, "hda"},
        {832, "hdb"},
        {5632, "hdc"},
        {5632 + 65, "hdd1"},
        {1, "1"},
        {UINT32_MAX & ~(1u << 28), "4026531839"},
    };
    char name[16];

    for (size_t i = 0; i < sizeof disks / sizeof *disks; i++) {
        vdev_name(disks[i].number, name, sizeof name);
        cr_expect_str_eq(name, disks[i].name);
    }
}
