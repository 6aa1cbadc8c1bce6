/* The life of an anomaly: when it begins, what it says, when it ends, and that it survives a
 * restart. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

#include "market.h"

#define MINUTE 60000

/* A detector with an easy band: counts of a constant rate in a window. */
static struct detector_spec window_spec(void)
{
	return (struct detector_spec){
		.name = "orders window",
		.metric = "orders",
		.kind = DETECTOR_WINDOW,
		.severity = 50,
		.for_intervals = 1,
		.recover_intervals = 1,
		.window = 50,
		.k = 3,
	};
}

static struct shop shop;
static struct heard heard;

static struct bank *quiet_bank(const struct detector_spec *spec, uint32_t slices)
{
	struct bank *bank = bank_create(spec);
	shop_init(&shop, 42, slices, MINUTE, AGGREGATE_COUNT);
	for (uint32_t i = 1; i < slices; i++)
		sprintf(shop.labels[i], "country=C%u", i);
	heard.count = 0;
	for (int k = 0; k < 60; k++) {
		shop.observations.interval++;
		for (uint32_t i = 0; i < slices; i++)
			shop.value[i] = shop.events[i] = shop.squares[i] = 98 + (k * 7 + i) % 5;
		cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	}
	cr_assert_eq(heard.count, 0);
	return bank;
}

/* One more interval; slice `slice` has `value`, the others 100. Returns revisions heard. */
static uint32_t step(struct bank *bank, uint32_t slice, double value)
{
	uint32_t before = heard.count;
	shop.observations.interval++;
	for (uint32_t i = 0; i < shop.observations.count; i++)
		shop.value[i] = shop.events[i] = shop.squares[i] = i == slice ? value : 100;
	cr_assert_eq(bank_step(bank, &shop.observations, heard_each, &heard), 0);
	return heard.count - before;
}

static const struct anomaly *last(void)
{
	return &heard.anomaly[heard.count - 1];
}

Test(bank, an_anomaly_fires_and_is_resolved)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 3);

	cr_assert_eq(step(bank, 1, 20), 1);
	const struct anomaly *a = last();
	uint64_t id[2];
	anomaly_id("orders window", "live", "orders", "country=C1", 60, id);
	cr_assert(a->id[0] == id[0] && a->id[1] == id[1]);
	cr_assert_eq(a->state, ANOMALY_FIRING);
	cr_assert_eq(a->revision, 1);
	cr_assert_eq(a->direction, -1);
	cr_assert_str_eq(a->slice, "country=C1");
	cr_assert_str_eq(a->metric, "orders");
	cr_assert_str_eq(a->source, "live");
	cr_assert_str_eq(a->detector, "orders window");
	cr_assert_str_eq(a->kind, "window");
	cr_assert(a->start == 60 && a->interval == 60 && a->peak_interval == 60);
	cr_assert_eq(a->interval_ms, MINUTE);
	cr_assert_eq(a->observed, 20);
	cr_assert_float_eq(a->expected, 100, 0.5);
	cr_assert(a->lower > 20 && a->lower < 100 && a->upper > 100);
	cr_assert(a->log10_p < -6 && a->severity >= 50 && a->severity <= 100);
	cr_assert_eq(a->severity, a->severity_peak);

	cr_assert_eq(step(bank, 1, 20), 0, "nothing new");
	cr_assert_eq(step(bank, 1, 100), 1);
	a = last();
	cr_assert(a->id[0] == id[0] && a->id[1] == id[1]);
	cr_assert_eq(a->state, ANOMALY_RESOLVED);
	cr_assert_eq(a->revision, 2);
	cr_assert(a->start == 60 && a->interval == 62);
	cr_assert(a->severity < 50 && a->severity_peak >= 50);
	cr_assert_eq(step(bank, 1, 100), 0);
	bank_destroy(bank);
}

Test(bank, for_and_recover_count_consecutive_intervals)
{
	struct detector_spec spec = window_spec();
	spec.for_intervals = 3;
	spec.recover_intervals = 2;
	struct bank *bank = quiet_bank(&spec, 2);

	cr_assert_eq(step(bank, 1, 20), 1);
	cr_assert(last()->state == ANOMALY_PENDING && !last()->fired && last()->revision == 1);
	uint64_t first = last()->id[0];
	cr_assert_eq(step(bank, 1, 20), 0);
	cr_assert_eq(step(bank, 1, 100), 1, "two are not three");
	cr_assert(last()->state == ANOMALY_RESOLVED && !last()->fired && last()->revision == 2);
	cr_assert_eq(last()->id[0], first);
	cr_assert_eq(step(bank, 1, 20), 1);
	cr_assert_neq(last()->id[0], first);
	cr_assert_eq(step(bank, 1, 10), 0);
	cr_assert_eq(step(bank, 1, 20), 1);
	cr_assert(last()->state == ANOMALY_FIRING && last()->fired && last()->revision == 2);
	cr_assert_eq(last()->start, 63, "the run began with the first of three");
	cr_assert_eq(last()->interval, 65);
	cr_assert_eq(last()->peak_interval, 64);
	cr_assert_eq(step(bank, 1, 100), 0);
	cr_assert_eq(step(bank, 1, 20), 0);
	cr_assert_eq(step(bank, 1, 100), 0);
	cr_assert_eq(step(bank, 1, 100), 1);
	cr_assert(last()->state == ANOMALY_RESOLVED && last()->fired);
	bank_destroy(bank);
}

Test(bank, a_pending_one_that_turns_is_another_one)
{
	struct detector_spec spec = window_spec();
	spec.for_intervals = 2;
	struct bank *bank = quiet_bank(&spec, 1);

	cr_assert_eq(step(bank, 0, 20), 1);
	uint64_t low = last()->id[0];
	cr_assert_eq(step(bank, 0, 300), 2);
	const struct anomaly *over = &heard.anomaly[heard.count - 2];
	cr_assert(over->state == ANOMALY_RESOLVED && over->id[0] == low && over->direction < 0);
	cr_assert(last()->state == ANOMALY_PENDING && last()->id[0] != low);
	cr_assert_eq(last()->direction, 1);
	cr_assert_eq(step(bank, 0, 300), 1);
	cr_assert_eq(last()->state, ANOMALY_FIRING);
	cr_assert_eq(last()->start, 61);
	/* What is pending when its detector goes is over too. */
	cr_assert_eq(step(bank, 0, 100), 1);
	cr_assert_eq(step(bank, 0, 20), 1);
	heard.count = 0;
	bank_end(bank, 70, heard_each, &heard);
	cr_assert_eq(heard.count, 1);
	cr_assert(last()->state == ANOMALY_RESOLVED && !last()->fired && last()->interval == 70);
	bank_destroy(bank);
}

Test(bank, nothing_fires_during_the_cooldown_of_the_last_anomaly)
{
	struct detector_spec spec = window_spec();
	spec.cooldown_intervals = 3;
	struct bank *bank = quiet_bank(&spec, 2);

	cr_assert_eq(step(bank, 1, 20), 1);
	cr_assert_eq(step(bank, 1, 100), 1);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	cr_assert_eq(step(bank, 0, 20), 1, "another slice has not resolved anything");
	for (int k = 0; k < 2; k++)
		cr_assert_leq(step(bank, 1, 20), k == 0, "interval %d of the cooldown", k);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED, "of the total");
	cr_assert_eq(step(bank, 1, 1), 1);
	cr_assert_eq(last()->state, ANOMALY_FIRING);
	bank_destroy(bank);
}

Test(bank, a_deviation_below_min_delta_is_none)
{
	struct detector_spec spec = window_spec();
	spec.min_delta = 60;
	struct bank *bank = quiet_bank(&spec, 1);

	cr_assert_eq(step(bank, 0, 45), 0, "55 less are many deviations, but less than 60");
	cr_assert_eq(step(bank, 0, 35), 1);
	cr_assert_eq(step(bank, 0, 45), 1, "nor does it go on");
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	bank_destroy(bank);
}

Test(bank, direction_filters)
{
	struct detector_spec spec = window_spec();
	spec.direction = DIRECTION_UP;
	struct bank *up = quiet_bank(&spec, 1);
	cr_assert_eq(step(up, 0, 10), 0);
	bank_destroy(up);
	up = quiet_bank(&spec, 1);
	cr_assert_eq(step(up, 0, 300), 1);
	cr_assert_eq(last()->direction, 1);
	bank_destroy(up);

	spec.direction = DIRECTION_DOWN;
	struct bank *down = quiet_bank(&spec, 1);
	cr_assert_eq(step(down, 0, 300), 0);
	bank_destroy(down);
	down = quiet_bank(&spec, 1);
	cr_assert_eq(step(down, 0, 10), 1);
	cr_assert_eq(last()->direction, -1);
	bank_destroy(down);
}

Test(bank, a_turn_of_direction_is_told)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 1);

	step(bank, 0, 10);
	cr_assert_eq(step(bank, 0, 300), 1);
	cr_assert_eq(last()->state, ANOMALY_UPDATED);
	cr_assert_eq(last()->direction, 1);
	cr_assert_eq(last()->revision, 2);
	bank_destroy(bank);
}

Test(bank, a_higher_band_is_told_once)
{
	struct detector_spec spec = window_spec();
	spec.severity = 30;
	spec.k = 1;
	struct bank *bank = quiet_bank(&spec, 1);

	cr_assert_eq(step(bank, 0, 60), 1);
	cr_assert(last()->severity >= 30 && last()->severity < 75, "%g", last()->severity);
	cr_assert_eq(step(bank, 0, 20), 1);
	cr_assert_eq(last()->state, ANOMALY_UPDATED);
	cr_assert_geq(last()->severity, 75);
	cr_assert_eq(step(bank, 0, 60), 0, "lower bands are not told");
	cr_assert_eq(step(bank, 0, 10), 0, "nor the same again");
	bank_destroy(bank);
}

Test(bank, small_volumes_say_nothing)
{
	struct detector_spec spec = window_spec();
	spec.min_volume = 500;
	struct bank *bank = quiet_bank(&spec, 1);

	cr_assert_eq(step(bank, 0, 0), 0);
	cr_assert_eq(step(bank, 0, 499), 0);
	cr_assert_eq(bank_watched(bank), 0);
	cr_assert_eq(step(bank, 0, 501), 1, "observed volume counts too");
	cr_assert_eq(bank_watched(bank), 1);
	bank_destroy(bank);
}

Test(bank, incomplete_intervals_are_not_scored_downward)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 1);

	shop.observations.flags = OBSERVATION_INCOMPLETE;
	cr_assert_eq(step(bank, 0, 0), 0);
	cr_assert_eq(step(bank, 0, 400), 1, "a surplus is sure");
	cr_assert(last()->incomplete);
	cr_assert_eq(step(bank, 0, 100), 0, "and its end is not");
	shop.observations.flags = 0;
	cr_assert_eq(step(bank, 0, 100), 1);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	bank_destroy(bank);
}

Test(bank, more_slices_take_more_to_fire)
{
	struct detector_spec spec = window_spec();
	spec.k = 1;
	/* 49 of 100: raw severity about 60 alone; a hundred slices ask for 75. */
	struct bank *one = quiet_bank(&spec, 1);
	cr_assert_eq(step(one, 0, 49), 1);
	double severity = last()->severity;
	cr_assert(severity > 50 && severity < 75, "%g", severity);
	bank_destroy(one);
	struct bank *many = quiet_bank(&spec, 100);
	cr_assert_eq(step(many, 7, 49), 0);
	cr_assert_eq(step(many, 7, 10), 1, "and at 100 it is still within reach");
	cr_assert_eq(bank_watched(many), 100);
	bank_destroy(many);
}

Test(bank, an_anomaly_does_not_flicker_at_its_threshold)
{
	struct detector_spec spec = window_spec();
	spec.k = 1;
	struct bank *bank = quiet_bank(&spec, 1);

	cr_assert_eq(step(bank, 0, 45), 1);
	/* Severity 40 would not have fired, but it does not end it either. */
	cr_assert_eq(step(bank, 0, 55), 0);
	cr_assert_eq(step(bank, 0, 100), 1);
	bank_destroy(bank);
}

Test(bank, anomalies_of_one_run_share_a_group)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 3);
	uint64_t group[2];

	step(bank, 1, 10);
	memcpy(group, last()->group, sizeof(group));
	shop.observations.interval++;
	for (uint32_t i = 0; i < 3; i++)
		shop.value[i] = shop.events[i] = 10;
	bank_step(bank, &shop.observations, heard_each, &heard);
	cr_assert_eq(heard.count, 3);
	cr_assert_eq(memcmp(heard.anomaly[1].group, group, sizeof(group)), 0);
	cr_assert_eq(memcmp(heard.anomaly[2].group, group, sizeof(group)), 0);
	cr_assert_neq(heard.anomaly[1].id[0], heard.anomaly[2].id[0]);
	step(bank, 1, 100);
	step(bank, 1, 10);
	cr_assert_neq(last()->group[0], group[0], "a new run is a new group");
	bank_destroy(bank);
}

Test(bank, a_lasting_change_becomes_the_norm)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 1);
	int intervals = 1;

	cr_assert_eq(step(bank, 0, 30), 1);
	while (heard.count < 2 && intervals < 1000) {
		step(bank, 0, 28 + intervals % 5);
		intervals++;
	}
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	cr_assert(intervals > 50 && intervals < 150, "after %d intervals", intervals);
	bank_destroy(bank);
}

Test(bank, slices_may_come_at_any_time)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 2);

	step(bank, 1, 10);
	for (uint32_t i = 2; i < 200; i++)
		sprintf(shop.labels[i], "country=C%u", i);
	shop.observations.count = 200;
	cr_assert_eq(step(bank, 1, 10), 0, "the open anomaly goes on");
	for (int k = 0; k < 40; k++)
		step(bank, 1, 10);
	cr_assert_eq(heard.count, 1);
	cr_assert_eq(step(bank, 150, 10), 2, "one ends, one begins");
	cr_assert_str_eq(heard.anomaly[1].slice, "country=C1");
	cr_assert_str_eq(heard.anomaly[2].slice, "country=C150");
	bank_destroy(bank);
}

Test(bank, its_end_resolves_what_fires)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 3);

	step(bank, 2, 10);
	bank_end(bank, 61, heard_each, &heard);
	cr_assert_eq(heard.count, 2);
	cr_assert_eq(last()->state, ANOMALY_RESOLVED);
	cr_assert_eq(last()->revision, 2);
	cr_assert_str_eq(last()->slice, "country=C2");
	cr_assert_eq(last()->id[0], heard.anomaly[0].id[0]);
	bank_end(bank, 62, heard_each, &heard);
	cr_assert_eq(heard.count, 2);
	bank_destroy(bank);
}

Test(bank, ids_depend_on_every_part_and_on_nothing_else)
{
	uint64_t ids[6][2];
	anomaly_id("d", "s", "m", "a=b", 7, ids[0]);
	anomaly_id("e", "s", "m", "a=b", 7, ids[1]);
	anomaly_id("d", "t", "m", "a=b", 7, ids[2]);
	anomaly_id("d", "sm", "", "a=b", 7, ids[3]);
	anomaly_id("d", "s", "m", "a=c", 7, ids[4]);
	anomaly_id("d", "s", "m", "a=b", 8, ids[5]);
	for (int i = 0; i < 6; i++) {
		for (int k = i + 1; k < 6; k++) {
			cr_assert_neq(ids[i][0], ids[k][0]);
			cr_assert_neq(ids[i][1], ids[k][1]);
		}
	}
	/* Fixed for ever: subscribers deduplicate by it. */
	cr_assert_eq(ids[0][0], UINT64_C(0xa246f961aebd1c6c));
	cr_assert_eq(ids[0][1], UINT64_C(0xc6c899f7a47ee2f6));
}

Test(bank, says_how_far_it_has_learned)
{
	struct detector_spec spec = window_spec();
	struct bank *bank = quiet_bank(&spec, 1);
	uint64_t seen, wanted;

	bank_learning(bank, &seen, &wanted);
	cr_assert_eq(seen, 60);
	cr_assert_eq(wanted, 25);
	cr_assert_gt(bank_bytes(bank), 0);
	bank_destroy(bank);
}

/* A market with an incident every day or so; the same for every bank that sees it. */
static void storm(struct market *market, bool outages)
{
	struct chance *chance = &market->shop.chance;
	if (market->factor == 1 && chance_uniform(chance) < 0.004) {
		market->dimension = (int)(4 * chance_uniform(chance)) - 1;
		market->value = (uint32_t)(3 * chance_uniform(chance));
		market->factor = chance_uniform(chance) < 0.7 ? 0.4 : 1.8;
		if (outages) {
			market->dimension = -1;
			market->factor = 0;
		}
	} else if (market->factor != 1 && chance_uniform(chance) < 0.05) {
		market->factor = 1;
	}
	market->shop.observations.flags = chance_uniform(chance) < 0.005 ? OBSERVATION_INCOMPLETE
									 : 0;
	market_step(market);
}

static void check_restarts(const struct detector_spec *spec, enum aggregation aggregation)
{
	static struct market market;
	static struct heard straight, restarted;
	struct bank *one = bank_create(spec), *other = bank_create(spec);
	struct bytes first = {0}, second = {0};

	straight.count = restarted.count = 0;
	market_init(&market, 7, 700, 10 * MINUTE, aggregation);
	market.shop.observations.count = 5;
	for (int k = 0; k < 2600 && straight.count < HEARD_MAX; k++) {
		if (k == 700)
			market.shop.observations.count = MARKET_SLICES;
		storm(&market, spec->kind == DETECTOR_ABSENCE);
		bank_step(one, &market.shop.observations, heard_each, &straight);
		bank_step(other, &market.shop.observations, heard_each, &restarted);
		if (k % 97 && k != 699 && k != 700)
			continue;
		bytes_clear(&first), bytes_clear(&second);
		bank_save(one, &first), bank_save(other, &second);
		cr_assert_eq(first.used, second.used);
		cr_assert_eq(memcmp(first.data, second.data, first.used), 0, "at %d", k);
		bank_destroy(other);
		other = bank_create(spec);
		struct bytes_reader reader = {second.data, second.used, false};
		cr_assert_eq(bank_load(other, &reader), 0);
		cr_assert_eq(reader.left, 0);
		/* What it would say is not kept, and is not 0. */
		struct bank_slice slice;
		bank_slice(other, 0, &slice);
		cr_assert(isnan(slice.expected) && isnan(slice.lower) && isnan(slice.upper));
	}
	cr_assert_gt(straight.count, 4, "too little happened: %u", straight.count);
	cr_assert_eq(straight.count, restarted.count);
	for (uint32_t i = 0; i < straight.count; i++)
		cr_assert_eq(memcmp(&straight.anomaly[i], &restarted.anomaly[i],
				    sizeof(struct anomaly)),
			     0, "revision %u differs", i);
	bank_destroy(one), bank_destroy(other);
	bytes_fini(&first), bytes_fini(&second);
}

Test(bank, goes_on_bit_for_bit_after_any_restart)
{
	static const enum aggregation aggregations[] = {AGGREGATE_COUNT, AGGREGATE_SUM,
							AGGREGATE_MEAN};
	struct detector_spec spec = window_spec();

	spec.recover_intervals = 2;
	spec.learn_intervals = 144;
	spec.absent_intervals = 2;
	for (unsigned kind = DETECTOR_WINDOW; kind <= DETECTOR_SEASONAL; kind++) {
		spec.kind = (enum detector_kind)kind;
		for (unsigned i = 0; i < 3; i++)
			check_restarts(&spec, aggregations[i]);
	}
}

Test(bank, refuses_a_checkpoint_that_is_not_its_own)
{
	struct detector_spec spec = window_spec(), other = spec;
	struct bank *bank = quiet_bank(&spec, 3);
	struct bytes bytes = {0};

	step(bank, 1, 10);
	bank_save(bank, &bytes);
	other.window = 51;
	struct bank *stranger = bank_create(&other);
	struct bytes_reader reader = {bytes.data, bytes.used, false};
	cr_assert_eq(bank_load(stranger, &reader), -EPROTO);
	bank_destroy(stranger);
	for (size_t length = 0; length < bytes.used; length += 1 + length / 7) {
		struct bank *fresh = bank_create(&spec);
		uint8_t *copy = malloc(length + 1);
		memcpy(copy, bytes.data, length);
		reader = (struct bytes_reader){copy, length, false};
		cr_assert_eq(bank_load(fresh, &reader), -EPROTO, "took %zu bytes", length);
		bank_destroy(fresh);
		free(copy);
	}
	bank_destroy(bank);
	bytes_fini(&bytes);
}

Test(bank, survives_a_checkpoint_with_any_byte_changed)
{
	struct detector_spec spec = window_spec();
	struct chance chance = {5};
	struct bank *bank = quiet_bank(&spec, 2);
	struct bytes bytes = {0};

	step(bank, 1, 10);
	bank_save(bank, &bytes);
	for (int trial = 0; trial < 3000; trial++) {
		size_t at = (size_t)(chance_uniform(&chance) * (double)bytes.used);
		uint8_t kept = bytes.data[at];
		bytes.data[at] ^= (uint8_t)(1 + (int)(255 * chance_uniform(&chance)));
		struct bank *fresh = bank_create(&spec);
		struct bytes_reader reader = {bytes.data, bytes.used, false};
		if (bank_load(fresh, &reader) == 0) {
			heard.count = 0;
			step(fresh, 1, 100);
		}
		bank_destroy(fresh);
		bytes.data[at] = kept;
	}
	bank_destroy(bank);
	bytes_fini(&bytes);
}

Test(bank, absurd_values_neither_blind_it_nor_break_its_checkpoint)
{
	static const double absurd[] = {1e308, -1e308, INFINITY, -INFINITY, NAN, 1e70, -0.0};
	static const enum aggregation aggregations[] = {AGGREGATE_COUNT, AGGREGATE_SUM,
							AGGREGATE_MEAN, AGGREGATE_MIN};
	struct detector_spec spec = window_spec();
	spec.learn_intervals = 20;
	spec.absent_intervals = 1;
	for (unsigned kind = DETECTOR_WINDOW; kind <= DETECTOR_SEASONAL; kind++) {
		for (unsigned a = 0; a < 4; a++) {
			spec.kind = (enum detector_kind)kind;
			struct bank *bank = bank_create(&spec), *copy = bank_create(&spec);
			struct bytes bytes = {0};
			shop_init(&shop, 1, 2, MINUTE, aggregations[a]);
			heard.count = 0;
			for (int k = 0; k < 500; k++) {
				shop.observations.interval++;
				double value = k % 5 == 4 ? absurd[k / 5 % 7] : 100 + k % 3;
				shop.value[0] = shop.value[1] = value;
				shop.squares[0] = shop.squares[1] = value * value;
				shop.events[0] = shop.events[1] = 1 + k % 2;
				bank_step(bank, &shop.observations, heard_each, &heard);
			}
			bank_save(bank, &bytes);
			struct bytes_reader reader = {bytes.data, bytes.used, false};
			cr_assert_eq(bank_load(copy, &reader), 0, "kind %u of %u", kind, a);
			for (uint32_t i = 0; i < heard.count; i++) {
				cr_assert(isfinite(heard.anomaly[i].severity));
				cr_assert(isfinite(heard.anomaly[i].expected));
				cr_assert(isfinite(heard.anomaly[i].observed));
			}
			bank_destroy(bank), bank_destroy(copy);
			bytes_fini(&bytes);
		}
	}
}
