/*
 * What the images of this folder have in common. Each calls one family of
 * hypercalls with every kind of wrong argument, and prints what came back:
 *
 *     event_channel_op close: port 0 -> -EINVAL
 *
 * A line says nothing of what differs from machine to machine (port numbers,
 * domids, sizes), so that the lines of two hypervisors can be compared.
 */
#ifndef TESTS_GUESTS_VERDICT_CASES_H
#define TESTS_GUESTS_VERDICT_CASES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xen/xen.h>

#define NUMBER_OF(array) (sizeof(array) / sizeof *(array))

/* A hypercall by any number, that of none as well: stubs are 32 bytes each. */
#define ANY_HYPERCALL(nr, a1, a2, a3) HYPERCALL_3(nr, a1, a2, a3)

/* The lines that follow are about (call). */
void about(const char *call);

/* "CALL WHAT -> RESULT": an error by its name, or the number. */
void say(long result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same where a good number is the machine's own affair. */
void say_if_good(long result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of a grant's operation: the call's result, then a GNTST_ status. */
void say_status(long result, int16_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Domains that could be meant. */
struct who {
    const char *name;
    domid_t id;
};
extern struct who whom[11];
extern domid_t own_domid;

/* Places where a structure could lie, most of which are none. */
enum place {
    PLACE_NULL,
    PLACE_NON_CANONICAL,
    PLACE_HOLE,
    PLACE_HOLE_END,
    PLACE_UNMAPPED,
    PLACE_UPPER_UNMAPPED,
    PLACE_STRADDLING,
    PLACE_READ_ONLY,
    NR_PLACES
};
extern const char *const place_names[NR_PLACES];

/* Learn what the above need. Before anything else. */
void cases_begin(void);

/*
 * (len) bytes at (place), as far as they can be there: all on a page that can
 * only be read, half of them before a page that is not there.
 */
void *put(enum place place, const void *bytes, size_t len);

/* A page of its own that nobody else uses, and its frame. */
void *spare_page(void);
uint64_t frame_of(const void *page);

/*
 * Say what (call), an expression with (at), answers for (request) at every
 * place that is wrong for one that is read.
 */
#define AT_WRONG_PLACES(what, request, call)                    \
    for (enum place place_ = 0; place_ < NR_PLACES; place_++) { \
        void *at = put(place_, &(request), sizeof(request));    \
        say_if_good(call, "%s: %s", what, place_names[place_]); \
    }

#endif
