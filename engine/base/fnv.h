/*
 * fnv: FNV-1a of 64 bits (Fowler, Noll, Vo; public domain): short keys, and fingerprints that are
 * kept. Its low bits are mixed least: fold them (hash ^ hash >> 32) to index a table by them. No
 * defence against keys that were chosen to collide.
 */
#ifndef BASE_FNV_H
#define BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BEGIN UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* The hash so far (FNV_BEGIN), and what follows. */
static inline uint64_t fnv(uint64_t hash, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ at[i]) * FNV_PRIME;
	return hash;
}

#endif
