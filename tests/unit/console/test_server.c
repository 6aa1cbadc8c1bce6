/* The console before an engine that hangs: who waits for it sleeps, and keeps nobody waiting. */
#include <criterion/criterion.h>

#include "server_made.h"

#define CLIENTS 64 /* more than enough that each of the library's threads has some */
#define TELLERS 8
#define MANY 120

static struct server_made made;
static struct browser browser[MANY];
static const char mute[] = "{\"metric\":\"orders\",\"for_ms\":60000}";

static void begin(void)
{
	server_made_open(&made);
}

static void end(void)
{
	server_made_close(&made);
}

TestSuite(server, .init = begin, .fini = end);

/* Connections that the library's threads have taken already, and a console that knows what a chart
 * needs. */
static void connect_all(int count)
{
	for (int i = 0; i < count; i++) {
		browser_open(&browser[i], made.guard.port);
		cr_assert_eq(browser_asks(&browser[i], "/-/healthy", NULL), 200);
	}
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/overview", NULL), 200);
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/session", NULL), 200);
}

static void close_all(int count)
{
	for (int i = 0; i < count; i++)
		browser_close(&browser[i]);
}

/* How many of them have no answer yet. */
static int waiting(int from, int count)
{
	int waits = 0;

	for (int i = from; i < from + count; i++)
		waits += !browser_has_news(&browser[i], 0);
	return waits;
}

/* So many of them are refused, and may come again; the others wait. */
static void wait_for_refusals(int count, int wait)
{
	while (waiting(0, count) > wait)
		usleep(1000);
}

static int hear_all(int count, const char *of_refused)
{
	int told = 0;

	for (int i = 0; i < count; i++) {
		cr_assert(browser_hears(&browser[i]));
		told += browser[i].status == 200;
		cr_assert(browser[i].status == 200 || (browser[i].status == 503 &&
						       strstr(browser[i].text, "Retry-After: ") &&
						       strstr(browser[i].text, of_refused)),
			  "%s", browser[i].text);
	}
	return told;
}

Test(server, pages_lists_and_charts_are_there_while_tells_wait)
{
	static const struct {
		const char *path;
		unsigned status;
	} asked[] = {{"/", 200},
		     {"/api/v1/anomalies", 200},
		     {"/api/v1/lanes?rows=metric", 200},
		     {"/api/v1/overview", 200},
		     {"/api/v1/session", 200},
		     {"/api/v1/series", 200},
		     {"/api/v1/chart?metric=orders", 404}}; /* it has no history */

	connect_all(CLIENTS);
	engine_made_hang(&made.engine);
	for (int i = 0; i < TELLERS; i++)
		browser_says(&browser[i], "/api/v1/mutes", mute);
	wait_for_refusals(TELLERS, 2);
	for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++)
		for (int i = TELLERS; i < CLIENTS; i++)
			cr_assert_eq(browser_asks(&browser[i], asked[k].path, NULL),
				     asked[k].status, "%s: %s", asked[k].path, browser[i].text);
	cr_assert_eq(waiting(0, TELLERS), 2, "they were not there before the tells were over");
	engine_made_go_on(&made.engine);
	cr_assert_eq(hear_all(TELLERS, "others wait for it already"), 2);
	close_all(CLIENTS);
}

/* More than may wait are refused at once, and whoever comes next has a place again. */
Test(server, so_many_wait_and_no_more)
{
	int full = 0;

	connect_all(MANY);
	engine_made_hang(&made.engine);
	for (int i = 0; i < MANY; i++)
		browser_says(&browser[i], "/api/v1/mutes", mute);
	wait_for_refusals(MANY, 2);
	engine_made_go_on(&made.engine);
	cr_assert_eq(hear_all(MANY, "try again"), 2);
	for (int i = 0; i < MANY; i++)
		full += strstr(browser[i].text, "too many wait for an answer") != NULL;
	cr_assert_gt(full, 0);
	cr_assert_eq(browser_asks(&browser[3], "/api/v1/mutes", mute), 200);
	close_all(MANY);
}

/* Who waits when the console is stopped hears it, and what became of it. */
Test(server, ends_with_tells_under_way)
{
	int unknown = 0;

	connect_all(TELLERS);
	engine_made_hang(&made.engine);
	for (int i = 0; i < TELLERS; i++)
		browser_says(&browser[i], "/api/v1/mutes", mute);
	wait_for_refusals(TELLERS, 2);
	server_made_end(&made);
	cr_assert_eq(hear_all(TELLERS, "\"error\":"), 0);
	for (int i = 0; i < TELLERS; i++)
		unknown += strstr(browser[i].text, "\"outcome\":\"unknown\"") != NULL;
	cr_assert_eq(unknown, 2);
	engine_made_go_on(&made.engine);
	close_all(TELLERS);
}

/* Its disk does not answer: it is in force as soon as it does. Whoever says it again under the same
 * key says it once. */
Test(server, what_became_of_a_tell_is_not_known)
{
	connect_all(1);
	engine_made_says(&made.engine, "mute",
			 json_pack("{sb sb ss}", "ok", 0, "pending", 1, "error",
				   "the disk is slow"));
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/mutes", mute), 503);
	cr_assert(strstr(browser[0].text, "Retry-After: "), "%s", browser[0].text);
	cr_assert(strstr(browser[0].text, "\"outcome\":\"unknown\""), "%s", browser[0].text);
	cr_assert(strstr(browser[0].text, "the disk is slow. It may have been kept: said again"),
		  "%s", browser[0].text);
	const char *key = strstr(browser[0].text, "\"key\":\"");
	cr_assert(key && strspn(key + 7, "0123456789abcdef") == 32, "%s", browser[0].text);
	/* What it refuses is refused. */
	engine_made_says(&made.engine, "mute", json_pack("{sb ss}", "ok", 0, "error", "no room"));
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/mutes", mute), 409);
	cr_assert_not(strstr(browser[0].text, "outcome"), "%s", browser[0].text);
	browser_close(&browser[0]);
}

static bool is_done(const char *step)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\"key\":\"%s\",\"done\":true", step);
	return strstr(browser[0].text, wanted) != NULL;
}

/* Of an engine that has gone away nobody says that somebody is linked to it. */
Test(server, steps_of_a_first_run_are_of_now)
{
	connect_all(1);
	engine_made_says(&made.engine, "status",
			 json_pack("{sb s{si s[] si s{si} s{sb}}}", "ok", 1, "status",
				   "interval_ms", 60000, "sources", "events_persisted", 7, "intake",
				   "attached", 1, "redis", "connected", 1));
	do {
		usleep(10000); /* what it says is asked for once a second */
		char why[ENGINE_WHY_BYTES];
		json_decref(engine_link_status(made.console.link, why));
		cr_assert_eq(browser_asks(&browser[0], "/api/v1/session", NULL), 200);
	} while (!is_done("client"));
	cr_assert(is_done("engine") && is_done("events") && is_done("alerts"));
	engine_made_stop(&made.engine);
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/pipeline", NULL), 503);
	cr_assert_eq(browser_asks(&browser[0], "/api/v1/session", NULL), 200);
	cr_assert(is_done("events"), "what it has kept is there");
	cr_assert_not(is_done("engine") || is_done("client") || is_done("alerts"), "%s",
		      browser[0].text);
	browser_close(&browser[0]);
}

/* Whoever goes away meanwhile is missed by nobody; the engine is told all the same. */
Test(server, a_client_that_leaves)
{
	connect_all(TELLERS);
	engine_made_hang(&made.engine);
	browser_says(&browser[1], "/api/v1/mutes", mute);
	browser_close(&browser[1]);
	cr_assert_eq(browser_asks(&browser[2], "/api/v1/anomalies", NULL), 200);
	engine_made_go_on(&made.engine);
	while (engine_made_asked(&made.engine, "mute") < 1)
		usleep(1000);
	cr_assert_eq(browser_asks(&browser[2], "/api/v1/mutes", mute), 200);
	browser_close(&browser[0]);
	for (int i = 2; i < TELLERS; i++)
		browser_close(&browser[i]);
}
