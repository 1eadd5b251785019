/*
 * tests/bench/turn.h: send a UDP packet back where it came from, at the level
 * of Ethernet frames, as our guest and its native peer do. Neither checksum
 * changes when source and destination change places.
 */
#ifndef BENCH_TURN_H
#define BENCH_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void turn_pair(uint8_t *bytes, size_t len)
{
    uint8_t first[6];

    memcpy(first, bytes, len);
    memcpy(bytes, bytes + len, len);
    memcpy(bytes + len, first, len);
}

/* True if (frame) was UDP over IPv4 without options. */
static inline bool turn_frame(uint8_t *frame, size_t len)
{
    if (len < 42 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45 ||
        frame[23] != 17)
        return false;
    turn_pair(frame, 6);
    turn_pair(frame + 26, 4);
    turn_pair(frame + 34, 2);
    return true;
}

#endif
