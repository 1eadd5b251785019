#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/log.h"
#include "host/memory.h"
#include "host/pvh/physmap.h"

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010u
#endif

/*
 * No frame's mfn is its pfn, so that code which takes one number for the other
 * fails at once; and small, because the M2P table begins at mfn 0.
 */
#define FIRST_MFN 0x80

#define MAX_PAGES (UINT32_MAX / 2)

/* A fixed order: a test that fails must fail again. */
#define SCATTER_SEED UINT64_C(0x9e3779b97f4a7c15)

/*
 * A file in memory of exactly (size) bytes for ever, so that no mapping of it
 * can be made to fault by cutting it.
 */
static int make_file(const char *name, size_t size, unsigned extra_flags)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd, rc;

    fd = memfd_create(name, flags | extra_flags);
    if (fd < 0 && errno == EINVAL && extra_flags)
        fd = memfd_create(name, flags); /* before MFD_EXEC all could be */
    if (fd < 0) {
        rc = -errno;
        log_error("cannot make a memfd for the guest's memory: %s: check "
                  "vm.memfd_noexec and the limit of open files",
                  strerror(-rc));
        return rc;
    }
    if (ftruncate(fd, (off_t)size) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        rc = -errno;
        log_error("cannot reserve %zu KiB for the guest's memory: %s: give it "
                  "less with --memory",
                  size / 1024, strerror(-rc));
        close(fd);
        return rc;
    }
    return fd;
}

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones answer -EINVAL */
#define MADV_POPULATE_WRITE 23
#endif

/* The records of so few are all used by the page tables at once. */
#define FEW_FRAMES 2048

static int map_file(int fd, size_t offset, size_t size, void **address)
{
    *address = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
    if (*address == MAP_FAILED) {
        log_error("cannot map %zu KiB of guest memory: %m: give it less with "
                  "--memory or raise ulimit -v",
                  size / 1024);
        *address = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int create_frames(struct memory *mem)
{
    size_t size = mem->nr_frames << PAGE_SHIFT;
    void *base, *frames;
    int rc;

    mem->fd = make_file("guest", size, MFD_EXEC);
    if (mem->fd < 0)
        return mem->fd;
    rc = map_file(mem->fd, 0, size, &base);
    if (rc)
        return rc;
    mem->base = base;

    /* from the kernel: zero, which is RAM not used as anything, untouched */
    frames =
        mmap(NULL, mem->nr_frames * sizeof *mem->frames, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS |
                 (mem->nr_frames <= FEW_FRAMES ? MAP_POPULATE : 0),
             -1, 0);
    if (frames == MAP_FAILED) {
        log_error("no memory to keep account of %zu frames: give the guest "
                  "less with --memory",
                  mem->nr_frames);
        return -ENOMEM;
    }
    mem->frames = frames;
    for (size_t i = mem->max_ram; i < mem->nr_frames; i++)
        mem->frames[i].state = FRAME_FREE;
    mem->nr_ram = mem->max_ram;
    mem->next_shared = mem->max_ram;
    return 0;
}

static int create_m2p(struct memory *mem)
{
    size_t entries = mem->first_mfn + mem->nr_frames;
    void *table;
    int rc;

    mem->m2p_size =
        (entries * sizeof *mem->m2p + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
    mem->m2p_fd = make_file("m2p", mem->m2p_size, 0);
    if (mem->m2p_fd < 0)
        return mem->m2p_fd;
    rc = map_file(mem->m2p_fd, 0, mem->m2p_size, &table);
    if (rc)
        return rc;
    mem->m2p = (uint64_t *)table + mem->first_mfn;
    for (size_t i = 0; i < mem->nr_frames; i++)
        mem->m2p[i] = INVALID_PFN;
    return 0;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int create_shuffle(struct memory *mem)
{
    size_t nr = mem->nr_frames;
    uint64_t state = SCATTER_SEED;

    mem->shuffle = calloc(nr, sizeof *mem->shuffle);
    mem->unshuffle = calloc(nr, sizeof *mem->unshuffle);
    if (!mem->shuffle || !mem->unshuffle) {
        log_error("no memory to scatter %zu frames: leave out --scatter-p2m",
                  nr);
        return -ENOMEM;
    }
    for (size_t i = 0; i < nr; i++)
        mem->shuffle[i] = (uint32_t)i;
    for (size_t i = nr - 1; i > 0; i--) {
        size_t j = next_random(&state) % (i + 1);
        uint32_t other = mem->shuffle[j];

        mem->shuffle[j] = mem->shuffle[i];
        mem->shuffle[i] = other;
    }
    for (size_t i = 0; i < nr; i++)
        mem->unshuffle[mem->shuffle[i]] = (uint32_t)i;
    return 0;
}

static int create_physmap(struct memory *mem)
{
    mem->physmap = calloc(1, sizeof *mem->physmap);
    if (!mem->physmap) {
        log_error("no memory for the guest's physical map: close something "
                  "else");
        return -ENOMEM;
    }
    mem->first_mfn = 0;
    physmap_init(mem->physmap, mem->max_ram);
    return 0;
}

int memory_create(struct memory *mem, const struct memory_config *config)
{
    int rc;

    *mem = (struct memory){.fd = -1, .m2p_fd = -1, .first_mfn = FIRST_MFN};
    if (config->ram_pages == 0 || config->ram_pages > MAX_PAGES ||
        config->shared_pages > MAX_PAGES) {
        log_error("a guest cannot have %zu pages of memory: give it between "
                  "4 KiB and 8 TiB with --memory",
                  config->ram_pages);
        return -EINVAL;
    }
    mem->max_ram = config->ram_pages;
    mem->nr_frames = config->ram_pages + config->shared_pages;

    rc = create_frames(mem);
    if (!rc && config->translated)
        rc = create_physmap(mem);
    else if (!rc)
        rc = create_m2p(mem);
    if (!rc && config->scatter && !config->translated)
        rc = create_shuffle(mem);
    if (rc)
        memory_destroy(mem);
    return rc;
}

void memory_expect_writes(struct memory *mem, size_t index, size_t nr)
{
    madvise(mem->base + index * PAGE_SIZE, nr * PAGE_SIZE, MADV_POPULATE_WRITE);
}

void memory_destroy(struct memory *mem)
{
    if (mem->base)
        munmap(mem->base, mem->nr_frames << PAGE_SHIFT);
    if (mem->m2p)
        munmap(mem->m2p - mem->first_mfn, mem->m2p_size);
    if (mem->fd >= 0)
        close(mem->fd);
    if (mem->m2p_fd >= 0)
        close(mem->m2p_fd);
    if (mem->frames)
        munmap(mem->frames, mem->nr_frames * sizeof *mem->frames);
    free(mem->physmap);
    free(mem->shuffle);
    free(mem->unshuffle);
    *mem = (struct memory){.fd = -1, .m2p_fd = -1};
}

void *memory_take_frame(struct memory *mem, size_t *index)
{
    if (mem->next_shared >= mem->nr_frames)
        return NULL;
    *index = mem->next_shared++;
    mem->frames[*index].state = FRAME_SHARED;
    return mem->base + (*index << PAGE_SHIFT);
}

/* Give the host its page back; what cannot be punched is at least cleared. */
static void discard_frame(struct memory *mem, size_t index)
{
    off_t offset = (off_t)index << PAGE_SHIFT;

    if (fallocate(mem->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                  PAGE_SIZE))
        memset(mem->base + offset, 0, PAGE_SIZE);
}

int memory_release_frame(struct memory *mem, size_t index)
{
    struct frame *frame = &mem->frames[index];

    if (frame->state != FRAME_RAM)
        return -EINVAL;
    if (frame->refs || frame->pinned || frame->uses)
        return -EBUSY;

    if (!mem->physmap)
        memory_set_pfn(mem, memory_mfn(mem, index), INVALID_PFN);
    discard_frame(mem, index);
    *frame = (struct frame){
        .state = FRAME_FREE,
        .linked_at = FRAME_LINKED_NEVER,
    };
    if (!mem->physmap) { /* there every frame waits for its own gfn */
        frame->next_free = mem->free_head;
        mem->free_head = (uint32_t)index + 1;
    }
    mem->nr_ram--;
    return 0;
}

int memory_release(struct memory *mem, mfn_t mfn)
{
    size_t index;

    if (!memory_find(mem, mfn, &index))
        return -EINVAL;
    return memory_release_frame(mem, index);
}

static int populate_gfn(struct memory *mem, mfn_t gfn)
{
    size_t index, placed;

    if (!physmap_ram(mem->physmap, gfn, &index))
        return -EINVAL;
    if (mem->frames[index].state != FRAME_FREE ||
        physmap_placed(mem->physmap, gfn, &placed))
        return -EBUSY;
    mem->frames[index].state = FRAME_RAM;
    mem->nr_ram++;
    return 0;
}

int memory_populate(struct memory *mem, pfn_t pfn, mfn_t *mfn)
{
    struct frame *frame;
    size_t index;

    if (mem->physmap) {
        *mfn = pfn;
        return populate_gfn(mem, pfn);
    }
    if (!mem->free_head)
        return -ENOMEM;
    index = mem->free_head - 1;
    frame = &mem->frames[index];
    mem->free_head = frame->next_free;
    frame->next_free = 0;
    frame->dropped_at = mem->flushes + 1; /* it may have been writable before */
    frame->state = FRAME_RAM;
    mem->nr_ram++;

    *mfn = memory_mfn(mem, index);
    memory_set_pfn(mem, *mfn, pfn);
    return 0;
}

pfn_t memory_pfn(const struct memory *mem, mfn_t mfn)
{
    if (!memory_has(mem, mfn))
        return INVALID_PFN;
    return mem->physmap ? mfn : mem->m2p[mfn - mem->first_mfn];
}

void memory_set_pfn(struct memory *mem, mfn_t mfn, pfn_t pfn)
{
    if (!mem->physmap && memory_has(mem, mfn))
        mem->m2p[mfn - mem->first_mfn] = pfn;
}
