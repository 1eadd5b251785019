#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypercall/dispatch.h>
#include <xen/xen.h>

#include "host/build/elf.h"
#include "host/build/image.h"
#include "host/build/pv.h"
#include "host/build/pv_layout.h"
#include "host/build/start.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"

#define PTE_PRESENT      (UINT64_C(1) << 0)
#define PTE_RW           (UINT64_C(1) << 1)
#define PTE_USER         (UINT64_C(1) << 2)
#define PTE_ACCESSED     (UINT64_C(1) << 5)
#define PTE_DIRTY        (UINT64_C(1) << 6)
#define PTE_GUEST_KERNEL (UINT64_C(1) << 52) /* Xen's mark */

/* As the guest reads them back: Xen adds USER, and its mark to the leaves. */
#define LEAF_FLAGS \
    (PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_USER | PTE_GUEST_KERNEL)
#define TABLE_FLAGS (PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY | PTE_USER)

#define ENTRIES 512
#define LEVELS  4

#define STUB_SIZE ((size_t)32) /* of the hypercall page */

#define RFLAGS_ENTRY 0x202 /* IF, and the bit that is always 1 */

#define MANY_PAGES 1024

#define MAGIC "xen-3.0-x86_64"

struct builder {
    struct domain *dom;
    struct memory *mem;
    const struct image *image;
    struct pv_layout layout;
    pfn_t next_table;
};

/* In a fresh domain the frames are the pfns in order; see record_frames(). */
static void *pfn_bytes(const struct builder *b, pfn_t pfn)
{
    return b->mem->base + (pfn << PAGE_SHIFT);
}

static mfn_t pfn_mfn(const struct builder *b, pfn_t pfn)
{
    return memory_mfn(b->mem, pfn);
}

static uint64_t pfn_va(const struct builder *b, pfn_t pfn)
{
    return b->layout.base + (pfn << PAGE_SHIFT);
}

static uint64_t in_mib(uint64_t pages)
{
    return (pages + 255) / 256;
}

static int lay_out(struct builder *b)
{
    const uint64_t nr_pages = b->mem->max_ram;
    const uint64_t initrd_size = b->dom->initrd.size;

    if (!pv_layout(b->image, initrd_size, nr_pages, &b->layout))
        return image_refuse(b->image,
                            "with its p2m list and page tables it does not "
                            "fit between VIRT_BASE %#lx and the end of the "
                            "address space: link it lower",
                            b->image->notes.virt_base);
    if (b->layout.needed > nr_pages) {
        log_error("%s: the guest%s does not fit into %lu KiB: give it at least "
                  "--memory %luM",
                  b->image->path, initrd_size ? " with its initrd" : "",
                  nr_pages * (PAGE_SIZE / 1024),
                  in_mib(pv_layout_minimum(b->image, initrd_size)));
        return -ENOMEM;
    }
    return 0;
}

/* All that is written at start of day, unless the kernel is a large one. */
static void expect_writes(struct builder *b)
{
    const pfn_t first = (b->image->virt_start - b->layout.base) >> PAGE_SHIFT;

    if (b->layout.stack - first < MANY_PAGES)
        memory_expect_writes(b->mem, first, b->layout.stack + 1 - first);
}

/* What lies beyond the file's part of a segment is zero already. */
static int load_segments(struct builder *b)
{
    for (unsigned i = 0; i < b->image->nr_segments; i++) {
        const struct image_segment *segment = &b->image->segments[i];
        uint64_t offset = segment->paddr - b->image->notes.paddr_offset;
        int rc;

        rc = image_read(b->image, segment->file_offset, b->mem->base + offset,
                        segment->file_size);
        if (rc)
            return rc;
    }
    return 0;
}

/* Both directions: the guest's p2m list and the hypervisor's m2p. */
static void record_frames(struct builder *b)
{
    uint64_t *p2m = pfn_bytes(b, b->layout.p2m);

    for (pfn_t pfn = 0; pfn < b->mem->max_ram; pfn++) {
        p2m[pfn] = pfn_mfn(b, pfn);
        memory_set_pfn(b->mem, p2m[pfn], pfn);
    }
}

/* The last page's rest is zero already. */
static int load_initrd(struct builder *b)
{
    const struct pv_layout *l = &b->layout;

    if (!l->nr_module)
        return 0;
    memory_expect_writes(b->mem, l->module, l->nr_module);
    return module_load(&b->dom->initrd, pfn_bytes(b, l->module));
}

static unsigned level_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

static unsigned slot_at(uint64_t va, unsigned level)
{
    return (va >> level_shift(level)) & (ENTRIES - 1);
}

/* The table of (level) for (va); those above it are linked already. */
static uint64_t *table_at(const struct builder *b, uint64_t va, unsigned level)
{
    uint64_t *table = pfn_bytes(b, b->layout.tables);

    for (unsigned above = LEVELS; above > level; above--) {
        uint64_t entry = table[slot_at(va, above)];
        mfn_t mfn = (entry & ~PTE_GUEST_KERNEL) >> PAGE_SHIFT;

        table = memory_frame(b->mem, mfn);
    }
    return table;
}

static void make_table(struct builder *b, uint64_t va, unsigned level)
{
    uint64_t *parent = table_at(b, va, level + 1);
    unsigned slot = slot_at(va, level + 1);

    if (!parent[slot])
        parent[slot] = pfn_mfn(b, b->next_table++) << PAGE_SHIFT | TABLE_FLAGS;
}

/* Level by level, so that the tables of one level are neighbours. */
static void make_tables(struct builder *b, uint64_t start, uint64_t end)
{
    for (unsigned level = LEVELS - 1; level >= 1; level--) {
        unsigned shift = level_shift(level + 1);

        for (uint64_t i = start >> shift; i <= (end - 1) >> shift; i++)
            make_table(b, i << shift, level);
    }
}

static bool is_table(const struct builder *b, pfn_t pfn)
{
    return pfn - b->layout.tables < b->layout.nr_tables;
}

static void map_pages(struct builder *b, uint64_t va, pfn_t first, uint64_t nr)
{
    uint64_t *table = NULL;

    for (pfn_t pfn = first; pfn < first + nr; pfn++, va += PAGE_SIZE) {
        unsigned slot = slot_at(va, 1);
        uint64_t flags = LEAF_FLAGS;

        if (!table || slot == 0)
            table = table_at(b, va, 1);
        if (is_table(b, pfn))
            flags &= ~PTE_RW;
        table[slot] = pfn_mfn(b, pfn) << PAGE_SHIFT | flags;
    }
}

static void build_tables(struct builder *b)
{
    const struct pv_layout *l = &b->layout;

    b->next_table = l->tables + 1; /* the L4 is there: an empty page */
    make_tables(b, l->base, pfn_va(b, l->end));
    map_pages(b, l->base, 0, l->end);
    if (l->p2m_apart) {
        b->next_table = l->p2m_tables;
        make_tables(b, l->p2m_va, l->p2m_va + (l->nr_p2m << PAGE_SHIFT));
        map_pages(b, l->p2m_va, l->p2m, l->nr_p2m);
    }
}

static int build_shared_info(struct builder *b)
{
    struct domain *dom = b->dom;
    size_t index = 0;
    int rc = start_shared_info(dom, &index);

    if (rc)
        return rc;
    dom->shared_mfn = memory_mfn(b->mem, index);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        dom->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    return 0;
}

static int build_rings(struct builder *b)
{
    struct domain_rings *rings = &b->dom->rings;
    int rc;

    rings->store_mfn = pfn_mfn(b, b->layout.xenstore);
    rings->console_mfn = pfn_mfn(b, b->layout.console);
    rc = start_port(b->dom, &rings->store_port);
    if (!rc)
        rc = start_port(b->dom, &rings->console_port);
    if (!rc)
        rc = start_grants(b->dom, rings->console_mfn, rings->store_mfn);
    return rc;
}

static void describe_p2m(const struct builder *b, struct start_info *info)
{
    const struct pv_layout *l = &b->layout;

    info->mfn_list = l->p2m_va;
    if (l->p2m_apart) {
        info->first_p2m_pfn = l->p2m;
        info->nr_p2m_frames = l->nr_p2m + l->nr_p2m_tables;
    }
}

/* As libxl has it, the length counts bytes, or whole pages of one apart. */
static void describe_initrd(const struct builder *b, struct start_info *info)
{
    const struct pv_layout *l = &b->layout;

    if (!l->nr_module)
        return;
    info->mod_len = b->dom->initrd.size;
    info->mod_start = pfn_va(b, l->module);
    if (l->module_apart) {
        info->mod_len = l->nr_module << PAGE_SHIFT;
        info->mod_start = l->module;
        info->flags |= SIF_MOD_START_PFN;
    }
}

static void build_start_info(struct builder *b)
{
    const struct pv_layout *l = &b->layout;
    const struct domain_rings *rings = &b->dom->rings;
    struct start_info *info = pfn_bytes(b, l->start_info);

    memcpy(info->magic, MAGIC, sizeof MAGIC);
    info->nr_pages = b->mem->nr_ram;
    info->shared_info = b->dom->shared_mfn << PAGE_SHIFT;
    info->flags = SIF_VIRT_P2M_4TOOLS;
    info->store_mfn = rings->store_mfn;
    info->store_evtchn = rings->store_port;
    info->console.domU.mfn = rings->console_mfn;
    info->console.domU.evtchn = rings->console_port;
    info->pt_base = pfn_va(b, l->tables);
    info->nr_pt_frames = l->nr_tables;
    describe_p2m(b, info);
    describe_initrd(b, info);
    snprintf((char *)info->cmd_line, sizeof info->cmd_line, "%s",
             b->dom->config->cmdline);
}

static void fill_hypercall_page(struct builder *b)
{
    const struct image_notes *notes = &b->image->notes;
    const struct engine_ops *engine = engine_ops_of(b->dom);
    uint64_t va = notes->hypercall_page;
    uint8_t *page = b->mem->base + (va - b->layout.base);

    if (!notes->has_hypercall_page || !engine)
        return;
    for (unsigned nr = 0; nr < HYPERCALL_NR_MAX; nr++)
        engine->write_stub(page + nr * STUB_SIZE, nr, va + nr * STUB_SIZE);
}

static void set_entry_state(struct builder *b)
{
    const struct pv_layout *l = &b->layout;
    struct vcpu *vcpu = &b->dom->vcpus[0];
    uint64_t stack_top = pfn_va(b, l->stack) + PAGE_SIZE;

    vcpu->regs = (struct regs){
        .rip = b->image->pv_entry,
        .cs = FLAT_KERNEL_CS64,
        .rflags = RFLAGS_ENTRY,
        .rsp = stack_top,
        .ss = FLAT_KERNEL_SS64,
        .rsi = pfn_va(b, l->start_info),
    };
    vcpu->cr3 = pfn_mfn(b, l->tables);
    vcpu->kernel_ss = FLAT_KERNEL_SS64;
    vcpu->kernel_sp = stack_top;
    vcpu->up = true;
}

int pv_build(struct domain *dom)
{
    struct builder b = {
        .dom = dom,
        .mem = &dom->mem,
        .image = dom->image,
    };
    int rc;

    if (!b.image->offers_pv)
        return image_refuse(b.image, "it cannot run as a PV guest: %s",
                            b.image->pv_refusal);
    rc = lay_out(&b);
    if (!rc)
        expect_writes(&b);
    if (!rc)
        rc = load_segments(&b);
    if (!rc)
        rc = load_initrd(&b);
    if (!rc)
        rc = build_shared_info(&b);
    if (!rc)
        rc = build_rings(&b);
    if (rc)
        return rc;
    build_start_info(&b);
    record_frames(&b);
    build_tables(&b);
    fill_hypercall_page(&b);
    set_entry_state(&b);
    log_info("%s: kernel at %#lx-%#lx, entry %#lx, start of day up to %#lx",
             b.image->path, b.image->virt_start, b.image->virt_end,
             b.image->pv_entry, pfn_va(&b, b.layout.end));
    return 0;
}
