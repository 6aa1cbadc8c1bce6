/*
 * top: the engine at a glance, again and again: rates, lanes, sources, threads.
 *
 * Idea:  two answers to "stat" and the time between them give rates. On a terminal the table is
 *        drawn over the last one; elsewhere, or with --once, it is printed once.
 */
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "base/monotonic.h"
#include "command.h"
#include "text.h"

#define WHY_BYTES 320
#define MEMBERS_MAX 64
#define NAME_BYTES 64
#define PRODUCERS_SHOWN 10 /* the busiest */

struct top {
	const char *socket;
	uint64_t every_ms, count;
	bool once, json;
};

static const struct option_row rows[] = {
	ROW_CONTROL(struct top),
	{.name = "interval",
	 .argument = "TIME",
	 .help = "between two looks; default 1s",
	 .kind = OPTION_DURATION,
	 .min = 100,
	 .max = 3600000,
	 .at = offsetof(struct top, every_ms)},
	{.letter = 'n',
	 .name = "count",
	 .argument = "N",
	 .help = "leave after N tables",
	 .kind = OPTION_U64,
	 .min = 1,
	 .max = 1e18,
	 .at = offsetof(struct top, count)},
	{.name = "once",
	 .help = "one table, and no terminal is needed",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct top, once)},
	ROW_JSON(struct top, "each look as one JSON object"),
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* One look at the engine: the answers to "stat" and "producers", and when. */
struct look {
	json_t *answer, *producers;
	double at_s;
};

static void look_free(struct look *look)
{
	json_decref(look->answer);
	json_decref(look->producers);
}

static int look_at(const struct top *top, struct look *look, char why[WHY_BYTES])
{
	look->answer = ask(ask_socket(top->socket), json_pack("{ss}", "command", "stat"), why,
			   WHY_BYTES);
	look->producers = look->answer
				  ? ask(ask_socket(top->socket),
					json_pack("{ss}", "command", "producers"), why, WHY_BYTES)
				  : NULL;
	look->at_s = monotonic_s();
	if (look->producers)
		return 0;
	look_free(look);
	return -1;
}

/* The label's value of a number: "0" of {lane=0}; "" if it has none. */
static const char *member_of(const json_t *stat)
{
	json_t *labels = json_object_get(stat, "labels"), *value;
	const char *name;
	json_object_foreach(labels, name, value) return json_string_value(value);
	return "";
}

/* The value of a number; `member` NULL: the sum over all. */
static double value_of(const struct look *look, const char *name, const char *member)
{
	const json_t *stat;
	double sum = 0;
	size_t i;
	json_array_foreach(json_object_get(look->answer, "stats"), i,
			   stat) if (strcmp(json_string_value(json_object_get(stat, "name")),
					    name) == 0 &&
				     (!member || strcmp(member_of(stat), member) == 0))
		sum += json_number_value(json_object_get(stat, "value"));
	return sum;
}

/* How much it has grown a second. */
static double rate_of(const struct look *from, const struct look *to, const char *name,
		      const char *member)
{
	double seconds = to->at_s - from->at_s;
	double grown = value_of(to, name, member) - value_of(from, name, member);
	return seconds > 0 && grown > 0 ? grown / seconds : 0;
}

/* Events that came through, kept or not. */
static double events_rate(const struct look *from, const struct look *to, const char *member)
{
	return rate_of(from, to, "events_persisted_total", member) +
	       rate_of(from, to, "events_unkept_total", member);
}

/* 1234567 as "1.23 M". */
static const char *scaled(double value, char text[24])
{
	static const char *const units[] = {"", " k", " M", " G", " T"};
	int unit = 0;
	while (value >= 999.5 && unit < 4) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 24, unit && value < 99.95 ? "%.3g%s" : "%.0f%s", value, units[unit]);
	return text;
}

/* The members of a group, from the number that each of them has. */
static uint32_t members(const struct look *look, const char *name, char list[][NAME_BYTES])
{
	const json_t *stat;
	uint32_t count = 0;
	size_t i;
	json_array_foreach(json_object_get(look->answer, "stats"), i,
			   stat) if (strcmp(json_string_value(json_object_get(stat, "name")),
					    name) == 0 &&
				     count < MEMBERS_MAX)
		snprintf(list[count++], NAME_BYTES, "%s", member_of(stat));
	return count;
}

struct screen {
	FILE *to;
	const struct look *from, *now;
};

static void draw_head(const struct screen *s)
{
	char a[24], b[24], c[24], d[24];
	double up = value_of(s->now, "up_seconds", NULL);
	fprintf(s->to, "weird up %.0f:%02d:%02d, %s producers, %s series, %.1f %% of a core, %sB\n",
		floor(up / 3600), (int)fmod(up / 60, 60), (int)fmod(up, 60),
		scaled(value_of(s->now, "producers", NULL), a),
		scaled(value_of(s->now, "series", NULL), b),
		100 * rate_of(s->from, s->now, "cpu_seconds_total", NULL),
		scaled(value_of(s->now, "resident_memory_bytes", NULL), c));
	fprintf(s->to, "%s events/s %s, %s dropped, %s rejected, %sB/s to the disk, ",
		scaled(events_rate(s->from, s->now, NULL), a),
		value_of(s->now, "events_unkept_total", NULL) > 0 ? "taken, none kept" : "kept",
		scaled(value_of(s->now, "events_dropped_total", NULL), b),
		scaled(value_of(s->now, "events_rejected_total", NULL), c),
		scaled(rate_of(s->from, s->now, "log_bytes_total", NULL), d));
	fprintf(s->to, "%sB free\n", scaled(value_of(s->now, "disk_free_bytes", NULL), a));
	fprintf(s->to, "%s detectors, %s learning; %s revisions stored, %s wait for Redis%s\n",
		scaled(value_of(s->now, "detectors", NULL), a),
		scaled(value_of(s->now, "detectors_learning", NULL), b),
		scaled(value_of(s->now, "revisions_total", NULL), c),
		scaled(value_of(s->now, "outbox", NULL), d),
		value_of(s->now, "redis_configured", NULL) > 0 &&
				value_of(s->now, "redis_connected", NULL) <= 0
			? " (NOT CONNECTED)"
			: "");
}

static void draw_lanes(const struct screen *s)
{
	char list[MEMBERS_MAX][NAME_BYTES], a[24], b[24], c[24], d[24], e[24];
	uint32_t count = members(s->now, "rings", list);
	fprintf(s->to, "\n%-12s %8s %12s %12s %12s %12s %8s\n", "LANE", "RINGS", "EVENTS/S",
		"IN RINGS", "BYTES/S", "UNSYNCED", "LATE/S");
	for (uint32_t i = 0; i < count; i++) {
		const char *m = list[i];
		fprintf(s->to, "%-12s %8.0f %12s %12s %12s %12s %8s%s\n", m,
			value_of(s->now, "rings", m),
			scaled(events_rate(s->from, s->now, m), a),
			scaled(value_of(s->now, "events_in_ring", m), b),
			scaled(rate_of(s->from, s->now, "log_bytes_total", m), c),
			scaled(value_of(s->now, "log_unsynced_bytes", m), d),
			scaled(rate_of(s->from, s->now, "events_late_total", m), e),
			value_of(s->now, "log_failing", m) > 0 ? "  CANNOT WRITE" : "");
	}
}

static void draw_sources(const struct screen *s)
{
	char list[MEMBERS_MAX][NAME_BYTES];
	uint32_t count = members(s->now, "source_clock_seconds", list);
	fprintf(s->to, "\n%-12s %-26s %-26s %10s\n", "SOURCE", "CLOCK", "CLOSED UP TO", "BEHIND");
	for (uint32_t i = 0; i < count; i++) {
		char clock[TEXT_TIME_BYTES] = "-", closed[TEXT_TIME_BYTES] = "-";
		double at = value_of(s->now, "source_clock_seconds", list[i]);
		double through = value_of(s->now, "source_closed_seconds", list[i]);
		if (at > 0)
			text_time(clock, (int64_t)(at * 1000));
		if (through > 0)
			text_time(closed, (int64_t)(through * 1000));
		fprintf(s->to, "%-12s %-26s %-26s %8.1f s\n", list[i], clock, closed,
			value_of(s->now, "source_lag_seconds", list[i]));
	}
}

struct producer_line {
	const json_t *producer;
	double rate;
};

/* The same producer in the look before; NULL: it has come since. */
static const json_t *producer_before(const struct look *from, const json_t *producer)
{
	static const char *const keys[] = {"pid", "program", "source"};
	const json_t *before;
	size_t i;
	json_array_foreach(json_object_get(from->producers, "producers"), i, before)
	{
		bool same = true;
		for (int k = 0; k < 3; k++)
			same = same && json_equal(json_object_get(before, keys[k]),
						  json_object_get(producer, keys[k]));
		if (same)
			return before;
	}
	return NULL;
}

static double number_of(const json_t *producer, const char *name)
{
	return json_number_value(json_object_get(producer, name));
}

static double dropped_by(const json_t *producer)
{
	json_t *value;
	const char *reason;
	double sum = 0;
	json_object_foreach(json_object_get(producer, "dropped"), reason, value)
		sum += json_number_value(value);
	return sum;
}

static int by_rate(const void *left, const void *right)
{
	double l = ((const struct producer_line *)left)->rate;
	double r = ((const struct producer_line *)right)->rate;
	return (l < r) - (l > r);
}

static void draw_producers(const struct screen *s)
{
	struct producer_line lines[MEMBERS_MAX];
	char a[24], b[24], c[24];
	size_t i, count = 0;
	const json_t *producer;
	double seconds = s->now->at_s - s->from->at_s;
	json_array_foreach(json_object_get(s->now->producers, "producers"), i, producer)
	{
		const json_t *before = producer_before(s->from, producer);
		double grown = number_of(producer, "emitted") -
			       (before ? number_of(before, "emitted") : 0);
		if (count < MEMBERS_MAX)
			lines[count++] = (struct producer_line){
				producer, seconds > 0 && grown > 0 ? grown / seconds : 0};
	}
	qsort(lines, count, sizeof(lines[0]), by_rate);
	fprintf(s->to, "\n%-20s %8s %-12s %6s %12s %12s %12s\n", "PRODUCER", "PID", "SOURCE",
		"RINGS", "EVENTS/S", "IN RINGS", "DROPPED");
	for (i = 0; i < count && i < PRODUCERS_SHOWN; i++) {
		producer = lines[i].producer;
		fprintf(s->to, "%-20s %8.0f %-12s %6.0f %12s %12s %12s%s\n",
			json_string_value(json_object_get(producer, "program")),
			number_of(producer, "pid"),
			json_string_value(json_object_get(producer, "source")),
			number_of(producer, "rings"), scaled(lines[i].rate, a),
			scaled(number_of(producer, "in_ring"), b), scaled(dropped_by(producer), c),
			json_is_true(json_object_get(producer, "quarantined")) ? "  QUARANTINED"
									       : "");
	}
	if (count > PRODUCERS_SHOWN)
		fprintf(s->to, "and %zu more\n", count - PRODUCERS_SHOWN);
}

static void draw_threads(const struct screen *s)
{
	char list[MEMBERS_MAX][NAME_BYTES], a[24];
	uint32_t count = members(s->now, "agent_steps_total", list);
	fprintf(s->to, "\n%-12s %12s %8s\n", "THREAD", "STEPS/S", "AWAKE");
	for (uint32_t i = 0; i < count; i++) {
		double steps = rate_of(s->from, s->now, "agent_steps_total", list[i]);
		double sleeps = rate_of(s->from, s->now, "agent_sleeps_total", list[i]);
		fprintf(s->to, "%-12s %12s %6.0f %%\n", list[i], scaled(steps, a),
			steps > 0 ? 100 * (steps - fmin(sleeps, steps)) / steps : 0);
	}
}

static void print_json(const struct look *from, const struct look *now)
{
	printf("{\"seconds\":%.3f,\"events_per_second\":%.1f,\"bytes_per_second\":%.1f,"
	       "\"cores\":%.3f,\"stats\":",
	       now->at_s - from->at_s, events_rate(from, now, NULL),
	       rate_of(from, now, "log_bytes_total", NULL),
	       rate_of(from, now, "cpu_seconds_total", NULL));
	json_dumpf(json_object_get(now->answer, "stats"), stdout,
		   JSON_COMPACT | JSON_PRESERVE_ORDER);
	fputs(",\"producers\":", stdout);
	json_dumpf(json_object_get(now->producers, "producers"), stdout,
		   JSON_COMPACT | JSON_PRESERVE_ORDER);
	puts("}");
	fflush(stdout);
}

static void draw(const struct top *top, const struct look *from, const struct look *now, bool live)
{
	char *text = NULL;
	size_t bytes;
	struct screen screen = {.from = from, .now = now};
	if (top->json) {
		print_json(from, now);
		return;
	}
	screen.to = open_memstream(&text, &bytes);
	if (!screen.to)
		return;
	draw_head(&screen);
	draw_lanes(&screen);
	draw_sources(&screen);
	draw_producers(&screen);
	draw_threads(&screen);
	fclose(screen.to);
	/* Home, each line cleared behind its end, what is below cleared: nothing flickers. */
	if (live)
		fputs("\033[H", stdout);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		printf("%.*s%s\n", (int)length, line, live ? "\033[K" : "");
		line += length + (line[length] == '\n');
	}
	fputs(live ? "\033[J" : "", stdout);
	fflush(stdout);
	free(text);
}

/* Wait for the next look; false: the operator has seen enough (q, Ctrl-C). */
static bool wait_for(uint64_t ms, bool live)
{
	struct pollfd key = {.fd = live ? STDIN_FILENO : -1, .events = POLLIN};
	char pressed = '\0';
	if (poll(&key, 1, (int)ms) > 0 && read(STDIN_FILENO, &pressed, 1) != 1)
		return false;
	return !stopped && pressed != 'q';
}

/* What went wrong is in `why`: a screen of its own has to be left before it is said. */
static int watch(const struct top *top, bool live, char why[WHY_BYTES])
{
	struct look from, now;
	uint64_t left = top->once ? 1 : top->count;
	if (look_at(top, &from, why) < 0)
		return TOOL_IO;
	while (left-- > 0 && wait_for(top->every_ms, live)) {
		if (look_at(top, &now, why) < 0) {
			look_free(&from);
			return TOOL_IO;
		}
		draw(top, &from, &now, live);
		look_free(&from);
		from = now;
	}
	look_free(&from);
	return TOOL_OK;
}

static int run(void *self, int count, char **operands)
{
	const struct top *top = self;
	bool live = !top->once && !top->json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
	struct sigaction action = {.sa_handler = on_signal};
	struct termios before, raw;
	char why[WHY_BYTES] = "";
	(void)count;
	(void)operands;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (live) {
		tcgetattr(STDIN_FILENO, &before);
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		fputs("\033[?1049h\033[?25l\033[2J", stdout); /* a screen of its own, no cursor */
	}
	int code = watch(top, live, why);
	if (live) {
		fputs("\033[?25h\033[?1049l", stdout);
		fflush(stdout);
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	}
	if (why[0])
		fprintf(stderr, "weirctl: %s\n", why);
	return code;
}

static const struct top defaults = {.every_ms = 1000, .count = UINT64_MAX};

static const struct option_example examples[] = {
	{"weirctl top", "Until q is pressed"},
	{"weirctl top --once", "One table"},
	{"weirctl top --json --interval 10s | jq .events_per_second",
	 "The rate, every ten seconds"},
};

const struct command command_top = {
	.options =
		{.program = "weirctl top",
		 .operands = "",
		 .summary = "rates, lanes, sources, producers and threads, live",
		 .description =
			 "The running engine at a glance: what it keeps a second, its lanes, "
			 "how far each source is behind, which producers emit most, how busy each thread is. On a terminal "
			 "the table is drawn again and again until q or Ctrl-C; elsewhere one "
			 "follows the other.",
		 COMMAND_ROWS(rows),
		 COMMAND_EXAMPLES(examples),
		 .environment = "WEIR_CONTROL"},
	.bytes = sizeof(struct top),
	.defaults = &defaults,
	.run = run,
};
