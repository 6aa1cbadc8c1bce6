/*
 * server_made: a console in this process: all that main.c opens, without watch.c's threads, before
 * an engine of engine_made.h.
 */
#ifndef UNIT_CONSOLE_SERVER_MADE_H
#define UNIT_CONSOLE_SERVER_MADE_H

#include "base/check.h"
#include "browser_made.h"
#include "console.h"
#include "demo.h"
#include "engine_link.h"
#include "engine_made.h"
#include "feed.h"
#include "guard.h"
#include "in_force.h"
#include "news.h"
#include "overview.h"
#include "pipeline.h"
#include "server.h"

struct server_made {
	struct engine_made engine;
	struct console_options options;
	struct console console;
	struct guard guard;
	struct server *server;
};

static inline void server_made_config(struct server_made *made, const char *metric)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "data_directory: /nonexistent\nsocket: /nonexistent/s\n"
		 "control_socket: /nonexistent/c\nmetrics:\n  - {name: %s, event: purchase}\n",
		 metric);
	engine_made_says(&made->engine, "config", json_pack("{sb ss}", "ok", 1, "record", text));
}

static inline void server_made_open(struct server_made *made)
{
	char why[ENGINE_WHY_BYTES] = "";

	*made = (struct server_made){0};
	engine_made_start(&made->engine);
	server_made_config(made, "orders");
	engine_made_says(&made->engine, "status",
			 json_pack("{sb s{si s[]}}", "ok", 1, "status", "interval_ms", 60000,
				   "sources"));
	engine_made_says(&made->engine, "mute", json_pack("{sb si}", "ok", 1, "number", 1));
	made->options = (struct console_options){
		.listen = "127.0.0.1:0", .control = made->engine.path, .data = made->engine.root};
	struct console *console = &made->console;
	*console = (struct console){.options = &made->options};
	console->link = engine_link_open(made->options.control, made->options.data);
	check(console->link);
	json_decref(engine_link_status(console->link, why));
	console->feed = feed_open(1);
	check(console->feed && news_open(console) == 0);
	console->in_force = in_force_open(console->link);
	console->overview = overview_open();
	console->pipeline = pipeline_open();
	console->demo_run = demo_open();
	check(console->in_force && console->overview && console->pipeline && console->demo_run);
	check(server_open(console, &made->guard, &made->server, why, sizeof(why)) == 0);
}

/* As main.c ends it. */
static inline void server_made_end(struct server_made *made)
{
	engine_link_end(made->console.link);
	feed_end(made->console.feed);
	server_close(made->server);
	made->server = NULL;
}

static inline void server_made_close(struct server_made *made)
{
	struct console *console = &made->console;

	if (made->server)
		server_made_end(made);
	demo_close(console->demo_run);
	pipeline_close(console->pipeline);
	overview_close(console->overview);
	in_force_close(console->in_force);
	news_close(console);
	feed_close(console->feed);
	engine_link_close(console->link);
	engine_made_end(&made->engine);
}

#endif
