/*
 * guard: may this request be answered? Before anything else of it is believed.
 *
 *   framing    a body whose end could be seen in two places is refused (request smuggling)
 *   Host       one of our names: another one is another site's that points here (DNS rebinding)
 *   Origin     a write, or a question to the API, that another site's page makes is refused
 *   token      a write needs it where more than this machine can reach the console
 *
 * Knows nothing of HTTP's library; fixed after the start.
 */
#ifndef CONSOLE_GUARD_H
#define CONSOLE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_BODY_BYTES_MAX 65536u
#define GUARD_HEAD_BYTES_MAX 8192u
#define GUARD_TOKEN_BYTES_MAX 512u

struct guard {
	const char *const *hosts; /* --host: further names */
	unsigned hosts_count;
	char address[64]; /* the address listened at, without port; "" on a UNIX socket */
	unsigned port;
	bool any_address;                      /* it listens at every address of the machine */
	bool local;                            /* nobody but this machine reaches it */
	char token[GUARD_TOKEN_BYTES_MAX + 1]; /* "": none */
};

/* Of a request's head: what decides. NULL: not there. */
struct guard_head {
	const char *method, *path;
	const char *host, *origin, *fetch_site, *authorization;
	const char *content_type, *content_length, *transfer_encoding;
	size_t bytes;   /* of the whole head; 0: not known */
	bool malformed; /* a name that is no token, a value with control characters */
	bool repeated;  /* one of the above more than once */
};

struct guard_verdict {
	unsigned status; /* 0: go on */
	const char *why; /* what is wrong and what to do; stays */
	bool close; /* nothing that follows on this connection can be trusted, or is waited for */
	const char *allow; /* of 405 */
};

/* Reads the token's file: 0, or a negative errno with `why`. */
int guard_token(struct guard *guard, const char *file, char *why, size_t why_bytes);
void guard_check(const struct guard *guard, const struct guard_head *head,
		 struct guard_verdict *ret_verdict);
/* Is a token asked of who writes? */
bool guard_wants_token(const struct guard *guard);

#endif
