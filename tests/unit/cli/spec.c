/* What people write behind options: disks, devices, amounts of memory. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/config.h"

struct good_spec {
    const char *spec, *target, *vdev;
    bool readonly, cdrom, discard, direct, removable;
};

Test(disk_spec, accepts_what_xl_accepts)
{
    static const struct good_spec table[] = {
        {"a.img,raw,xvda,rw", "a.img", "xvda", .discard = true},
        {"a.img,,xvda", "a.img", "xvda", .discard = true},
        {"a.img,raw,xvda,r", "a.img", "xvda", true, .discard = true},
        {" a.img, raw, hda, ro", "a.img", "hda", true, .discard = true},
        {"/dev/x,raw,sda1,w", "/dev/x", "sda1", .discard = true},
        {"a.img,raw,xvda,w,", "a.img", "xvda", .discard = true},
        {"a.img,raw,xvda,w,no-discard", "a.img", "xvda", .discard = false},
        {"no-discard,a.img,raw,xvda,discard", "a.img", "xvda", .discard = true},
        {"a.iso,raw,hdc,cdrom", "a.iso", "hdc", true, true, .discard = true},
        {"a.iso,,hdc,,devtype=cdrom", "a.iso", "hdc", true, true,
         .discard = true},
        {"vdev=xvdb,format=raw,access=ro,target=a b,c=d,", "a b,c=d,", "xvdb",
         true, .discard = true},
        {"target=a.img,vdev=xvda,access=ro", "a.img", "xvda", true,
         .discard = true},
        {"target=a,b=c,vdev=xvda,no-discard", "a,b=c", "xvda",
         .discard = false},
        {"target=a,vdev=x,y,vdev=xvda", "a,vdev=x,y", "xvda", .discard = true},
        {"vdev=xvdb,a.img", "a.img", "xvdb", .discard = true},
        {"vdev=xvdb,a.img,raw,ro", "a.img", "xvdb", true, .discard = true},
        {"a.img,raw,xvda,rw,direct-io-safe,removable,backend=0", "a.img",
         "xvda", .discard = true, .direct = true, .removable = true},
        {"a.img,raw,xvda,rw,backenddomain=Domain-0,devtype=disk", "a.img",
         "xvda", .discard = true},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct good_spec *t = &table[i];
        struct disk_config disk;

        cr_assert_eq(disk_config_parse(t->spec, &disk), 0, "%s", t->spec);
        cr_expect_str_eq(disk.target, t->target, "%s", t->spec);
        cr_expect_str_eq(disk.vdev, t->vdev, "%s", t->spec);
        cr_expect_eq(disk.readonly, t->readonly, "%s", t->spec);
        cr_expect_eq(disk.cdrom, t->cdrom, "%s", t->spec);
        cr_expect_eq(disk.discard, t->discard, "%s", t->spec);
        cr_expect_eq(disk.direct_io_safe, t->direct, "%s", t->spec);
        cr_expect_eq(disk.removable, t->removable, "%s", t->spec);
        disk_config_destroy(&disk);
    }
}

Test(disk_spec, refuses_the_rest)
{
    static const char *const table[] = {
        "",
        ",",
        ",,,",
        " ",
        "a.img",
        "a.img,raw",
        "a.img,raw,",
        ",raw,xvda,rw",
        "a.img,qcow2,xvda,rw",
        "a.img,RAW,xvda,rw",
        "a.img,raw,xvda,x",
        "a.img,raw,xvda,rw,more",
        "a.img,raw,vda,rw",
        "a.img,raw,xvda,rw,vdev=xvdb",
        "a.img,raw,xvda,rw,target=b.img",
        "target=",
        "vdev=xvda,target=",
        "a.img,raw,xvda,rw,script=block-x",
        "a.img,raw,xvda,rw,backendtype=tap",
        "a.img,raw,xvda,rw,backend=1",
        "a.img,raw,xvda,rw,devtype=floppy",
        "a.img,raw,xvda,rw,colour=red",
        "a.img,raw,xvda,rw,=",
        "a.iso,raw,hdc,rw,cdrom",
        "a.img,raw,xvdaaaaaaaaaaaaaaaaaaaaaa,rw",
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct disk_config disk;

        cr_expect_eq(disk_config_parse(table[i], &disk), -EINVAL, "'%s'",
                     table[i]);
        cr_expect_null(disk.target, "'%s'", table[i]);
    }
}

Test(vdev, numbers_are_those_of_the_abi)
{
    static const struct {
        const char *vdev;
        uint32_t number;
    } table[] = {
        {"xvda", 51712},
        {"xvda1", 51713},
        {"xvdb", 51728},
        {"xvdp15", 202 << 8 | 15 << 4 | 15},
        {"xvda16", 1 << 28 | 16},
        {"xvda255", 1 << 28 | 255},
        {"xvdq", 1 << 28 | 16 << 8},
        {"xvdaa", 1 << 28 | 26 << 8},
        {"xvdba3", 1 << 28 | 52 << 8 | 3},
        {"sda", 2048},
        {"sdp15", 8 << 8 | 255},
        {"hda", 768},
        {"hdb1", 3 << 8 | 65},
        {"hdc", 22 << 8},
        {"hdd63", 22 << 8 | 127},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t number = 0;

        cr_expect_eq(vdev_parse(table[i].vdev, &number), 0, "%s",
                     table[i].vdev);
        cr_expect_eq(number, table[i].number, "%s: %u", table[i].vdev, number);
    }
}

Test(vdev, other_names_are_refused)
{
    static const char *const table[] = {
        "",
        "xvd",
        "xvd1",
        "xvda0",
        "xvda01",
        "xvda256",
        "xvdA",
        "xvda-1",
        "xvda1 ",
        " xvda",
        "sda16",
        "sdq",
        "hde",
        "hda64",
        "vda",
        "xvdzzzzzzz",
        "xvda99999999999999999999",
        "/dev/xvda",
    };
    uint32_t number;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_expect_eq(vdev_parse(table[i], &number), -EINVAL, "%s", table[i]);
}

Test(memory_size, suffixes_count_in_powers_of_1024)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } table[] = {
        {"4", 4 << 20},
        {"64M", 64 << 20},
        {"64m", 64 << 20},
        {"4K", 4096},
        {"8192k", 8 << 20},
        {"1G", 1 << 30},
        {"2T", UINT64_C(2) << 40},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t bytes = 0;

        cr_expect_eq(memory_size_parse(table[i].text, &bytes), 0, "%s",
                     table[i].text);
        cr_expect_eq(bytes, table[i].bytes, "%s", table[i].text);
    }
}

Test(memory_size, nonsense_is_refused)
{
    static const char *const table[] = {
        "",
        "0",
        "0M",
        "-1",
        "+1",
        " 1",
        "1 M",
        "M",
        "1MB",
        "1.5G",
        "0x10",
        "1E",
        "1P",
        "3K",
        "ten",
        "99999999999999999999",
        "17592186044416M",
        "16777216T",
    };
    uint64_t bytes;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_expect_eq(memory_size_parse(table[i], &bytes), -EINVAL, "%s",
                     table[i]);
}
