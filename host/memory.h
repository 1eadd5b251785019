/*
 * host/memory.h: the frames of one domain.
 *
 * One memfd holds them all: first the RAM, then the frames that Xen would own
 * and share with the guest (shared_info, grant table). The host sees them
 * through one linear mapping at (base); how the guest sees them is the
 * engine's affair.
 *
 * Words: a frame's *index* counts from 0 in the memfd; its *mfn* is what the
 * guest calls it, first_mfn + a permutation of the index; a *pfn* is the
 * guest's own numbering, kept in the m2p. In a PVH domain both are the gfn,
 * and a physmap says which frame lies there; not every frame has one.
 */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u

typedef uint64_t mfn_t;   /* machine frame number, in the guest's eyes */
typedef uint64_t pfn_t;   /* pseudo-physical frame number */
typedef uint64_t maddr_t; /* mfn << 12 | offset */

#define INVALID_MFN (~(mfn_t)0)
#define INVALID_PFN (~(pfn_t)0)

enum frame_state {
    FRAME_RAM,    /* the guest's own */
    FRAME_FREE,   /* given back by the guest; reads as nothing */
    FRAME_SHARED, /* the hypervisor's, mapped by the guest if it likes */
};

/* What a frame is used as; exclusive while uses > 0 (xen-abi: page types). */
enum frame_type {
    TYPE_NONE,
    TYPE_L1,
    TYPE_L2,
    TYPE_L3,
    TYPE_L4,
    TYPE_DESC,
    TYPE_WRITABLE,
};

struct physmap;

struct frame {
    uint8_t state;       /* enum frame_state */
    uint8_t type;        /* enum frame_type */
    bool pinned : 1;     /* by MMUEXT_PIN_* */
    bool given_back : 1; /* by the guest, but uses or refs hold it yet */
    bool changing : 1;   /* a table that a vCPU validates or takes apart */
    bool linking : 1;    /* a table that a vCPU tells where it is linked */
    uint32_t uses;       /* references as (type) */
    uint32_t refs;       /* host-side holds: grants mapped, I/O in flight */
    union {
        uint32_t next_free; /* FRAME_FREE: index + 1 of the next, 0: last */
        int32_t linear; /* of a table: how many others of its level it refers
                           to, or, negative, refer to it */
    };
    union {
        uint64_t linked_at; /* of a table in use: its lowest va if linked once,
                               or one of the two below */
        uint64_t
            dropped_at; /* of others: the first of (flushes) after its last
                           use as writable; 0 or FRAME_LINKED_NEVER: none */
    };
};

#define FRAME_LINKED_NEVER (~UINT64_C(0))
#define FRAME_LINKED_MANY  (~UINT64_C(1))

struct memory {
    int fd;
    uint8_t *base;        /* nr_frames * PAGE_SIZE, readable and writable */
    size_t nr_frames;     /* RAM and shared */
    size_t max_ram;       /* the reservation's ceiling, in frames */
    size_t nr_ram;        /* frames in state FRAME_RAM now */
    size_t nr_given_back; /* of these, frames only waiting for their release */
    size_t nr_linear;     /* entries that refer to a table of their own level */
    uint64_t flushes;     /* so often a vCPU forgot all its translations */
    size_t next_shared;   /* index of the next one to hand out */
    uint32_t free_head;   /* given back RAM: index + 1, 0: none */
    mfn_t first_mfn;      /* the lowest mfn */
    struct frame *frames; /* by index */
    uint64_t *m2p;        /* by mfn - first_mfn: pfn or INVALID_PFN */
    int m2p_fd;           /* the guest maps it read-only: a hole for the mfns
                             below first_mfn, then m2p */
    size_t m2p_size;      /* of that file, whole pages */
    uint32_t *shuffle;    /* NULL, or index by (mfn - first_mfn) */
    uint32_t *unshuffle;  /* NULL, or the inverse */
    struct physmap *physmap; /* of a PVH domain, which has no m2p; else NULL */
};

struct memory_config {
    size_t ram_pages;
    size_t shared_pages; /* room for shared_info and the grant table */
    bool scatter;        /* give mfns in a shuffled order */
    bool translated;     /* for a PVH domain: mfns are gfns */
};

/*
 * Make the frames. All RAM is FRAME_RAM and zero, untouched, with no pfn yet.
 * Returns 0, or -errno with a sentence logged; undoes itself.
 */
int memory_create(struct memory *mem, const struct memory_config *config);
void memory_destroy(struct memory *mem);

/*
 * (nr) frames from (index) on will be written soon: have the kernel find them
 * in one go instead of one fault each. Only a hint.
 */
void memory_expect_writes(struct memory *mem, size_t index, size_t nr);

/* host/pvh/physmap.h */
bool physmap_find(const struct memory *mem, mfn_t gfn, size_t *index);
mfn_t physmap_gfn(const struct memory *mem, size_t index);

/* mfn -> index: false if (mfn) is none of this domain's, in any state. */
static inline bool memory_find(const struct memory *mem, mfn_t mfn,
                               size_t *index)
{
    const size_t i = mfn - mem->first_mfn;

    if (mem->physmap)
        return physmap_find(mem, mfn, index);
    if (i >= mem->nr_frames)
        return false;
    *index = mem->shuffle ? mem->shuffle[i] : i;
    return true;
}

/* Is (mfn) one of this domain's, in any state? */
static inline bool memory_has(const struct memory *mem, mfn_t mfn)
{
    size_t index;

    return memory_find(mem, mfn, &index);
}

/* mfn -> index. The mfn must satisfy memory_has. */
static inline size_t memory_index(const struct memory *mem, mfn_t mfn)
{
    size_t index = 0;

    memory_find(mem, mfn, &index);
    return index;
}

/* What the guest calls frame (index); INVALID_MFN if it does not see it. */
static inline mfn_t memory_mfn(const struct memory *mem, size_t index)
{
    if (mem->physmap)
        return physmap_gfn(mem, index);
    return mem->first_mfn + (mem->unshuffle ? mem->unshuffle[index] : index);
}

/*
 * The bytes of frame (mfn), or NULL when the guest has no right to it: not its
 * mfn, or given back.
 */
static inline void *memory_frame(const struct memory *mem, mfn_t mfn)
{
    size_t index;

    if (!memory_find(mem, mfn, &index))
        return NULL;
    if (mem->frames[index].state == FRAME_FREE)
        return NULL;
    return mem->base + (index << PAGE_SHIFT);
}

/* The frame's record, or NULL if memory_has fails. */
static inline struct frame *memory_record(const struct memory *mem, mfn_t mfn)
{
    size_t index;

    if (!memory_find(mem, mfn, &index))
        return NULL;
    return &mem->frames[index];
}

/*
 * A frame becomes FRAME_SHARED, zeroed, for the hypervisor to share with the
 * guest: its bytes and *index; NULL when shared_pages of them are out. A PVH
 * domain sees it once it was placed in its physmap.
 */
void *memory_take_frame(struct memory *mem, size_t *index);

/*
 * The guest gives back (mfn): its bytes are gone (a hole is punched) and its
 * m2p entry is INVALID. 0, -EINVAL if not the guest's RAM, -EBUSY while typed
 * as a table or held (refs).
 */
int memory_release(struct memory *mem, mfn_t mfn);

/* The same for frame (index) that is in the guest's hands no more. */
int memory_release_frame(struct memory *mem, size_t index);

/*
 * A zeroed free frame becomes RAM as (pfn): 0, or -ENOMEM at the ceiling. In a
 * PVH domain that is the frame of that gfn: -EINVAL if it is not RAM, -EBUSY
 * if something is there.
 */
int memory_populate(struct memory *mem, pfn_t pfn, mfn_t *mfn);

pfn_t memory_pfn(const struct memory *mem, mfn_t mfn);
void memory_set_pfn(struct memory *mem, mfn_t mfn, pfn_t pfn);

#endif
