/* host/lint/lines_none.c: what a paravane built without libdw knows of lines.
 */
#include <stdio.h>

#include "host/lint/lines.h"

int lint_find_lines(const struct image *image, const struct elf *elf,
                    struct lint *lint)
{
    const Elf64_Shdr *section;
    const int rc = elf_find_section(image, elf, ".debug_info", &section);

    if (!rc && section)
        snprintf(lint->lines_trouble, sizeof lint->lines_trouble,
                 "this paravane was built without libdw");
    return rc;
}
