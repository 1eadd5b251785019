/* A PV64 domain at its start of day, as the guest finds it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <xen/elfnote.h>

#include "host/build/image.h"
#include "host/build/pv.h"
#include "host/build/pv_layout.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/pagetable.h"
#include "tests/unit/build/test_elf.h"

#define HYPERCALL_PAGE (KERNEL_PADDR + 0x1000)
#define LEAF           (PTE_PRESENT | PTE_ACCESSED | PTE_USER | PTE_GUEST)

static struct test_elf elf;
static struct domain *dom;
static struct domain_config config;
static struct vcpu *vcpu;
static struct pv_layout layout;

/* An initrd, if a test makes one. */
#define INITRD_SIZE 5000
static uint8_t initrd[2 * 4096]; /* as the guest finds it: whole pages */
static char initrd_path[64];
static int initrd_fd;

static void write_stub(uint8_t stub[32], unsigned nr, uint64_t va)
{
    memset(stub, 0, 32);
    memcpy(stub, &nr, sizeof nr);
    memcpy(stub + 8, &va, sizeof va);
}

static const struct engine_ops ops = {
    .name = "none",
    .write_stub = write_stub,
    .va_end = UINT64_C(1) << 47,
};
static struct engine engine = {.ops = &ops};

static void make_domain(size_t ram_pages, bool scatter)
{
    const struct memory_config mem = {
        .ram_pages = ram_pages, .shared_pages = 4, .scatter = scatter};

    dom = calloc(1, sizeof *dom);
    dom->config = &config;
    dom->nr_vcpus = 1;
    dom->engine = &engine;
    vcpu = &dom->vcpus[0];
    vcpu->domain = dom;
    cr_assert_eq(memory_create(&dom->mem, &mem), 0);
    cr_assert_eq(ports_create(dom), 0);
    cr_assert_eq(image_open(test_elf_write(&elf, sizeof elf), &dom->image), 0);
    cr_assert_eq(module_open(&dom->initrd, *initrd_path ? initrd_path : NULL),
                 0);
}

static void build(size_t ram_pages, bool scatter)
{
    make_domain(ram_pages, scatter);
    cr_assert_eq(pv_build(dom), 0);
    cr_assert(pv_layout(dom->image, dom->initrd.size, ram_pages, &layout));
}

static void make_initrd(void)
{
    for (size_t i = 0; i < INITRD_SIZE; i++)
        initrd[i] = (uint8_t)(i % 251 + 1);
    initrd_fd = memfd_create("initrd", 0);
    snprintf(initrd_path, sizeof initrd_path, "/proc/self/fd/%d", initrd_fd);
    cr_assert_eq(write(initrd_fd, initrd, INITRD_SIZE), INITRD_SIZE);
}

static void init(void)
{
    test_elf_init(&elf);
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, HYPERCALL_PAGE);
    strcpy(config.cmdline, "one two");
}

static void destroy(void)
{
    if (!dom)
        return;
    for (unsigned i = 0; i < dom->grants.nr_frames; i++)
        free(dom->grants.pins[i]);
    ports_destroy(dom);
    memory_destroy(&dom->mem);
    module_close(&dom->initrd);
    image_close(dom->image);
    free(dom);
}

TestSuite(pv_build, .init = init, .fini = destroy);

static uint64_t va_of(pfn_t pfn)
{
    return layout.base + (pfn << PAGE_SHIFT);
}

/* What the guest finds at (va), a whole page. */
static void *guest_page(uint64_t va, bool writable)
{
    struct walk walk;

    guest_walk(&dom->mem, vcpu->cr3, va, &walk);
    cr_assert(walk.present, "nothing at %#lx", va);
    cr_assert_eq(walk.writable, writable, "at %#lx", va);
    return dom->mem.base + (memory_index(&dom->mem, walk.mfn) << PAGE_SHIFT);
}

static const struct start_info *start_info(void)
{
    const struct start_info *info = guest_page(vcpu->regs.rsi, true);

    cr_assert(info);
    return info;
}

/* The promises that hold for every domain. */
static void expect_start_of_day(size_t ram_pages)
{
    const struct start_info *info = start_info();
    const uint64_t *p2m = guest_page(info->mfn_list, true);
    struct walk walk;

    for (pfn_t pfn = 0; pfn < layout.end; pfn++) {
        pfn_t table = pfn - layout.tables;
        uint64_t rw = table < layout.nr_tables ? 0 : PTE_RW;

        guest_walk(&dom->mem, vcpu->cr3, va_of(pfn), &walk);
        cr_assert(walk.present && walk.user, "pfn %lu", pfn);
        cr_expect_eq(walk.pte & ~PTE_MFN_MASK, LEAF | rw, "pfn %lu", pfn);
        cr_expect_eq(memory_pfn(&dom->mem, walk.mfn), pfn);
    }
    guest_walk(&dom->mem, vcpu->cr3, va_of(layout.end), &walk);
    cr_expect(!walk.present);

    for (pfn_t pfn = 0; pfn < ram_pages; pfn++) {
        if (pfn % 512 == 0)
            p2m = guest_page(info->mfn_list + pfn * 8, true);
        cr_assert_eq(memory_pfn(&dom->mem, p2m[pfn % 512]), pfn);
    }
    cr_expect_eq(info->nr_pages, ram_pages);
    cr_expect_eq(info->pt_base, va_of(layout.tables));
    cr_expect_eq(info->nr_pt_frames, layout.nr_tables);
    guest_walk(&dom->mem, vcpu->cr3, info->pt_base, &walk);
    cr_expect_eq(walk.mfn, vcpu->cr3);
}

Test(pv_build, a_4_mib_guest_finds_itself_linearly_mapped)
{
    build(1024, false);
    expect_start_of_day(1024);
}

Test(pv_build, so_does_one_whose_frames_are_scattered)
{
    build(4096, true);
    expect_start_of_day(4096);
}

Test(pv_build, the_tables_are_valid_as_xen_sees_them)
{
    build(1024, true);
    cr_expect_eq(pagetable_adopt(vcpu), 0);
    cr_expect(memory_record(&dom->mem, vcpu->cr3)->pinned);
}

Test(pv_build, the_list_may_have_its_own_mapping)
{
    const uint64_t base = UINT64_C(0x8000000000);
    const struct start_info *info;

    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, base);
    test_elf_add_number(&elf, XEN_ELFNOTE_ENTRY, base + KERNEL_PADDR);
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE,
                        base + HYPERCALL_PAGE);
    test_elf_add_number(&elf, XEN_ELFNOTE_INIT_P2M, 0x40000000);
    build(4096, true);
    expect_start_of_day(4096);
    info = start_info();
    cr_expect_eq(info->mfn_list, 0x40000000);
    cr_expect_eq(info->first_p2m_pfn, layout.p2m);
    cr_expect_eq(info->nr_p2m_frames, 8 + 3);
    cr_expect_eq(pagetable_adopt(vcpu), 0);
}

Test(pv_build, the_kernel_is_loaded_and_its_bss_is_zero)
{
    static const uint8_t zero[4096];

    elf.code[0] = 0x42;
    build(1024, true);
    cr_expect_arr_eq(guest_page(KERNEL_PADDR, true), elf.code, 4096);
    cr_expect_arr_eq(guest_page(KERNEL_PADDR + 0x2000, true), zero, 4096);
}

Test(pv_build, an_initrd_is_mapped_with_zeros_behind_it)
{
    const struct start_info *info;

    make_initrd();
    build(1024, true);
    expect_start_of_day(1024);
    info = start_info();
    cr_expect_eq(info->flags, SIF_VIRT_P2M_4TOOLS);
    cr_expect_eq(info->mod_start, va_of(layout.module));
    cr_expect_eq(info->mod_len, INITRD_SIZE);
    for (size_t i = 0; i < sizeof initrd; i += 4096)
        cr_expect_arr_eq(guest_page(info->mod_start + i, true), initrd + i,
                         4096);
    cr_expect_eq(dom->initrd.fd, -1, "it is read once");
}

Test(pv_build, with_mod_start_pfn_it_is_not_mapped)
{
    const struct start_info *info;
    struct walk walk;

    make_initrd();
    test_elf_add_number(&elf, XEN_ELFNOTE_MOD_START_PFN, 1);
    build(1026, true);
    expect_start_of_day(1026);
    info = start_info();
    cr_expect_eq(info->flags, SIF_VIRT_P2M_4TOOLS | SIF_MOD_START_PFN);
    cr_expect_eq(info->mod_start, 1024);
    cr_expect_eq(info->mod_len, sizeof initrd);
    cr_expect_arr_eq(dom->mem.base + (info->mod_start << PAGE_SHIFT), initrd,
                     sizeof initrd);
    guest_walk(&dom->mem, vcpu->cr3, va_of(1024), &walk);
    cr_expect(!walk.present);
}

Test(pv_build, an_initrd_that_does_not_fit_is_refused)
{
    make_initrd();
    test_elf_add_number(&elf, XEN_ELFNOTE_MOD_START_PFN, 1);
    make_domain(1025, false);
    cr_expect_eq(pv_build(dom), -ENOMEM);
}

Test(pv_build, an_initrd_that_became_shorter_is_an_error)
{
    make_initrd();
    make_domain(1024, false);
    cr_assert_eq(ftruncate(initrd_fd, INITRD_SIZE - 1), 0);
    cr_expect_eq(pv_build(dom), -ENOEXEC);
    cr_expect_eq(dom->initrd.fd, -1);
}

Test(pv_build, start_info_is_complete)
{
    const struct start_info *info;
    mfn_t store, console;

    build(1024, true);
    info = start_info();
    store = memory_mfn(&dom->mem, layout.xenstore);
    console = memory_mfn(&dom->mem, layout.console);
    cr_expect_eq(strcmp(info->magic, "xen-3.0-x86_64"), 0);
    cr_expect_eq(info->shared_info, dom->shared_mfn << PAGE_SHIFT);
    cr_expect_eq(info->flags, SIF_VIRT_P2M_4TOOLS);
    cr_expect_eq(info->store_mfn, store);
    cr_expect_eq(info->console.domU.mfn, console);
    cr_expect_eq(info->mod_start, 0);
    cr_expect_eq(info->first_p2m_pfn, 0);
    cr_expect_str_eq((const char *)info->cmd_line, "one two");
}

Test(pv_build, ports_are_unbound_for_the_backends)
{
    const struct start_info *info;
    const struct port *store, *console;

    build(1024, false);
    info = start_info();
    cr_expect_eq(info->store_evtchn, 1);
    cr_expect_eq(info->console.domU.evtchn, 2);
    store = port_find(dom, info->store_evtchn);
    console = port_find(dom, info->console.domU.evtchn);
    cr_assert(store && console);
    cr_expect_eq(store->state, PORT_UNBOUND);
    cr_expect_eq(console->state, PORT_UNBOUND);
    cr_expect_eq(store->remote, BACKEND_ID);
    cr_expect_eq(console->remote, BACKEND_ID);
}

Test(pv_build, the_rings_are_granted_to_the_backends)
{
    const struct start_info *info;
    uint64_t frame;

    build(1024, true);
    info = start_info();
    cr_expect_eq(grant_pin(&dom->grants, GNTTAB_RESERVED_CONSOLE, BACKEND_ID,
                           true, &frame),
                 GNTST_okay);
    cr_expect_eq(frame, info->console.domU.mfn);
    cr_expect_eq(grant_pin(&dom->grants, GNTTAB_RESERVED_XENSTORE, BACKEND_ID,
                           true, &frame),
                 GNTST_okay);
    cr_expect_eq(frame, info->store_mfn);
}

Test(pv_build, shared_info_is_not_ram_and_masks_all_upcalls)
{
    build(1024, true);
    cr_expect_eq(memory_record(&dom->mem, dom->shared_mfn)->state,
                 FRAME_SHARED);
    cr_expect_eq(memory_pfn(&dom->mem, dom->shared_mfn), INVALID_PFN);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        cr_expect_eq(dom->shared->vcpu_info[i].evtchn_upcall_mask, 1);
    cr_expect_eq(vcpu->info, &dom->shared->vcpu_info[0]);
}

Test(pv_build, vcpu_0_starts_as_xen_starts_it)
{
    const struct regs none = {0};

    build(1024, false);
    cr_expect_eq(vcpu->regs.rip, KERNEL_ENTRY);
    cr_expect_eq(vcpu->regs.rsp, va_of(layout.stack) + 4096);
    cr_expect_eq(vcpu->regs.rsi, va_of(layout.start_info));
    cr_expect_eq(vcpu->regs.cs, 0xe033);
    cr_expect_eq(vcpu->regs.ss, 0xe02b);
    cr_expect_eq(vcpu->regs.rflags, 0x202);
    cr_expect_eq(vcpu->kernel_sp, vcpu->regs.rsp);
    cr_expect_eq(vcpu->kernel_ss, 0xe02b);
    cr_expect(vcpu->up);
    cr_expect_arr_eq(&vcpu->regs, &none, offsetof(struct regs, rsi));
}

Test(pv_build, the_hypercall_page_has_128_stubs)
{
    const uint8_t *page;

    build(1024, true);
    page = guest_page(HYPERCALL_PAGE, true);
    for (unsigned nr = 0; nr < 128; nr++, page += 32) {
        uint64_t va = HYPERCALL_PAGE + nr * 32;

        cr_expect_arr_eq(page, &nr, sizeof nr);
        cr_expect_arr_eq(page + 8, &va, sizeof va);
    }
}

Test(pv_build, memory_beyond_the_boot_stack_is_not_touched)
{
    pfn_t kernel;
    struct stat st;

    build(1024, false);
    kernel = (dom->image->virt_start - layout.base) >> PAGE_SHIFT;
    cr_assert_eq(fstat(dom->mem.fd, &st), 0);
    /* from the kernel to the stack; shared_info and grant table */
    cr_expect_leq(st.st_blocks / 8, (blkcnt_t)(layout.stack + 1 - kernel + 2));
}

Test(pv_build, what_does_not_fit_is_refused_with_the_least_memory)
{
    make_domain(1023, false);
    cr_expect_eq(pv_build(dom), -ENOMEM);
    cr_expect_eq(pv_layout_minimum(dom->image, 0), 1024);
}

Test(pv_build, an_image_larger_than_memory_is_refused)
{
    elf.segments[SEG_LOAD].p_memsz = UINT64_C(1) << 45;
    make_domain(4096, false);
    cr_expect_eq(pv_build(dom), -ENOMEM);
}

Test(pv_build, an_image_without_a_pv_entry_is_refused)
{
    test_elf_add_string(&elf, XEN_ELFNOTE_LOADER, "other");
    make_domain(1024, false);
    cr_expect_eq(pv_build(dom), -ENOEXEC);
}
