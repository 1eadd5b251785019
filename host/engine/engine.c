/*
 * host/engine/engine.c: the engines there are, best first. A hypercall is a
 * function call for one and an exit of the VM for the other, so what runs in
 * a process runs there.
 */
#include "host/engine/engine.h"

#include <string.h>

const struct engine_ops *const engine_list[] = {&engine_process, &engine_kvm,
                                                NULL};

const struct engine_ops *engine_find(const char *name)
{
    for (unsigned i = 0; engine_list[i]; i++)
        if (strcmp(engine_list[i]->name, name) == 0)
            return engine_list[i];
    return NULL;
}
