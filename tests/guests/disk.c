/*
 * A disk by the line, so that a test can disturb it between two requests:
 *
 *   read SECTOR COUNT          what came back: status, and a sum over the bytes
 *   write SECTOR COUNT BYTE    fill them with BYTE
 *   discard SECTOR COUNT
 *   flush
 *   quit
 *
 * Sectors have 512 bytes. The arguments name the disk (xvda).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/block.h>

#include "sum.h"

#define MAX_SECTORS 2048

static uint8_t *buffer;

static int serve(struct block *disk, const char *line)
{
    uint64_t sector = 0;
    uint32_t nr = 0, byte = 0;
    char word[16] = "";

    sscanf(line, "%15s %" SCNu64 " %" SCNu32 " %" SCNu32, word, &sector, &nr,
           &byte);
    if (nr > MAX_SECTORS)
        return -1;
    if (strcmp(word, "read") == 0) {
        int rc;

        memset(buffer, 0xee, (size_t)nr * BLOCK_SECTOR);
        rc = block_read(disk, sector, buffer, nr);
        printf("sum %" PRIu32 " ", sum(1, buffer, (size_t)nr * BLOCK_SECTOR));
        return rc;
    }
    if (strcmp(word, "write") == 0) {
        memset(buffer, (int)byte, (size_t)nr * BLOCK_SECTOR);
        return block_write(disk, sector, buffer, nr);
    }
    if (strcmp(word, "discard") == 0)
        return block_discard(disk, sector, nr);
    if (strcmp(word, "flush") == 0)
        return block_flush(disk);
    return -2;
}

int main(int argc, char **argv)
{
    struct block *disk = block_find(argc > 1 ? argv[1] : "xvda");
    struct block_info info;
    char line[128];

    buffer = aligned_alloc(4096, (size_t)MAX_SECTORS * BLOCK_SECTOR);
    if (!disk || !buffer) {
        printf("no disk\n");
        return 1;
    }
    block_get_info(disk, &info);
    printf("%s %" PRIu64 " sectors of %" PRIu32 "%s%s%s\n", info.vdev,
           info.nr_sectors, info.sector_size, info.readonly ? " ro" : "",
           info.can_flush ? " flush" : "", info.can_discard ? " discard" : "");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        printf("status %d\n", serve(disk, line));
        fflush(stdout);
    }
    block_close(disk);
    return 0;
}
