/*
 * host/lint/alternatives.h: Linux's lists of code that it puts in the place of
 * other code while it boots, as the CPU and the hypervisor have it. (private)
 */
#ifndef HOST_LINT_ALTERNATIVES_H
#define HOST_LINT_ALTERNATIVES_H

#include "host/build/elf.h"
#include "host/lint/lint.h"

/*
 * Set the place of each finding, which are sorted: 0, or -errno with a
 * sentence. Images without such lists have LINT_PLAIN ones only.
 */
int lint_place_findings(const struct image *image, const struct elf *elf,
                        struct lint *lint);

#endif
