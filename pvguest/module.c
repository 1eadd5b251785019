#include <pvguest/module.h>

#include "abi.h"

const void *guest_module(size_t *len)
{
    if (guest_told.module)
        *len = guest_told.module_size;
    return guest_told.module;
}
