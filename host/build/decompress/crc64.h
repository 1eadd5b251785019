/*
 * host/build/decompress/crc64.h: lzma_crc64() in the place of liblzma's own.
 *
 * That one is chosen in a constructor by two CPUID instructions, and in a
 * virtual machine each may cost 15 microseconds: every start of paravane would
 * pay for what almost none of them needs.
 */
#ifndef HOST_BUILD_CRC64_H
#define HOST_BUILD_CRC64_H

/* Before a stream is unpacked. That it is called is what links ours. */
void crc64_prepare(void);

#endif
