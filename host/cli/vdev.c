/* Names of virtual disks and their numbers (xen/io/blkif.h). */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/config.h"

#define MAJOR_XVD   202u
#define MAJOR_SD    8u
#define MAJOR_HD    3u
#define MAJOR_HD2   22u
#define XVD_EXT     (1u << 28)
#define XVD_EXT_MAX (1u << 20)

/* "a" is 0, "z" 25, "aa" 26... Returns what follows, or NULL. */
static const char *parse_letters(const char *text, unsigned *disk)
{
    unsigned n = 0;

    if (*text < 'a' || *text > 'z')
        return NULL;
    for (; *text >= 'a' && *text <= 'z'; text++) {
        n = n * 26 + (unsigned)(*text - 'a') + 1;
        if (n > XVD_EXT_MAX)
            return NULL;
    }
    *disk = n - 1;
    return text;
}

/* The rest of the name: nothing, or a number from 1 without leading zeros. */
static bool parse_partition(const char *text, unsigned *partition)
{
    *partition = 0;
    if (!*text)
        return true;
    if (*text == '0')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        *partition = *partition * 10 + (unsigned)(*text - '0');
        if (*partition > 255)
            return false;
    }
    return !*text;
}

static int number_xvd(unsigned disk, unsigned partition, uint32_t *number)
{
    if (disk < 16 && partition < 16)
        *number = MAJOR_XVD << 8 | disk << 4 | partition;
    else
        *number = XVD_EXT | disk << 8 | partition;
    return 0;
}

static int number_sd(unsigned disk, unsigned partition, uint32_t *number)
{
    if (disk > 15 || partition > 15)
        return -EINVAL;
    *number = MAJOR_SD << 8 | disk << 4 | partition;
    return 0;
}

static int number_hd(unsigned disk, unsigned partition, uint32_t *number)
{
    if (disk > 3 || partition > 63)
        return -EINVAL;
    *number =
        (disk < 2 ? MAJOR_HD : MAJOR_HD2) << 8 | (disk & 1) << 6 | partition;
    return 0;
}

int vdev_parse(const char *vdev, uint32_t *virtual_device)
{
    static const struct {
        const char *prefix;
        int (*number)(unsigned disk, unsigned partition, uint32_t *number);
    } kinds[] = {{"xvd", number_xvd}, {"sd", number_sd}, {"hd", number_hd}};
    unsigned disk, partition;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].prefix);
        const char *rest;

        if (strncmp(vdev, kinds[i].prefix, len) != 0)
            continue;
        rest = parse_letters(vdev + len, &disk);
        if (!rest || !parse_partition(rest, &partition))
            return -EINVAL;
        return kinds[i].number(disk, partition, virtual_device);
    }
    return -EINVAL;
}
