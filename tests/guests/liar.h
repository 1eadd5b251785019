/* What the files of the image liar share. */
#ifndef TESTS_GUESTS_LIAR_H
#define TESTS_GUESTS_LIAR_H

#include <stdint.h>

/* On top of what the library prints: the rings may be broken already. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say so, and end. */
_Noreturn void survived(void);

/* liar_disk.c: the lies to a disk's backend. */

/* Requests that are wrong one by one; each is answered, none is carried out. */
void ask_wrongly(const char *unused, uint32_t number);

/* Corrupt index (which) of the ring; see whether a new one can be had. */
void lie_to_disk(const char *which, uint32_t value);

/* Connect with one key wrong. */
void connect_wrongly(const char *key_and_value, uint32_t number);

/* Go through (states), a digit each, (number) times. */
void say_states(const char *states, uint32_t number);

/* Take from under a connected disk what it stands on. */
void pull(const char *what, uint32_t number);

#endif
