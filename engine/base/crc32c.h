/*
 * crc32c: Castagnoli CRC, incremental: crc32c(0, a..c) == crc32c(crc32c(0, a..b), b..c).
 * Three interleaved streams with the CPU's instruction where it has one, a table elsewhere.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
/* The portable twin, for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t bytes);

#endif
