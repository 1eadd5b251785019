/*
 * kernel/space.h: address spaces of programs.
 *
 * An address space begins as plain memory. Once it is live its tables are the
 * machine's (machine/machine.h). The kernel has nothing of it mapped: it finds
 * a program's byte as the CPU does, by walking the tables, and reads it where
 * all of RAM is mapped. So no address from a program is ever followed.
 */
#ifndef TEACHOS_SPACE_H
#define TEACHOS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct space {
    uint64_t *root; /* NULL: there is none */
    bool live;
    size_t nr_pages;
    uint64_t heap_start, heap_end; /* of which pages come when touched */
};

/* An empty one. False: no memory. */
bool space_create(struct space *space);

/* No vCPU may use it any more. One that failed to be created is fine. */
void space_destroy(struct space *space);

/*
 * While it is not live: a page of zeros at (va), made if need be, as the kernel
 * sees it. Writable and executable if anybody asked for that. NULL: no memory.
 */
void *space_add_page(struct space *space, uint64_t va, bool write, bool exec);

void space_go_live(struct space *space);

/*
 * (child), not yet created, becomes live with all that (parent) has; pages are
 * copied when one of them writes. False: no memory, and no child.
 */
bool space_fork(struct space *parent, struct space *child);

/*
 * The program touched (va). True if it may go on: its page is there now. False
 * if it had no right to, or there is no memory.
 */
bool space_fault(struct space *space, uint64_t va, bool write);

/* The heap grows by (bytes): where it ended before; 0: it cannot. */
uint64_t space_grow_heap(struct space *space, uint64_t bytes);

/*
 * Where the kernel finds the program's byte at (va), and, to the end of its
 * page, those behind. NULL if the program itself could not read it, or
 * (write) it.
 */
void *space_reach(struct space *space, uint64_t va, bool write);

/* All or nothing is promised to nobody: false if some byte is not there. */
bool space_read(struct space *space, void *to, uint64_t from, size_t len);
bool space_write(struct space *space, uint64_t to, const void *from,
                 size_t len);

/* A string of less than (size) bytes: its length, or -1. */
long space_read_string(struct space *space, char *to, uint64_t from,
                       size_t size);

#endif
