#include "host/build/pvh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <stdint.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/xen.h>

#include "host/build/acpi.h"
#include "host/build/elf.h"
#include "host/build/image.h"
#include "host/build/pvh_layout.h"
#include "host/build/start.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/pvh/memory_map.h"
#include "host/pvh/physmap.h"

#define CR0_ENTRY    0x11 /* PE, and ET, which is always 1 */
#define RFLAGS_ENTRY 0x2

#define MANY_PAGES 1024

#define ACPI_PADDR ((uint64_t)PHYSMAP_ACPI_GFN << PAGE_SHIFT)

struct builder {
    struct domain *dom;
    struct memory *mem;
    const struct image *image;
    struct pvh_layout layout;
};

/* Below the hole at 4 GiB, frames and gfns are the same. */
static void *paddr_bytes(const struct builder *b, uint64_t paddr)
{
    return b->mem->base + paddr;
}

static int lay_out(struct builder *b)
{
    const uint64_t ram = (uint64_t)b->mem->physmap->low_pages << PAGE_SHIFT;
    const uint64_t most = (uint64_t)PHYSMAP_LOW_END << PAGE_SHIFT;

    if (pvh_layout(b->image, b->dom->initrd.size, ram, &b->layout))
        return 0;
    if (b->layout.end > most)
        return image_refuse(b->image,
                            "with its initrd it ends at %#lx, beyond %#lx, "
                            "where the memory below 4 GiB ends: make that "
                            "smaller or link it lower",
                            b->layout.end, most);
    log_error("%s: the guest%s does not fit into %lu KiB: give it at least "
              "--memory %luM",
              b->image->path, b->layout.initrd_size ? " with its initrd" : "",
              ram / 1024, (b->layout.end + 0xfffff) >> 20);
    return -ENOMEM;
}

/* All that is written at start of day, unless the kernel is a large one. */
static void expect_writes(struct builder *b)
{
    const size_t first = b->layout.kernel_start >> PAGE_SHIFT;
    const size_t end = b->layout.end >> PAGE_SHIFT;

    if (end - first < MANY_PAGES)
        memory_expect_writes(b->mem, first, end - first);
}

/* What lies beyond the file's part of a segment is zero already. */
static int load_segments(struct builder *b)
{
    for (unsigned i = 0; i < b->image->nr_segments; i++) {
        const struct image_segment *segment = &b->image->segments[i];
        int rc;

        rc = image_read(b->image, segment->file_offset,
                        paddr_bytes(b, segment->paddr), segment->file_size);
        if (rc)
            return rc;
    }
    return 0;
}

/* The last page's rest is zero already. */
static int load_initrd(struct builder *b)
{
    const struct pvh_layout *l = &b->layout;

    memory_expect_writes(b->mem, l->initrd >> PAGE_SHIFT,
                         (l->start_info - l->initrd) >> PAGE_SHIFT);
    return module_load(&b->dom->initrd, paddr_bytes(b, l->initrd));
}

static void describe_initrd(struct builder *b, struct hvm_start_info *info)
{
    const struct pvh_layout *l = &b->layout;
    struct hvm_modlist_entry *list = paddr_bytes(b, l->module_list);

    if (!l->initrd_size)
        return;
    *list = (struct hvm_modlist_entry){
        .paddr = l->initrd,
        .size = l->initrd_size,
    };
    info->nr_modules = 1;
    info->modlist_paddr = l->module_list;
}

static unsigned build_memory_map(struct builder *b)
{
    struct hvm_memmap_table_entry *to = paddr_bytes(b, b->layout.memory_map);
    struct memory_map_entry entries[MEMORY_MAP_MAX];
    const unsigned nr = memory_map_of(b->mem, entries);

    for (unsigned i = 0; i < nr; i++)
        to[i] = (struct hvm_memmap_table_entry){
            .addr = entries[i].addr,
            .size = entries[i].size,
            .type = entries[i].type,
        };
    return nr;
}

static void build_start_info(struct builder *b)
{
    const struct pvh_layout *l = &b->layout;
    struct hvm_start_info *info = paddr_bytes(b, l->start_info);

    *info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .cmdline_paddr = l->cmdline,
        .rsdp_paddr = ACPI_PADDR,
        .memmap_paddr = l->memory_map,
        .memmap_entries = build_memory_map(b),
    };
    describe_initrd(b, info);
    snprintf(paddr_bytes(b, l->cmdline), PVH_CMDLINE_SIZE, "%s",
             b->dom->config->cmdline);
}

/* A page beside the RAM, at (gfn): its bytes, or NULL with a sentence. */
static uint8_t *build_special_page(struct builder *b, mfn_t gfn)
{
    size_t index;
    uint8_t *page = memory_take_frame(b->mem, &index);

    if (page && physmap_place(b->mem->physmap, gfn, index) == 0)
        return page;
    log_error("no frame is left for the guest's rings and tables: this is a "
              "fault of paravane's own, please report it");
    return NULL;
}

static int build_acpi(struct builder *b)
{
    uint8_t *page = build_special_page(b, PHYSMAP_ACPI_GFN);

    if (!page)
        return -ENOMEM;
    acpi_build(page, ACPI_PADDR, b->dom->nr_vcpus);
    return 0;
}

static int build_rings(struct builder *b)
{
    struct domain_rings *rings = &b->dom->rings;
    uint64_t *params = b->dom->hvm.params;
    int rc;

    rings->store_mfn = PHYSMAP_STORE_GFN;
    rings->console_mfn = PHYSMAP_CONSOLE_GFN;
    if (!build_special_page(b, rings->store_mfn) ||
        !build_special_page(b, rings->console_mfn))
        return -ENOMEM;
    rc = start_port(b->dom, &rings->store_port);
    if (!rc)
        rc = start_port(b->dom, &rings->console_port);
    if (rc)
        return rc;
    params[HVM_PARAM_STORE_PFN] = rings->store_mfn;
    params[HVM_PARAM_STORE_EVTCHN] = rings->store_port;
    params[HVM_PARAM_CONSOLE_PFN] = rings->console_mfn;
    params[HVM_PARAM_CONSOLE_EVTCHN] = rings->console_port;
    return start_grants(b->dom, rings->console_mfn, rings->store_mfn);
}

static void set_entry_state(struct builder *b)
{
    struct vcpu *vcpu = &b->dom->vcpus[0];

    vcpu->regs = (struct regs){
        .rip = b->image->notes.phys32_entry,
        .rbx = b->layout.start_info,
        .rflags = RFLAGS_ENTRY,
    };
    vcpu->paging = (struct paging){.cr0 = CR0_ENTRY};
    for (unsigned i = 0; i < b->dom->nr_vcpus; i++)
        lapic_init(&b->dom->vcpus[i].lapic, lapic_id_of(i));
    vcpu->up = true;
}

int pvh_build(struct domain *dom)
{
    struct builder b = {
        .dom = dom,
        .mem = &dom->mem,
        .image = dom->image,
    };
    size_t index;
    int rc;

    if (!b.image->offers_pvh)
        return image_refuse(b.image, "it cannot run as a PVH guest: %s",
                            b.image->pvh_refusal);
    rc = lay_out(&b);
    if (rc)
        return rc;
    expect_writes(&b);
    rc = load_segments(&b);
    if (!rc)
        rc = load_initrd(&b);
    if (!rc)
        rc = start_shared_info(dom, &index);
    if (!rc)
        rc = build_rings(&b);
    if (!rc)
        rc = build_acpi(&b);
    if (rc)
        return rc;
    build_start_info(&b);
    set_entry_state(&b);
    log_info("%s: kernel at %#lx-%#lx, entry %#lx, start of day up to %#lx",
             b.image->path, b.layout.kernel_start, b.layout.kernel_end,
             b.image->notes.phys32_entry, b.layout.end);
    return 0;
}
