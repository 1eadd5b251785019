/* Calls of the hypervisor by VMCALL and VMMCALL, in an image for PVH. */
#include <stdlib.h>
#include <string.h>

#include "host/build/elf.h"
#include "host/engine/kvm/pvh_code.h"
#include "host/lint/lint.h"

static uint64_t count_found(const struct lint *lint)
{
    uint64_t nr = 0;

    for (size_t i = 0; i < lint->nr_findings; i++) {
        const char *name = lint->findings[i].what->name;

        nr += !strcmp(name, "vmcall") || !strcmp(name, "vmmcall");
    }
    return nr;
}

/* As the engine does it, on a copy. */
static int count_replaced(const struct image *image, uint64_t *nr)
{
    *nr = 0;
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *s = &image->segments[i];
        void *code;
        int rc;

        if (!(s->flags & PF_X) || !s->file_size)
            continue;
        rc = elf_read_part(image, "segment of code", s->file_offset,
                           s->file_size, &code);
        if (rc)
            return rc;
        *nr += pvh_replace_calls(code, s->file_size, s->paddr);
        free(code);
    }
    return 0;
}

int lint_vm_calls(struct image *image, struct lint_vm_calls *calls)
{
    struct lint lint = {0};
    int rc = 0;

    *calls = (struct lint_vm_calls){0};
    if (!image->is_32bit)
        rc = lint_image(image, &lint);
    if (!rc)
        calls->found = count_found(&lint);
    if (!rc && calls->found)
        rc = count_replaced(image, &calls->replaced);
    lint_destroy(&lint);
    return rc;
}
