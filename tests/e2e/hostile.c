/*
 * hostile: a producer without the library, that does what the library never would.
 *
 *   hostile SOCKET nul|utf8|long|nan|good      10 good events, 5 bad ones, 10 good ones
 *   hostile SOCKET unsealed|size               a region that is not as it must be
 *
 * nul, utf8, long: the bad events are of a series with such a dimension value (a NUL in it, bytes
 * that are no UTF-8, 64 KiB). Says what the engine says of it: "released R rejected J", once all
 * its slots are read, or "refused: TEXT".
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../hostile/rogue.h"

#define TABLE_BYTES (256u << 10)
#define GOOD_EVENTS 10
#define BAD_EVENTS 5
#define EVENTS (2 * GOOD_EVENTS + BAD_EVENTS)
#define WAIT_MS 10000

/* The series of the bad events, behind that of the good ones. */
static uint32_t define_bad(struct rogue *rogue, const char *kind, uint32_t good)
{
	static char large[UINT16_MAX];

	memset(large, 'x', sizeof(large));
	if (strcmp(kind, "nul") == 0)
		return rogue_define(rogue, "purchase", "a\0b", 3);
	if (strcmp(kind, "utf8") == 0)
		return rogue_define(rogue, "purchase", "\xc3\x28", 2);
	if (strcmp(kind, "long") == 0)
		return rogue_define(rogue, "purchase", large, UINT16_MAX);
	return good;
}

/* Each has its number as its value. */
static void emit_all(struct rogue *rogue, uint32_t good, uint32_t bad, bool nan)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		bool is_bad = i >= GOOD_EVENTS && i < GOOD_EVENTS + BAD_EVENTS;
		rogue_emit(rogue, 0, is_bad ? bad : good, 1, is_bad && nan ? (double)NAN : i);
	}
}

int main(int argc, char **argv)
{
	struct rogue rogue;

	if (argc != 3)
		return 2;
	const char *kind = argv[2];
	const struct rogue_options options = {.table_bytes = TABLE_BYTES,
					      .series_max = 8,
					      .unsealed = strcmp(kind, "unsealed") == 0};
	rogue_open(&rogue, &options);
	if (strcmp(kind, "size") == 0)
		rogue.region->table_bytes *= 2;
	uint32_t good = rogue_define(&rogue, "purchase", kind, (uint16_t)strlen(kind));
	uint32_t bad = define_bad(&rogue, kind, good);
	emit_all(&rogue, good, bad, strcmp(kind, "nan") == 0);
	if (!rogue_attach(&rogue, argv[1])) {
		if (rogue.answer.type != WEIR_MESSAGE_REFUSED) {
			perror("no answer");
			return 1;
		}
		printf("refused: %.*s\n", (int)sizeof(rogue.answer.text), rogue.answer.text);
		return 0;
	}
	const struct weir_control_slot *slot = rogue_slot(&rogue, 0);
	/* Orders: `released` before `rejected`; partner: lane_say_back() in the engine. */
	for (int ms = 0; weir_load_acquire_64(&slot->released) < EVENTS && ms < WAIT_MS; ms++)
		usleep(1000);
	printf("released %llu rejected %llu\n",
	       (unsigned long long)weir_load_acquire_64(&slot->released),
	       (unsigned long long)weir_load_relaxed_64(&slot->rejected));
	return 0;
}
