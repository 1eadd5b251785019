#include <ring/shared.h>

uint32_t ring_nr_slots(size_t bytes, size_t slot_size)
{
    size_t fit;
    uint32_t nr_slots = 1;

    if (!slot_size || bytes < RING_HEADER_SIZE + slot_size)
        return 0;

    fit = (bytes - RING_HEADER_SIZE) / slot_size;
    while (nr_slots <= fit / 2)
        nr_slots *= 2;
    return nr_slots;
}
