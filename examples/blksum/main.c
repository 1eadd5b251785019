/*
 * blksum [DISK]: size and SHA-256 of a whole disk, the first one or DISK
 * ("xvdb"). Eight large reads are always under way; while the hash works on
 * one, the backend works on the others.
 *
 * The hash is nettle's, which knows the CPU's SHA instructions. Its archive was
 * compiled for Linux, so it may keep data below the stack pointer: fine here,
 * because events wait until a thread does and nothing else uses our stack. A
 * program that calls event_upcalls(true) needs libraries without a red zone.
 */
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/block.h>

#define NR_READS     8u
#define READ_SECTORS 512u /* 256 KiB */
#define BUFFER_ALIGN 4096u

struct read {
    struct block_request request;
    bool done;
};

static void read_done(struct block_request *request)
{
    struct read *read = request->context;

    read->done = true;
}

/* Start to read what lies at (sector), if the disk is that long. */
static void read_start(struct block *disk, struct read *read, uint64_t sector,
                       uint64_t end)
{
    uint64_t left = sector < end ? end - sector : 0;

    read->done = false;
    read->request.sector = sector;
    read->request.nr_sectors =
        left < READ_SECTORS ? (uint32_t)left : READ_SECTORS;
    if (left) {
        block_submit(disk, &read->request);
        block_kick(disk);
    }
}

static int sum(struct block *disk, struct sha256_ctx *hash, uint64_t end)
{
    static struct read reads[NR_READS];
    uint64_t sector = 0;

    for (unsigned i = 0; i < NR_READS; i++) {
        reads[i].request.op = BLOCK_READ;
        reads[i].request.done = read_done;
        reads[i].request.context = &reads[i];
        reads[i].request.buffer =
            aligned_alloc(BUFFER_ALIGN, (size_t)READ_SECTORS * BLOCK_SECTOR);
        if (!reads[i].request.buffer) {
            fprintf(stderr, "blksum: out of memory: give the domain 8M\n");
            return 1;
        }
        read_start(disk, &reads[i], (uint64_t)i * READ_SECTORS, end);
    }
    for (unsigned i = 0; sector < end; i = (i + 1) % NR_READS) {
        const struct block_request *request = &reads[i].request;

        while (!reads[i].done)
            block_poll(disk, true);
        if (request->status) {
            fprintf(stderr, "blksum: cannot read sector %" PRIu64 ": %s\n",
                    sector, strerror(-request->status));
            return 1;
        }
        sha256_update(hash, (size_t)request->nr_sectors * BLOCK_SECTOR,
                      request->buffer);
        sector += request->nr_sectors;
        read_start(disk, &reads[i],
                   request->sector + (uint64_t)NR_READS * READ_SECTORS, end);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct block *disk = argc > 1 ? block_find(argv[1]) : block_open(0);
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx hash;
    struct block_info info;

    if (!disk) {
        fprintf(stderr, "blksum: there is no disk%s%s\n", argc > 1 ? " " : "",
                argc > 1 ? argv[1] : "");
        return 1;
    }
    block_get_info(disk, &info);
    printf("disk %s: %" PRIu64 " bytes\n", info.vdev,
           info.nr_sectors * BLOCK_SECTOR);

    sha256_init(&hash);
    if (sum(disk, &hash, info.nr_sectors))
        return 1;
    sha256_digest(&hash, sizeof digest, digest);
    printf("sha256 ");
    for (unsigned i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf("\n");
    block_close(disk);
    return 0;
}
