/*
 * Borrowing from a grant table that its owner writes anything to, at any time.
 */
#include <grant/borrow.h>

#include "input.h"

#define NR_FRAMES 2
#define NR_USES   16

enum step { write_entry, write_flags, pin, unpin };

struct use {
    bool held;
    bool write;
    grant_ref_t ref;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct grant_table table = {.nr_frames = 0};
    struct use uses[NR_USES] = {{.held = false}};
    uint64_t nr_held = 0;

    for (int i = 0; i < NR_FRAMES; i++)
        PROMISE(!grant_table_grow(
            &table, calloc(1, 4096),
            calloc(GRANT_ENTRIES_PER_PAGE, sizeof(struct grant_pins))));

    while (input_left(&input)) {
        enum step step = input_u8(&input) % (unpin + 1);
        struct use *use = &uses[input_u8(&input) % NR_USES];
        /* Few entries, so that uses meet; now and then one out of the table. */
        grant_ref_t ref = input_u8(&input);
        grant_entry_v1_t *entry = &table.frames[ref & 1][ref >> 5];
        uint64_t frame;

        if (ref == 255)
            ref = input_u32(&input);
        else
            ref = (ref & 1 ? (grant_ref_t)GRANT_ENTRIES_PER_PAGE : 0) +
                  (ref >> 5);
        switch (step) {
        case write_entry:
            input_take(&input, entry, sizeof *entry);
            break;
        case write_flags:
            entry->flags = GTF_permit_access | (input_u8(&input) & 0x1c);
            entry->domid = 0;
            break;
        case pin:
            if (use->held)
                break;
            use->ref = ref;
            use->write = input_u8(&input) & 1;
            use->held =
                grant_pin(&table, ref, 0, use->write, &frame) == GNTST_okay;
            nr_held += use->held;
            PROMISE(!use->held || ref < NR_FRAMES * GRANT_ENTRIES_PER_PAGE);
            break;
        case unpin:
            if (!use->held)
                break;
            grant_unpin(&table, use->ref, use->write);
            use->held = false;
            nr_held--;
            break;
        }
        PROMISE(table.nr_pinned == nr_held);
    }

    for (int i = 0; i < NR_USES; i++)
        if (uses[i].held)
            grant_unpin(&table, uses[i].ref, uses[i].write);
    PROMISE(table.nr_pinned == 0);
    for (int i = 0; i < NR_FRAMES; i++) {
        for (size_t ref = 0; ref < GRANT_ENTRIES_PER_PAGE; ref++)
            PROMISE(!table.pins[i][ref].readers && !table.pins[i][ref].writers);
        free(table.frames[i]);
        free(table.pins[i]);
    }
    return 0;
}
