/*
 * A window for frames that are not RAM of ours: the 2 MiB below the RAM, less
 * a page that catches stack overflow.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include "abi.h"
#include "internal.h"

#define WINDOW_START ((uintptr_t)guest_virt_base - 0x200000)
#define WINDOW_END   ((uintptr_t)guest_virt_base - PAGE_SIZE)

uintptr_t map_window(size_t nr)
{
    static uintptr_t next;
    uintptr_t va;
    GUEST_LOCKED;

    if (next == 0) {
        if (!guest_abi->open_window(WINDOW_START))
            return 0;
        next = WINDOW_START;
    }
    if (nr > (WINDOW_END - next) / PAGE_SIZE)
        return 0;
    va = next;
    next += nr * PAGE_SIZE;
    return va;
}

void *page_map_frame(uint64_t mfn, bool writable)
{
    uintptr_t va = map_window(1);

    return va && guest_abi->map_frame(va, mfn, writable) ? (void *)va : NULL;
}
