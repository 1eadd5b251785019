/*
 * The note MOD_START_PFN asks for a module that is not mapped: start_info then
 * tells its first pfn. What it holds is told by a sum, as initrd.c does.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include "sum.h"
#include "verdict.h"

__asm__(".pushsection .note.Xen, \"a\", @note\n"
        ".balign 4\n"
        ".long 4, 8, 16\n" /* XEN_ELFNOTE_MOD_START_PFN */
        ".asciz \"Xen\"\n"
        ".quad 1\n"
        ".popsection");

int main(void)
{
    const start_info_t *start = guest_start_info;
    const uint64_t *p2m = (const uint64_t *)start->mfn_list;
    uint32_t total = 1;

    if (!start->mod_len) {
        printf("no module\n");
        return verdict();
    }
    promise(start->flags & SIF_MOD_START_PFN, "it is told by its pfn");
    promise(start->mod_start + start->mod_len / PAGE_SIZE <= start->nr_pages,
            "it lies in RAM");
    for (size_t i = 0; i < start->mod_len / PAGE_SIZE; i++) {
        const uint8_t *page = page_map_frame(p2m[start->mod_start + i], false);

        if (!page)
            return 1;
        total = sum(total, page, PAGE_SIZE);
    }
    printf("module of %lu bytes, sum %u\n", start->mod_len, total);
    return verdict();
}
