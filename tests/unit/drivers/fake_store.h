/*
 * fake_store.h: a xenstored made up for tests, at the other end of the ring in
 * fake.store_page. Paths are as the guest writes them.
 */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/io/xs_wire.h>

struct fake_store {
    bool late;           /* answers only when the guest waits */
    unsigned interfere;  /* commits to fail yet */
    unsigned nr_commits; /* that worked */
    unsigned nr_messages;
    /* the guest wrote (path) */
    void (*wrote)(const char *path, const char *value);
};
extern struct fake_store fake_store;

void fake_store_init(void); /* after fake_guest_init */

/* As the toolstack and the backends do. NULL removes. */
void fake_store_write(const char *path, const char *value);
const char *fake_store_read(const char *path); /* NULL: none */

/* Send any message, true or false, to the guest. */
void fake_store_send(uint32_t type, uint32_t req_id, const void *payload,
                     uint32_t len);

/* Serve what came; true if anything happened. Belongs into fake.world. */
bool fake_store_run(void);

#endif
