/*
 * store_name: how descriptors are called in the service manager's store.
 *
 *   u1000.00112233445566778899aabbccddeeff.region.4711     a region, and the process that made it
 *   u1000.00112233445566778899aabbccddeeff.3               its ring 3
 *
 * Idea:  the name says all that the memory itself cannot be trusted with: who the producer is.
 *        The manager allows letters, digits and dots, and no more than 255 of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/producer.h"

#define HEX_BYTES 32

static void put_hex(char hex[HEX_BYTES + 1], const uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
}

void store_name_region(char name[STORE_NAME_BYTES], uint32_t uid, const uint8_t uuid[16], pid_t pid)
{
	char hex[HEX_BYTES + 1];
	put_hex(hex, uuid);
	snprintf(name, STORE_NAME_BYTES, "u%u.%s.region.%d", uid, hex, (int)pid);
}

void store_name_ring(char name[STORE_NAME_BYTES], uint32_t uid, const uint8_t uuid[16],
		     uint32_t index)
{
	char hex[HEX_BYTES + 1];
	put_hex(hex, uuid);
	snprintf(name, STORE_NAME_BYTES, "u%u.%s.%u", uid, hex, index);
}

/* Decimal digits up to `end` (a character, or the end of the text); NULL: not so. */
static const char *parse_number(const char *at, char end, uint32_t *ret_number)
{
	char *stop;

	if (*at < '0' || *at > '9')
		return NULL;
	errno = 0;
	unsigned long long number = strtoull(at, &stop, 10);
	if (errno || number > UINT32_MAX || *stop != end)
		return NULL;
	*ret_number = (uint32_t)number;
	return stop + !!end;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int store_name_parse(const char *name, struct store_name *ret_name)
{
	struct store_name parsed = {.region = false};

	if (strnlen(name, STORE_NAME_BYTES) == STORE_NAME_BYTES || *name != 'u')
		return -EINVAL;
	const char *at = parse_number(name + 1, '.', &parsed.uid);
	if (!at)
		return -EINVAL;
	for (int i = 0; i < HEX_BYTES; i++, at++) {
		int digit = hex_digit(*at);
		if (digit < 0)
			return -EINVAL;
		parsed.uuid[i / 2] = (uint8_t)(parsed.uuid[i / 2] << 4 | digit);
	}
	if (*at++ != '.')
		return -EINVAL;
	if (!strncmp(at, "region.", 7)) {
		parsed.region = true;
		at += 7;
	}
	if (!parse_number(at, 0, &parsed.number))
		return -EINVAL;
	*ret_name = parsed;
	return 0;
}
