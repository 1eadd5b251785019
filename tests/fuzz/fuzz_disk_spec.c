/* Any text as xl's disk SPEC, as a device name and as an amount of memory. */
#include "input.h"

#include "host/config.h"
#include "host/memory.h"

static void parse_spec(const char *text)
{
    struct disk_config disk;
    uint32_t number;

    if (disk_config_parse(text, &disk)) {
        PROMISE(!disk.target);
        return;
    }
    PROMISE(disk.target && *disk.target);
    PROMISE(memchr(disk.vdev, '\0', sizeof disk.vdev));
    PROMISE(vdev_parse(disk.vdev, &number) == 0);
    PROMISE(number == disk.virtual_device);
    PROMISE(disk.readonly || !disk.cdrom);
    disk_config_destroy(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    uint32_t number;
    uint64_t bytes;

    PROMISE(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    parse_spec(text);
    vdev_parse(text, &number);
    if (memory_size_parse(text, &bytes) == 0)
        PROMISE(bytes && bytes % PAGE_SIZE == 0);
    free(text);
    return 0;
}
