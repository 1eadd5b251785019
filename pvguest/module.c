#include <pvguest/module.h>

#include <pvguest/page.h>

#include "abi.h"

/* xl tells a PV guest the file's size, and other builders tell whole pages. */
const void *guest_module(size_t *len)
{
    if (guest_told.module)
        *len = (guest_told.module_size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return guest_told.module;
}
