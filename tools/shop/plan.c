/*
 * plan: from the options to what is played: traffic, incident, and the times that frame them.
 */
#include "plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weir/event.h"

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS UINT64_C(86400000)
#define TIME_MS_LIMIT WEIR_TIME_MS_MAX

/* A step is a minute, or the interval where that is shorter. */
static int check_interval(uint64_t interval_ms, char *why, size_t why_bytes)
{
	if (interval_ms >= 1000 &&
	    (interval_ms < MINUTE_MS ? MINUTE_MS % interval_ms == 0 : interval_ms % MINUTE_MS == 0))
		return 0;
	snprintf(why, why_bytes,
		 "--interval must be whole minutes, or a part of a minute from 1 s on");
	return -EINVAL;
}

static void say_too_small(const struct plan *plan, char *why, size_t why_bytes)
{
	const struct incident *incident = &plan->incident;
	char clock[32];
	time_t second = (time_t)(incident->onset_ms / 1000);
	struct tm utc;
	double wanted = fmax(INCIDENT_EVENTS_MIN, INCIDENT_DEPTH_MIN / incident->size *
							  INCIDENT_DEPTH_MIN / incident->size);
	strftime(clock, sizeof(clock), "%a %H:%M", gmtime_r(&second, &utc));
	snprintf(
		why, why_bytes,
		"no incident of %.0f %% would show: at its onset (%s) no slice expects %.0f events "
		"per interval; raise --rate to %.0f, lengthen --interval, or say --no-incident",
		100.0 * incident->size, clock, wanted,
		ceil(plan->options.page_views_min * wanted / incident->expected));
}

int plan_init(struct plan *plan, const struct plan_options *options, char *why, size_t why_bytes)
{
	const uint64_t interval_ms = options->interval_ms;
	memset(plan, 0, sizeof(*plan));
	plan->options = *options;
	int ret = check_interval(interval_ms, why, why_bytes);
	if (ret < 0)
		return ret;
	traffic_init(&plan->traffic, options->seed, options->page_views_min,
		     interval_ms < MINUTE_MS ? interval_ms : MINUTE_MS);

	struct incident_when when = {.interval_ms = interval_ms,
				     .length_ms = options->length * interval_ms};
	if (options->wall) {
		uint64_t now = options->now_ms / interval_ms;
		plan->first_ms = options->now_ms / plan->traffic.step_ms * plan->traffic.step_ms;
		plan->live_ms = plan->first_ms;
		plan->opened_ms = options->now_ms - plan->first_ms;
		when.now_ms = (now + 1 + options->lead) * interval_ms;
	} else {
		plan->first_ms = options->start_ms / interval_ms * interval_ms;
		when.day_ms = options->start_ms / DAY_MS * DAY_MS + options->days * DAY_MS;
	}
	ret = incident_plan(&plan->traffic.season, options->page_views_min, options->seed, &when,
			    &plan->incident);
	if (ret < 0 && options->incident) {
		say_too_small(plan, why, why_bytes);
		return ret;
	}
	if (options->incident)
		plan->traffic.incident = &plan->incident;

	uint64_t onset = plan->incident.onset_ms / interval_ms;
	uint64_t end = (plan->incident.end_ms + interval_ms - 1) / interval_ms;
	uint64_t lead = options->lead < onset ? options->lead : onset;
	if (!options->wall)
		plan->live_ms = (onset - lead) * interval_ms;
	if (plan->live_ms < plan->first_ms)
		plan->live_ms = plan->first_ms;
	plan->last_ms = options->forever ? TIME_MS_LIMIT / interval_ms * interval_ms
					 : (end + options->tail) * interval_ms;
	if (plan->incident.onset_ms < plan->first_ms ||
	    (end + options->tail) * interval_ms > TIME_MS_LIMIT) {
		snprintf(why, why_bytes,
			 "--start and --days leave no room for the incident: "
			 "begin before 9:00 UTC, or give a day of history");
		return -EINVAL;
	}
	return 0;
}

/* A JSON string. */
static void print_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(to, "\\%c", *c);
		else if (*c < 0x20)
			fprintf(to, "\\u%04x", *c);
		else
			fputc(*c, to);
	}
	fputc('"', to);
}

static void print_incident(const struct incident *incident, FILE *to)
{
	const struct market_dimension *dimension = &market_dimensions[incident->dimension];
	fprintf(to, ",\"planted\":\"%s=%s\",\"kind\":\"%s\",\"event\":\"%s\",\"events\":[",
		dimension->name, dimension->values[incident->value].name, incident->kind,
		market_event_name(incident->event));
	const char *comma = "";
	for (int event = 0; event < MARKET_EVENTS; event++) {
		if (!incident_hits(incident, (enum market_event)event))
			continue;
		fprintf(to, "%s\"%s\"", comma, market_event_name((enum market_event)event));
		comma = ",";
	}
	fprintf(to, "],\"size\":%.2f,\"expected\":%.1f,\"onset_ms\":%llu,\"end_ms\":%llu",
		incident->size, incident->expected, (unsigned long long)incident->onset_ms,
		(unsigned long long)incident->end_ms);
}

void plan_print(const struct plan *plan, FILE *to)
{
	fprintf(to, "\"seed\":%llu,\"source\":", (unsigned long long)plan->options.seed);
	print_text(to, plan->options.source);
	fprintf(to, ",\"clock\":\"%s\",\"interval_ms\":%llu,\"first_ms\":%llu,\"live_ms\":%llu",
		plan->options.wall ? "wall" : "event",
		(unsigned long long)plan->options.interval_ms, (unsigned long long)plan->first_ms,
		(unsigned long long)plan->live_ms);
	if (plan->options.forever)
		fprintf(to, ",\"last_ms\":null");
	else
		fprintf(to, ",\"last_ms\":%llu", (unsigned long long)plan->last_ms);
	if (plan->options.incident)
		print_incident(&plan->incident, to);
	else
		fprintf(to, ",\"planted\":null,\"kind\":null,\"event\":null,\"events\":[],"
			    "\"size\":0,\"expected\":null,\"onset_ms\":null,\"end_ms\":null");
}

int plan_write(const struct plan *plan, const char *path)
{
	char *part;
	if (asprintf(&part, "%s.part", path) < 0)
		return -ENOMEM;
	int ret = 0;
	FILE *file = fopen(part, "we");
	if (file) {
		fputc('{', file);
		plan_print(plan, file);
		fputs("}\n", file);
		if (ferror(file))
			ret = -EIO;
		if (fclose(file) != 0)
			ret = -errno;
	} else {
		ret = -errno;
	}
	/* Readers see the whole line or no file. */
	if (ret == 0 && rename(part, path) != 0)
		ret = -errno;
	if (ret < 0 && file)
		unlink(part);
	free(part);
	return ret;
}

double plan_expected(const struct plan *plan)
{
	double sum = 0.0;
	if (plan->options.forever)
		return INFINITY;
	for (uint64_t step = plan->first_ms / plan->traffic.step_ms;
	     step < plan->last_ms / plan->traffic.step_ms; step++)
		sum += plan->traffic.step_mean_sum * traffic_factor(&plan->traffic, step);
	return sum;
}
