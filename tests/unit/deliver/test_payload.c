/*
 * test_payload: what subscribers get, byte for byte. The golden files are read with jansson, which
 * the writer does not use, and checked against payload.schema.json.
 *
 * Golden files never change once released: a new form is a new file. To see what a new sample
 * gives, run the test: it prints what it expected and what it got.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <locale.h>
#include <regex.h>

#include "deliver/payload.h"
#include "sample.h"

#ifndef GOLDEN_DIRECTORY
#error "the build says where the golden files lie"
#endif

static json_t *schema;

static char *read_file(const char *directory, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "r");
	cr_assert(file, "cannot open %s", path);
	static char text[65536];
	size_t bytes = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[bytes] = '\0';
	return text;
}

static bool has_type(const char *type, const json_t *value)
{
	return (strcmp(type, "object") == 0 && json_is_object(value)) ||
	       (strcmp(type, "array") == 0 && json_is_array(value)) ||
	       (strcmp(type, "string") == 0 && json_is_string(value)) ||
	       (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
	       (strcmp(type, "null") == 0 && json_is_null(value)) ||
	       (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
	       (strcmp(type, "number") == 0 && json_is_number(value));
}

static bool valid(const json_t *rules, const json_t *value, const char *path);

static bool valid_object(const json_t *rules, const json_t *value, const char *path)
{
	json_t *properties = json_object_get(rules, "properties"), *required, *item;
	json_t *additional = json_object_get(rules, "additionalProperties");
	const char *name;
	char below[256];
	size_t i;
	required = json_object_get(rules, "required");
	json_array_foreach(required, i, item) if (!json_object_get(value, json_string_value(item)))
	{
		cr_log_error("%s.%s is missing", path, json_string_value(item));
		return false;
	}
	json_object_foreach((json_t *)value, name, item)
	{
		json_t *rule = json_object_get(properties, name);
		snprintf(below, sizeof(below), "%s.%s", path, name);
		if (!rule && json_is_false(additional)) {
			cr_log_error("%s is not in the schema", below);
			return false;
		}
		rule = rule ? rule : additional;
		if (json_is_object(rule) && !valid(rule, item, below))
			return false;
	}
	return true;
}

static bool valid_text(const json_t *rules, const json_t *value, const char *path)
{
	const char *pattern = json_string_value(json_object_get(rules, "pattern"));
	const char *format = json_string_value(json_object_get(rules, "format"));
	regex_t regex;
	if (format && strcmp(format, "date-time") == 0)
		pattern = "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
			  "(\\.[0-9]{3})?Z$";
	if (!pattern)
		return true;
	cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool match = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
	regfree(&regex);
	if (!match)
		cr_log_error("%s: \"%s\" does not match %s", path, json_string_value(value),
			     pattern);
	return match;
}

/* As much of JSON Schema as the schema uses. */
static bool valid(const json_t *rules, const json_t *value, const char *path)
{
	json_t *type = json_object_get(rules, "type"), *item;
	json_t *fixed = json_object_get(rules, "const"), *list = json_object_get(rules, "enum");
	json_t *minimum = json_object_get(rules, "minimum");
	json_t *items = json_object_get(rules, "items");
	bool ok = !type || (json_is_string(type) && has_type(json_string_value(type), value));
	size_t i;
	json_array_foreach(type, i, item) ok |= has_type(json_string_value(item), value);
	ok &= !fixed || json_equal(fixed, value);
	ok &= !minimum || json_number_value(value) >= json_number_value(minimum);
	bool listed = !list;
	json_array_foreach(list, i, item) listed |= json_equal(item, value);
	if (!ok || !listed) {
		cr_log_error("%s has a wrong type or value", path);
		return false;
	}
	if (json_is_object(value) && !valid_object(rules, value, path))
		return false;
	if (json_is_string(value) && !valid_text(rules, value, path))
		return false;
	json_t *most = json_object_get(rules, "maxItems");
	if (most && json_array_size(value) > (size_t)json_integer_value(most))
		return false;
	json_array_foreach((json_t *)value, i,
			   item) if (items && !valid(items, item, path)) return false;
	return true;
}

static void load_schema(void)
{
	json_error_t error;
	schema = json_loads(read_file(SCHEMA_DIRECTORY, "payload.schema.json"), 0, &error);
	cr_assert(schema, "payload.schema.json: %s", error.text);
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	cr_assert(value, "%s at %d in %s", error.text, error.position, text);
	return value;
}

static void expect_golden(const struct anomaly *anomaly, const char *environment, const char *name)
{
	char *text = payload_json(anomaly, environment);
	char *golden = read_file(GOLDEN_DIRECTORY, name);
	golden[strcspn(golden, "\n")] = '\0';
	cr_assert_str_eq(text, golden, "%s\nexpected %s\ngot      %s", name, golden, text);
	json_t *value = parse(golden);
	cr_assert(valid(schema, value, "payload"));
	json_decref(value);
	free(text);
}

/* What the golden files hold. */
static void make_firing(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
}

static void make_resolved_total(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
	anomaly->revision = 3;
	anomaly->state = ANOMALY_RESOLVED;
	anomaly->severity = 0;
	anomaly->slice[0] = '\0';
	anomaly->interval_ms = 1500;
	anomaly->start = -1;
	anomaly->interval = 1;
	anomaly->peak_interval = 0;
	anomaly->direction = 1;
	anomaly->observed = NAN;
	anomaly->upper = INFINITY;
	anomaly->expected = 0.1;
	anomaly->lower = 1e-300;
	anomaly->log10_p = 0;
	anomaly->incomplete = true;
	anomaly->contributions = 0;
	anomaly->explanations = anomaly->relateds = 0;
}

static void make_pending(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
	anomaly->state = ANOMALY_PENDING;
	anomaly->fired = false;
	anomaly->frequency_ms = -1;
	anomaly->severity = 30;
}

static void make_muted(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
	anomaly->state = ANOMALY_UPDATED;
	anomaly->revision = 2;
	anomaly->muted = true;
	anomaly->acknowledged = true;
	/* Two slices at once, and nothing moved before this metric. */
	anomaly->explanations = 2;
	anomaly->explanation[1] = anomaly->explanation[0];
	strcpy(anomaly->explanation[1].slice, "channel=email");
	anomaly->explanation[1].share = 0.125;
	anomaly->related[0] = anomaly->related[1];
	anomaly->relateds = 1;
}

static void make_strange(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
	anomaly->state = ANOMALY_UPDATED;
	anomaly->revision = 4294967295u;
	anomaly->severity = 49.96;
	anomaly->direction = 0;
	strcpy(anomaly->source, "re play/\xc3\xa9");
	strcpy(anomaly->metric, "a\"b\\c\x01\x7f");
	strcpy(anomaly->slice, "campaign=a,b=,c,city=K\xc3\xb6ln,city=x,\xff\xc0\x80");
	anomaly->interval = INT64_MAX;
	anomaly->start = INT64_MIN;
	anomaly->explanations = anomaly->relateds = 0;
	anomaly->contributions = 1;
	strcpy(anomaly->contribution[0].dimension, "emoji");
	strcpy(anomaly->contribution[0].value,
	       "\xf0\x9f\x9b\x92 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82");
}

/* What sets a name or a value apart in a slice is no part of it. The last one was cut. */
static void make_escaped(struct anomaly *anomaly)
{
	sample_anomaly(anomaly);
	strcpy(anomaly->slice, "city=Frankfurt\\, Oder,a\\=b=c\\\\d,e=\\");
	strcpy(anomaly->explanation[0].slice, "city=\\=,e=f");
}

/* Who moved first, of two metrics, as one of them tells it. */
static void expect_first(const char *metric, const char *other, int64_t lead_ms, const char *first)
{
	struct anomaly anomaly;

	sample_anomaly(&anomaly);
	snprintf(anomaly.metric, sizeof(anomaly.metric), "%s", metric);
	snprintf(anomaly.related[0].metric, sizeof(anomaly.related[0].metric), "%s", other);
	anomaly.related[0].lead_ms = lead_ms;
	anomaly.relateds = 1;
	char *text = payload_json(&anomaly, "prod");
	json_t *value = parse(text);
	const json_t *data = json_object_get(value, "data");
	cr_expect_str_eq(json_string_value(json_object_get(data, "first_mover")), first);
	json_decref(value);
	free(text);
}

Test(payload, two_that_moved_at_once_name_the_same_first)
{
	expect_first("orders", "visits", 0, "orders");
	expect_first("visits", "orders", 0, "orders");
	expect_first("visits", "orders", -1, "visits");
	expect_first("orders", "visits", 1, "visits");
}

Test(payload, is_what_the_golden_files_say, .init = load_schema)
{
	struct anomaly anomaly;
	make_firing(&anomaly);
	expect_golden(&anomaly, "prod", "firing.json");
	make_resolved_total(&anomaly);
	expect_golden(&anomaly, "prod", "resolved.json");
	make_pending(&anomaly);
	expect_golden(&anomaly, "prod", "pending.json");
	make_muted(&anomaly);
	expect_golden(&anomaly, "prod", "muted.json");
	make_strange(&anomaly);
	expect_golden(&anomaly, "st aging", "strange.json");
	make_escaped(&anomaly);
	expect_golden(&anomaly, "prod", "escaped.json");
}

Test(payload, is_valid_for_whatever_an_anomaly_holds, .init = load_schema)
{
	uint64_t seed = 7;
	for (int i = 0; i < 300; i++) {
		struct anomaly anomaly;
		sample_any(&anomaly, &seed);
		anomaly.interval_ms++;
		anomaly.revision |= 1;
		/* Bytes of any kind. */
		for (size_t at = 0; at < sizeof(anomaly.slice) - 1; at++)
			anomaly.slice[at] = (char)(1 + sample_random(&seed) % 255);
		anomaly.slice[sizeof(anomaly.slice) - 1] = '\0';
		char *text = payload_json(&anomaly, "prod");
		char *again = payload_json(&anomaly, "prod");
		cr_assert_str_eq(text, again);
		json_t *value = parse(text);
		cr_assert(valid(schema, value, "payload"), "%s", text);
		json_decref(value);
		free(text);
		free(again);
	}
}

Test(payload, gives_doubles_back_to_the_bit)
{
	uint64_t seed = 99;
	for (int i = 0; i < 2000; i++) {
		struct anomaly anomaly;
		sample_anomaly(&anomaly);
		anomaly.observed = sample_double(&seed);
		char *text = payload_json(&anomaly, "prod");
		json_t *value = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
		cr_assert(value, "%s", text);
		json_t *observed = json_object_get(json_object_get(value, "data"), "observed");
		if (isfinite(anomaly.observed))
			cr_assert_eq(weir_value_bits(json_real_value(observed)),
				     weir_value_bits(anomaly.observed), "%a", anomaly.observed);
		else
			cr_assert(json_is_null(observed));
		json_decref(value);
		free(text);
	}
}

Test(payload, does_not_follow_a_locale)
{
	struct anomaly anomaly;
	sample_anomaly(&anomaly);
	char *plain = payload_json(&anomaly, "prod");
	const char *locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
	bool set = false;
	for (int i = 0; i < 3 && !set; i++)
		set = setlocale(LC_ALL, locales[i]) != NULL;
	if (!set)
		cr_skip("no locale with a decimal comma is installed");
	char *localized = payload_json(&anomaly, "prod");
	cr_assert_str_eq(plain, localized);
	free(plain);
	free(localized);
}

Test(payload, survives_texts_that_fill_their_fields)
{
	struct anomaly anomaly;
	sample_anomaly(&anomaly);
	memset(anomaly.source, 's', sizeof(anomaly.source));
	memset(anomaly.metric, 'm', sizeof(anomaly.metric));
	memset(anomaly.slice, '=', sizeof(anomaly.slice));
	memset(anomaly.contribution[0].value, ',', sizeof(anomaly.contribution[0].value));
	char *text = payload_json(&anomaly, "prod");
	json_decref(parse(text));
	free(text);
}

Test(payload, names_bands_states_and_ids)
{
	cr_assert_str_eq(severity_band_name(100), "critical");
	cr_assert_str_eq(severity_band_name(75), "critical");
	cr_assert_str_eq(severity_band_name(74.9), "major");
	cr_assert_str_eq(severity_band_name(50), "major");
	cr_assert_str_eq(severity_band_name(25), "minor");
	cr_assert_str_eq(severity_band_name(3), "warning");
	cr_assert_str_eq(severity_band_name(2.9), "none");
	cr_assert_str_eq(severity_band_name(NAN), "none");
	cr_assert_str_eq(anomaly_state_name(ANOMALY_UPDATED), "updated");
	cr_assert_eq(severity_shown(49.96), 49.9, "still below the band of 50");
	for (int tenths = 0; tenths <= 1000; tenths++)
		cr_assert_eq(severity_shown(tenths / 10.0), tenths / 10.0);
	char text[33];
	anomaly_id_text((uint64_t[2]){1, UINT64_MAX}, text);
	cr_assert_str_eq(text, "0000000000000001ffffffffffffffff");
}

Test(payload, a_comma_or_equals_sign_behind_a_backslash_is_part_of_a_value)
{
	static const char label[] = "country=DE,name=a\\,b\\=c\\\\,x=1";
	struct label_pair pairs[4];
	cr_assert_eq(split_label(label, sizeof(label), pairs, 4), 3);
	cr_assert_eq(strncmp(pairs[1].value, "a\\,b\\=c\\\\", pairs[1].value_bytes), 0);
	cr_assert_eq(pairs[1].value_bytes, 9);
	cr_assert_eq(strncmp(pairs[2].name, "x", pairs[2].name_bytes), 0);
	/* Nothing behind the last backslash. */
	cr_assert_eq(split_label("a=b\\", 4, pairs, 4), 1);
}
