/*
 * blkbench [OPTION=VALUE]...: how fast is a disk?
 *
 *   disk=xvda         which; the first one if not given
 *   rw=randread       or read, write, randwrite (DESTROYS what is there)
 *   bs=4k             bytes of each request
 *   depth=32          requests under way at any time
 *   count=N           requests in all, or
 *   seconds=2         how long
 *   flush=N           flush after every N writes
 *   persistent=1      persistent grants, if the backend can
 *   json=1            a line for programs, after the one for people
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/block.h>
#include <pvguest/clock.h>

#define SECOND_NS 1000000000ull

static struct {
    const char *disk, *rw;
    uint64_t bs, depth, count, seconds, flush;
    bool persistent, json, write, random;
} opt = {.rw = "randread", .bs = 4096, .depth = 32, .seconds = 2};

static struct block *disk;
static uint64_t nr_places; /* of (bs) bytes on the disk */
static uint64_t started, finished, flush_at, deadline, place;
static uint64_t seed = 88172645463325252;
static bool stopping;
static int failure;

/* xorshift64*, scaled to the number of places. */
static uint64_t next_place(void)
{
    if (!opt.random)
        return place < nr_places ? place++ : (place = 1, 0);
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint64_t)((unsigned __int128)(seed * 2685821657736338717u) *
                          nr_places >>
                      64);
}

/* Send (request) on its next round, unless it is time to stop or to flush. */
static void start(struct block_request *request)
{
    if (stopping || (opt.count && started == opt.count) ||
        (opt.flush && started == flush_at))
        return;
    started++;
    request->sector = next_place() * (opt.bs / BLOCK_SECTOR);
    block_submit(disk, request);
}

static void done(struct block_request *request)
{
    finished++;
    if (request->status && !failure)
        failure = request->status;
    if (failure)
        stopping = true;
    start(request);
}

static struct block_request *requests;

static void start_all(void)
{
    flush_at += opt.flush;
    for (uint64_t i = 0; i < opt.depth; i++)
        start(&requests[i]);
}

static void run(void)
{
    start_all();
    while (finished < started) {
        block_kick(disk);
        block_poll(disk, true);
        if (!opt.count && clock_system_ns() >= deadline)
            stopping = true;
        if (opt.flush && finished == flush_at) {
            failure = failure ? failure : block_flush(disk);
            start_all();
        }
    }
}

static bool make_requests(void)
{
    requests = calloc(opt.depth, sizeof *requests);
    for (uint64_t i = 0; requests && i < opt.depth; i++) {
        requests[i] = (struct block_request){
            .op = opt.write ? BLOCK_WRITE : BLOCK_READ,
            .buffer = aligned_alloc(4096, (opt.bs + 4095) & ~4095ull),
            .nr_sectors = (uint32_t)(opt.bs / BLOCK_SECTOR),
            .done = done,
        };
        if (!requests[i].buffer)
            return false;
        memset(requests[i].buffer, (int)i, opt.bs);
    }
    return requests != NULL;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (*end == 'k' || *end == 'K')
        return value << 10;
    return *end == 'm' || *end == 'M' ? value << 20 : value;
}

static bool option(const char *arg)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"bs=", &opt.bs},
                   {"depth=", &opt.depth},
                   {"count=", &opt.count},
                   {"seconds=", &opt.seconds},
                   {"flush=", &opt.flush}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t len = strlen(numbers[i].name);

        if (!strncmp(arg, numbers[i].name, len)) {
            *numbers[i].value = number(arg + len);
            return true;
        }
    }
    if (!strncmp(arg, "disk=", 5))
        opt.disk = arg + 5;
    else if (!strncmp(arg, "rw=", 3))
        opt.rw = arg + 3;
    else if (!strcmp(arg, "persistent=1"))
        opt.persistent = true;
    else if (!strcmp(arg, "json=1"))
        opt.json = true;
    else
        return false;
    return true;
}

static bool options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!option(argv[i])) {
            fprintf(stderr, "blkbench: no such option: %s\n", argv[i]);
            return false;
        }
    }
    opt.random = !strncmp(opt.rw, "rand", 4);
    opt.write = !strcmp(opt.rw + (opt.random ? 4 : 0), "write");
    if (!opt.write && strcmp(opt.rw + (opt.random ? 4 : 0), "read") != 0) {
        fprintf(stderr,
                "blkbench: rw=%s: not read, write, randread or "
                "randwrite\n",
                opt.rw);
        return false;
    }
    if (!opt.depth || opt.depth > 4096 || opt.bs < BLOCK_SECTOR ||
        opt.bs % BLOCK_SECTOR || opt.bs > 1u << 30) {
        fprintf(stderr, "blkbench: bs is a multiple of 512 up to 1 GiB, depth "
                        "1 to 4096\n");
        return false;
    }
    if (!opt.write)
        opt.flush = 0;
    return true;
}

static void report(const struct block_info *info, uint64_t ns)
{
    double seconds = (double)ns / (double)SECOND_NS;
    double iops = (double)finished / seconds;
    double mib = iops * (double)opt.bs / (1 << 20);

    printf("%s %s bs=%" PRIu64 " depth=%" PRIu64 ": %.0f IOPS, %.1f MiB/s, "
           "%.0f ns each (%" PRIu64 " requests)\n",
           info->vdev, opt.rw, opt.bs, opt.depth, iops, mib,
           (double)ns / (double)finished, finished);
    if (opt.json)
        printf("{\"rw\": \"%s\", \"bs\": %" PRIu64 ", \"depth\": %" PRIu64
               ", \"requests\": %" PRIu64 ", \"ns\": %" PRIu64
               ", \"iops\": %.1f, \"mib_s\": %.3f, \"mean_ns\": %.1f}\n",
               opt.rw, opt.bs, opt.depth, finished, ns, iops, mib,
               (double)ns / (double)finished);
}

int main(int argc, char **argv)
{
    struct block_info info;
    uint64_t begin;

    if (!options(argc, argv))
        return 2;
    block_use_persistent(opt.persistent);
    disk = opt.disk ? block_find(opt.disk) : block_open(0);
    if (!disk) {
        fprintf(stderr, "blkbench: there is no such disk\n");
        return 1;
    }
    block_get_info(disk, &info);
    nr_places = info.nr_sectors / (opt.bs / BLOCK_SECTOR);
    if (!nr_places || !make_requests()) {
        fprintf(stderr, "blkbench: %s\n",
                nr_places ? "out of memory" : "the disk is smaller than bs");
        return 1;
    }

    begin = clock_system_ns();
    deadline = begin + opt.seconds * SECOND_NS;
    run();
    if (failure) {
        fprintf(stderr, "blkbench: a request failed: %s\n", strerror(-failure));
        return 1;
    }
    report(&info, clock_system_ns() - begin);
    return 0;
}
