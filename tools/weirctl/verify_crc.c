/*
 * verify_crc: CRC-32C, once more: a table of bytes, and the CPU's instruction where it has one.
 *
 * The polynomial is Castagnoli's (1993), 0x1edc6f41, reflected 0x82f63b78; the check value of the
 * digits 1 to 9 is 0xe3069283.
 */
#include <string.h>

#include "verify_private.h"

#define POLYNOMIAL 0x82f63b78u

static uint32_t crc_table(uint32_t crc, const uint8_t *at, size_t bytes)
{
	static uint32_t table[256];

	/* Filled by whoever comes first; the same values each time. */
	if (!table[255])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t value = i;
			for (int bit = 0; bit < 8; bit++)
				value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
			table[i] = value;
		}
	while (bytes--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_cpu(uint32_t crc, const uint8_t *at,
							  size_t bytes)
{
	uint64_t wide = crc;

	for (; bytes >= 8; at += 8, bytes -= 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	return crc_table((uint32_t)wide, at, bytes);
}
#endif

uint32_t verify_crc32c(uint32_t crc, const void *data, size_t bytes)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_cpu(~crc, data, bytes);
#endif
	return ~crc_table(~crc, data, bytes);
}
