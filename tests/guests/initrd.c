/*
 * The module beside the kernel is what its file held, in whole pages, and stays
 * so while all memory is taken and written. What it holds is told by a sum, for
 * a test that knows the file.
 */
#include <string.h>

#include <pvguest/module.h>
#include <pvguest/page.h>

#include "sum.h"
#include "verdict.h"

static size_t fill_all_memory(void)
{
    size_t nr = 0;

    for (void *page; (page = page_alloc(1)); nr++)
        memset(page, 0xff, PAGE_SIZE);
    return nr;
}

int main(void)
{
    size_t len = 0, nr;
    const uint8_t *module = guest_module(&len);
    uint32_t before;

    if (!module) {
        printf("no module\n");
        return verdict();
    }
    before = sum(1, module, len);
    printf("module of %zu bytes, sum %u\n", len, before);
    promise((uintptr_t)module % PAGE_SIZE == 0, "it begins with a page");
    promise(len % PAGE_SIZE == 0, "it has whole pages");
    fflush(stdout);
    nr = fill_all_memory();
    before -= sum(1, module, len);
    /* printing may need memory, of which there is none */
    if (nr == 0 || before != 0)
        return 1;
    return verdict();
}
