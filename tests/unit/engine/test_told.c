/* What was said under which key: found again in this life and the next, once and as the same. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "../deliver/sample.h"
#include "deliver/payload.h"
#include "deliver/store.h"
#include "input.h"
#include "told.h"

static const char *directory;
static char path[128], why[256];
static struct store *store;
static struct told *told;

static void begin(void)
{
	directory = sample_directory();
	snprintf(path, sizeof(path), "%s/weir.db", directory);
	cr_assert_eq(store_open(path, &store, why, sizeof(why)), 0, "%s", why);
}

static void end(void)
{
	told_free(told);
	store_close(store);
	sample_remove(directory);
}

TestSuite(told, .init = begin, .fini = end);

static struct operator_input input_of(uint64_t number, const char *text)
{
	struct operator_input input;

	cr_assert_eq(input_parse(text, strlen(text), &input, why, sizeof(why)), 0, "%s: %s", text,
		     why);
	input.number = number;
	return input;
}

static void keep(uint64_t number, const char *text)
{
	struct operator_input input = input_of(number, text);

	cr_assert_eq(store_begin(store), 0);
	cr_assert_eq(store_input(store, &input), 0);
	cr_assert_eq(store_commit(store, 1), 0);
}

/* What told_find() says; *ret_number where there is one. */
static int look(const char *text, uint64_t *ret_number)
{
	json_t *record = json_loads(text, 0, NULL);
	struct told_entry entry = {.number = 0};
	int found = told_find(&told, path, record, &entry, why, sizeof(why));

	json_decref(record);
	*ret_number = entry.number;
	return found;
}

#define ID "000000000000000100000000000000ff"
static const char ack[] = "{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":\"a-1\"}";
static const char other[] = "{\"kind\":\"annotate\",\"id\":\"" ID
			    "\",\"text\":\"x\",\"key\":\"a-1\"}";
static const char plain[] = "{\"kind\":\"ack\",\"id\":\"" ID "\"}";

Test(told, once_in_this_life)
{
	struct told_entry entry;
	uint64_t number;

	cr_assert_eq(look(ack, &number), 0);
	struct operator_input said = input_of(7, ack);
	cr_assert(told_of(&said, &entry));
	told_add(told, &entry);
	cr_assert_eq(look(ack, &number), 1);
	cr_assert_eq(number, 7);
	cr_assert_eq(look(plain, &number), 0);
	said = input_of(8, plain);
	cr_assert_not(told_of(&said, &entry));
}

Test(told, once_in_all_lives)
{
	uint64_t number;

	keep(1, plain);
	keep(2, ack);
	keep(3, "{\"kind\":\"mute\",\"metric\":\"m\",\"until_ms\":99,\"key\":\"m-1\"}");
	cr_assert_eq(look(ack, &number), 1);
	cr_assert_eq(number, 2);
	cr_assert_eq(look("{\"kind\":\"mute\",\"metric\":\"m\",\"key\":\"m-1\"}", &number), 1);
	cr_assert_eq(number, 3);
	cr_assert_eq(look("{\"kind\":\"mute\",\"metric\":\"m\",\"key\":\"m-2\"}", &number), 0);
}

Test(told, nothing_else_under_the_same_key)
{
	uint64_t number;

	keep(4, ack);
	cr_assert_eq(look(other, &number), -EINVAL);
	cr_assert(strstr(why, "something else was said under this key (number 4)"), "%s", why);
	cr_assert_eq(look("{\"kind\":\"ack\",\"id\":\"00\",\"key\":\"a-1\"}", &number), -EINVAL);
}

/* The newest are known; a store that is full of them is no trouble. */
Test(told, the_oldest_are_forgotten)
{
	struct told_entry entry;
	uint64_t number;
	char text[128];

	cr_assert_eq(look(ack, &number), 0);
	for (uint64_t i = 1; i <= TOLD_MAX + 1; i++) {
		snprintf(text, sizeof(text), "{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":\"k%u\"}",
			 (unsigned)i);
		struct operator_input said = input_of(i, text);
		cr_assert(told_of(&said, &entry));
		told_add(told, &entry);
		keep(i, text);
	}
	cr_assert_eq(look("{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":\"k1\"}", &number), 0);
	for (int life = 0; life < 2; life++) {
		cr_assert_eq(look("{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":\"k2\"}", &number),
			     1);
		cr_assert_eq(look(text, &number), 1);
		cr_assert_eq(number, TOLD_MAX + 1);
		told_free(told);
		told = NULL;
	}
}

Test(told, a_key_can_be_shown)
{
	static const char *const wrong[] = {"\"\"", "\"a b\"", "\"\\u00e4\"", "\"a\\n\"", "1"};
	struct operator_input input;
	char text[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":%s}",
			 wrong[i]);
		cr_assert_eq(input_parse(text, strlen(text), &input, why, sizeof(why)), -EINVAL,
			     "%s", text);
		cr_assert(strstr(why, "\"key\" is 1 to 64"), "%s", why);
	}
	snprintf(text, sizeof(text), "{\"kind\":\"ack\",\"id\":\"" ID "\",\"key\":\"%065d\"}", 1);
	cr_assert_eq(input_parse(text, strlen(text), &input, why, sizeof(why)), -EINVAL);
}
