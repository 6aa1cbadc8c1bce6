/*
 * zone_file: files of time zones as zic(8) writes them, and a database of them, made in a test.
 */
#ifndef TESTS_BASE_ZONE_FILE_H
#define TESTS_BASE_ZONE_FILE_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct made {
	uint8_t data[4096];
	size_t used;
};

struct made_change {
	int64_t since_s;
	uint8_t type;
};

static inline void put_big(struct made *made, uint64_t value, size_t bytes)
{
	while (bytes--)
		made->data[made->used++] = (uint8_t)(value >> (8 * bytes));
}

static inline void put_header(struct made *made, char version, uint32_t times, uint32_t types)
{
	uint8_t zero[15] = {0};

	memcpy(made->data + made->used, "TZif", 4);
	made->used += 4;
	put_big(made, (uint8_t)version, 1);
	memcpy(made->data + made->used, zero, sizeof(zero));
	made->used += sizeof(zero);
	for (int i = 0; i < 3; i++)
		put_big(made, 0, 4);
	put_big(made, times, 4);
	put_big(made, types, 4);
	put_big(made, types ? 4 : 0, 4);
}

static inline void put_block(struct made *made, size_t time_bytes,
			     const struct made_change *changes, uint32_t times,
			     const int32_t *types, uint32_t types_count)
{
	for (uint32_t i = 0; i < times; i++)
		put_big(made, (uint64_t)changes[i].since_s, time_bytes);
	for (uint32_t i = 0; i < times; i++)
		put_big(made, changes[i].type, 1);
	for (uint32_t i = 0; i < types_count; i++) {
		put_big(made, (uint32_t)types[i], 4);
		put_big(made, i > 0, 1);
		put_big(made, 0, 1);
	}
	if (types_count)
		put_big(made, 0x41424300, 4);
}

/* A file as zic writes it: an empty block for old readers, then the real one. */
static inline struct made make_file(const struct made_change *changes, uint32_t times,
				    const int32_t *types, uint32_t types_count, const char *footer)
{
	struct made made = {0};

	put_header(&made, '2', 0, 1);
	put_block(&made, 4, NULL, 0, (const int32_t[]){0}, 1);
	put_header(&made, '2', times, types_count);
	put_block(&made, 8, changes, times, types, types_count);
	made.data[made.used++] = '\n';
	memcpy(made.data + made.used, footer, strlen(footer));
	made.used += strlen(footer);
	made.data[made.used++] = '\n';
	return made;
}

/* A database of one file, in a directory of its own. */
static inline void database(const char *name, const struct made *made)
{
	char directory[64];
	char path[128];

	snprintf(directory, sizeof(directory), "/tmp/weir-zone-XXXXXX");
	cr_assert(mkdtemp(directory));
	setenv("TZDIR", directory, 1);
	snprintf(path, sizeof(path), "%s/Etc", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/Etc/%s", directory, name);
	FILE *file = fopen(path, "w");

	cr_assert(file);
	fwrite(made->data, 1, made->used, file);
	fclose(file);
}

static inline void remove_database(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/Etc/%s", getenv("TZDIR"), name);
	unlink(path);
	snprintf(path, sizeof(path), "%s/Etc", getenv("TZDIR"));
	rmdir(path);
	rmdir(getenv("TZDIR"));
}

#endif
