#include "host/build/module.h"

#include <stddef.h>
#include <unistd.h>

#include "host/build/file.h"

int module_open(struct module *module, const char *path)
{
    int rc;

    *module = (struct module){.fd = -1};
    if (!path)
        return 0;
    rc = file_open(path, "the initrd", &module->fd, &module->size);
    if (rc == 0)
        module->path = path;
    return rc;
}

int module_load(struct module *module, void *to)
{
    int rc;

    if (!module->path)
        return 0;
    rc = file_read(module->path, module->fd, 0, to, module->size);
    module_close(module);
    return rc;
}

void module_close(struct module *module)
{
    if (module->path && module->fd >= 0)
        close(module->fd);
    module->fd = -1;
}
