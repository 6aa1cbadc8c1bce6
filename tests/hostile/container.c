/*
 * container: engines and applications whose memory is bounded as a container's is, and too small.
 *
 *   container COUNT WEIRD [NAME]
 *
 *   contained-engines       an engine in a group of 1 MiB to 128 MiB refuses to start, serves, or
 *                           is killed by the kernel, and nothing else. The next one, with room, has
 *                           every event of the honest producers, once
 *   contained-applications  an application whose ring is larger than its group, or nearly: it is
 *                           told no, its emits are counted, or the kernel kills it; there is no
 *                           other signal. One that has its ring, and whose group then has no more,
 *                           goes on: an emit needs no memory
 *
 * COUNT of each, and as many closed up. Skipped (77) where no control group can be made.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "honest.h"
#include "host.h"
#include "support/proof.h"
#include "weir/order.h"
#include "weir/weir.h"

#define KILLED (128 + SIGKILL)
/* Of each honest producer, beside an engine that may not live so long. */
#define EVENTS 20000u

static const uint64_t engine_kib[] = {1024, 4096, 8192, 16384, 24576, 32768, 49152, 65536, 131072};
static const uint64_t application_kib[] = {512, 2048, 6144, 12288, 24576, 65536};

static struct group group;

static void enter(void)
{
	group_enter(&group);
}

struct ends {
	uint64_t refused, killed, served;
};

/* Has the engine ended by itself? */
static bool ended(struct host *host, int *ret_code)
{
	int status;

	if (waitpid(host->pid, &status, WNOHANG) != host->pid)
		return false;
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	host->pid = 0;
	return true;
}

/* Until all have written so much, or the engine is gone. Its exit code; -1: it serves. */
static int serve(struct host *host, const struct honest *honest)
{
	int code = -1;

	for (int i = 0; i < HOST_PATIENCE_S * 1000; i++) {
		uint64_t least = UINT64_MAX;
		for (unsigned h = 0; h < honest->count; h++) {
			/* A counter that is polled. */
			uint64_t emitted = weir_load_relaxed_64(&honest->page[h].emitted);
			least = emitted < least ? emitted : least;
		}
		if (ended(host, &code) || least >= EVENTS)
			return code;
		pause_us(1000);
	}
	host_expect(host, false, "an engine with little memory neither serves nor ends");
	return code;
}

static void contain_engine(const char *weird, uint64_t kib, struct ends *ends, uint64_t *violations)
{
	struct honest honest;
	struct host host;
	int code = -1;

	if (group_make(&group, kib << 10))
		exit(1);
	host_open(&host, weird, "log: {segment_bytes: 1MiB, sync_interval: 20ms}\n");
	host.limit = enter;
	honest_start(&honest, &host, 0, 2, 500);
	if (host_try(&host, &code))
		code = serve(&host, &honest);
	host_expect(&host, code == -1 || code == 1 || code == KILLED,
		    "an engine in %llu KiB ends with %d", (unsigned long long)kib, code);
	host_expect(&host, code != KILLED || group_kills(&group) > 0,
		    "an engine in %llu KiB was killed, and not for its memory",
		    (unsigned long long)kib);
	ends->refused += code == 1;
	ends->killed += code == KILLED;
	ends->served += code == -1;
	if (host.pid)
		host_kill(&host);
	group_remove(&group);
	host.limit = NULL;
	host_start(&host);
	honest_wait(&honest, &host, 1000);
	honest_end(&honest, &host);
	*violations += host.violations;
	host_close(&host);
}

static uint64_t contain_engines(const char *weird, uint64_t count)
{
	struct ends ends = {0};
	uint64_t violations = 0;

	for (uint64_t i = 0; i < count; i++)
		contain_engine(weird, engine_kib[i % (sizeof(engine_kib) / sizeof(*engine_kib))],
			       &ends, &violations);
	printf("engines: %llu refused to start, %llu were killed by the kernel, %llu served\n",
	       (unsigned long long)ends.refused, (unsigned long long)ends.killed,
	       (unsigned long long)ends.served);
	/* Too little must have been too little, and enough enough. */
	violations += ends.killed + ends.refused == 0 || ends.served == 0;
	proof_say("contained-engines", count, violations);
	return violations;
}

/* Of a ring of 16 MiB; so much is left of a group that has been closed up. */
#define RING_EVENTS (1u << 20)
#define SLACK_BYTES (1u << 20)

static weir *open_contained(const struct host *host, int *ret_series)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = host->socket,
				       .program = "contained",
				       .ring_events = RING_EVENTS};
	weir *w;

	group_enter(&group);
	if (weir_open(&options, &w) < 0)
		_exit(3);
	*ret_series = weir_series(w, "contained", WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);
	return w;
}

/* Exit code 0: every emit was taken or counted. */
static void emit_contained(weir *w, int series, uint32_t count, uint64_t taken)
{
	struct weir_ledger ledger;
	const uint64_t before = taken;

	for (uint32_t i = 0; i < count; i++)
		taken += weir_emit(w, series, i) == 0;
	weir_ledger(w, &ledger);
	if (ledger.published != taken || ledger.attempted != before + count ||
	    ledger.attempted != ledger.published + ledger.dropped)
		_exit(4);
	_exit(0);
}

/* Exit code 3: weir_open said no. */
static void be_contained(const struct host *host)
{
	int series;
	weir *w = open_contained(host, &series);

	emit_contained(w, series, 100000, 0);
}

/* Behind its first emit there is no more memory. Exit code 5: that could not be arranged. */
static void be_closed_up(const struct host *host)
{
	int series;
	weir *w = open_contained(host, &series);

	if (weir_emit(w, series, 1) != 0 || !group_close_up(&group, SLACK_BYTES))
		_exit(5);
	emit_contained(w, series, RING_EVENTS, 1);
}

/* What has its ring needs nothing more for its emits, in every slot of it. */
static void close_up_application(struct host *host)
{
	if (group_make(&group, UINT64_C(64) << 20))
		exit(1);
	pid_t pid = process_fork();
	if (pid == 0)
		be_closed_up(host);
	int code = host_wait(pid);
	host_expect(host, code == 0, "an application with a ring and no more memory ends with %d",
		    code);
	group_remove(&group);
}

static uint64_t contain_applications(struct host *host, uint64_t count)
{
	struct ends ends = {0};

	for (uint64_t i = 0; i < count; i++) {
		uint64_t kib = application_kib[i % (sizeof(application_kib) /
						    sizeof(*application_kib))];
		if (group_make(&group, kib << 10))
			exit(1);
		pid_t pid = process_fork();
		if (pid == 0)
			be_contained(host);
		int code = host_wait(pid);
		host_expect(host, code == 0 || code == 3 || code == KILLED,
			    "an application in %llu KiB ends with %d", (unsigned long long)kib,
			    code);
		ends.refused += code == 3;
		ends.killed += code == KILLED;
		ends.served += code == 0;
		group_remove(&group);
		close_up_application(host);
	}
	printf("applications: %llu were told no, %llu killed by the kernel, %llu went on\n",
	       (unsigned long long)ends.refused, (unsigned long long)ends.killed,
	       (unsigned long long)ends.served);
	host_expect(host, ends.served > 0, "no application had enough");
	return 2 * count;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 9;
	struct honest honest;
	struct host host;

	if (argc < 3)
		return 2;
	const char *why = group_make(&group, 1u << 20);
	if (why) {
		printf("skipped: %s\n", why);
		return 77;
	}
	group_remove(&group);
	host_only(argv[3]);
	uint64_t violations =
		host_wanted("contained-engines") ? contain_engines(argv[2], count) : 0;
	host_open(&host, argv[2], "");
	host_start(&host);
	honest_start(&honest, &host, 0, 1, 500);
	host_prove(&host, "contained-applications", contain_applications, count);
	honest_wait(&honest, &host, 1000);
	honest_end(&honest, &host);
	violations += host.violations;
	host_close(&host);
	return violations ? 1 : 0;
}
