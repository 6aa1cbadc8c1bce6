/*
 * visitor: a client of the console without manners: bytes out, what comes back, to the end.
 */
#ifndef HOSTILE_VISITOR_H
#define HOSTILE_VISITOR_H

#include <stdbool.h>
#include <stddef.h>

struct visit {
	unsigned status;  /* of the first answer; 0: none came */
	unsigned answers; /* whole ones */
	bool whole;       /* what came is answers, each with its head and all of its body */
	bool closed;      /* the console ended the connection */
	char text[4096];  /* the beginning of what came */
	size_t bytes;
};

/* A connection to 127.0.0.1; ends the test where it cannot be made. */
int visitor_connect(unsigned port);
/* How one asks. */
struct visitor {
	unsigned port;
	bool end;             /* no more comes from here, once all is said */
	bool head_only;       /* the answers have no body (to a HEAD) */
	unsigned patience_ms; /* 0: until there is an answer, or an end */
};

/* Send all that is taken. Then read until the console ends it, or has answered once and says no
 * more. */
void visitor_ask(const struct visitor *visitor, const char *bytes, size_t count,
		 struct visit *ret_visit);

#endif
