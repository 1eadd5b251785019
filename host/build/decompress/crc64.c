#include "host/build/decompress/crc64.h"

#include <lzma.h>
#include <stddef.h>
#include <stdint.h>

#define POLYNOMIAL UINT64_C(0xc96c5795d7870f42) /* ECMA-182, reflected */

static uint64_t table[256];

void crc64_prepare(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[i] = crc;
    }
}

uint64_t lzma_crc64(const uint8_t *bytes, size_t size, uint64_t crc)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = table[(uint8_t)crc ^ bytes[i]] ^ crc >> 8;
    return ~crc;
}
