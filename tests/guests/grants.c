/*
 * Lending pages: references are unique, the table grows, and what was taken
 * back can be lent again.
 */
#include "verdict.h"

#include <pvguest/grant.h>
#include <pvguest/page.h>

#include <stdlib.h>

#define NR 1200 /* more than two frames of the table hold */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static bool are_unique(int64_t *refs, size_t nr)
{
    qsort(refs, nr, sizeof *refs, compare);
    for (size_t i = 1; i < nr; i++)
        if (refs[i] == refs[i - 1])
            return false;
    return refs[0] >= GNTTAB_NR_RESERVED_ENTRIES;
}

int main(void)
{
    void *page = page_alloc_zeroed(1);
    static int64_t refs[NR];
    bool lent = true, ended = true;
    uint32_t room = guest_grant_room();

    promise(room > 0, "there is a table");
    for (unsigned i = 0; i < NR; i++) {
        refs[i] = guest_grant(0, page, true);
        lent &= refs[i] > 0;
    }
    promise(lent, "the table grows");
    promise(are_unique(refs, NR), "references are unique and not reserved");
    for (unsigned i = 0; i < NR; i++)
        ended &= guest_grant_end((grant_ref_t)refs[i]) == 0;
    promise(ended, "what nobody uses can be taken back");
    promise(guest_grant_room() >= NR, "and lent again");
    return verdict();
}
