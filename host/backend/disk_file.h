/*
 * host/backend/disk_file.h: what is behind a disk: a raw file or a block
 * device, opened, judged and locked.
 */
#ifndef HOST_BACKEND_DISK_FILE_H
#define HOST_BACKEND_DISK_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/config.h"

#define SECTOR_SIZE 512u /* the unit of blkif's sector numbers, always */

struct disk_file {
    int fd;
    int lock_fd;          /* the same file, opened again: see disk_file_open */
    uint64_t sectors;     /* of SECTOR_SIZE */
    uint32_t sector_size; /* requests are multiples of this */
    uint32_t physical_sector_size; /* smaller writes cost a read */
    bool readonly;
    bool direct;  /* past the page cache */
    bool discard; /* holes can be punched */
    bool is_device;
    dev_t device; /* is_device: which */
};

/*
 * Open what (config) names. A last partial sector is left out, with a warning.
 * The file is locked (an open-file-description lock) against a second writer,
 * or against any when we may write. 0, or -errno with a sentence logged.
 *
 * The lock is on a descriptor of its own: an io_uring that is taken down, even
 * by the end of its process, holds on to its files for some milliseconds more,
 * and the next guest could not have the disk.
 */
int disk_file_open(struct disk_file *disk, const struct disk_config *config);

/* Close, which unlocks. */
void disk_file_close(struct disk_file *disk);

#endif
