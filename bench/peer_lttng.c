/*
 * peer_lttng: LTTng-UST to disk. An application with a tracepoint (peer_lttng_emit.c), the session
 * and consumer daemons, buffers of a user of 4 times 4 MiB for each processor, and a tracer that
 * waits where they are full, so that nothing is lost.
 *
 * The time ends when the last packet was written, by the modification time of the files (`lttng
 * stop` itself looks every 200 ms only), and they are synced. The trace is read here, by its
 * layout (CTF 1.8, large event headers), because babeltrace2 takes a microsecond an event:
 *
 *	packet   magic u32, uuid 16, stream u32, instance u64,
 *	         begin u64, end u64, content bits u64, packet bits u64, sequence u64, discarded u64,
 *	         cpu u32; events; padding
 *	event    id u16, time u32 (id 65535: id u32, time u64), series u32, value f64
 *
 * As root it runs as nobody, who has daemons, sockets and a home of his own; root's daemons are
 * one for the whole machine.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "producer.h"
#include "server.h"

#define NOBODY 65534u
#define WAIT_NS UINT64_C(30000000000)
#define PACKET_MAGIC 0xc1fc1fc1u
#define HEAD_BYTES 84u
#define CONTENT_AT 48u
#define PACKET_AT 56u
#define DISCARDED_AT 72u
#define ID_EXTENDED 65535u

struct lttng {
	const struct peer_task *task;
	struct peer_result *result;
	char sessiond[2200], client[2200], emit[2200];
	pid_t daemon, application;
	uid_t user;
};

static int find(struct lttng *lttng, char *why, size_t why_bytes)
{
	if (program_find(NULL, "lttng-sessiond", lttng->sessiond, sizeof(lttng->sessiond)) < 0 ||
	    program_find(NULL, "lttng", lttng->client, sizeof(lttng->client)) < 0) {
		snprintf(why, why_bytes, "no lttng-sessiond; apt-get install lttng-tools");
		return -ENOENT;
	}
	if (program_find(NULL, "weir-bench-lttng", lttng->emit, sizeof(lttng->emit)) == 0)
		return 0;
	snprintf(lttng->emit, sizeof(lttng->emit), "%s/weir-bench-lttng", WEIR_BENCH_LIBEXEC);
	if (access(lttng->emit, X_OK) == 0)
		return 0;
	snprintf(why, why_bytes,
		 "built without LTTng-UST; apt-get install liblttng-ust-dev, then build anew");
	return -ENOENT;
}

static int lttng_available(const struct peer_task *task, char *why, size_t why_bytes)
{
	struct lttng lttng = {.task = task};
	return find(&lttng, why, why_bytes);
}

static int fail(struct lttng *lttng, const char *what, const char *name, int error)
{
	char said[500];
	peer_quote(lttng->task->directory, name, said, sizeof(said));
	snprintf(lttng->result->why, sizeof(lttng->result->why), "%s: %s%s%s", what,
		 error < 0 ? strerror(-error) : "exit status not 0", said[0] ? ": " : "", said);
	return error < 0 ? error : -EIO;
}

/* One command of the client: `arguments` behind "lttng". */
static int client(struct lttng *lttng, char *const *arguments)
{
	char *all[12] = {(char *)"lttng", (char *)"--no-sessiond"};
	for (size_t i = 0; i < 9 && arguments[i]; i++)
		all[i + 2] = arguments[i];
	const struct peer_program program = {.path = lttng->client,
					     .arguments = all,
					     .home = lttng->task->directory,
					     .name = "lttng",
					     .processor = lttng->task->receiver,
					     .user = lttng->user};
	pid_t pid = peer_start(&program);
	int r = pid < 0 ? (int)pid : peer_wait(pid, 30000);
	return r == 0 ? 0 : fail(lttng, arguments[0], "lttng", r);
}

static int start_daemon(struct lttng *lttng)
{
	char *const arguments[] = {(char *)"lttng-sessiond", (char *)"--no-kernel", NULL};
	const struct peer_program program = {.path = lttng->sessiond,
					     .arguments = arguments,
					     .home = lttng->task->directory,
					     .name = "sessiond",
					     .processor = lttng->task->receiver,
					     .user = lttng->user};
	char socket[2300];
	struct stat is;
	snprintf(socket, sizeof(socket), "%s/.lttng/client-lttng-sessiond", lttng->task->directory);
	lttng->daemon = peer_start(&program);
	if (lttng->daemon < 0)
		return fail(lttng, "lttng-sessiond", "sessiond", lttng->daemon);
	for (uint32_t waited_ms = 0; waited_ms < 20000; waited_ms += 20) {
		if (stat(socket, &is) == 0)
			return 0;
		if (!peer_runs(lttng->daemon)) {
			lttng->daemon = 0;
			return fail(lttng, "lttng-sessiond", "sessiond", -ECHILD);
		}
		usleep(20000);
	}
	return fail(lttng, "lttng-sessiond", "sessiond", -ETIMEDOUT);
}

static int start_session(struct lttng *lttng)
{
	char output[2300];
	snprintf(output, sizeof(output), "--output=%s/trace", lttng->task->directory);
	char *const create[] = {(char *)"create", (char *)"weir", output, NULL};
	char *const channel[] = {(char *)"enable-channel",
				 (char *)"--userspace",
				 (char *)"--subbuf-size=4M",
				 (char *)"--num-subbuf=4",
				 (char *)"--blocking-timeout=inf",
				 (char *)"events",
				 NULL};
	char *const event[] = {(char *)"enable-event", (char *)"--userspace",
			       (char *)"weir_bench:event", (char *)"--channel=events", NULL};
	char *const start[] = {(char *)"start", NULL};
	int r = client(lttng, create);
	if (r == 0)
		r = client(lttng, channel);
	if (r == 0)
		r = client(lttng, event);
	return r < 0 ? r : client(lttng, start);
}

/* The application, until it has said that all is sent. *ret_first_ns: on the realtime clock. */
static int emit(struct lttng *lttng, uint64_t *ret_sent, uint64_t *ret_first_ns,
		uint64_t *ret_last_ns)
{
	const struct peer_task *task = lttng->task;
	char series[16], run[24], most[24], said[200];
	snprintf(series, sizeof(series), "%u", task->series);
	snprintf(run, sizeof(run), "%llu", (unsigned long long)task->run_ns);
	snprintf(most, sizeof(most), "%llu", (unsigned long long)task->events_max);
	char *const arguments[] = {(char *)"weir-bench-lttng", series, run, most, NULL};
	const struct peer_program program = {.path = lttng->emit,
					     .arguments = arguments,
					     .home = task->directory,
					     .name = "emit",
					     .processor = task->sender,
					     .user = lttng->user};
	unsigned long long sent, first_ns, last_ns;
	uint64_t end_ns = monotonic_ns() + task->run_ns + WAIT_NS;
	lttng->application = peer_start(&program);
	if (lttng->application < 0)
		return fail(lttng, "the application", "emit", lttng->application);
	do {
		usleep(1000);
		peer_quote(task->directory, "emit", said, sizeof(said));
		if (sscanf(said, "%llu %llu %llu\n", &sent, &first_ns, &last_ns) == 3)
			break;
		if (!peer_runs(lttng->application))
			return fail(lttng, "the application", "emit", -ECHILD);
	} while (monotonic_ns() < end_ns);
	if (monotonic_ns() >= end_ns)
		return fail(lttng, "the application", "emit", -ETIMEDOUT);
	*ret_sent = sent;
	*ret_first_ns = first_ns;
	*ret_last_ns = last_ns;
	return 0;
}

static uint64_t word(const uint8_t *at, uint32_t bytes)
{
	uint64_t value = 0;
	memcpy(&value, at, bytes);
	return value;
}

static void read_events(const uint8_t *at, const uint8_t *end, struct peer_books *books)
{
	while (end - at >= 18) {
		uint32_t head = word(at, 2) == ID_EXTENDED ? 14 : 6;
		uint64_t bits;
		if (end - at < head + 12)
			break;
		memcpy(&bits, at + head + 4, sizeof(bits));
		union {
			uint64_t bits;
			double value;
		} value = {.bits = bits};
		peer_books_add(books, word(at + head, 4), value.value);
		at += head + 12;
	}
	books->strangers += at != end;
}

/* All packets of a file. -EPROTO: this is no trace that we can read. */
static int read_stream(const char *path, struct peer_books *books, struct peer_result *result)
{
	struct stat is;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	if (fd < 0 || fstat(fd, &is) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	size_t bytes = (size_t)is.st_size;
	const uint8_t *data = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	close(fd);
	if (data == MAP_FAILED)
		return -ENOMEM;
	for (size_t at = 0; at < bytes && r == 0;) {
		const uint8_t *packet = data + at;
		uint64_t content = 0, size = 0;
		if (bytes - at >= HEAD_BYTES && word(packet, 4) == PACKET_MAGIC) {
			content = word(packet + CONTENT_AT, 8) / 8;
			size = word(packet + PACKET_AT, 8) / 8;
		}
		if (content < HEAD_BYTES || content > size || size > bytes - at) {
			r = -EPROTO;
			break;
		}
		if (word(packet + DISCARDED_AT, 8))
			snprintf(result->why, sizeof(result->why), "LTTng says it discarded %llu",
				 (unsigned long long)word(packet + DISCARDED_AT, 8));
		read_events(packet + HEAD_BYTES, packet + content, books);
		at += size;
	}
	if (data)
		munmap((void *)data, bytes);
	result->bytes += bytes;
	return r;
}

/* Sync the trace. *ret_written_ns: when the last of it was written, on the realtime clock. */
static int sync_trace(const glob_t *files, uint64_t *ret_written_ns)
{
	int r = 0;
	for (size_t i = 0; i < files->gl_pathc && r == 0; i++) {
		struct stat is;
		if (stat(files->gl_pathv[i], &is) < 0)
			return -errno;
		uint64_t written_ns = (uint64_t)is.st_mtim.tv_sec * 1000000000u +
				      (uint64_t)is.st_mtim.tv_nsec;
		if (written_ns > *ret_written_ns)
			*ret_written_ns = written_ns;
	}
	for (size_t i = 0; i < files->gl_pathc && r == 0; i++)
		r = peer_sync(files->gl_pathv[i]);
	return r;
}

static int check(struct lttng *lttng, uint64_t sent, uint64_t first_ns, uint64_t last_ns)
{
	struct plan plan;
	struct peer_books books;
	char pattern[2400];
	glob_t files;
	int r = plan_init(&plan, lttng->task->series, 0);
	if (r < 0)
		return r;
	snprintf(pattern, sizeof(pattern), "%s/trace/ust/uid/*/64-bit/events_*",
		 lttng->task->directory);
	r = peer_books_init(&books, &plan);
	if (r == 0 && glob(pattern, 0, NULL, &files) == 0) {
		uint64_t before_ns = monotonic_ns();
		r = sync_trace(&files, &last_ns);
		lttng->result->seconds = (double)(last_ns - first_ns + monotonic_ns() - before_ns) *
					 1e-9;
		for (size_t i = 0; i < files.gl_pathc && r == 0; i++)
			r = read_stream(files.gl_pathv[i], &books, lttng->result);
		globfree(&files);
	}
	if (r == 0)
		peer_books_close(&books, sent, lttng->result);
	else
		fail(lttng, "the trace", "lttng", r);
	peer_books_fini(&books);
	plan_fini(&plan);
	return r;
}

static int lttng_run(const struct peer *peer, const struct peer_task *task,
		     struct peer_result *ret_result)
{
	struct lttng lttng = {
		.task = task, .result = ret_result, .user = geteuid() == 0 ? NOBODY : 0};
	char *const stop[] = {(char *)"stop", NULL};
	char *const destroy[] = {(char *)"destroy", (char *)"weir", NULL};
	uint64_t sent = 0, first_ns = 0, last_ns = 0;

	(void)peer;
	int r = find(&lttng, ret_result->why, sizeof(ret_result->why));
	if (r == 0 && lttng.user && chown(task->directory, NOBODY, NOBODY) < 0)
		r = fail(&lttng, task->directory, "", -errno);
	if (r == 0)
		r = start_daemon(&lttng);
	if (r == 0)
		r = start_session(&lttng);
	if (r == 0)
		r = emit(&lttng, &sent, &first_ns, &last_ns);
	if (r == 0)
		r = client(&lttng, stop);
	if (r == 0)
		r = check(&lttng, sent, first_ns, last_ns);
	if (r == 0)
		r = client(&lttng, destroy);
	peer_end(lttng.application);
	peer_end(lttng.daemon);
	return r;
}

const struct peer peer_lttng = {
	.name = "lttng",
	.title = "LTTng-UST",
	.driven =
		"a tracepoint, 4 x 4 MiB of buffers, waiting where they are full; to disk, synced at "
		"the end",
	.on_disk = true,
	.available = lttng_available,
	.run = lttng_run,
};
