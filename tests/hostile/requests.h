/*
 * requests: every request that means harm, by name.
 */
#ifndef HOSTILE_REQUESTS_H
#define HOSTILE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

/* What has to come of it. */
enum request_end {
	REQUEST_REFUSED, /* an answer 4xx, whole, and nothing behind it but other refusals */
	REQUEST_OLD,     /* the same, or 505: it speaks another HTTP */
	REQUEST_TWICE, /* the same; Debian 12's library may say its answer's head twice, and ends */
	REQUEST_DROPPED, /* the same, or the connection ends: it is no request, or half of one */
};

struct hostile_request {
	const char *name;
	const char *bytes;
	size_t count;
	enum request_end end;
	bool half_closed; /* nothing comes behind it */
	bool head_only;
};

/* Call `each` with all of them; how many. */
unsigned requests_each(void (*each)(void *self, const struct hostile_request *request), void *self);

#endif
