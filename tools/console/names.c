/*
 * names: see names.h. A hash table of chains; the texts lie in pieces that never move.
 */
#include "names.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "deliver/payload.h"

#define PIECE_BYTES (256u << 10)
#define CHAINS_FIRST 1024u
#define NAME_BYTES_MAX 4096u /* beyond it is cut */
static const char replacement[] = "\xef\xbf\xbd";

struct piece {
	struct piece *before;
	size_t used;
	_Alignas(struct name) char bytes[PIECE_BYTES];
};

struct names {
	pthread_mutex_t lock; /* of `holders` */
	uint32_t holders;
	struct piece *piece;
	struct name **chain;
	uint32_t chains; /* a power of two */
	uint32_t count;
};

struct names *names_create(void)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names)
		names->chain = calloc(CHAINS_FIRST, sizeof(names->chain[0]));
	if (!names || !names->chain) {
		free(names);
		return NULL;
	}
	names->chains = CHAINS_FIRST;
	names->holders = 1;
	pthread_mutex_init(&names->lock, NULL);
	return names;
}

struct names *names_hold(struct names *names)
{
	pthread_mutex_lock(&names->lock);
	names->holders++;
	pthread_mutex_unlock(&names->lock);
	return names;
}

void names_release(struct names *names)
{
	if (!names)
		return;
	pthread_mutex_lock(&names->lock);
	bool last = --names->holders == 0;
	pthread_mutex_unlock(&names->lock);
	if (!last)
		return;
	while (names->piece) {
		struct piece *before = names->piece->before;
		free(names->piece);
		names->piece = before;
	}
	pthread_mutex_destroy(&names->lock);
	free(names->chain);
	free(names);
}

/* What can be shown of a text: returns its bytes. */
static size_t clean(const char *text, size_t bytes, char to[NAME_BYTES_MAX])
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0, left = strnlen(text, bytes);

	while (left > 0) {
		size_t one = utf8_bytes(at, left), put = one ? one : sizeof(replacement) - 1;
		if (used + put > NAME_BYTES_MAX - 1)
			break;
		memcpy(to + used, one ? (const char *)at : replacement, put);
		used += put;
		at += one ? one : 1;
		left -= one ? one : 1;
	}
	return used;
}

static uint64_t hash_of(const char *text, size_t bytes)
{
	uint64_t hash = fnv(FNV_BEGIN, text, bytes);

	return hash ^ hash >> 32;
}

static struct name *find(const struct names *names, uint64_t hash, const char *text, size_t bytes)
{
	struct name *name = names->chain[hash & (names->chains - 1)];

	while (name && !(name->hash == hash && name->bytes == bytes &&
			 memcmp(name->text, text, bytes) == 0))
		name = name->next;
	return name;
}

static void grow(struct names *names)
{
	uint32_t chains = 2 * names->chains;
	struct name **chain = calloc(chains, sizeof(chain[0]));

	if (!chain)
		return; /* longer chains are slower, and right */
	for (uint32_t i = 0; i < names->chains; i++) {
		for (struct name *name = names->chain[i], *next; name; name = next) {
			next = name->next;
			name->next = chain[name->hash & (chains - 1)];
			chain[name->hash & (chains - 1)] = name;
		}
	}
	free(names->chain);
	names->chain = chain;
	names->chains = chains;
}

static struct name *place_for(struct names *names, size_t bytes)
{
	size_t needed = sizeof(struct name) + bytes + 1, step = _Alignof(struct name);

	needed = (needed + step - 1) / step * step;
	if (!names->piece || names->piece->used + needed > PIECE_BYTES) {
		struct piece *piece = malloc(sizeof(*piece));
		if (!piece)
			return NULL;
		piece->before = names->piece;
		piece->used = 0;
		names->piece = piece;
	}
	struct name *name = (struct name *)(void *)(names->piece->bytes + names->piece->used);
	names->piece->used += needed;
	return name;
}

const struct name *names_take(struct names *names, const char *text, size_t bytes)
{
	char shown[NAME_BYTES_MAX];
	size_t used = clean(text, bytes, shown);
	uint64_t hash = hash_of(shown, used);
	struct name *name = find(names, hash, shown, used);

	if (name)
		return name;
	name = place_for(names, used);
	if (!name)
		return NULL;
	if (names->count >= 2 * names->chains)
		grow(names);
	struct name **chain = &names->chain[hash & (names->chains - 1)];
	name->number = names->count++;
	name->bytes = (uint32_t)used;
	name->hash = hash;
	memcpy(name->text, shown, used);
	name->text[used] = '\0';
	name->next = *chain;
	*chain = name;
	return name;
}

const struct name *names_find(const struct names *names, const char *text, size_t bytes)
{
	return find(names, hash_of(text, bytes), text, bytes);
}

uint32_t names_count(const struct names *names)
{
	return names->count;
}
