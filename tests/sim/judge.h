/*
 * judge: somebody says of the story's last anomaly of a slice whether it was one.
 */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/story.h"

struct judged {
	char id[33], metric[65], detector[65], slice[128];
	double observed, expected;
	int direction;
};

static void judge_copy(char *to, size_t size, const json_t *data, const char *name)
{
	const char *text = json_string_value(json_object_get(data, name));
	snprintf(to, size, "%s", text ? text : "");
}

/* The last that fired of revenue in Germany, of which the story breaks some. false: none has. */
static bool judge_find(struct story *story, struct judged *ret)
{
	uint32_t count;
	char **lines;
	bool found = false;

	story_settle(story);
	lines = story_stored(story, &count);
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = count; i > 0 && !found; i--) {
		json_t *event = json_loads(lines[i - 1], 0, NULL);
		const json_t *data = json_object_get(event, "data");
		const char *subject = json_string_value(json_object_get(event, "subject"));
		const char *state = json_string_value(json_object_get(data, "state"));
		found = strcmp(state, "firing") == 0 && strcmp(subject, "revenue[country=DE]") == 0;
		if (found) {
			const char *direction =
				json_string_value(json_object_get(data, "direction"));
			judge_copy(ret->id, sizeof(ret->id), data, "id");
			judge_copy(ret->metric, sizeof(ret->metric), data, "metric");
			judge_copy(ret->detector, sizeof(ret->detector), data, "detector");
			ret->observed = json_number_value(json_object_get(data, "observed"));
			ret->expected = json_number_value(json_object_get(data, "expected"));
			ret->direction = strcmp(direction, "up") == 0 ? 1 : -1;
			snprintf(ret->slice, sizeof(ret->slice), "country=DE");
		}
		json_decref(event);
	}
	story_free_lines(lines, count);
	return found;
}

/* The id of the nth anomaly that fired, of whatever. */
static bool judge_other(struct story *story, uint32_t nth, char id[33])
{
	uint32_t count, fired = 0;
	char **lines;

	story_settle(story);
	lines = story_stored(story, &count);
	for (uint32_t i = 0; i < count && fired < nth; i++) {
		const char *at = strstr(lines[i], "\"data\":{\"id\":\"");
		if (!at || !strstr(lines[i], "\"state\":\"firing\"") || ++fired < nth)
			continue;
		snprintf(id, 33, "%s", at + strlen("\"data\":{\"id\":\""));
	}
	story_free_lines(lines, count);
	return fired == nth;
}

/* How many of this detector and slice have fired. */
static uint32_t judge_count(struct story *story, const struct judged *judged)
{
	uint32_t count, fired = 0;
	char **lines, subject[256], detector[128];

	story_settle(story);
	lines = story_stored(story, &count);
	snprintf(subject, sizeof(subject), "\"subject\":\"%s[%s]\"", judged->metric, judged->slice);
	snprintf(detector, sizeof(detector), "\"detector\":\"%s\"", judged->detector);
	for (uint32_t i = 0; i < count; i++)
		fired += strstr(lines[i], subject) && strstr(lines[i], detector) &&
			 strstr(lines[i], "\"state\":\"firing\"");
	story_free_lines(lines, count);
	return fired;
}

/* It went on for so many minutes until now, and was twice as large as it says. */
static void judge(struct story *story, const struct judged *judged, const char *verdict,
		  int minutes)
{
	long long now_ms = (long long)story_time_ms(story);
	double size = 2 * fabs(judged->observed - judged->expected) + 1;
	char json[1024];

	snprintf(json, sizeof(json),
		 "{\"kind\":\"feedback\",\"id\":\"%s\",\"verdict\":\"%s\",\"source\":\"story\","
		 "\"metric\":\"%s\",\"detector\":\"%s\",\"slice\":\"%s\",\"direction\":%d,"
		 "\"start_ms\":%lld,\"end_ms\":%lld,\"period_ms\":60000,\"usual\":%.17g,"
		 "\"sizes\":[%.17g,%.17g,0],\"rebound\":[%.17g,0,0],\"author\":\"ann\"}",
		 judged->id, verdict, judged->metric, judged->detector, judged->slice,
		 judged->direction, now_ms - minutes * 60000LL, now_ms, judged->expected, size,
		 size, size);
	story_input(story, json);
}

#endif
