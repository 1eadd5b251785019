#include <pvguest/ring_page.h>

#include <pvguest/guest.h>
#include <pvguest/page.h>

/*
 * Xen's builder puts the ring pages right behind start_info, in RAM that is
 * mapped already; nothing promises that, so other frames are mapped anew.
 */
#define NEAR_PAGES 8

void *ring_page(uint64_t mfn)
{
    uintptr_t start = (uintptr_t)guest_start_info & ~(PAGE_SIZE - 1);

    for (unsigned i = 1; i <= NEAR_PAGES; i++) {
        void *page = (void *)(start + i * PAGE_SIZE);

        if (page_mfn(page) == mfn)
            return page;
    }
    return page_map_frame(mfn, true);
}
