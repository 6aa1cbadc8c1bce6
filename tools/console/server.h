/*
 * server: HTTP. Takes requests apart, has them guarded, finds who answers, sends the answer.
 *
 * Idea:  one daemon of libmicrohttpd with a few epoll threads, on a socket of our own. What a
 *        client may cost is bounded everywhere: connections in all and of an address, bytes of a
 *        head and of a body, bodies at a time, seconds for each part (connections.h), bytes in a
 *        socket. What is answered from memory is answered on these threads; for what may wait, for
 *        the engine or the disk, the connection sleeps and a crew answers (crew.h): one for those
 *        who look, one for those who tell.
 * Never: believes a byte of a request before guard.c has looked at its head.
 */
#ifndef CONSOLE_SERVER_H
#define CONSOLE_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct console;
struct guard;
struct server;

/* Listens at "127.0.0.1:8474", "[::1]:8474" or "unix:PATH" and answers from now on; fills what the
 * guard knows of the address. 0, or a negative errno with what to do in `why`. */
int server_open(struct console *console, struct guard *guard, struct server **ret_server, char *why,
		size_t why_bytes);
/* The feed has to be at its end (feed_end), and nobody waits for the engine (engine_link_end). */
void server_close(struct server *server);
/* A few times a second: who is late goes. */
void server_tick(struct server *server);


#endif
