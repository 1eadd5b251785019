/*
 * fake_guest.h: a pvguest made up for tests: threads are coroutines, time is
 * what the test says, events reach the test, and accounts are kept.
 *
 * When no thread can run the world gets its turn; when the world has nothing to
 * do either, time jumps to the next deadline. A guest that waits for ever is a
 * failed test.
 */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>

#define FAKE_STORE_PORT   1
#define FAKE_CONSOLE_PORT 2

struct fake_guest {
    bool (*world)(void); /* true if it did something */
    uint64_t now;
    uint64_t tick;     /* how far each look at the clock moves it */
    int exited;        /* code + 1 of guest_exit */
    unsigned shutdown; /* reason + 1 of guest_shutdown */
    void *store_page, *console_page;
    evtchn_port_t store_port, console_port; /* 0: no such ring */
    uint32_t grant_limit;
    unsigned vcpus;    /* 0: 1 */
    bool parallel;     /* threads run on all of them */
    long pages_used;   /* page_alloc less page_free */
    size_t pages_free; /* as page_nr_free says; page_alloc never has too few */
};
extern struct fake_guest fake;

/* A new guest; test fixtures begin with it. */
void fake_guest_init(void);

/* Pretend that an event handler runs. */
void fake_in_handler(bool yes);

/* What event_send(port) does on the other side. */
void fake_on_send(evtchn_port_t port, void (*fn)(void));

/* The other side sends: pending until some thread waits. */
void fake_raise(evtchn_port_t port);

unsigned fake_vcpu_of(evtchn_port_t port); /* that it interrupts */

/* The page lent as (ref); NULL if it is not, or not for writing. */
void *fake_map(grant_ref_t ref, bool write);
void fake_unmap(grant_ref_t ref);
unsigned fake_grants(void); /* lent now */

#endif
