/*
 * tails: an emit beside an engine that drains, one that is stopped, one that is dead, and into a
 * full ring: each comes back at once, with an answer that is true. How long it takes is printed.
 *
 *   tails EMITS WEIRD
 *
 * EMITS of each kind are timed one by one, the clock's own time included. At the end a new engine
 * has what was published, and what was dropped is what emit said.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "hostile/host.h"
#include "support/proof.h"
#include "weir/weir.h"

#define PATIENCE_MS (HOST_PATIENCE_S * 1000u)

struct tails {
	struct host host;
	weir *w;
	int series;
	uint32_t ring_events;
	uint64_t emits, *ns, normal_ns;
	uint64_t taken, refused;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static void time_emits(struct tails *tails, const char *state, int wanted)
{
	uint64_t before = now_ns();

	for (uint64_t i = 0; i < tails->emits; i++) {
		int said = weir_emit(tails->w, tails->series, 1.0);
		uint64_t now = now_ns();
		tails->ns[i] = now - before;
		before = now;
		tails->taken += said == 0;
		tails->refused += said == -EAGAIN;
		host_expect(&tails->host, said == wanted, "an emit said %d, the engine %s", said,
			    state);
		if (tails->host.violations)
			return;
	}
	qsort(tails->ns, tails->emits, sizeof(*tails->ns), compare);
	uint64_t tail_ns = tails->ns[tails->emits - 1 - tails->emits / 1000];
	if (!tails->normal_ns)
		tails->normal_ns = tail_ns;
	printf("emit, the engine %-22s p50 %4llu ns, p99.9 %6llu ns (%+lld), most %8llu ns\n",
	       state, (unsigned long long)tails->ns[tails->emits / 2], (unsigned long long)tail_ns,
	       (long long)(tail_ns - tails->normal_ns),
	       (unsigned long long)tails->ns[tails->emits - 1]);
}

static void wait_kept(struct tails *tails)
{
	host_expect(&tails->host, weir_wait(tails->w, WEIR_PERSISTED, PATIENCE_MS) == 0,
		    "what was published is not kept in time");
}

static void fill(struct tails *tails)
{
	int said = 0;

	/* One more than the ring has room for. */
	for (uint32_t i = 0; i <= tails->ring_events && said == 0; i++) {
		said = weir_emit(tails->w, tails->series, 1.0);
		tails->taken += said == 0;
	}
	host_expect(&tails->host, said == -EAGAIN, "a full ring said %d", said);
	tails->refused++;
}

static void judge(struct tails *tails)
{
	struct weir_ledger ledger;

	weir_ledger(tails->w, &ledger);
	host_expect(&tails->host,
		    ledger.published == tails->taken && ledger.persisted == tails->taken &&
			    ledger.dropped == tails->refused && !ledger.lost && !ledger.rejected,
		    "%llu taken and %llu refused; the ledger says %llu published, %llu persisted, "
		    "%llu dropped",
		    (unsigned long long)tails->taken, (unsigned long long)tails->refused,
		    (unsigned long long)ledger.published, (unsigned long long)ledger.persisted,
		    (unsigned long long)ledger.dropped);
}

int main(int argc, char **argv)
{
	static struct tails tails;
	uint32_t ring_events = 1u << 16;

	if (argc != 3) {
		fprintf(stderr, "usage: tails EMITS WEIRD\n");
		return 2;
	}
	tails.emits = strtoull(argv[1], NULL, 10);
	tails.ns = calloc(tails.emits + 1, sizeof(*tails.ns));
	/* A ring that has room for what is emitted while nobody drains. */
	while (ring_events < 2 * tails.emits && ring_events < 1u << 22)
		ring_events *= 2;
	if (!tails.ns || tails.emits < 1000 || ring_events < 2 * tails.emits)
		return 2;
	host_open(&tails.host, argv[2], "");
	host_start(&tails.host);
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = tails.host.socket,
				       .ring_events = ring_events};
	tails.ring_events = ring_events;
	if (weir_open(&options, &tails.w) < 0)
		return 1;
	tails.series = weir_series(tails.w, "tails", NULL, WEIR_KIND_NUMBER, NULL, 0);
	/* Every page of the ring has been touched, and nothing is on its way. */
	kill(tails.host.pid, SIGSTOP);
	fill(&tails);
	kill(tails.host.pid, SIGCONT);
	wait_kept(&tails);
	time_emits(&tails, "drains:", 0);
	wait_kept(&tails);
	kill(tails.host.pid, SIGSTOP);
	time_emits(&tails, "is stopped:", 0);
	kill(tails.host.pid, SIGCONT);
	wait_kept(&tails);
	host_kill(&tails.host);
	time_emits(&tails, "is dead:", 0);
	fill(&tails);
	time_emits(&tails, "is dead, the ring full:", -EAGAIN);
	host_start(&tails.host);
	wait_kept(&tails);
	judge(&tails);
	weir_close(tails.w, PATIENCE_MS);
	host_stop(&tails.host);
	host_verify(&tails.host);
	proof_say("emits-whatever-engine", tails.taken + tails.refused, tails.host.violations);
	free(tails.ns);
	uint64_t bad = tails.host.violations;
	host_close(&tails.host);
	return bad ? 1 : 0;
}
