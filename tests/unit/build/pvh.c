/* A PVH domain at its start of day, as the guest finds it. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/elfnote.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#include "host/build/image.h"
#include "host/build/pvh.h"
#include "host/build/pvh_layout.h"
#include "host/domain.h"
#include "host/pvh/physmap.h"
#include "tests/unit/build/test_elf.h"

#define RAM_PAGES   512
#define INITRD_SIZE 5000

static struct test_elf elf;
static struct domain *dom;
static struct domain_config config;
static struct vcpu *vcpu;

static void init(void)
{
    const struct memory_config mem = {
        .ram_pages = RAM_PAGES, .shared_pages = 8, .translated = true};

    test_elf_init(&elf);
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, KERNEL_ENTRY);
    strcpy(config.cmdline, "one two");
    dom = calloc(1, sizeof *dom);
    dom->abi = ABI_PVH;
    dom->config = &config;
    dom->nr_vcpus = 1;
    vcpu = &dom->vcpus[0];
    vcpu->domain = dom;
    cr_assert_eq(memory_create(&dom->mem, &mem), 0);
    cr_assert_eq(ports_create(dom), 0);
    cr_assert_eq(module_open(&dom->initrd, NULL), 0);
}

static int build(void)
{
    cr_assert_eq(image_open(test_elf_write(&elf, sizeof elf), &dom->image), 0);
    return pvh_build(dom);
}

static void destroy(void)
{
    for (unsigned i = 0; i < dom->grants.nr_frames; i++)
        free(dom->grants.pins[i]);
    ports_destroy(dom);
    memory_destroy(&dom->mem);
    module_close(&dom->initrd);
    image_close(dom->image);
    free(dom);
}

TestSuite(pvh_build, .init = init, .fini = destroy);

static void *at(uint64_t paddr)
{
    uint8_t *page = memory_frame(&dom->mem, paddr >> PAGE_SHIFT);

    cr_assert(page, "nothing at %#lx", paddr);
    return page + paddr % PAGE_SIZE;
}

Test(pvh_build, the_kernel_lies_at_its_physical_addresses)
{
    elf.segments[SEG_LOAD].p_vaddr = 0xffffffff80000000;
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000);
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
    memset(elf.code, 0xab, sizeof elf.code);
    cr_assert_eq(build(), 0);
    cr_expect_eq(memcmp(at(KERNEL_PADDR), elf.code, sizeof elf.code), 0);
    cr_expect_eq(*(uint8_t *)at(KERNEL_PADDR + 0x1000), 0);
}

Test(pvh_build, the_cpu_starts_in_32_bits_without_paging)
{
    cr_assert_eq(build(), 0);
    cr_expect_eq(vcpu->regs.rip, KERNEL_ENTRY);
    cr_expect_eq(vcpu->regs.rflags, 2);
    cr_expect_eq(vcpu->paging.cr0, 0x11);
    cr_expect_eq(vcpu->paging.cr4, 0);
    cr_expect_eq(vcpu->paging.efer, 0);
}

Test(pvh_build, start_info_leads_to_all_the_rest)
{
    const struct hvm_memmap_table_entry *map;
    const struct hvm_start_info *info;

    cr_assert_eq(build(), 0);
    cr_assert_geq(vcpu->regs.rbx, KERNEL_PADDR + KERNEL_PAGES * PAGE_SIZE);
    info = at(vcpu->regs.rbx);
    cr_expect_eq(info->magic, XEN_HVM_START_MAGIC_VALUE);
    cr_expect_eq(info->version, 1);
    cr_expect_eq(info->flags, 0);
    cr_expect_eq(info->nr_modules, 0);
    cr_expect_str_eq(at(info->cmdline_paddr), "one two");
    cr_expect_eq(memcmp(at(info->rsdp_paddr), "RSD PTR ", 8), 0);
    cr_assert_eq(info->memmap_entries, 3);
    map = at(info->memmap_paddr);
    cr_expect_eq(map[0].addr, 0);
    cr_expect_eq(map[0].size, (uint64_t)RAM_PAGES << PAGE_SHIFT);
    cr_expect_eq(map[0].type, XEN_HVM_MEMMAP_TYPE_RAM);
    cr_expect_eq(map[1].type, XEN_HVM_MEMMAP_TYPE_ACPI);
    cr_expect(info->rsdp_paddr - map[1].addr < map[1].size);
    cr_expect_eq(map[2].type, XEN_HVM_MEMMAP_TYPE_RESERVED);
}

Test(pvh_build, the_rings_are_named_by_parameters_and_granted)
{
    const uint64_t *params = dom->hvm.params;
    const grant_entry_v1_t *grants;

    cr_assert_eq(build(), 0);
    cr_expect_eq(params[HVM_PARAM_STORE_PFN], PHYSMAP_STORE_GFN);
    cr_expect_eq(params[HVM_PARAM_CONSOLE_PFN], PHYSMAP_CONSOLE_GFN);
    cr_expect_neq(memory_frame(&dom->mem, PHYSMAP_STORE_GFN),
                  memory_frame(&dom->mem, PHYSMAP_CONSOLE_GFN));
    cr_expect_eq(params[HVM_PARAM_STORE_EVTCHN], dom->rings.store_port);
    cr_expect_eq(params[HVM_PARAM_CONSOLE_EVTCHN], dom->rings.console_port);
    cr_expect_eq(port_find(dom, dom->rings.store_port)->remote, BACKEND_ID);
    cr_assert_eq(dom->grants.nr_frames, 1);
    grants = dom->grants.frames[0];
    cr_expect_eq(grants[GNTTAB_RESERVED_CONSOLE].frame, PHYSMAP_CONSOLE_GFN);
    cr_expect_eq(grants[GNTTAB_RESERVED_XENSTORE].frame, PHYSMAP_STORE_GFN);
    cr_expect_eq(grants[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access);
    cr_expect_eq(vcpu->info, &dom->shared->vcpu_info[0]);
    cr_expect_eq(dom->shared->vcpu_info[0].evtchn_upcall_mask, 0);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES);
}

Test(pvh_build, the_initrd_is_a_module_behind_the_kernel)
{
    const struct hvm_modlist_entry *module;
    const struct hvm_start_info *info;
    uint8_t bytes[INITRD_SIZE];
    char path[64];
    int fd = memfd_create("initrd", 0);

    memset(bytes, 0x5a, sizeof bytes);
    cr_assert_eq(write(fd, bytes, sizeof bytes), sizeof bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cr_assert_eq(module_open(&dom->initrd, path), 0);
    cr_assert_eq(build(), 0);
    close(fd);
    info = at(vcpu->regs.rbx);
    cr_assert_eq(info->nr_modules, 1);
    module = at(info->modlist_paddr);
    cr_expect_eq(module->size, INITRD_SIZE);
    cr_expect_eq(module->cmdline_paddr, 0);
    cr_expect_eq(module->paddr % PAGE_SIZE, 0);
    cr_expect_geq(module->paddr, KERNEL_PADDR + KERNEL_PAGES * PAGE_SIZE);
    cr_expect_leq(module->paddr + module->size, vcpu->regs.rbx);
    cr_expect_eq(memcmp(at(module->paddr), bytes, sizeof bytes), 0);
}

Test(pvh_build, what_is_too_large_for_the_memory_is_refused)
{
    elf.segments[SEG_LOAD].p_memsz = RAM_PAGES * PAGE_SIZE - KERNEL_PADDR;
    cr_expect_eq(build(), -ENOMEM, "the kernel fits, start_info does not");
}

Test(pvh_build, what_leaves_no_room_below_4_gib_is_refused)
{
    elf.segments[SEG_LOAD].p_memsz =
        ((uint64_t)PHYSMAP_LOW_END << PAGE_SHIFT) - KERNEL_PADDR;
    cr_expect_eq(build(), -ENOEXEC);
}

/* Layouts alone. */

static struct image image;
static struct pvh_layout layout;

static bool lay_out(uint64_t start, uint64_t size, uint64_t initrd,
                    uint64_t limit)
{
    image = (struct image){.nr_segments = 1};
    image.segments[0] =
        (struct image_segment){.paddr = start, .mem_size = size};
    return pvh_layout(&image, initrd, limit, &layout);
}

Test(pvh_layout, nothing_overlaps_and_all_begins_on_pages)
{
    cr_assert(lay_out(0x100123, 0x1000, 4097, 0x200000));
    cr_expect_eq(layout.kernel_start, 0x100123);
    cr_expect_eq(layout.kernel_end, 0x101123);
    cr_expect_eq(layout.initrd, 0x102000);
    cr_expect_eq(layout.start_info, 0x104000);
    cr_expect_geq(layout.module_list,
                  layout.start_info + sizeof(struct hvm_start_info));
    cr_expect_geq(layout.memory_map,
                  layout.module_list + sizeof(struct hvm_modlist_entry));
    cr_expect_geq(layout.cmdline,
                  layout.memory_map +
                      3 * sizeof(struct hvm_memmap_table_entry));
    cr_expect_geq(layout.end, layout.cmdline + PVH_CMDLINE_SIZE);
    cr_expect_eq(layout.end, 0x105000);
}

Test(pvh_layout, ends_where_the_memory_ends_or_says_what_it_takes)
{
    cr_expect(lay_out(0x100000, 0x1000, 0, 0x102000));
    cr_expect_not(lay_out(0x100000, 0x1000, 0, 0x101fff));
    cr_expect_eq(layout.end, 0x102000);
    cr_expect_not(lay_out(UINT64_MAX - 0x1000, 0x1000, 0, 0x200000));
    cr_expect_eq(layout.end, UINT64_MAX);
    cr_expect_not(lay_out(0x100000, 0x1000, UINT64_MAX, 0x200000));
    cr_expect_eq(layout.end, UINT64_MAX);
}
