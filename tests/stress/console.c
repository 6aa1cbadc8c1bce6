/*
 * console: the console's threads under everything at once: clients look, tell and listen, some go
 * away without their answer, the engine hangs and goes on, and all that ends in the middle of it.
 *
 * Idea:  whoever stays gets whole answers of a status that may be; the end comes, with connections
 *        that sleep. Under ThreadSanitizer, also without a race.
 */
#include <pthread.h>
#include <stdio.h>

#include "../unit/console/server_made.h"
#include "base/check.h"
#include "weir/order.h"

enum { CLIENTS = 6, ROUNDS = 4, ANSWERS = 400, HANG_US = 30000, GO_ON_US = 20000 };

struct stress {
	struct server_made made;
	uint32_t ending;      /* the server may be gone */
	uint32_t quit, heard; /* answers, of all clients */
	uint32_t told, refused;
};

static const char mute[] = "{\"metric\":\"orders\",\"for_ms\":60000}";

static const struct {
	const char *path, *json;
} asked[] = {
	{"/", NULL},
	{"/api/v1/mutes", mute},
	{"/api/v1/anomalies?q=x", NULL},
	{"/api/v1/chart?metric=orders", NULL},
	{"/api/v1/session", NULL},
	{"/api/v1/mutes", mute},
	{"/api/v1/feedback", NULL},
	{"/api/v1/pipeline", NULL},
	{"/api/v1/anomalies/00/ack", "{}"},
};

#define ASKED (sizeof(asked) / sizeof(asked[0]))

/* 503: it hangs; 404: there is no history. */
static void check_status(struct stress *stress, const struct browser *browser, bool tells)
{
	unsigned status = browser->status;

	check(status == 200 || status == 404 || status == 503);
	if (tells)
		weir_add_32(status == 200 ? &stress->told : &stress->refused, 1);
	weir_add_32(&stress->heard, 1);
}

/* Relaxed flags: they only end loops; the joins order the rest. */
static bool goes_on(struct stress *stress)
{
	return !weir_load_relaxed_32(&stress->ending);
}

/* The server can go between a look at the flag and the connection. */
static bool try_open(struct stress *stress, struct browser *browser)
{
	if (!goes_on(stress))
		return false;
	if (browser_try_open(browser, stress->made.guard.port))
		return true;
	check(!goes_on(stress));
	return false;
}

static void *client_run(void *argument)
{
	struct stress *stress = argument;
	struct browser *browser = malloc(sizeof(*browser));

	check(browser);
	for (uint32_t number = 0; try_open(stress, browser); number++) {
		for (uint32_t i = 0; i < 2 * ASKED && goes_on(stress); i++) {
			size_t k = (i * 7 + number) % ASKED;
			bool said = browser_try_says(browser, asked[k].path, asked[k].json);
			if (said && i == 12 && number % 3 == 0)
				break; /* it does not wait for this one */
			if (!said || !browser_hears(browser)) {
				check(!goes_on(stress));
				break;
			}
			check_status(stress, browser, asked[k].json == mute);
		}
		browser_close(browser);
	}
	free(browser);
	return NULL;
}

static void *listener_run(void *argument)
{
	static const char text[] = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct stress *stress = argument;
	struct browser browser;
	char heard[4096];

	browser_open(&browser, stress->made.guard.port);
	check(send(browser.fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	while (recv(browser.fd, heard, sizeof(heard), 0) > 0)
		;
	browser_close(&browser);
	return NULL;
}

/* It hangs and goes on, while there is news for who listens. */
static void *engine_run(void *argument)
{
	struct stress *stress = argument;

	while (!weir_load_relaxed_32(&stress->quit)) {
		engine_made_hang(&stress->made.engine);
		usleep(HANG_US);
		engine_made_go_on(&stress->made.engine);
		usleep(GO_ON_US);
		feed_publish(stress->made.console.feed, FEED_ANOMALIES, "closed", json_object());
		in_force_step(stress->made.console.in_force);
		server_tick(stress->made.server);
	}
	engine_made_hang(&stress->made.engine); /* it is not there when all ends */
	return NULL;
}

static void say_all(struct engine_made *engine)
{
	engine_made_says(engine, "stat", json_pack("{sb s[]}", "ok", 1, "stats"));
	engine_made_says(engine, "producers", json_pack("{sb s[]}", "ok", 1, "producers"));
	engine_made_says(engine, "detectors", json_pack("{sb s[]}", "ok", 1, "detectors"));
	engine_made_says(engine, "feedback_list", json_pack("{sb s[]}", "ok", 1, "feedback"));
}

static void round_of(struct stress *stress)
{
	pthread_t clients[CLIENTS], listener, engine;
	uint32_t before = weir_load_relaxed_32(&stress->heard);

	server_made_open(&stress->made);
	say_all(&stress->made.engine);
	weir_store_relaxed_32(&stress->ending, 0);
	weir_store_relaxed_32(&stress->quit, 0);
	check(pthread_create(&listener, NULL, listener_run, stress) == 0);
	check(pthread_create(&engine, NULL, engine_run, stress) == 0);
	for (int i = 0; i < CLIENTS; i++)
		check(pthread_create(&clients[i], NULL, client_run, stress) == 0);
	while (weir_load_relaxed_32(&stress->heard) - before < ANSWERS)
		usleep(1000);
	weir_store_relaxed_32(&stress->quit, 1);
	pthread_join(engine, NULL);
	usleep(HANG_US); /* somebody waits for it now */
	weir_store_relaxed_32(&stress->ending, 1);
	server_made_end(&stress->made);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	pthread_join(listener, NULL);
	engine_made_go_on(&stress->made.engine);
	server_made_close(&stress->made);
}

int main(void)
{
	static struct stress stress;

	for (int i = 0; i < ROUNDS; i++)
		round_of(&stress);
	printf("%u answers, %u told, %u refused\n", stress.heard, stress.told, stress.refused);
	check(stress.told > 0);
	return 0;
}
