#include "vdev.h"

#include <pvguest/guest.h>

#define MAJOR_HD1  3
#define MAJOR_SD   8
#define MAJOR_HD2  22
#define MAJOR_XVD  202
#define EXTENDED   (1u << 28) /* xvd beyond the 16th disk or 15th partition */
#define DISK_MASK  0xfffffu
#define NR_LETTERS 26

/* a..z, aa..zz, aaa..: (text) ends at (end); its beginning is returned. */
static const char *disk_letters(uint32_t disk, char *end)
{
    *--end = '\0';
    do {
        *--end = (char)('a' + disk % NR_LETTERS);
        disk /= NR_LETTERS;
    } while (disk-- > 0);
    return end;
}

void vdev_name(uint32_t number, char *name, size_t size)
{
    const char *kind = NULL;
    char letters[8];
    uint32_t disk = number >> 4 & 0xf, part = number & 0xf;

    if (number & EXTENDED) {
        kind = "xvd";
        disk = number >> 8 & DISK_MASK;
        part = number & 0xff;
    } else if (number >> 8 == MAJOR_XVD) {
        kind = "xvd";
    } else if (number >> 8 == MAJOR_SD) {
        kind = "sd";
    } else if (number >> 8 == MAJOR_HD1 || number >> 8 == MAJOR_HD2) {
        kind = "hd";
        disk = (number >> 6 & 1) + (number >> 8 == MAJOR_HD2 ? 2 : 0);
        part = number & 0x3f;
    }
    if (!kind)
        guest_format(name, size, "%u", number);
    else if (part)
        guest_format(name, size, "%s%s%u", kind,
                     disk_letters(disk, letters + sizeof letters), part);
    else
        guest_format(name, size, "%s%s", kind,
                     disk_letters(disk, letters + sizeof letters));
}
