#include <pvguest/guest.h>
#include <pvguest/module.h>

/* No image of this library asks for a module that is not mapped. */
const void *guest_module(size_t *len)
{
    if (!guest_start_info || !guest_start_info->mod_start)
        return NULL;
    *len = guest_start_info->mod_len;
    return (const void *)guest_start_info->mod_start;
}
