/* What feedback says of an anomaly: figures that belong together. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "engine_private.h"

#define MINUTE_MS 60000
#define HOUR_MS 3600000

static double number(const json_t *record, const char *name)
{
	return json_number_value(json_object_get(record, name));
}

static double size(const json_t *record, const char *name, size_t scale)
{
	return json_number_value(json_array_get(json_object_get(record, name), scale));
}

/* A fall by 60 of 100 a minute, which an hour of 6000 sees as a fall by 700. */
static void describe(int64_t last_frequency_ms, json_t *record)
{
	struct anomaly strongest = {.interval_ms = MINUTE_MS,
				    .start = 100,
				    .interval = 110,
				    .direction = -1,
				    .severity_peak = 90,
				    .observed = 40,
				    .expected = 100,
				    .usual = 100,
				    .fall = {60, 50, 0},
				    .rise = {8, 0, 0}};
	struct anomaly last = strongest;

	last.interval = 179;
	last.frequency_ms = last_frequency_ms;
	last.severity_peak = 95;
	last.fall[0] = last_frequency_ms ? 700 : 65;
	last.fall[1] = last_frequency_ms ? 0 : 55;
	last.usual = last_frequency_ms ? 6000 : 100;
	said_describe(record, &last, &strongest);
}

Test(said, figures_are_those_of_the_last_revision)
{
	json_t *record = json_object();

	describe(0, record);
	cr_expect_eq(number(record, "period_ms"), MINUTE_MS);
	cr_expect_eq(size(record, "sizes", 0), 65);
	cr_expect_eq(size(record, "sizes", 1), 55);
	cr_expect_eq(size(record, "rebound", 0), 8);
	cr_expect_eq(number(record, "end_ms"), 180.0 * MINUTE_MS);
	json_decref(record);
}

Test(said, figures_of_two_resolutions_are_not_mixed)
{
	json_t *record = json_object();

	describe(HOUR_MS, record);
	cr_expect_eq(number(record, "period_ms"), MINUTE_MS);
	cr_expect_eq(size(record, "sizes", 0), 60);
	cr_expect_eq(number(record, "usual"), 100);
	cr_expect_eq(number(record, "severity"), 95, "of the whole of it");
	cr_expect_eq(number(record, "end_ms"), 180.0 * MINUTE_MS);
	json_decref(record);
}
