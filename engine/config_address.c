/*
 * config_address: see config_address.h.
 */
#include "config_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* 1 to 65535, digits only; 0: it is not that. */
static unsigned parse_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = digits > 0 && digits <= 5 ? strtoul(text, NULL, 10) : 0;

	return text[digits] == '\0' && port <= 65535 ? (unsigned)port : 0;
}

int config_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_bytes)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[' && colon && colon > text && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN] = "";

	memset(ret_address, 0, sizeof(*ret_address));
	if (!colon)
		return -EINVAL;
	unsigned port = parse_port(colon + 1);
	const char *from = text + brackets;
	size_t bytes = (size_t)(colon - from) - brackets;
	if (!port || bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, from, bytes);
	if (brackets && inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		*ret_bytes = sizeof(*six);
		return 0;
	}
	if (!brackets && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		*ret_bytes = sizeof(*four);
		return 0;
	}
	return -EINVAL;
}

bool config_address_is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}
