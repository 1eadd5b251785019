/*
 * Anonymous memory, for malloc and thread stacks.
 */
#include <pvguest/page.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "linux.h"

static size_t pages_of(size_t len)
{
    return len / PAGE_SIZE + (len % PAGE_SIZE != 0);
}

static bool is_aligned(const void *addr)
{
    return ((uintptr_t)addr & (PAGE_SIZE - 1)) == 0;
}

/* (addr) is a wish; protection is what all of RAM has. */
long linux_mmap(void *addr, size_t len, int prot, int flags, int fd,
                off_t offset)
{
    void *pages;

    (void)addr;
    (void)prot;
    (void)fd;
    (void)offset;
    if (len == 0)
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS))
        return -ENODEV;
    if (flags & MAP_FIXED)
        return -ENOMEM;
    pages = page_alloc_zeroed(pages_of(len));
    return pages ? (long)pages : -ENOMEM;
}

long linux_munmap(void *addr, size_t len)
{
    if (len == 0 || !is_aligned(addr))
        return -EINVAL;
    page_free(addr, pages_of(len));
    return 0;
}

long linux_mremap(void *addr, size_t old_len, size_t new_len, int flags)
{
    size_t old_pages = pages_of(old_len), new_pages = pages_of(new_len);
    char *moved;

    if (!is_aligned(addr) || new_len == 0 || (flags & ~MREMAP_MAYMOVE))
        return -EINVAL;
    if (new_pages <= old_pages) {
        page_free((char *)addr + new_pages * PAGE_SIZE, old_pages - new_pages);
        return (long)addr;
    }
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    moved = page_alloc(new_pages);
    if (!moved)
        return -ENOMEM;
    memcpy(moved, addr, old_pages * PAGE_SIZE);
    memset(moved + old_pages * PAGE_SIZE, 0,
           (new_pages - old_pages) * PAGE_SIZE);
    page_free(addr, old_pages);
    return (long)moved;
}
