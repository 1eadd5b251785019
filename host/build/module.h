/*
 * host/build/module.h: what a kernel gets beside itself: its initrd.
 *
 * The length is that of the moment it was opened; the content is read once,
 * straight into the guest's memory, and the file closed: nothing of it is open
 * when the guest runs.
 */
#ifndef HOST_BUILD_MODULE_H
#define HOST_BUILD_MODULE_H

#include <stdint.h>

struct module {
    const char *path; /* NULL: there is none */
    int fd;           /* -1 when loaded */
    uint64_t size;    /* bytes */
};

/*
 * Open (path), which must outlive the module; NULL: none is wanted. 0, or
 * -errno with a sentence logged.
 */
int module_open(struct module *module, const char *path);

/*
 * Copy its (size) bytes and close it, once: 0, or -errno with a sentence
 * logged. Without a module nothing is to be done.
 */
int module_load(struct module *module, void *to);

/* In any state, a zeroed one included. */
void module_close(struct module *module);

#endif
