/*
 * input.h: a fuzzer's bytes, taken apart.
 *
 * Every taker answers something when the bytes have run out (zeros), so that a
 * target is a loop until input_left() is 0.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *data;
    size_t left;
};

/* What libFuzzer, or replay_main.c, calls. Each target defines it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline size_t input_left(const struct input *input)
{
    return input->left;
}

static inline void input_take(struct input *input, void *to, size_t len)
{
    size_t have = len < input->left ? len : input->left;

    memset(to, 0, len);
    if (have)
        memcpy(to, input->data, have);
    input->data += have;
    input->left -= have;
}

static inline uint8_t input_u8(struct input *input)
{
    uint8_t value;

    input_take(input, &value, sizeof value);
    return value;
}

static inline uint16_t input_u16(struct input *input)
{
    uint16_t value;

    input_take(input, &value, sizeof value);
    return value;
}

static inline uint32_t input_u32(struct input *input)
{
    uint32_t value;

    input_take(input, &value, sizeof value);
    return value;
}

static inline uint64_t input_u64(struct input *input)
{
    uint64_t value;

    input_take(input, &value, sizeof value);
    return value;
}

/* The promise of a target: whatever the bytes, (holds). */
#define PROMISE(holds) \
    do {               \
        if (!(holds))  \
            abort();   \
    } while (0)

#endif
