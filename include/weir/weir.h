/*
 * weir: write events of an application into shared memory, for the engine to keep and watch.
 *
 *     weir *w;
 *     if (weir_open(NULL, &w) < 0)
 *             ...only without memory; without an engine it works all the same...
 *     struct weir_dimension by[] = {{"country", "DE"}, {"device", "mobile"}};
 *     int purchases = weir_series(w, WEIR_PURCHASE, WEIR_VALUE, WEIR_KIND_NUMBER, by, 2);
 *     weir_emit(w, purchases, 49.99);
 *     weir_close(w, 1000);
 *
 * The library needs libc only. It starts no thread, touches no signal, prints nothing, never
 * exits. weir_emit takes no lock, makes no allocation after a thread's first event, and never
 * blocks unless the options ask for it. Every function may be called from any thread; after a
 * fork the child's next call gives it a region of its own (series ids stay valid).
 *
 * weir_emit, weir_emit_at and weir_emit_many may be called from a signal handler: an emit inside
 * an emit of the same thread is counted as dropped; the first emit of a thread may not.
 *
 * Functions that can fail return a negative errno.
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_VERSION "0.1.0"

/* Event names, in the words of Google Analytics 4. Any other name of 1-64 bytes is as good. */
#define WEIR_PAGE_VIEW "page_view"
#define WEIR_VIEW_ITEM "view_item"
#define WEIR_ADD_TO_CART "add_to_cart"
#define WEIR_REMOVE_FROM_CART "remove_from_cart"
#define WEIR_VIEW_CART "view_cart"
#define WEIR_BEGIN_CHECKOUT "begin_checkout"
#define WEIR_ADD_SHIPPING_INFO "add_shipping_info"
#define WEIR_ADD_PAYMENT_INFO "add_payment_info"
#define WEIR_PURCHASE "purchase"
#define WEIR_REFUND "refund"
#define WEIR_SESSION_START "session_start" /* a visit begins */
#define WEIR_SEARCH "search"               /* in the shop, not on the way to it */
#define WEIR_BOUNCE "bounce"               /* a visit of one page is over */

/* The usual field: what the event is worth. NULL or "" means the same. */
#define WEIR_VALUE "value"

/* Dimensions that presets know; any other name is as good. */
#define WEIR_COUNTRY "country" /* "DE" */
#define WEIR_DEVICE "device"   /* "mobile", "desktop", "tablet" */
#define WEIR_CHANNEL "channel" /* how a visitor came: one of these, or any other value */
#define WEIR_CHANNEL_DIRECT "direct"     /* typed, or a bookmark */
#define WEIR_CHANNEL_REFERRAL "referral" /* a link on another site */
#define WEIR_CHANNEL_CPC "cpc"           /* a paid click */
#define WEIR_CHANNEL_ORGANIC_BRANDED "organic_branded"       /* searched for the shop's name */
#define WEIR_CHANNEL_ORGANIC_NONBRANDED "organic_nonbranded" /* searched for something else */
#define WEIR_CHANNEL_EMAIL "email"
#define WEIR_CHANNEL_SOCIAL "social"

typedef struct weir weir;

enum weir_series_kind {
	WEIR_KIND_NUMBER = 0, /* the value takes part in sums */
	WEIR_KIND_HASH = 1    /* the value is a hash (weir_hash_text), for distinct counts */
};

struct weir_dimension {
	const char *name;  /* 1-64 bytes of UTF-8 */
	const char *value; /* 0-256 bytes of UTF-8 */
};

/* Zero-initialise, set `size`, then what you want other than the default. */
struct weir_options {
	size_t size;             /* sizeof(struct weir_options) */
	const char *socket_path; /* of the engine; default $WEIR_SOCKET, else /run/weir/weir.sock */
	const char *source;      /* stream this belongs to, 1-31 of a-z 0-9 _ -; default "live" */
	int event_clock;         /* 1: recorded events, whose own times close intervals */
	uint32_t ring_events;    /* per thread, a power of two, 64 to 4Mi; default 64Ki (1 MiB) */
	uint32_t series_max;     /* default 65536 */
	uint32_t table_bytes;    /* for definitions; default 4 MiB */
	uint32_t full_wait_us;   /* ring full: wait up to this long; default 0, drop at once */
	const char *program;     /* shown to operators; default the process's name */
};

/* Never fails for want of an engine. -ENOMEM, -EINVAL (an option out of its bounds), -EMFILE,
 * -EFBIG (RLIMIT_FSIZE is below what it needs), or what memfd_create says; then *ret_weir is NULL,
 * which every function here takes and does nothing with. Open after closing inherited descriptors,
 * as daemons do: these are the library's too. */
int weir_open(const struct weir_options *options, weir **ret_weir);

/* Define a series, or find it again, whatever the order of its dimensions: > 0 its id, for
 * weir_emit. -EINVAL (empty, too long, not UTF-8, a dimension twice, more than 16), -ENOSPC
 * (series_max or table_bytes). Takes a lock: define where the application starts, or keep the id.
 */
int weir_series(weir *w, const char *event, const char *field, enum weir_series_kind kind,
		const struct weir_dimension *dimensions, size_t count);

/* One event, now (the coarse clock: 4 ms steps on most kernels). 0, or why it was dropped and
 * counted: -EAGAIN: ring full; -EINVAL: not a finite number or not a series; -ENOMEM: no ring for
 * this thread (tried again about once a second); -EDEADLK: inside an emit, by a signal handler.
 * After weir_close, or with NULL: -EINVAL, not counted. */
int weir_emit(weir *w, int series, double value);
/* One event at a time of the caller's: unix milliseconds, 0 to 2^42 - 1 (the year 2109). */
int weir_emit_at(weir *w, int series, double value, uint64_t time_ms);

struct weir_sample {
	uint64_t time_ms; /* 0: now */
	double value;
	int series;
};
/* Many events; those that do not fit or are none are dropped and counted. How many were taken. The
 * clock is read once for all; up to 64 events become visible to the engine at a time. */
size_t weir_emit_many(weir *w, const struct weir_sample *samples, size_t count);

/* A 64-bit hash as a value of a WEIR_KIND_HASH series. */
double weir_hash_value(uint64_t hash);
/* The same of a text, as a visitor's id (FNV-1a, 64 bits): equal texts are counted once, whoever
 * emits them. NULL is "". */
double weir_hash_text(const char *text);

/* Connect, offer new rings, read answers; never blocks. emit does this about once a second; call
 * it where an application is idle for long. 1: attached to an engine, 0: not, or a negative errno:
 * refused, see weir_refusal. */
int weir_poll(weir *w);

enum weir_level {
	WEIR_PERSISTED = 0, /* in the engine's files: survives a crash of either process */
	WEIR_DURABLE = 1    /* on stable storage: survives a power cut */
};
/* Wait until every event that was emitted (by any thread) before this call has reached a level.
 * 0; -ETIMEDOUT; -EOPNOTSUPP: all are out of the rings, but the engine keeps no log (log.io: none).
 * Sleeps, and finds an engine that comes meanwhile. */
int weir_wait(weir *w, enum weir_level level, uint32_t timeout_ms);

/* Sums over all rings of this process; attempted == published + dropped, always. */
struct weir_ledger {
	uint64_t attempted;
	uint64_t published; /* put into rings */
	uint64_t dropped;   /* the sum of: */
	uint64_t dropped_full, dropped_timeout, dropped_no_ring, dropped_reentrant, dropped_invalid;
	uint64_t persisted; /* in the engine's files, of those published */
	uint64_t durable;
	uint64_t rejected; /* by the engine, of those published */
	uint64_t lost;     /* never seen by an engine: its log was behind the ring */
	int attached;      /* 1: an engine answers */
	uint64_t taken;    /* out of the rings, of those published: persisted, or summed only by an
			    * engine that keeps no log */
};
void weir_ledger(weir *w, struct weir_ledger *ret_ledger);

/* Say that nothing more comes, wait up to timeout_ms until an engine has persisted everything (or
 * taken it, if it keeps nothing), free. 0; -ETIMEDOUT: closed all the same (an engine that holds
 * the rings still drains them).
 * No other thread may be inside a call. NULL is fine. */
int weir_close(weir *w, uint32_t timeout_ms);

const char *weir_version(void);
/* Why the engine refused this producer, "" if it did not. Valid until the next call. */
const char *weir_refusal(weir *w);

#ifdef __cplusplus
}
#endif

#endif
