#include "host/engine/kvm/stub.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "host/log.h"
#include "host/pagetable.h"

static_assert(sizeof(struct stub_pages) % PAGE_SIZE == 0, "whole pages");
static_assert(sizeof(struct stub_cpu) % PAGE_SIZE == 0, "whole pages");
static_assert(offsetof(struct stub_cpu, stack) % PAGE_SIZE == 0, "a page");
static_assert(offsetof(struct stub_cpu, gdt) % PAGE_SIZE == 0, "a page");
static_assert(sizeof(struct stub_cpu) / PAGE_SIZE <= STUB_GDT_PAGE, "room");

#define ENTRIES    512
#define LARGE_PAGE (UINT64_C(2) << 20)
#define L3_SPAN    (UINT64_C(512) << 30)
#define MAX_GPA    (UINT64_C(6) << 40) /* the windows' slots and to spare */

#define TABLE   (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED)
#define RING0   (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY)
#define RING0_W (RING0 | PTE_RW | PTE_NX)
#define RING3   (RING0 | PTE_USER)

static uint64_t page_gpa(const struct stub *stub, const void *page)
{
    return stub->gpa +
           (uint64_t)((const char *)page - (const char *)stub->pages);
}

/* Map the pages that all vCPUs share, each with the rights that it needs. */
static void fill_shared_table(struct stub *stub)
{
    struct stub_pages *pages = stub->pages;
    const size_t nr = offsetof(struct stub_pages, l1) / PAGE_SIZE;

    for (size_t i = 0; i < nr; i++) {
        const uint8_t *page = (uint8_t *)pages + i * PAGE_SIZE;
        uint64_t flags = RING0_W;

        if (page == pages->code)
            flags = RING0;
        else if (page == pages->syscall || page == pages->deputy)
            flags = RING3;
        pages->l1[i] = page_gpa(stub, page) | flags;
    }
}

/* Map one vCPU's pages. */
static void fill_cpu_table(const struct stub *stub, struct stub_cpu *own)
{
    const size_t nr = offsetof(struct stub_cpu, l1) / PAGE_SIZE;

    for (size_t i = 0; i < nr; i++) {
        const uint8_t *page = (uint8_t *)own + i * PAGE_SIZE;

        uint64_t flags = RING0_W;

        if (page == own->code)
            flags = RING0;
        else if (page == own->entry)
            flags = RING3;
        own->l1[i] = page_gpa(stub, page) | flags;
    }
    for (unsigned i = 0; i < VCPU_GDT_FRAMES; i++)
        own->l1[STUB_GDT_PAGE + i] =
            page_gpa(stub, stub->pages->no_gdt) | RING0_W;
    own->l1[STUB_GDT_PAGE + VCPU_GDT_FRAMES] =
        page_gpa(stub, own->gdt) | RING0_W;
}

static uint64_t *new_table(struct stub *stub)
{
    return (uint64_t *)stub->pages + stub->next_table++ * ENTRIES;
}

/* The table below entry (slot), made if there is none. */
static uint64_t *below(struct stub *stub, uint64_t *table, uint64_t slot)
{
    if (!table[slot])
        table[slot] = page_gpa(stub, new_table(stub)) | TABLE;
    return (uint64_t *)stub->pages +
           ((table[slot] & PTE_MFN_MASK) - stub->gpa) / sizeof *table;
}

static void map_own(struct stub *stub, uint64_t *l3)
{
    uint64_t *l2 = below(stub, l3, 0);

    l2[0] = page_gpa(stub, stub->pages->l1) | TABLE;
    for (unsigned i = 0; i < stub->nr_cpus; i++)
        l2[i + 1] = page_gpa(stub, stub->cpus[i].l1) | TABLE;
}

/* (size) bytes at (gpa), to be read by ring 3, from (slot) of (l3) on. */
static void map_to_read(struct stub *stub, uint64_t *l3, uint64_t slot,
                        uint64_t gpa, size_t size)
{
    for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
        uint64_t *l2 = below(stub, l3, slot + (at >> 30));
        uint64_t *l1 = below(stub, l2, at >> 21 & (ENTRIES - 1));

        l1[at >> PAGE_SHIFT & (ENTRIES - 1)] = (gpa + at) | RING3 | PTE_NX;
    }
}

/* All that is below the M2P table, the guest's frames and the stub. */
static void map_window(struct stub *stub, uint64_t *l3, uint64_t from)
{
    for (uint64_t at = from; at < stub->m2p_gpa && at < from + L3_SPAN;
         at += LARGE_PAGE) {
        uint64_t *l2 = below(stub, l3, at >> 30 & (ENTRIES - 1));

        l2[at >> 21 & (ENTRIES - 1)] = at | RING0_W | PTE_PSE;
    }
}

/* What the kernel's ring 3 has beside it. */
static void map_deputy(struct stub *stub)
{
    uint64_t *l3 = new_table(stub);

    stub->deputy_l4 = page_gpa(stub, l3) | TABLE;
    stub->deputy_l1 = below(stub, below(stub, l3, 0), 0);
    for (unsigned i = 0; i < stub->nr_cpus; i++)
        stub->deputy_l1[i] =
            page_gpa(stub, &stub->cpus[i].deputy) | RING0_W | PTE_USER;
    map_to_read(stub, l3, DEPUTY_FRAMES >> 30, stub->frames_gpa,
                stub->frames_size);
    for (uint64_t at = 0; at < stub->gpa; at += LARGE_PAGE) {
        uint64_t *l2 = below(stub, l3, (DEPUTY_WINDOW + at) >> 30);

        l2[at >> 21 & (ENTRIES - 1)] = at | RING0_W | PTE_USER | PTE_PSE;
    }
}

static size_t parts(uint64_t size, uint64_t part)
{
    return (size + part - 1) / part;
}

/* Pages for the tables, never less than needed: they map themselves. */
static size_t count_tables(uint64_t gpa, size_t m2p_size)
{
    const uint64_t end = gpa + (gpa >> 16) + 2 * LARGE_PAGE;

    return 2 + 1 + parts(m2p_size, UINT64_C(1) << 30) +
           parts(m2p_size, LARGE_PAGE) + parts(end, L3_SPAN) +
           parts(end, UINT64_C(1) << 30) + 2;
}

/* And for the deputy. */
static size_t count_deputy_tables(const struct stub *stub)
{
    if (!stub->has_deputy)
        return 0;
    return 3 + parts(stub->frames_size, UINT64_C(1) << 30) +
           parts(stub->frames_size, LARGE_PAGE) +
           parts(stub->gpa, UINT64_C(1) << 30);
}

static void add_slot(struct stub *stub, const uint64_t *l3)
{
    stub->l4[stub->nr_l4++] = page_gpa(stub, l3) | TABLE;
}

static void fill_pages(struct stub *stub)
{
    struct stub_pages *pages = stub->pages;

    memcpy(pages->code, stub_code, (size_t)(stub_code_end - stub_code));
    memcpy(pages->syscall, stub_syscall,
           (size_t)(stub_syscall_end - stub_syscall));
    memcpy(pages->deputy, deputy_code, (size_t)(deputy_code_end - deputy_code));
    stub_fill_idt(pages->idt);
    fill_shared_table(stub);
    for (unsigned i = 0; i < stub->nr_cpus; i++) {
        stub_fill_cpu(&stub->cpus[i], i);
        fill_cpu_table(stub, &stub->cpus[i]);
    }
}

int stub_create(struct stub *stub, const struct memory *mem, unsigned nr_cpus,
                uint64_t gpa, bool deputy)
{
    const size_t own_size = sizeof *stub->pages + nr_cpus * sizeof *stub->cpus;
    size_t nr_tables =
        count_tables(gpa + nr_cpus * sizeof *stub->cpus, mem->m2p_size);
    uint64_t *own, *m2p;
    void *pages;

    if (gpa > MAX_GPA) {
        log_error("the engine kvm takes guests of up to 6 TiB: give it less "
                  "with --memory");
        return -ENOMEM;
    }
    *stub = (struct stub){.gpa = gpa, .nr_cpus = nr_cpus, .has_deputy = deputy};
    if (deputy)
        stub->frames_size =
            parts(mem->nr_frames * sizeof *mem->frames, PAGE_SIZE) * PAGE_SIZE;
    nr_tables += count_deputy_tables(stub);
    stub->size = own_size + nr_tables * PAGE_SIZE;
    stub->m2p_gpa = gpa + parts(stub->size, LARGE_PAGE) * LARGE_PAGE;
    stub->frames_gpa =
        stub->m2p_gpa + parts(mem->m2p_size, LARGE_PAGE) * LARGE_PAGE;
    stub->next_table = own_size / PAGE_SIZE;
    pages = mmap(NULL, stub->size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        log_error("no memory for the page tables beside the guest: %m");
        return -errno;
    }
    stub->pages = pages;
    stub->cpus = (struct stub_cpu *)(stub->pages + 1);
    fill_pages(stub);

    own = new_table(stub);
    m2p = new_table(stub);
    map_own(stub, own);
    map_to_read(stub, m2p, 0, stub->m2p_gpa, mem->m2p_size);
    add_slot(stub, m2p); /* 256 */
    add_slot(stub, own); /* 257 */
    add_slot(stub, m2p); /* 258 */
    for (uint64_t from = 0; from < stub->m2p_gpa; from += L3_SPAN) {
        uint64_t *l3 = new_table(stub);

        map_window(stub, l3, from);
        add_slot(stub, l3);
    }
    if (deputy)
        map_deputy(stub);
    return 0;
}

void stub_destroy(struct stub *stub)
{
    if (stub->pages)
        munmap(stub->pages, stub->size);
    *stub = (struct stub){0};
}

/* What (view) sees in (slot); 0: nothing. */
static uint64_t slot_for(const struct stub *stub, unsigned slot,
                         enum stub_view view)
{
    if (slot == STUB_LAST_SLOT && stub->has_deputy)
        return view == STUB_KERNEL ? stub->deputy_l4 : 0;
    if (view == STUB_USER && (slot == 256 || slot == 258))
        return 0;
    return stub->l4[slot - STUB_FIRST_SLOT];
}

uint32_t stub_install(const struct stub *stub, uint64_t *l4,
                      enum stub_view view)
{
    uint32_t changed = 0;

    for (unsigned slot = STUB_FIRST_SLOT; slot <= STUB_LAST_SLOT; slot++) {
        const uint64_t wanted = slot_for(stub, slot, view);

        if (l4[slot] == wanted)
            continue;
        if (l4[slot])
            changed |= 1u << (slot - STUB_FIRST_SLOT);
        l4[slot] = wanted;
    }
    return changed;
}

bool stub_show_info(struct stub *stub, unsigned id, mfn_t mfn)
{
    uint64_t *entry = &stub->deputy_l1[DEPUTY_INFO / PAGE_SIZE + id];
    const uint64_t old = *entry;

    *entry = mfn << PAGE_SHIFT | RING0_W | PTE_USER;
    return *entry != old;
}

uint64_t stub_info_entry(const struct stub *stub, unsigned id)
{
    return page_gpa(stub, &stub->deputy_l1[DEPUTY_INFO / PAGE_SIZE + id]);
}

void stub_set_gdt(struct stub *stub, const struct vcpu *vcpu)
{
    for (unsigned i = 0; i < VCPU_GDT_FRAMES; i++) {
        uint64_t gpa = page_gpa(stub, stub->pages->no_gdt);

        if (i * ENTRIES < vcpu->nr_gdt_entries)
            gpa = vcpu->gdt[i] << PAGE_SHIFT;
        stub->cpus[vcpu->id].l1[STUB_GDT_PAGE + i] = gpa | RING0_W;
    }
}

uint64_t stub_gdt_entry(const struct stub *stub, unsigned id, unsigned i)
{
    return page_gpa(stub, &stub->cpus[id].l1[STUB_GDT_PAGE + i]);
}

void stub_set_ldt_page(struct stub *stub, const struct vcpu *vcpu, unsigned i,
                       mfn_t mfn)
{
    stub->cpus[vcpu->id].l1[STUB_LDT_PAGE + i] =
        mfn ? mfn << PAGE_SHIFT | RING0_W : 0;
}

void stub_show_spare(struct stub *stub, unsigned id, const void *shown)
{
    stub->cpus[id].l1[STUB_SPARE_PAGE] =
        shown ? page_gpa(stub, shown) | RING0_W : 0;
}

uint64_t stub_ldt_entry(const struct stub *stub, unsigned id, unsigned i)
{
    return page_gpa(stub, &stub->cpus[id].l1[STUB_LDT_PAGE + i]);
}
