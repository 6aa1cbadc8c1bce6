/* bytes: what is written comes back; what is not there is not read. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

Test(bytes, gives_back_what_was_put_in_the_same_order)
{
	struct bytes bytes = {0};
	char text[16];

	bytes_put_u32(&bytes, 7);
	bytes_put_text(&bytes, "purchase");
	bytes_put_f64(&bytes, -0.1);
	bytes_put_text(&bytes, "");
	bytes_put_u64(&bytes, UINT64_MAX - 1);
	cr_assert_not(bytes.failed);

	struct bytes_reader reader = {.data = bytes.data, .left = bytes.used};

	cr_assert_eq(bytes_get_u32(&reader), 7);
	bytes_get_text(&reader, text, sizeof(text));
	cr_assert_str_eq(text, "purchase");
	cr_assert_eq(bytes_get_f64(&reader), -0.1);
	bytes_get_text(&reader, text, sizeof(text));
	cr_assert_str_eq(text, "");
	cr_assert_eq(bytes_get_u64(&reader), UINT64_MAX - 1);
	cr_assert_eq(reader.left, 0);
	cr_assert_not(reader.failed);
	bytes_fini(&bytes);
}

Test(bytes, grows_over_many_puts_and_keeps_what_it_has)
{
	struct bytes bytes = {0};

	for (uint64_t i = 0; i < 100000; i++)
		bytes_put_u64(&bytes, i * i);
	struct bytes_reader reader = {.data = bytes.data, .left = bytes.used};

	for (uint64_t i = 0; i < 100000; i++)
		cr_assert_eq(bytes_get_u64(&reader), i * i);
	bytes_fini(&bytes);
	cr_assert_null(bytes.data);
}

Test(bytes, reserves_zeroed_space_when_no_data_is_given)
{
	struct bytes bytes = {0};

	memset(bytes_put(&bytes, NULL, 64), 0xff, 64);
	bytes_clear(&bytes);
	const uint8_t *at = bytes_put(&bytes, NULL, 64);

	for (int i = 0; i < 64; i++)
		cr_assert_eq(at[i], 0);
	bytes_fini(&bytes);
}

Test(bytes, fails_for_good_when_it_cannot_grow)
{
	struct bytes bytes = {0};

	bytes_put_u32(&bytes, 1);
	cr_assert_null(bytes_put(&bytes, NULL, SIZE_MAX - 2));
	cr_assert(bytes.failed);
	cr_assert_null(bytes_put(&bytes, "x", 1));
	cr_assert_eq(bytes.used, 4);
	bytes_clear(&bytes);
	cr_assert_not_null(bytes_put(&bytes, "x", 1));
	bytes_fini(&bytes);
}

Test(bytes, reading_past_the_end_fails_and_answers_zero_ever_after)
{
	uint8_t data[6] = {1, 0, 0, 0, 9, 9};
	struct bytes_reader reader = {.data = data, .left = sizeof(data)};

	cr_assert_eq(bytes_get_u32(&reader), 1);
	cr_assert_eq(bytes_get_u32(&reader), 0);
	cr_assert(reader.failed);
	cr_assert_null(bytes_get(&reader, 1));
	cr_assert_eq(bytes_get_u64(&reader), 0);
	cr_assert_eq(bytes_get_f64(&reader), 0.0);
}

Test(bytes, a_text_that_does_not_fit_is_a_failure_and_leaves_an_empty_one)
{
	struct bytes bytes = {0};
	char text[8] = "before";

	bytes_put_text(&bytes, "12345678");
	struct bytes_reader reader = {.data = bytes.data, .left = bytes.used};

	bytes_get_text(&reader, text, sizeof(text));
	cr_assert(reader.failed);
	cr_assert_str_eq(text, "");
	bytes_fini(&bytes);
}

Test(bytes, a_length_that_lies_is_a_failure)
{
	uint32_t data[2] = {UINT32_MAX, 0x41414141};
	char text[300];
	struct bytes_reader reader = {.data = (uint8_t *)data, .left = sizeof(data)};

	bytes_get_text(&reader, text, sizeof(text));
	cr_assert(reader.failed);

	data[0] = 5; /* one more than there is */
	reader = (struct bytes_reader){.data = (uint8_t *)data, .left = sizeof(data)};
	bytes_get_text(&reader, text, sizeof(text));
	cr_assert(reader.failed);
	cr_assert_str_eq(text, "");
}

/* The reader against every cut of a valid buffer, in a block of exactly that size, so that the
 * address sanitizer sees a read behind it. */
Test(bytes, every_cut_of_a_record_is_read_without_leaving_it)
{
	struct bytes bytes = {0};

	bytes_put_u32(&bytes, 3);
	bytes_put_text(&bytes, "country=DE");
	bytes_put_f64(&bytes, NAN);
	for (size_t cut = 0; cut <= bytes.used; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		char text[32];

		memcpy(copy, bytes.data, cut);
		struct bytes_reader reader = {.data = copy, .left = cut};

		bytes_get_u32(&reader);
		bytes_get_text(&reader, text, sizeof(text));
		double value = bytes_get_f64(&reader);

		cr_assert_eq(reader.failed, cut < bytes.used);
		cr_assert_eq(isnan(value) != 0, cut == bytes.used);
		free(copy);
	}
	bytes_fini(&bytes);
}
