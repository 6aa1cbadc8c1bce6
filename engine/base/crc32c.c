/*
 * crc32c: Castagnoli CRC of bytes that have just been written, as fast as the cache gives them.
 *
 * Idea:  the CPU's instruction takes three cycles but starts one each cycle. So a piece of memory
 *        is cut into three streams that run side by side; then the first two results are moved
 *        over the bytes behind them (a multiplication by a power of x, carry-less, then reduced by
 *        the same instruction) and added. Pieces of 3 x 1024, then 3 x 128, then single steps.
 *        (V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction",
 *        Intel, 2011.) Elsewhere: eight table look-ups for eight bytes.
 *
 *          | stream 0, 1024 bytes | stream 1          | stream 2          |
 *          crc ----> c0           0 ----> c1          0 ----> c2
 *          result = c0 * x^(8*2048)  +  c1 * x^(8*1024)  +  c2        (mod P)
 *
 * Runs on: any thread. The tables are filled before main() and only read after.
 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* Castagnoli, reflected */

static uint32_t table[8][256];

/* table[k][b]: the CRC of byte b followed by k zero bytes. */
__attribute__((constructor)) static void fill_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		table[0][byte] = crc;
	}
	for (uint32_t byte = 0; byte < 256; byte++)
		for (int k = 1; k < 8; k++)
			table[k][byte] = table[0][table[k - 1][byte] & 255] ^
					 table[k - 1][byte] >> 8;
}

static uint64_t load_64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; bytes >= 8; bytes -= 8, p += 8) {
		uint64_t v = load_64(p) ^ crc;
		crc = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
		      table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^
		      table[2][v >> 40 & 255] ^ table[1][v >> 48 & 255] ^ table[0][v >> 56];
	}
	for (; bytes; bytes--, p++)
		crc = table[0][(crc ^ *p) & 255] ^ crc >> 8;
	return ~crc;
}

#ifdef __x86_64__

#include <nmmintrin.h>
#include <wmmintrin.h>

#define INSTRUCTIONS __attribute__((target("sse4.2,pclmul")))

/* x^(8n - 33) mod P, reflected: moves a CRC over n bytes. The 33 is what the instruction (32) and
 * the bit that a reflected product lacks (1) add by themselves. */
#define OVER_128 0x0d3b6092u
#define OVER_256 0xb9e02b86u
#define OVER_1024 0x170076fau
#define OVER_2048 0xa51b6135u

INSTRUCTIONS static inline uint64_t move_over(uint64_t crc, uint32_t power)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
					       _mm_cvtsi32_si128((int)power), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three streams of `stride` bytes each. */
INSTRUCTIONS static inline uint64_t three_streams(uint64_t crc, const uint8_t *p, size_t stride,
						  uint32_t over_one, uint32_t over_two)
{
	uint64_t c0 = crc, c1 = 0, c2 = 0;

	for (size_t i = 0; i < stride; i += 8) {
		c0 = _mm_crc32_u64(c0, load_64(p + i));
		c1 = _mm_crc32_u64(c1, load_64(p + stride + i));
		c2 = _mm_crc32_u64(c2, load_64(p + 2 * stride + i));
	}
	return move_over(c0, over_two) ^ move_over(c1, over_one) ^ c2;
}

INSTRUCTIONS static uint32_t crc32c_sse42(uint32_t start, const uint8_t *p, size_t bytes)
{
	uint64_t crc = ~start;

	for (; bytes >= 3 * 1024; bytes -= 3 * 1024, p += 3 * 1024)
		crc = three_streams(crc, p, 1024, OVER_1024, OVER_2048);
	for (; bytes >= 3 * 128; bytes -= 3 * 128, p += 3 * 128)
		crc = three_streams(crc, p, 128, OVER_128, OVER_256);
	for (; bytes >= 8; bytes -= 8, p += 8)
		crc = _mm_crc32_u64(crc, load_64(p));
	for (; bytes; bytes--, p++)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	/* Two bits of a word that the runtime filled before main(). */
	bool fast = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");

	return fast ? crc32c_sse42(crc, data, bytes) : crc32c_portable(crc, data, bytes);
}

#else

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	return crc32c_portable(crc, data, bytes);
}

#endif
