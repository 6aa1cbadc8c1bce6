/* What requests look at together: the configuration in force, and the engine's own numbers: asked
 * for once, however many want them. */
#include <criterion/criterion.h>

#include "engine_made.h"

#include "console.h"
#include "engine_link.h"
#include "in_force.h"
#include "pipeline.h"
#include "weir/order.h"

#define THREADS 16

static struct engine_made engine;
static struct console console;
static char why[ENGINE_WHY_BYTES];

static void begin(void)
{
	engine_made_start(&engine);
	console.link = engine_link_open(engine.path, NULL);
	console.in_force = in_force_open(console.link);
	console.pipeline = pipeline_open();
	cr_assert(console.link && console.in_force && console.pipeline);
}

static void end(void)
{
	pipeline_close(console.pipeline);
	in_force_close(console.in_force);
	engine_link_close(console.link);
	engine_made_end(&engine);
}

TestSuite(looks, .init = begin, .fini = end);

static void says_config(const char *metric)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "data_directory: /nonexistent\nsocket: /nonexistent/s\n"
		 "control_socket: /nonexistent/c\nmetrics:\n  - {name: %s, event: purchase}\n",
		 metric);
	engine_made_says(&engine, "config", json_pack("{sb ss}", "ok", 1, "record", text));
}

static void *take(void *self)
{
	char own_why[ENGINE_WHY_BYTES];
	const struct config **ret_config = self;

	*ret_config = in_force_take(console.in_force, own_why);
	return NULL;
}

Test(looks, a_configuration_is_asked_for_once)
{
	pthread_t threads[THREADS];
	const struct config *config[THREADS];

	says_config("orders");
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take, &config[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		cr_assert(config[i] && config[i] == config[0]);
		cr_assert_str_eq(config[i]->metrics[0].name, "orders");
	}
	cr_assert_eq(engine_made_asked(&engine, "config"), 1);
	for (int i = 0; i < THREADS; i++)
		in_force_give(console.in_force, config[i]);
}

/* Whoever has the old one goes on with it. */
Test(looks, another_configuration_takes_its_place)
{
	says_config("orders");
	const struct config *before = in_force_take(console.in_force, why);
	cr_assert_not_null(before);
	says_config("revenue");
	const struct config *behind = NULL;
	for (int i = 0; i < 600; i++) {
		in_force_step(console.in_force);
		behind = in_force_take(console.in_force, why);
		if (behind != before)
			break;
		in_force_give(console.in_force, behind);
		usleep(100000);
	}
	cr_assert_str_eq(behind->metrics[0].name, "revenue");
	cr_assert_str_eq(before->metrics[0].name, "orders");
	in_force_give(console.in_force, before);
	in_force_give(console.in_force, behind);
}

Test(looks, nobody_knows_a_configuration)
{
	cr_assert_null(in_force_take(console.in_force, why));
	cr_assert(strstr(why, "the engine has not answered"), "%s", why);
}

/* What was in force stays so when the engine goes, and when it says what cannot be read. */
Test(looks, what_was_in_force_stays)
{
	says_config("orders");
	in_force_give(console.in_force, in_force_take(console.in_force, why));
	engine_made_stop(&engine);
	const struct config *config = in_force_take(console.in_force, why);
	cr_assert_not_null(config);
	in_force_give(console.in_force, config);
	in_force_give(console.in_force, NULL);
}

/* Whoever knows one does not wait for a newer one. */
Test(looks, an_engine_that_hangs_keeps_no_chart)
{
	says_config("orders");
	in_force_give(console.in_force, in_force_take(console.in_force, why));
	sleep(3); /* so that it is due again */
	engine_made_hang(&engine);
	in_force_give(console.in_force, in_force_take(console.in_force, why));
	cr_assert(engine_link_up(console.link, why), "it was asked: %s", why);
	engine_made_go_on(&engine);
}

/* Nobody looks: nobody asks. */
Test(looks, a_configuration_is_asked_for_while_somebody_looks)
{
	says_config("orders");
	in_force_step(console.in_force);
	cr_assert_eq(engine_made_asked(&engine, "config"), 0);
	in_force_give(console.in_force, in_force_take(console.in_force, why));
	cr_assert_eq(engine_made_asked(&engine, "config"), 1);
}

static void says_all(void)
{
	engine_made_says(&engine, "status", json_pack("{sb s{si}}", "ok", 1, "status", "epoch", 7));
	engine_made_says(&engine, "stat", json_pack("{sb s[i]}", "ok", 1, "stats", 1));
	engine_made_says(&engine, "producers", json_pack("{sb s[]}", "ok", 1, "producers"));
	engine_made_says(&engine, "detectors", json_pack("{sb s[i]}", "ok", 1, "detectors", 2));
}

static void *look(void *self)
{
	unsigned status = 200;
	json_t *answer = pipeline_get(&console, &status);
	bool *ret_well = self;

	*ret_well = status == 200 && json_object_size(answer) == 5 &&
		    json_integer_value(json_object_get(json_object_get(answer, "status"),
						       "epoch")) == 7;
	json_decref(answer);
	return NULL;
}

Test(looks, the_engine_is_looked_at_once)
{
	pthread_t threads[THREADS];
	bool well[THREADS];

	says_all();
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, look, &well[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		cr_assert(well[i]);
	/* Once; on a machine that takes a second for all of them, a few times. */
	cr_assert_lt(engine_made_asked(&engine, "stat"), THREADS / 2);
}

Test(looks, an_engine_that_is_away_is_no_pipeline)
{
	unsigned status = 200;

	engine_made_stop(&engine);
	json_t *answer = pipeline_get(&console, &status);
	cr_assert_eq(status, 503);
	cr_assert(strstr(json_string_value(json_object_get(answer, "error")), "is weird running"));
	json_decref(answer);
}

struct telling {
	pthread_t thread;
	uint32_t *over;
	unsigned status;
	bool told, unknown;
	char why[ENGINE_WHY_BYTES];
};

static void *tell(void *self)
{
	struct telling *telling = self;
	json_t *answer = engine_tell(console.link, json_pack("{ss}", "command", "ack"),
				     &telling->unknown, &telling->status, telling->why);

	telling->told = answer != NULL;
	json_decref(answer);
	weir_add_32(telling->over, 1);
	return NULL;
}

/* Two wait for an engine that hangs, and nobody else: the server's threads have others to serve. */
Test(looks, few_wait_for_an_engine_that_hangs)
{
	struct telling telling[8] = {0};
	uint32_t over = 0, told = 0;

	engine_made_says(&engine, "ack", json_pack("{sb}", "ok", 1));
	engine_made_hang(&engine);
	for (int i = 0; i < 8; i++) {
		telling[i].over = &over;
		cr_assert_eq(pthread_create(&telling[i].thread, NULL, tell, &telling[i]), 0);
	}
	while (weir_load_relaxed_32(&over) < 6)
		usleep(1000);
	engine_made_go_on(&engine);
	for (int i = 0; i < 8; i++) {
		pthread_join(telling[i].thread, NULL);
		told += telling[i].told;
		cr_assert_not(telling[i].unknown);
		cr_assert(telling[i].told || (telling[i].status == 503 &&
					      strstr(telling[i].why, "others wait")),
			  "%s", telling[i].why);
	}
	cr_assert_eq(told, 2);
}
