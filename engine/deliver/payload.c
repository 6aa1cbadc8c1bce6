/*
 * payload: an anomaly as CloudEvents 1.0 JSON, the same bytes every time.
 *
 * Idea:  a writer of our own, straight into a buffer: members in a fixed order, numbers in the
 *        shortest form that reads back to the same double, times in RFC 3339 UTC. Whatever bytes
 *        a text holds, what comes out is valid JSON and valid UTF-8.
 * Runs on: any thread; no state.
 * Never: looks at a clock, a locale or the machine.
 */
#include "deliver/payload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/check.h"
#include "weir/limits.h"

/* Years 0001 to 9999: what RFC 3339 can write. */
#define TIME_MS_MIN (INT64_C(-62135596800) * 1000)
#define TIME_MS_MAX (INT64_C(253402300799) * 1000 + 999)

const char *severity_band_name(double severity)
{
	if (severity >= SEVERITY_CRITICAL)
		return "critical";
	if (severity >= SEVERITY_MAJOR)
		return "major";
	if (severity >= SEVERITY_MINOR)
		return "minor";
	if (severity >= SEVERITY_WARNING)
		return "warning";
	return "none";
}

const char *anomaly_state_name(enum anomaly_state state)
{
	static const char *const names[] = {
		[ANOMALY_FIRING] = "firing",
		[ANOMALY_UPDATED] = "updated",
		[ANOMALY_RESOLVED] = "resolved",
		[ANOMALY_PENDING] = "pending",
	};
	check((unsigned)state < sizeof(names) / sizeof(names[0]));
	return names[state];
}

double severity_shown(double severity)
{
	return floor(severity * 10) / 10;
}

void anomaly_id_text(const uint64_t id[2], char text[33])
{
	snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
}

int64_t anomaly_period_ms(const struct anomaly *anomaly)
{
	if (anomaly->frequency_ms < 0) /* a calendar month */
		return 30 * INT64_C(86400000);
	int64_t ms = anomaly->frequency_ms > 0 ? anomaly->frequency_ms : anomaly->interval_ms;
	return ms > 0 ? ms : 1;
}

int64_t anomaly_time_ms(const struct anomaly *anomaly, int64_t interval, bool end)
{
	int64_t ms;
	if (end && interval < INT64_MAX)
		interval++;
	if (__builtin_mul_overflow(interval, anomaly->interval_ms, &ms))
		return (interval < 0) != (anomaly->interval_ms < 0) ? INT64_MIN : INT64_MAX;
	return ms;
}

/* For a text that is known to end with a NUL. */
#define WHOLE ((size_t)PTRDIFF_MAX)

static void put(struct bytes *out, const char *text)
{
	bytes_put(out, text, strlen(text));
}

size_t utf8_bytes(const unsigned char *text, size_t left)
{
	unsigned char lead = text[0], low = 0x80, high = 0xbf;
	size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || bytes > left)
		return 0;
	if (lead == 0xe0)
		low = 0xa0; /* no overlong forms */
	else if (lead == 0xed)
		high = 0x9f; /* no surrogates */
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f; /* nothing above U+10FFFF */
	for (size_t i = 1; i < bytes; i++) {
		if (text[i] < low || text[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return bytes;
}

/* The inside of a JSON string. A byte that is no UTF-8 becomes U+FFFD. */
static void put_escaped(struct bytes *out, const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strnlen(text, size);
	while (left > 0) {
		size_t bytes = utf8_bytes(at, left);
		if (*at == '"' || *at == '\\') {
			char pair[2] = {'\\', (char)*at};
			bytes_put(out, pair, 2);
		} else if (*at < 0x20 || *at == 0x7f) {
			char code[8];
			snprintf(code, sizeof(code), "\\u%04x", *at);
			put(out, code);
		} else if (bytes) {
			bytes_put(out, at, bytes);
		} else {
			put(out, "\xef\xbf\xbd");
		}
		at += bytes ? bytes : 1;
		left -= bytes ? bytes : 1;
	}
}

static void put_text(struct bytes *out, const char *text, size_t size)
{
	put(out, "\"");
	put_escaped(out, text, size);
	put(out, "\"");
}

/* ,"name": or {"name": */
static void put_name(struct bytes *out, const char *name)
{
	if (out->used > 0 && out->data[out->used - 1] != '{')
		put(out, ",");
	put(out, "\"");
	put(out, name);
	put(out, "\":");
}

static void put_member(struct bytes *out, const char *name, const char *text)
{
	put_name(out, name);
	put_text(out, text, WHOLE);
}

static void put_direction(struct bytes *out, int direction)
{
	put_member(out, "direction", direction < 0 ? "down" : direction > 0 ? "up" : "none");
}

/* JSON knows no NaN and no infinity: null. A severity has one decimal. */
static void put_double(struct bytes *out, const char *name, double value, bool is_severity)
{
	char text[40] = "null";
	put_name(out, name);
	if (is_severity && fabs(value) < 1e9) {
		snprintf(text, sizeof(text), "%.1f", severity_shown(value));
	} else if (isfinite(value)) {
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, value);
			if (strtod(text, NULL) == value)
				break;
		}
	}
	/* A program that sets a locale may have another decimal point; JSON has not. */
	char *comma = strchr(text, ',');
	if (comma)
		*comma = '.';
	put(out, text);
}

static void put_integer(struct bytes *out, const char *name, int64_t value)
{
	char text[24];
	put_name(out, name);
	snprintf(text, sizeof(text), "%" PRId64, value);
	put(out, text);
}

static void put_bool(struct bytes *out, const char *name, bool value)
{
	put_name(out, name);
	put(out, value ? "true" : "false");
}

static void put_time(struct bytes *out, const char *name, int64_t ms)
{
	char text[40], fraction[8] = "";
	struct tm tm;
	if (ms < TIME_MS_MIN)
		ms = TIME_MS_MIN;
	if (ms > TIME_MS_MAX)
		ms = TIME_MS_MAX;
	int64_t rest = ms % 1000;
	if (rest < 0)
		rest += 1000;
	time_t seconds = (time_t)((ms - rest) / 1000);
	gmtime_r(&seconds, &tm);
	if (rest)
		snprintf(fraction, sizeof(fraction), ".%03d", (int)rest);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
	put_name(out, name);
	put_text(out, text, sizeof(text));
}

/* "/weir/<environment>/<source>" is a URI reference: other bytes than these are written as %XX. */
static void put_path_segment(struct bytes *out, const char *text, size_t size)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t bytes = strnlen(text, size);
	for (size_t i = 0; i < bytes; i++) {
		char code[4];
		if (strchr(plain, text[i]))
			snprintf(code, sizeof(code), "%c", text[i]);
		else
			snprintf(code, sizeof(code), "%%%02X", (unsigned char)text[i]);
		put(out, code);
	}
}

/* The next one that no backslash makes a part of a value; NULL: none. */
static const char *find_plain(const char *at, const char *end, char wanted)
{
	for (; at < end; at++) {
		if (*at == wanted)
			return at;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

unsigned split_label(const char *label, size_t size, struct label_pair *pairs, unsigned max)
{
	const char *at = label, *end = label + strnlen(label, size);
	unsigned count = 0;
	while (at && at < end) {
		const char *comma = find_plain(at, end, ',');
		const char *stop = comma ? comma : end;
		const char *equals = find_plain(at, stop, '=');
		bool fresh = equals && equals > at && count < max;
		for (unsigned i = 0; i < count && fresh; i++)
			fresh = pairs[i].name_bytes != (size_t)(equals - at) ||
				memcmp(pairs[i].name, at, pairs[i].name_bytes) != 0;
		if (fresh)
			pairs[count++] = (struct label_pair){
				.name = at,
				.value = equals + 1,
				.name_bytes = (size_t)(equals - at),
				.value_bytes = (size_t)(stop - equals - 1),
			};
		else if (count > 0)
			pairs[count - 1].value_bytes = (size_t)(stop - pairs[count - 1].value);
		at = comma ? comma + 1 : NULL;
	}
	return count;
}

size_t label_plain(const char *text, size_t bytes, char *to)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\\' && i + 1 < bytes)
			i++;
		to[used++] = text[i];
	}
	return used;
}

static void put_plain(struct bytes *out, const char *text, size_t bytes)
{
	char plain[ANOMALY_LABEL_BYTES];

	put_text(out, plain, label_plain(text, bytes, plain));
}

static void put_dimensions(struct bytes *out, const char label[ANOMALY_LABEL_BYTES])
{
	struct label_pair pairs[WEIR_DIMENSIONS_MAX];
	unsigned count = split_label(label, ANOMALY_LABEL_BYTES, pairs, WEIR_DIMENSIONS_MAX);
	put_name(out, "dimensions");
	put(out, "{");
	for (unsigned i = 0; i < count; i++) {
		put(out, i ? "," : "");
		put_plain(out, pairs[i].name, pairs[i].name_bytes);
		put(out, ":");
		put_plain(out, pairs[i].value, pairs[i].value_bytes);
	}
	put(out, "}");
}

static void put_contributions(struct bytes *out, const struct anomaly *anomaly)
{
	check(anomaly->contributions <= ANOMALY_CONTRIBUTIONS_MAX);
	put_name(out, "contributions");
	put(out, "[");
	for (uint32_t i = 0; i < anomaly->contributions; i++) {
		const struct contribution *from = &anomaly->contribution[i];
		put(out, i ? ",{" : "{");
		put_name(out, "dimension");
		put_text(out, from->dimension, sizeof(from->dimension));
		put_name(out, "value");
		put_text(out, from->value, sizeof(from->value));
		put_double(out, "share", from->share, false);
		put_double(out, "observed", from->observed, false);
		put_double(out, "expected", from->expected, false);
		put(out, "}");
	}
	put(out, "]");
	put_name(out, "top_contribution");
	if (anomaly->contributions == 0) {
		put(out, "null");
		return;
	}
	const struct contribution *top = &anomaly->contribution[0];
	put(out, "\"");
	put_escaped(out, top->dimension, sizeof(top->dimension));
	put(out, "=");
	put_escaped(out, top->value, sizeof(top->value));
	put(out, "\"");
}

static void put_explanations(struct bytes *out, const struct anomaly *anomaly)
{
	check(anomaly->explanations <= ANOMALY_EXPLANATIONS_MAX);
	put_name(out, "explanation");
	put(out, "[");
	for (uint32_t i = 0; i < anomaly->explanations; i++) {
		const struct explanation *from = &anomaly->explanation[i];
		put(out, i ? ",{" : "{");
		put_name(out, "slice");
		put_text(out, from->slice, sizeof(from->slice));
		put_dimensions(out, from->slice);
		put_double(out, "share", from->share, false);
		put_double(out, "observed", from->observed, false);
		put_double(out, "expected", from->expected, false);
		put_double(out, "evidence", from->evidence, false);
		put_time(out, "since", anomaly_time_ms(anomaly, from->since, false));
		put(out, "}");
	}
	put(out, "]");
}

/* Did the first of the others move before this metric? */
static bool was_moved(const struct anomaly *anomaly)
{
	const struct related *first = &anomaly->related[0];

	if (first->lead_ms != 0)
		return first->lead_ms > 0;
	return strncmp(first->metric, anomaly->metric, sizeof(anomaly->metric)) < 0;
}

const char *anomaly_first_mover(const struct anomaly *anomaly)
{
	if (anomaly->relateds == 0)
		return NULL;
	return was_moved(anomaly) ? anomaly->related[0].metric : anomaly->metric;
}

static void put_related(struct bytes *out, const struct anomaly *anomaly)
{
	check(anomaly->relateds <= ANOMALY_RELATED_MAX);
	put_name(out, "related");
	put(out, "[");
	for (uint32_t i = 0; i < anomaly->relateds; i++) {
		const struct related *from = &anomaly->related[i];
		put(out, i ? ",{" : "{");
		put_name(out, "metric");
		put_text(out, from->metric, sizeof(from->metric));
		put_direction(out, from->direction);
		put_time(out, "start", from->start_ms);
		put_integer(out, "lead_ms", from->lead_ms);
		put(out, "}");
	}
	put(out, "]");
	put_name(out, "first_mover");
	const char *first = anomaly_first_mover(anomaly);
	if (first)
		put_text(out, first, sizeof(anomaly->metric));
	else
		put(out, "null");
}

static void put_data(struct bytes *out, const struct anomaly *anomaly, const char *id)
{
	char group[33];
	anomaly_id_text(anomaly->group, group);
	put_name(out, "data");
	put(out, "{");
	put_member(out, "id", id);
	put_member(out, "group", group);
	put_integer(out, "revision", anomaly->revision);
	put_member(out, "state", anomaly_state_name(anomaly->state));
	put_double(out, "severity", anomaly->severity, true);
	put_member(out, "band", severity_band_name(anomaly->severity));
	put_double(out, "peak", anomaly->severity_peak, true);
	put_name(out, "metric");
	put_text(out, anomaly->metric, sizeof(anomaly->metric));
	put_name(out, "slice");
	put_text(out, anomaly->slice, sizeof(anomaly->slice));
	put_dimensions(out, anomaly->slice);
	put_name(out, "detector");
	put_text(out, anomaly->detector, sizeof(anomaly->detector));
	put_name(out, "kind");
	put_text(out, anomaly->kind, sizeof(anomaly->kind));
	put_direction(out, anomaly->direction);
	put_integer(out, "interval_ms", anomaly->interval_ms);
	put_integer(out, "frequency_ms", anomaly->frequency_ms);
	put_time(out, "start", anomaly_time_ms(anomaly, anomaly->start, false));
	put_time(out, "interval_start", anomaly_time_ms(anomaly, anomaly->interval, false));
	put_time(out, "peak_start", anomaly_time_ms(anomaly, anomaly->peak_interval, false));
	put_double(out, "observed", anomaly->observed, false);
	put_double(out, "expected", anomaly->expected, false);
	put_double(out, "lower", anomaly->lower, false);
	put_double(out, "upper", anomaly->upper, false);
	put_double(out, "log10_p", anomaly->log10_p, false);
	put_bool(out, "incomplete", anomaly->incomplete);
	put_bool(out, "fired", anomaly->fired);
	put_bool(out, "muted", anomaly->muted);
	put_bool(out, "acknowledged", anomaly->acknowledged);
	put_contributions(out, anomaly);
	put_explanations(out, anomaly);
	put_related(out, anomaly);
	put(out, "}");
}

char *payload_json(const struct anomaly *anomaly, const char *environment)
{
	struct bytes out = {0};
	char id[33], event_id[48], type[32];
	anomaly_id_text(anomaly->id, id);
	snprintf(event_id, sizeof(event_id), "%s-%" PRIu32, id, anomaly->revision);
	snprintf(type, sizeof(type), "weir.anomaly.%s", anomaly_state_name(anomaly->state));
	put(&out, "{");
	put_member(&out, "specversion", "1.0");
	put_member(&out, "id", event_id);
	put_name(&out, "source");
	put(&out, "\"/weir/");
	put_path_segment(&out, environment, WHOLE);
	put(&out, "/");
	put_path_segment(&out, anomaly->source, sizeof(anomaly->source));
	put(&out, "\"");
	put_member(&out, "type", type);
	put_time(&out, "time", anomaly_time_ms(anomaly, anomaly->interval, true));
	put_name(&out, "subject");
	put(&out, "\"");
	put_escaped(&out, anomaly->metric, sizeof(anomaly->metric));
	if (anomaly->slice[0]) {
		put(&out, "[");
		put_escaped(&out, anomaly->slice, sizeof(anomaly->slice));
		put(&out, "]");
	}
	put(&out, "\"");
	put_member(&out, "datacontenttype", "application/json");
	put_data(&out, anomaly, id);
	put(&out, "}");
	bytes_put(&out, "", 1);
	if (out.failed) {
		bytes_fini(&out);
		return NULL;
	}
	return (char *)out.data;
}
