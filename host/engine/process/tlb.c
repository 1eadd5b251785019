/*
 * host/engine/process/tlb.c: this process's mappings as the guest's TLB.
 *
 * The truth is the guest's page tables. A mapping is made when the guest
 * faults on it, for a whole run of neighbours that lie as neighbours in the
 * memfd, and dropped when the guest's tables change or it says so. Forgetting
 * everything at any time is correct.
 */
#include <errno.h>
#include <sys/mman.h>

#include "host/build/image.h"
#include "host/domain.h"
#include "host/engine/process/process.h"
#include "host/guest_access.h"
#include "host/log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* What was ever mapped: dropping everything need not look elsewhere. */
static uint64_t mapped_low, mapped_high;

/* The L4 that what is mapped was found by. */
static mfn_t root;

static int protection(const struct walk *walk)
{
    int prot = PROT_READ;

    if (walk->writable)
        prot |= PROT_WRITE;
    if (!walk->noexec)
        prot |= PROT_EXEC;
    return prot;
}

/*
 * Grow [*first, *last] around (va) while the tables map the next page to the
 * next place in the memfd with the same rights, within one L1 table.
 */
static void find_run(struct vcpu *vcpu, uint64_t va, const struct walk *at,
                     uint64_t *first, uint64_t *last)
{
    const struct memory *mem = &vcpu->domain->mem;
    const uint64_t table_start = va & ~UINT64_C(0x1fffff);
    const size_t index = memory_index(mem, at->mfn);
    const int prot = protection(at);
    struct walk next;
    size_t i;

    *first = *last = va;
    for (i = index; *first > table_start && i > 0; *first -= PAGE_SIZE, i--) {
        guest_walk(mem, vcpu_root(vcpu), *first - PAGE_SIZE, &next);
        if (!next.present || protection(&next) != prot ||
            memory_index(mem, next.mfn) != i - 1)
            break;
    }
    for (i = index; *last + PAGE_SIZE < table_start + 0x200000;
         *last += PAGE_SIZE, i++) {
        guest_walk(mem, vcpu_root(vcpu), *last + PAGE_SIZE, &next);
        if (!next.present || protection(&next) != prot ||
            memory_index(mem, next.mfn) != i + 1)
            break;
    }
}

enum tlb_result tlb_fill(struct vcpu *vcpu, uint64_t va, bool write, bool exec)
{
    const struct memory *mem = &vcpu->domain->mem;
    uint64_t first, last;
    struct walk walk;
    size_t index;

    va &= ~UINT64_C(0xfff);
    if (va >= PROCESS_M2P_VA)
        return TLB_ABSENT;
    guest_walk(mem, vcpu_root(vcpu), va, &walk);
    if (!walk.present)
        return TLB_ABSENT;
    if ((write && !walk.writable) || (exec && walk.noexec))
        return TLB_DENIED;

    find_run(vcpu, va, &walk, &first, &last);
    index = memory_index(mem, walk.mfn) - (va - first) / PAGE_SIZE;
    for (int attempt = 0; attempt < 2; attempt++) {
        void *at =
            mmap((void *)first, last + PAGE_SIZE - first, protection(&walk),
                 MAP_SHARED | MAP_FIXED, mem->fd, (off_t)(index * PAGE_SIZE));

        if (at != MAP_FAILED) {
            if (first < mapped_low)
                mapped_low = first;
            if (last + PAGE_SIZE > mapped_high)
                mapped_high = last + PAGE_SIZE;
            return TLB_FILLED;
        }
        /* Too many mappings (vm.max_map_count): it is only a cache. */
        if (errno != ENOMEM)
            break;
        tlb_invalidate_all(vcpu);
    }
    return TLB_REFUSED;
}

/* One page changed, most likely to be used: spare the guest the fault. */
static bool remap_page(struct vcpu *vcpu, uint64_t va)
{
    const struct memory *mem = &vcpu->domain->mem;
    struct walk walk;

    guest_walk(mem, vcpu_root(vcpu), va, &walk);
    return walk.present &&
           mmap((void *)va, PAGE_SIZE, protection(&walk),
                MAP_SHARED | MAP_FIXED, mem->fd,
                (off_t)(memory_index(mem, walk.mfn) * PAGE_SIZE)) != MAP_FAILED;
}

void tlb_invalidate(struct vcpu *vcpu, uint64_t va, uint64_t nr_pages)
{
    uint64_t end = va + nr_pages * PAGE_SIZE;

    if (nr_pages == 1 && va >= mapped_low && va < mapped_high &&
        remap_page(vcpu, va))
        return;
    tlb_drop(va, end);
}

void tlb_invalidate_all(struct vcpu *vcpu)
{
    root = vcpu_root(vcpu);
    if (mapped_low < mapped_high)
        munmap((void *)mapped_low, mapped_high - mapped_low);
    mapped_low = UINT64_MAX;
    mapped_high = 0;
}

void tlb_drop(uint64_t from, uint64_t to)
{
    if (from < mapped_low)
        from = mapped_low;
    if (to > mapped_high)
        to = mapped_high;
    if (from < to)
        munmap((void *)from, to - from);
}

bool tlb_may_have(uint64_t from, uint64_t to)
{
    return from < mapped_high && to > mapped_low;
}

void tlb_follow(struct vcpu *vcpu)
{
    const mfn_t from = root;

    if (root == vcpu_root(vcpu))
        return;
    root = vcpu_root(vcpu);
    if (mapped_low < mapped_high)
        mode_follow(vcpu, from);
}

void tlb_prefill(struct vcpu *vcpu)
{
    const struct image *image = vcpu->domain->image;

    tlb_fill(vcpu, vcpu->regs.rip, false, true);
    tlb_fill(vcpu, vcpu->regs.rsp - 1, true, false);
    /* The kernel's pages are there already, so this only enters them; an old
     * host that does not know how leaves it to the faults. */
    madvise((void *)image->virt_start, image->virt_end - image->virt_start,
            MADV_POPULATE_WRITE);
}

/* The M2P table, read-only, where XENMEM_machphys_mapping will say. */
static int map_m2p(struct domain *dom)
{
    if (mmap((void *)PROCESS_M2P_VA, dom->mem.m2p_size, PROT_READ,
             MAP_SHARED | MAP_FIXED, dom->mem.m2p_fd, 0) == MAP_FAILED) {
        log_error("cannot map the M2P table at 0x%lx: %m", PROCESS_M2P_VA);
        return -errno;
    }
    dom->m2p_va = PROCESS_M2P_VA;
    return 0;
}

/*
 * Is there address space for the guest's view of its memory, beside ours? A
 * program under a limit would find out later, at a fault that nobody can serve.
 */
static int reserve_once(const struct domain *dom)
{
    const size_t size = dom->mem.nr_frames << PAGE_SHIFT;
    void *at = mmap(NULL, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        log_error("no address space for the guest's view of its %zu KiB: %m: "
                  "give it less with --memory or raise ulimit -v",
                  size >> 10);
        return -errno;
    }
    munmap(at, size);
    return 0;
}

int tlb_create(struct domain *dom)
{
    int rc = reserve_once(dom);

    if (rc)
        return rc;
    mapped_low = UINT64_MAX;
    mapped_high = 0;
    root = dom->vcpus[0].cr3;
    return map_m2p(dom);
}

void tlb_destroy(struct domain *dom)
{
    tlb_invalidate_all(&dom->vcpus[0]);
    munmap((void *)PROCESS_M2P_VA, PROCESS_VA_END - PROCESS_M2P_VA);
}
