/*
 * publisher: from the outbox to Redis. The only user of hiredis.
 *
 * One MULTI per revision: XADD weir:<env>:anomalies MAXLEN ~, HSET weir:<env>:anomaly:<id> (EXPIRE
 * after 30 days once it is resolved), ZADD or ZREM weir:<env>:open, PUBLISH weir.<env>.anomaly and
 * weir.<env>.anomaly.<band>.<metric>.
 * A row is acknowledged when EXEC has answered. At least once, in order, same ids.
 * The channel's band is that of the severity; of a resolved anomaly that of its peak, so that who
 * has heard the alarm in a band hears its end there.
 * Runs on: its own thread (it blocks, at most 300 ms a call). SIGPIPE must be ignored.
 */
#ifndef DELIVER_PUBLISHER_H
#define DELIVER_PUBLISHER_H

#include <stddef.h>
#include <stdint.h>

struct publisher;

struct publisher_options {
	const char *store_path;
	const char *url;           /* unix:///path or redis://host:port; NULL: none configured */
	const char *user;          /* NULL: default user */
	const char *password_file; /* NULL: none; read at each connect, never logged */
	const char *environment;
	uint64_t stream_max;  /* MAXLEN ~; 0: no bound */
	uint64_t random_seed; /* jitter of the backoff: engines do not knock in step */
};

struct publisher_status {
	uint64_t published, reconnects, errors; /* since start */
	uint64_t acknowledged;                  /* outbox row; the store forgets up to here */
	uint64_t away_since_ns;                 /* of the steps' clock; 0: it is not away */
	uint32_t connected;
	char error[160]; /* last one, "" if none */
};

int publisher_create(const struct publisher_options *options, struct publisher **ret_publisher,
		     char *why, size_t why_bytes);
/* agent_step; blocks at most 300 ms per Redis call. */
int publisher_step(void *publisher, uint64_t now_ns);
uint64_t publisher_acknowledged(const struct publisher *publisher); /* any thread */
void publisher_status(struct publisher *publisher, struct publisher_status *ret_status); /* any */
void publisher_destroy(struct publisher *publisher);

#endif
