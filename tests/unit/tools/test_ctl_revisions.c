/* revisions: two lists are the same only if every field of every revision is. */
#include <criterion/criterion.h>
#include <string.h>

#include "revisions.h"

static struct anomaly sample(uint64_t id, uint32_t revision)
{
	struct anomaly anomaly = {
		.id = {id, 1},
		.revision = revision,
		.severity = 61.25,
		.metric = "orders",
		.slice = "country=DE",
		.contributions = 1,
		.contribution = {{.dimension = "country", .value = "DE", .share = 1}},
		.explanations = 1,
		.explanation = {{.slice = "country=DE", .share = 1}},
		.relateds = 1,
		.related = {{.metric = "visits", .direction = -1}}};
	return anomaly;
}

static struct revisions list_of(uint64_t ids)
{
	struct revisions revisions = {0};
	for (uint64_t id = ids; id > 0; id--) {
		for (uint32_t revision = 1; revision <= 2; revision++) {
			struct anomaly anomaly = sample(id, revision);
			cr_assert_eq(revisions_add(&revisions, &anomaly), 0);
		}
	}
	return revisions;
}

Test(ctl_revisions, lists_in_any_order_are_the_same)
{
	struct revisions left = list_of(300), right = list_of(300);
	struct revision first = right.list[0];
	right.list[0] = right.list[599];
	right.list[599] = first;
	struct revisions_difference d = revisions_compare(&left, "a", &right, "b", NULL);
	cr_expect_eq(d.same, 600);
	cr_expect_eq(d.changed + d.only_left + d.only_right, 0);
	revisions_fini(&left);
	revisions_fini(&right);
}

Test(ctl_revisions, what_only_one_list_has_is_counted_and_said)
{
	struct revisions left = list_of(3), right = list_of(2);
	char text[512] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");
	struct revisions_difference d = revisions_compare(&left, "replay", &right, "store", file);
	fclose(file);
	cr_expect_eq(d.only_left, 2);
	cr_expect_eq(d.same, 4);
	cr_expect(strstr(text, "00000000000000030000000000000001-2 (firing, severity 61.25): only "
			       "in the replay\n"),
		  "%s", text);
	d = revisions_compare(&right, "replay", &left, "store", NULL);
	cr_expect_eq(d.only_right, 2);
	revisions_fini(&left);
	revisions_fini(&right);
}

/* Is a revision with one field changed seen as changed? */
#define CHANGED(change)                                                                            \
	do {                                                                                       \
		struct revisions left = {0}, right = {0};                                          \
		struct anomaly one = sample(1, 1), other = sample(1, 1);                           \
		change;                                                                            \
		cr_assert_eq(revisions_add(&left, &one), 0);                                       \
		cr_assert_eq(revisions_add(&right, &other), 0);                                    \
		struct revisions_difference d = revisions_compare(&left, "a", &right, "b", NULL);  \
		cr_expect_eq(d.changed, 1, #change);                                               \
		revisions_fini(&left);                                                             \
		revisions_fini(&right);                                                            \
	} while (0)

Test(ctl_revisions, the_last_bit_of_any_field_counts)
{
	CHANGED(other.severity += 1e-14);
	CHANGED(other.severity_peak = -0.0);
	CHANGED(other.state = ANOMALY_RESOLVED);
	CHANGED(other.group[1] = 1);
	CHANGED(strcpy(other.source, "x"));
	CHANGED(strcpy(other.metric, "order"));
	CHANGED(strcpy(other.detector, "x"));
	CHANGED(strcpy(other.kind, "x"));
	CHANGED(strcpy(other.slice, "country=D"));
	CHANGED(other.direction = 1);
	CHANGED(other.interval_ms = 1);
	CHANGED(other.start = 1);
	CHANGED(other.interval = 1);
	CHANGED(other.peak_interval = 1);
	CHANGED(other.observed = 1);
	CHANGED(other.expected = 1);
	CHANGED(other.lower = 1);
	CHANGED(other.upper = 1);
	CHANGED(other.log10_p = -1);
	CHANGED(other.incomplete = true);
	CHANGED(other.contributions = 0);
	CHANGED(other.contribution[0].share = 0.5);
	CHANGED(other.contribution[0].observed = 0.5);
	CHANGED(other.contribution[0].expected = 0.5);
	CHANGED(strcpy(other.contribution[0].value, "DF"));
	CHANGED(strcpy(other.contribution[0].dimension, "countr"));
	CHANGED(other.explanations = 0);
	CHANGED(strcpy(other.explanation[0].slice, "country=DF"));
	CHANGED(other.explanation[0].share = 0.5);
	CHANGED(other.explanation[0].observed = 0.5);
	CHANGED(other.explanation[0].expected = 0.5);
	CHANGED(other.explanation[0].evidence = 0.5);
	CHANGED(other.explanation[0].since = 1);
	CHANGED(other.relateds = 0);
	CHANGED(strcpy(other.related[0].metric, "visit"));
	CHANGED(other.related[0].direction = 1);
	CHANGED(other.related[0].start_ms = 1);
	CHANGED(other.related[0].lead_ms = 1);
}

Test(ctl_revisions, what_lies_behind_the_end_of_a_text_says_nothing)
{
	struct revisions left = {0}, right = {0};
	struct anomaly one = sample(1, 1), other = sample(1, 1);
	other.metric[20] = 'x';
	other.contribution[5].value[0] = 'x';
	cr_assert_eq(revisions_add(&left, &one), 0);
	cr_assert_eq(revisions_add(&right, &other), 0);
	cr_expect_eq(revisions_compare(&left, "a", &right, "b", NULL).same, 1);
	revisions_fini(&left);
	revisions_fini(&right);
}
