/* crc32c: known answers, and the fast one against its portable twin. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crc32c.h"

/* RFC 3720, B.4 */
Test(crc32c, gives_the_answers_of_the_iscsi_standard)
{
	uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

	memset(ones, 0xff, sizeof(ones));
	for (uint8_t i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = 31 - i;
	}
	cr_assert_eq(crc32c(0, zeros, 32), 0x8a9136aau);
	cr_assert_eq(crc32c(0, ones, 32), 0x62a8ab43u);
	cr_assert_eq(crc32c(0, up, 32), 0x46dd794eu);
	cr_assert_eq(crc32c(0, down, 32), 0x113fdb5cu);
	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283u);
	cr_assert_eq(crc32c_portable(0, "123456789", 9), 0xe3069283u);
	cr_assert_eq(crc32c(0, "", 0), 0u);
}

static uint8_t data[40000];

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(data); i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (uint8_t)(x >> 24);
	}
}

Test(crc32c, is_the_same_in_three_streams_as_in_one_for_every_length_and_alignment)
{
	fill();
	for (size_t bytes = 0; bytes < 4 * 1024; bytes++)
		cr_assert_eq(crc32c(7, data + bytes % 9, bytes),
			     crc32c_portable(7, data + bytes % 9, bytes), "%zu bytes", bytes);
	for (size_t bytes = 4096; bytes < 39000; bytes += 331)
		cr_assert_eq(crc32c(7, data + bytes % 9, bytes),
			     crc32c_portable(7, data + bytes % 9, bytes), "%zu bytes", bytes);
}

Test(crc32c, of_a_whole_is_that_of_its_pieces_in_turn)
{
	fill();
	uint32_t whole = crc32c(0, data, sizeof(data));
	for (size_t cut = 0; cut < sizeof(data); cut += 997)
		cr_assert_eq(crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut), whole);
}

Test(crc32c, changes_with_every_single_bit)
{
	fill();
	uint32_t good = crc32c(0, data, 4096);
	for (size_t bit = 0; bit < 4096 * 8; bit += 7) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_neq(crc32c(0, data, 4096), good, "bit %zu", bit);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
