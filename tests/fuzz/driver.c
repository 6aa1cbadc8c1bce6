/*
 * driver: runs a fuzz target where there is no libFuzzer, and with any sanitizer or none.
 *
 *   fuzz_TARGET RUNS SEED [FILE...]     mutations of the files, and of nothing
 *   fuzz_TARGET 0 0 FILE                this input, once
 *
 * Idea:  the same entry as libFuzzer's. Inputs are bytes of a pool: the files, and mutations of
 *        theirs now and then, so that changes add up. What kills or holds a target up is written
 *        to a file, named in the last line: it becomes a test.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define POOL_MAX 256
#define INPUT_BYTES_MAX 8192
#define SECONDS_MAX 20 /* one input */

static struct input {
	uint8_t data[INPUT_BYTES_MAX];
	size_t bytes;
} pool[POOL_MAX], now;
static uint32_t pool_count, files_count;
static uint64_t state;
static const char *target;

static uint64_t draw(uint64_t bound)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

static void on_end(int number)
{
	char path[128];
	int length = snprintf(path, sizeof(path), "./crash-%s-%d", target, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd >= 0 && write(fd, now.data, now.bytes) == (ssize_t)now.bytes)
		length = snprintf(path, sizeof(path),
				  "FAILED: signal %d; the input is ./crash-%s-%d\n", number, target,
				  (int)getpid());
	if (write(STDOUT_FILENO, path, (size_t)length) < 0)
		_exit(2);
	signal(number, SIG_DFL);
	raise(number);
}

static void add_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct input *input = &pool[pool_count];

	if (!file || pool_count == POOL_MAX / 2) {
		fprintf(stderr, "cannot take %s\n", path);
		exit(2);
	}
	input->bytes = fread(input->data, 1, INPUT_BYTES_MAX, file);
	fclose(file);
	pool_count++;
}

static void insert(struct input *input, size_t at, const void *data, size_t bytes)
{
	if (input->bytes + bytes > INPUT_BYTES_MAX)
		return;
	memmove(input->data + at + bytes, input->data + at, input->bytes - at);
	memcpy(input->data + at, data, bytes);
	input->bytes += bytes;
}

static void cut(struct input *input, size_t at, size_t bytes)
{
	if (bytes > input->bytes - at)
		bytes = input->bytes - at;
	memmove(input->data + at, input->data + at + bytes, input->bytes - at - bytes);
	input->bytes -= bytes;
}

static void mutate(struct input *input)
{
	static const uint64_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, UINT32_MAX,
					   INT64_MAX, UINT64_MAX};
	size_t at = input->bytes ? draw(input->bytes) : 0;
	uint64_t value = draw(2) ? draw(UINT64_MAX) : numbers[draw(10)];
	const struct input *other = &pool[draw(pool_count)];

	switch (draw(7)) {
	case 0:
		insert(input, at, &value, 1 + draw(8));
		break;
	case 1:
		cut(input, at, 1 + draw(draw(8) ? 8 : 256));
		break;
	case 2: /* a piece of itself, again */
		if (input->bytes) {
			size_t from = draw(input->bytes), bytes = 1 + draw(64);
			uint8_t piece[64];
			bytes = bytes > input->bytes - from ? input->bytes - from : bytes;
			memcpy(piece, input->data + from, bytes);
			insert(input, at, piece, bytes);
		}
		break;
	case 3: /* a piece of another */
		if (other->bytes) {
			size_t from = draw(other->bytes), bytes = 1 + draw(256);
			bytes = bytes > other->bytes - from ? other->bytes - from : bytes;
			insert(input, at, other->data + from, bytes);
		}
		break;
	case 4:
		for (size_t i = at; i < input->bytes && i < at + 8 && value; i++, value >>= 8)
			input->data[i] = (uint8_t)value;
		break;
	default:
		if (input->bytes)
			input->data[at] ^= (uint8_t)(1u << draw(8));
	}
}

static void next(void)
{
	/* Mostly from a file, so that it is nearly good. */
	now = pool[draw(draw(4) ? files_count : pool_count)];
	for (uint64_t times = 1 + draw(draw(2) ? 2 : 8); times; times--)
		mutate(&now);
	/* Some stay, so that changes add up; the files do too. */
	if (draw(64) == 0) {
		uint32_t at = POOL_MAX / 2 + (uint32_t)draw(POOL_MAX / 2);
		if (pool_count < POOL_MAX)
			at = pool_count++;
		pool[at] = now;
	}
}

int main(int argc, char **argv)
{
	uint64_t runs = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s RUNS SEED [FILE...]\n", argv[0]);
		return 2;
	}
	target = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	state = strtoull(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++)
		add_file(argv[i]);
	if (!pool_count)
		pool_count = 1; /* nothing */
	files_count = pool_count;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 5; i++)
		signal((const int[]){SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM}[i], on_end);
	if (getenv("WEIR_TEST_QUICK"))
		runs /= 25;
	if (!runs && argc > 3) {
		now = pool[0];
		return LLVMFuzzerTestOneInput(now.data, now.bytes);
	}
	for (uint64_t run = 0; run < runs; run++) {
		if (run % 256 == 0)
			alarm(SECONDS_MAX);
		next();
		LLVMFuzzerTestOneInput(now.data, now.bytes);
	}
	printf("PROOF %s %llu 0\n", target, (unsigned long long)runs);
	return 0;
}
