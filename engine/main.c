/*
 * weird: the engine's process. Arguments, signals, readiness, exit codes; nothing else.
 *
 * Exit codes: 0 stopped as asked, 1 cannot run (said why), 2 usage, 78 configuration (EX_CONFIG).
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config.h"
#include "engine.h"
#include "exposed.h"
#include "fdstore.h"
#include "supervise.h"

#define EXIT_USAGE 2
#define EXIT_CONFIG 78
/* A dead engine's lock can outlive it by tens of milliseconds; a stopping one's by seconds. */
#define LOCK_WAIT_MS 10000u

static const char usage[] =
	"usage: weird --config FILE [--check-config] [--supervise]\n"
	"\n"
	"  -c, --config FILE    YAML configuration (default $WEIR_CONFIG, else /etc/weir/weir.yaml)\n"
	"      --check-config   read the configuration, say what is wrong with it, exit 0 or 78\n"
	"      --supervise      run the engine under a tiny parent that keeps the shared memory of\n"
	"                       producers and starts the engine again when it dies; under systemd the\n"
	"                       service manager does that\n"
	"  -h, --help           this text\n"
	"      --version        the version\n";

struct arguments {
	const char *config;
	int check;
	int supervise;
};

static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 1},
		{"supervise", no_argument, NULL, 2},      {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 3},        {NULL, 0, NULL, 0},
	};
	int option;

	arguments->config = getenv("WEIR_CONFIG");
	if (!arguments->config)
		arguments->config = "/etc/weir/weir.yaml";
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 1:
			arguments->check = 1;
			break;
		case 2:
			arguments->supervise = 1;
			break;
		case 3:
			puts("weird " ENGINE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "weird: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return -EINVAL;
	}
	return 0;
}

/* The service manager hears of us as long as every thread makes steps: one that hangs for as long
 * as the watchdog waits is a reason to be started again. */
static void tell_watchdog(struct engine *engine, struct fdstore *fdstore, bool *stuck)
{
	if (!fdstore->watchdog_ns)
		return;
	const char *name = engine_stuck(engine, fdstore->watchdog_ns);
	if (!name)
		fdstore_notify(fdstore, "WATCHDOG=1");
	else if (!*stuck)
		log_error("main",
			  "thread %s has finished no step for %llu s: the watchdog is not told any "
			  "more that the engine is well",
			  name, (unsigned long long)(fdstore->watchdog_ns / 1000000000));
	*stuck = name != NULL;
}

/* Until SIGTERM or SIGINT. SIGHUP reads the configuration again. */
static void wait_for_end(struct engine *engine, struct fdstore *fdstore)
{
	struct timespec pause = {.tv_sec = 1};
	sigset_t signals;
	bool stuck = false;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	for (;;) {
		int signal = sigtimedwait(&signals, NULL, &pause);
		if (signal == SIGHUP)
			engine_reload(engine);
		else if (signal > 0 || (errno != EAGAIN && errno != EINTR))
			break;
		tell_watchdog(engine, fdstore, &stuck);
	}
	log_info("main", "stopping");
}

/* Descriptors for as many producers as the configuration allows: a shell's soft limit is not for
 * servers. Where it cannot be raised, producers beyond it are refused, and the log says so. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int run(const struct config *config, const char *path)
{
	struct clock clock;
	struct engine *engine;
	struct fdstore fdstore;
	char why[512] = "";
	struct engine_options options = {
		.config = config,
		.config_path = path,
		.clock = &clock,
		.fdstore = &fdstore,
		.lock_wait_ms = LOCK_WAIT_MS,
	};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is a disk that refuses. */
	signal(SIGXFSZ, SIG_IGN);
	raise_descriptors();
	clock_system(&clock);
	int error = fdstore_open(&fdstore);
	if (error < 0)
		log_warning("main", "the service manager cannot be reached: %s", strerror(-error));
	if (engine_open(&options, &engine, why, sizeof(why)) < 0) {
		log_error("main", "%s", why);
		return EXIT_FAILURE;
	}
	log_info("main", "%s", engine_recovery_text(engine));
	engine_start_text(engine, why, sizeof(why));
	log_info("main", "%s", why);
	error = engine_start(engine);
	if (error < 0) {
		log_error("main", "cannot start threads: %s", strerror(-error));
		engine_close(engine);
		return EXIT_FAILURE;
	}
	log_info("main", "ready: producers at %s", config->socket);
	fdstore_notify(&fdstore, "READY=1");
	wait_for_end(engine, &fdstore);
	fdstore_notify(&fdstore, "STOPPING=1");
	engine_close(engine);
	fdstore_close(&fdstore);
	log_info("main", "stopped");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct config *config;
	char why[1024] = "";

	if (parse(argc, argv, &arguments) < 0)
		return EXIT_USAGE;
	if (config_load(arguments.config, &config, why, sizeof(why)) < 0) {
		fprintf(stderr, "weird: %s\n", why);
		return EXIT_CONFIG;
	}
	if (arguments.check) {
		printf("%s: ok\n", arguments.config);
		config_free(config);
		return EXIT_SUCCESS;
	}
	const char *exposed = exposed_config(arguments.config);
	if (exposed)
		log_warning("config", "%s %s: others can change what this engine does",
			    arguments.config, exposed);
	int status = arguments.supervise ? supervise(argv) : run(config, arguments.config);
	config_free(config);
	return status;
}
