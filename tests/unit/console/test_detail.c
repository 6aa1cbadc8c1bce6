/* detail: what the page of one anomaly shows of its revisions and of what was said. */
#include <criterion/criterion.h>
#include <math.h>

#include "detail.h"
#include "made.h"

static void contribute(struct anomaly *made, const char *dimension, const char *value, double share,
		       double observed)
{
	struct contribution *to = &made->contribution[made->contributions++];

	snprintf(to->dimension, sizeof(to->dimension), "%s", dimension);
	snprintf(to->value, sizeof(to->value), "%s", value);
	to->share = share;
	to->observed = observed;
	to->expected = 2 * observed;
}

static double number_at(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

Test(detail, shares_of_a_dimension_add_up_to_one)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	contribute(&made, "device", "app", 0.75, 10);
	contribute(&made, "country", "IT", 0.5, 12);
	contribute(&made, "device", "web", 0.25, 30);
	contribute(&made, "country", "DE", 0.125, 8);
	json_t *list = detail_contributions(&made, true), *group, *value;
	cr_assert_eq(json_array_size(list), 2);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "dimension")),
			 "device", "the likeliest cause first");
	size_t i, k;
	json_array_foreach(list, i, group)
	{
		double sum = 0;
		json_array_foreach(json_object_get(group, "values"), k, value)
			sum += number_at(value, "share");
		cr_assert_float_eq(sum, 1, 1e-9);
	}
	json_t *device = json_object_get(json_array_get(list, 0), "values");
	cr_assert_eq(json_array_size(device), 2, "nothing is left");
	json_t *country = json_object_get(json_array_get(list, 1), "values");
	json_t *rest = json_array_get(country, 2);
	cr_assert(json_is_null(json_object_get(rest, "value")));
	cr_assert_eq(number_at(rest, "share"), 0.375);
	cr_assert_eq(number_at(rest, "observed"), 20, "40 of all, less 12 and 8");
	cr_assert_eq(number_at(rest, "expected"), 60);
	json_decref(list);
	/* Of what does not add up, and of a slice, nobody knows the rest's. */
	for (int slice = 0; slice < 2; slice++) {
		if (slice)
			strcpy(made.slice, "device=app");
		list = detail_contributions(&made, slice == 1);
		rest = json_array_get(json_object_get(json_array_get(list, 1), "values"), 2);
		cr_assert(json_is_null(json_object_get(rest, "observed")));
		json_decref(list);
	}
}

Test(detail, tells_what_happened_in_order)
{
	struct anomaly made = made_anomaly(1, "orders", ""), muted;
	struct operator_input said = {.kind = OPERATOR_FEEDBACK, .number = 1};
	json_t *timeline = json_array();
	const char *text;

	made.explanations = 1;
	strcpy(made.explanation[0].slice, "country=IT");
	made_next(&made, ANOMALY_RESOLVED, 30);
	detail_add_revision(timeline, &made);
	made = made_anomaly(1, "orders", "");
	muted = made;
	muted.muted = true;
	detail_add_revision(timeline, &made);
	detail_add_revision(timeline, &muted);
	said.time_ms = 1010 * MADE_INTERVAL_MS;
	strcpy(said.author, "ann");
	strcpy(said.text, "<script>");
	strcpy(said.detail, "{\"verdict\":\"no\"}");
	detail_add_input(timeline, &said, 7);
	detail_sort(timeline);
	static const char *const kinds[] = {"revision", "alert",    "revision",
					    "feedback", "revision", "alert"};
	cr_assert_eq(json_array_size(timeline), 6, "what is muted is told nobody");
	for (size_t i = 0; i < 6; i++)
		cr_assert_str_eq(
			json_string_value(json_object_get(json_array_get(timeline, i), "kind")),
			kinds[i], "%zu", i);
	text = json_string_value(json_object_get(json_array_get(timeline, 3), "text"));
	cr_assert_str_eq(text, "no: <script> (taken back)");
	text = json_string_value(json_object_get(json_array_get(timeline, 0), "text"));
	cr_assert_str_eq(text, "It fires: severity 60.0, 40 of 100 expected");
	cr_assert_eq(number_at(json_array_get(timeline, 0), "at_ms"), 1002 * MADE_INTERVAL_MS);
	json_decref(timeline);
}

Test(detail, a_revision_says_null_of_what_it_does_not_know)
{
	struct anomaly made = made_anomaly(1, "orders", "");

	made.observed = NAN;
	made.lower = -INFINITY;
	made.log10_p = 0;
	json_t *object = detail_revision(&made);
	cr_assert(json_is_null(json_object_get(object, "observed")));
	cr_assert(json_is_null(json_object_get(object, "lower")));
	cr_assert(json_is_null(json_object_get(object, "log10_p")));
	cr_assert_eq(number_at(object, "expected"), 100);
	json_decref(object);
}
