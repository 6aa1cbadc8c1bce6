/*
 * main: weir-console, the web console. Options, lifecycle, signals.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "ask.h"
#include "base/log.h"
#include "console.h"
#include "demo.h"
#include "engine_link.h"
#include "fdstore.h"
#include "feed.h"
#include "guard.h"
#include "impact.h"
#include "in_force.h"
#include "news.h"
#include "options.h"
#include "overview.h"
#include "pipeline.h"
#include "server.h"
#include "watch.h"
#include "weir/order.h"
#include "weir/weir.h"

#define LISTEN_DEFAULT "127.0.0.1:8474"
#define WHY_BYTES 512
#define NICE 5 /* the engine goes first */

struct arguments {
	struct console_options console;
	bool version;
};

static int take_host(void *field, const char *argument)
{
	struct console_hosts *hosts = field;

	if (hosts->count == CONSOLE_HOSTS_MAX || !argument[0])
		return -EINVAL;
	hosts->name[hosts->count++] = argument;
	return 0;
}

static const struct option_row rows[] = {
	{.name = "listen",
	 .argument = "ADDRESS",
	 .help = "where browsers find it: ADDRESS:PORT (port 0: any that is free), or unix:PATH; "
		 "default " LISTEN_DEFAULT,
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.listen)},
	{.name = "control",
	 .argument = "PATH",
	 .help = "the engine's control socket; default $WEIR_CONTROL, /run/weir/control.sock",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.control)},
	{.name = "data",
	 .argument = "DIR",
	 .help = "the engine's data directory; default: where the engine says",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.data)},
	{.name = "host",
	 .argument = "NAME",
	 .help = "a further name that it is reached by, as behind a proxy; may be repeated, 8 "
		 "times at most",
	 .kind = OPTION_TAKE,
	 .at = offsetof(struct arguments, console.hosts),
	 .take = take_host},
	{.name = "token-file",
	 .argument = "FILE",
	 .help = "who writes has to know the token in this file, which only its owner may read",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.token_file)},
	{.name = "author-header",
	 .argument = "NAME",
	 .help = "the header in which a proxy says who writes, as X-Forwarded-User",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.author_header)},
	{.name = "shop",
	 .argument = "PATH",
	 .help = "weir-shop, for the demo's data; default: the one beside this program",
	 .kind = OPTION_TEXT,
	 .at = offsetof(struct arguments, console.shop)},
	{.name = "version",
	 .help = "print the version",
	 .kind = OPTION_SWITCH,
	 .at = offsetof(struct arguments, version)},
};

static const struct option_example examples[] = {
	{"weir-console", "Serve http://" LISTEN_DEFAULT "/ of the engine on this machine"},
	{"weir-console --listen 0.0.0.0:8474 --host shop.example --token-file /etc/weir/token",
	 "Let others see it; who writes needs the token"},
	{"weir-console --listen unix:/run/weir-console/console.sock --host shop.example "
	 "--author-header X-Forwarded-User",
	 "Behind a proxy that knows who asks"},
};

static const struct options options = {
	.program = "weir-console",
	.operands = "",
	.summary = "the web console of weir",
	.description =
		"Show in a browser what a weir engine sees: anomalies, what each is made of, how the "
		"engine is. A process of its own: it reads the engine's data directory, asks and "
		"tells over its control socket, and goes on showing what is there while the engine "
		"is away.\n\nIt answers to localhost, to the address it listens at and to the names "
		"of --host, and to pages of its own only. Where more than this machine can reach it, "
		"whoever can may look; who writes needs the token, and without --token-file nobody "
		"writes. It speaks HTTP: put a proxy that speaks TLS before it. Its interface for "
		"programs is described in API.md.",
	.rows = rows,
	.rows_count = OPTIONS_COUNT(rows),
	.examples = examples,
	.examples_count = OPTIONS_COUNT(examples),
	.environment = "WEIR_CONTROL",
	.see_also = "weirctl(1) weird(8)",
	.section = "8",
};

/* The one that was built or installed with this program; NULL: none. */
static const char *find_shop(const char *given)
{
	static char path[4096];
	ssize_t bytes = given ? -1 : readlink("/proc/self/exe", path, sizeof(path) - 32);

	if (bytes < 0)
		return given;
	path[bytes] = '\0';
	char *folder = strrchr(path, '/');
	if (!folder)
		return NULL;
	snprintf(folder, 32, "/weir-shop");
	if (access(path, X_OK) == 0)
		return path;
	snprintf(folder, 32, "/../shop/weir-shop"); /* where it was built */
	return access(path, X_OK) == 0 ? path : NULL;
}

static uint64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Descriptors for as many connections as it takes: a shell's soft limit is not for servers. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void wait_for_end(void)
{
	sigset_t signals;
	int signal;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	while (sigwait(&signals, &signal) != 0)
		;
}

static void say_where(const struct console_options *given, const struct guard *guard)
{
	bool six = strchr(guard->address, ':');

	if (guard->address[0])
		log_info("main", "ready at http://%s%s%s:%u/", six ? "[" : "", guard->address,
			 six ? "]" : "", guard->port);
	else
		log_info("main", "ready at %s", given->listen);
}

static int serve(struct console *console, struct guard *guard)
{
	const struct console_options *given = console->options;
	char why[WHY_BYTES] = "";
	struct server *server;
	struct watch *watch;
	struct fdstore manager;

	fdstore_open(&manager);
	if (server_open(console, guard, &server, why, sizeof(why)) < 0) {
		log_error("main", "%s", why);
		return TOOL_IO;
	}
	int error = watch_start(console, server, &watch);
	if (error < 0) {
		log_error("main", "cannot start threads: %s", strerror(-error));
		engine_link_end(console->link);
		feed_end(console->feed);
		server_close(server);
		return TOOL_IO;
	}
	if (!guard->local)
		log_warning("main", "more than this machine can reach %s: whoever does can look%s",
			    given->listen,
			    guard->token[0] ? ""
					    : ", and without --token-file nobody "
					      "can write");
	say_where(given, guard);
	fdstore_notify(&manager, "READY=1");
	wait_for_end();
	fdstore_notify(&manager, "STOPPING=1");
	engine_link_end(console->link);
	watch_stop(watch);
	feed_end(console->feed);
	server_close(server);
	fdstore_close(&manager);
	return TOOL_OK;
}

/* What requests look at together. */
static bool open_looks(struct console *console)
{
	console->in_force = in_force_open(console->link);
	console->overview = overview_open();
	console->impact = impact_open();
	console->pipeline = pipeline_open();
	console->demo_run = demo_open();
	return console->in_force && console->overview && console->impact && console->pipeline &&
	       console->demo_run;
}

static void close_looks(struct console *console)
{
	demo_close(console->demo_run);
	pipeline_close(console->pipeline);
	impact_close(console, console->impact);
	overview_close(console->overview);
	in_force_close(console->in_force);
}

static int run(const struct console_options *given)
{
	static struct guard guard;
	struct console console = {.options = given};
	char why[ENGINE_WHY_BYTES];
	sigset_t signals;

	guard.hosts = given->hosts.name;
	guard.hosts_count = given->hosts.count;
	if (given->token_file && guard_token(&guard, given->token_file, why, sizeof(why)) < 0) {
		log_error("main", "%s", why);
		return TOOL_IO;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	setpriority(PRIO_PROCESS, 0, NICE);
	weir_store_relaxed_32(&console.demo, given->shop ? DEMO_READY : DEMO_ABSENT);
	console.link = engine_link_open(given->control, given->data);
	console.feed = feed_open(unix_ms());
	if (console.link) /* who comes at once wants to know */
		json_decref(engine_link_status(console.link, why));
	int code = TOOL_IO;
	if (console.link && console.feed && news_open(&console) == 0 && open_looks(&console))
		code = serve(&console, &guard);
	else
		log_error("main", "not enough memory to start");
	close_looks(&console);
	news_close(&console);
	if (console.feed)
		feed_close(console.feed);
	if (console.link)
		engine_link_close(console.link);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.console = {.listen = LISTEN_DEFAULT}};
	char **operands;
	int count, code;

	log_set_program("weir-console");
	if (options_parse(&options, argc, argv, &arguments, &operands, &count, &code))
		return code;
	if (arguments.version) {
		printf("weir-console %s\n", weir_version());
		return TOOL_OK;
	}
	arguments.console.control = ask_socket(arguments.console.control);
	arguments.console.shop = find_shop(arguments.console.shop);
	return run(&arguments.console);
}
