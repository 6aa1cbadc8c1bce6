/*
 * limits: an engine and applications that are given too little, and users who may not.
 *
 *   limits COUNT WEIRD [NAME]
 *
 *   few-descriptors      engines that may open from a few to some dozens of files, with producers
 *                        that take all that are left: each refuses to start and says why, or serves
 *   little-memory        engines whose address space is bounded, and producers that offer more
 *   limited-applications applications with few descriptors, little address space, small files:
 *                        weir_open says no or all is well once the limit is gone; never a signal
 *   other-users          a user who is not in the group reaches nothing; one who is, only his own
 *   named-memory         no engine and no application uses memory that has a name
 *
 * COUNT is of each, where one can count. Honest producers that an engine took are whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "honest.h"
#include "host.h"
#include "rogue.h"
#include "support/proof.h"
#include "weir/weir.h"

#define GREEDY_MAX 256u
/* A region takes little more than this where it is small. */
#define GREEDY_BYTES_MIN 16384u
#define APPLICATIONS_AT_ONCE 72u
/* Events of a segment of 1 MiB: two of them, and the log has needed a file that it had not. */
#define SEGMENT_EVENTS 65536u
#define OTHER_UID 65534u
#define SHARED_GID 65533u

struct greed {
	uint32_t taken;
	uint32_t refused; /* greedy -> test: it gets no more */
	uint32_t enough;  /* test -> greedy */
};

static rlim_t allowed; /* for what the next process calls */

static void limit(int what, rlim_t value)
{
	struct rlimit both = {value, value};

	setrlimit((__rlimit_resource_t)what, &both);
}

static void limit_descriptors(void)
{
	limit(RLIMIT_NOFILE, allowed);
}

static void limit_memory(void)
{
	limit(RLIMIT_AS, allowed);
}

/* A process that attaches regions of `bytes` each until it is refused, then smaller ones, so that
 * what is left is next to nothing; says so, and holds on to them until it is told to go. */
static void be_greedy(const struct host *host, uint64_t bytes, struct greed *greed)
{
	struct rogue_options options = {.rings = 4, .table_bytes = bytes};
	static struct rogue rogues[GREEDY_MAX];

	while (greed->taken < GREEDY_MAX && options.table_bytes >= GREEDY_BYTES_MIN) {
		struct rogue *rogue = &rogues[greed->taken];
		rogue_open(rogue, &options);
		if (rogue_attach(rogue, host->socket)) {
			greed->taken++;
			continue;
		}
		rogue_close(rogue, false);
		options.table_bytes /= 16;
	}
	/* Both polled by the other side. */
	weir_store_relaxed_32(&greed->refused, 1);
	while (!weir_load_relaxed_32(&greed->enough))
		pause_us(1000);
	_exit(greed->taken == GREEDY_MAX);
}

/* What an engine still has of what is limited: descriptors, or bytes of address space. */
static uint64_t left_over(const struct host *host)
{
	unsigned long long pages = 0;
	char path[64];

	if (host->limit == limit_descriptors) /* two are the directory's own entries */
		return allowed + 2 - host_descriptors(host);
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)host->pid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &pages) != 1)
		exit(1);
	fclose(file);
	return allowed - pages * 4096;
}

/* Meanwhile an operator is answered, and what was there before goes on: the log finds files for
 * what comes. Half of what no producer gets may be in use by then. */
static void be_patient(struct host *host, struct honest *honest, uint64_t greed_bytes)
{
	struct greed *greed = mmap(NULL, sizeof(*greed), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (greed == MAP_FAILED)
		exit(1);
	pid_t pid = process_fork();
	if (pid == 0)
		be_greedy(host, greed_bytes, greed);
	for (int i = 0; i < HOST_PATIENCE_S * 1000 && !weir_load_relaxed_32(&greed->refused); i++)
		pause_us(1000);
	uint64_t left = left_over(host);
	bool enough = left >= (host->limit == limit_descriptors ? allowed / 8 : 32u << 20);
	host_expect(host, enough, "producers leave %llu of %llu %s", (unsigned long long)left,
		    (unsigned long long)allowed,
		    host->limit == limit_descriptors ? "descriptors" : "bytes");
	host_expect(host, host_answers(host), "an operator is not answered");
	if (enough) { /* else it takes for ever, or goes well by chance */
		honest_wait(honest, host, SEGMENT_EVENTS * 2);
		host_expect(host, host_reaches(host, NULL, "events_persisted", SEGMENT_EVENTS),
			    "the log found no room");
	}
	weir_store_relaxed_32(&greed->enough, 1);
	int code = host_wait(pid);
	host_expect(host, code == 0, "greed ends with %d", code);
	printf("%u greedy regions with a limit of %llu\n", greed->taken,
	       (unsigned long long)allowed);
	munmap(greed, sizeof(*greed));
}

/* An engine under a limit, with honest and greedy producers. true: it started. */
static bool serve_limited(struct host *host, uint64_t greed_bytes)
{
	struct honest honest, late;
	int code = 0;

	if (!host_try(host, &code)) {
		host_expect(host, code == 1, "an engine with too little ends with %d", code);
		return false;
	}
	honest_start(&honest, host, 0, 1, 500);
	honest_wait(&honest, host, 1000);
	be_patient(host, &honest, greed_bytes);
	/* Once the engine has seen them go there is room for others again. */
	for (int i = 0; i < HOST_PATIENCE_S * 100; i++) {
		if (host_number(host, "\"intake\"", "producers") <= 1)
			break;
		pause_us(10000);
	}
	honest_start(&late, host, 1, 1, 500);
	honest_wait(&late, host, 500);
	honest_stop(&late, host);
	honest_stop(&honest, host);
	host_stop(host);
	host_verify(host);
	honest_check(&honest, host);
	honest_free(&late);
	honest_free(&honest);
	return true;
}

struct range {
	rlim_t nothing; /* with this and half as much again nothing starts */
	rlim_t some;    /* with this an engine starts and takes one producer at least */
	rlim_t more;    /* of the next ones */
};

/* Each engine has a directory of its own, so that what is in the log is this one's. */
static uint64_t serve_all(const char *weird, const char *name, void (*how)(void),
			  const struct range *range, uint64_t count)
{
	uint64_t violations = 0, started = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct host host;
		host_open(&host, weird,
			  "log: {segment_bytes: 1MiB, sync_interval: 20ms}\n"
			  "limits: {series_max: 20000}\n");
		host.limit = how;
		/* One of three has too little to start at all. */
		if (i % 3 == 0)
			allowed = range->nothing + range->nothing / 2 * (i / 3) / count;
		else
			allowed = range->some + range->more * (i / 3 % 4) + (i % 3 == 2);
		started += serve_limited(&host, how == limit_memory ? 64u << 20 : 16384);
		violations += host.violations;
		host_close(&host);
	}
	printf("%s: %llu of %llu engines started\n", name, (unsigned long long)started,
	       (unsigned long long)count);
	violations += started < count / 3;
	proof_say(name, count, violations);
	return violations;
}

/* Applications. */

static void *emit_there(void *self)
{
	struct weir *w = self;
	int series = weir_series(w, "limited", WEIR_VALUE, WEIR_KIND_NUMBER, NULL, 0);

	for (int i = 0; i < 100; i++)
		weir_emit(w, series, i);
	return NULL;
}

static void emit_in_threads(struct weir *w)
{
	pthread_t threads[3];
	unsigned made = 0;

	while (made < 3 && pthread_create(&threads[made], NULL, emit_there, w) == 0)
		made++;
	for (unsigned i = 0; i < made; i++)
		pthread_join(threads[i], NULL);
}

static uint64_t address_space_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%llu", &pages) != 1)
		_exit(5);
	fclose(file);
	return pages * 4096;
}

static const struct limited {
	int what;
	const char *name;
	rlim_t values[6]; /* of the address space: beyond what is in use */
} limiteds[] = {
	{RLIMIT_NOFILE, "descriptors", {0, 3, 4, 5, 6, 8}},
	{RLIMIT_FSIZE, "file size", {0, 1, 4096, 65536, 1u << 20, 5u << 20}},
	{RLIMIT_AS, "address space", {0, 65536, 1u << 20, 4u << 20, 16u << 20, 64u << 20}},
	{RLIMIT_MEMLOCK, "locked memory", {0, 1, 4096, 8192, 65536, 1u << 20}},
	{RLIMIT_DATA, "data", {0, 4096, 65536, 1u << 20, 4u << 20, 16u << 20}},
	{RLIMIT_NPROC, "processes", {0, 1, 2, 3, 4, 5}},
};

/* Opened before the limit or after; all is well once it is gone. */
static void be_limited(const struct host *host, const struct limited *limited, rlim_t value,
		       bool before)
{
	struct weir_options options = {.size = sizeof(options),
				       .socket_path = host->socket,
				       .program = "limited",
				       .full_wait_us = 1000};
	struct rlimit was, now;
	struct weir_ledger ledger;
	weir *w = NULL;

	getrlimit((__rlimit_resource_t)limited->what, &was);
	if (before && weir_open(&options, &w) < 0)
		_exit(3);
	/* With a sanitizer in it an address space has no bound that means anything. */
	if (host_sanitized() && (limited->what == RLIMIT_AS || limited->what == RLIMIT_DATA))
		_exit(0);
	now = (struct rlimit){value + (limited->what == RLIMIT_AS ? address_space_bytes() : 0),
			      was.rlim_max};
	if (now.rlim_cur > was.rlim_max)
		now.rlim_cur = was.rlim_max;
	setrlimit((__rlimit_resource_t)limited->what, &now);
	if (!before) {
		int error = weir_open(&options, &w);
		if (error < 0 && w)
			_exit(4);
	}
	emit_in_threads(w);
	weir_poll(w);
	emit_there(w);
	setrlimit((__rlimit_resource_t)limited->what, &was);
	if (!w && weir_open(&options, &w) < 0)
		_exit(6);
	emit_in_threads(w);
	/* Who had no ring tries again after a second; who is not attached does too. */
	for (int i = 0; i < HOST_PATIENCE_S * 10; i++) {
		emit_there(w);
		weir_ledger(w, &ledger);
		if (ledger.published > 0 && ledger.attached)
			break;
		pause_us(100000);
	}
	int error = weir_wait(w, WEIR_PERSISTED, HOST_PATIENCE_S * 1000);
	weir_ledger(w, &ledger);
	if (error || !ledger.published || ledger.persisted != ledger.published ||
	    ledger.attempted != ledger.published + ledger.dropped || ledger.lost)
		_exit(7);
	_exit(weir_close(w, HOST_PATIENCE_S * 1000) == 0 ? 0 : 8);
}

/* Every kind, every value, before and after, several at a time: most wait for a second try. */
static uint64_t limit_applications(struct host *host, uint64_t count)
{
	const unsigned kinds = sizeof(limiteds) / sizeof(limiteds[0]);
	pid_t pids[APPLICATIONS_AT_ONCE] = {0};
	unsigned which[APPLICATIONS_AT_ONCE] = {0};

	for (uint64_t i = 0; i < count + APPLICATIONS_AT_ONCE; i++) {
		unsigned place = i % APPLICATIONS_AT_ONCE;
		const struct limited *limited = &limiteds[which[place] % kinds];
		if (pids[place]) {
			int code = host_wait(pids[place]);
			host_expect(host, code == 0,
				    "an application with %s limited, value %u, opened %s, ends "
				    "with %d", limited->name, which[place] / kinds % 6,
				    which[place] / kinds / 6 % 2 ? "before" : "after", code);
			pids[place] = 0;
		}
		if (i >= count)
			continue;
		which[place] = (unsigned)i;
		limited = &limiteds[i % kinds];
		pids[place] = process_fork();
		if (pids[place] == 0)
			be_limited(host, limited, limited->values[i / kinds % 6],
				   i / kinds / 6 % 2);
	}
	return count;
}

/* Users. */

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool connects(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	bool yes = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return yes;
}

/* Of what is not his: how much a user reaches. */
static int reach(const struct host *host)
{
	char path[160];
	int reached = 0;

	reached += connects(host->control, SOCK_STREAM);
	reached += opens(host->data, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/LOCK", host->data);
	reached += opens(path, O_RDWR);
	snprintf(path, sizeof(path), "%s/weir.db", host->data);
	reached += opens(path, O_RDONLY);
	snprintf(path, sizeof(path), "%s/lane-00", host->data);
	reached += opens(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)host->pid);
	reached += opens(path, O_RDWR);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)host->pid);
	reached += opens(path, O_RDONLY | O_DIRECTORY);
	reached += unlink(host->socket) == 0;
	return reached;
}

static void be_stranger(const struct host *host)
{
	struct weir_options options = {.size = sizeof(options), .socket_path = host->socket};
	weir *w;

	if (setgroups(0, NULL) || setgid(OTHER_UID) || setuid(OTHER_UID))
		_exit(77);
	int reached = reach(host) + connects(host->socket, SOCK_SEQPACKET);
	/* The library goes on without an engine, and says why. */
	if (weir_open(&options, &w) < 0)
		_exit(50);
	emit_there(w);
	if (weir_poll(w) == 1)
		_exit(51);
	if (!strstr(weir_refusal(w), "permission"))
		_exit(52);
	weir_close(w, 0);
	_exit(reached);
}

/* In the group of the socket: a producer like others, under his own name. */
static void be_member(const struct host *host, const uint8_t uuid[16])
{
	gid_t group = SHARED_GID;
	struct rogue_options options = {.rings = 1};
	struct rogue rogue;

	if (setgroups(1, &group) || setgid(OTHER_UID) || setuid(OTHER_UID))
		_exit(77);
	int reached = reach(host);
	rogue_open(&rogue, &options);
	/* Another user's, who is attached: names are a user's own. */
	if (uuid) {
		memcpy(rogue.region->uuid, uuid, 16);
		memcpy(rogue.ring[0]->uuid, uuid, 16);
	}
	rogue_define(&rogue, "hostile", "member", 6);
	if (!rogue_attach(&rogue, host->socket)) {
		printf("%s\n", rogue.answer.text);
		fflush(stdout);
		_exit(60);
	}
	rogue_emit(&rogue, 0, 1, 10, 1);
	if (!rogue_taken(&rogue, 0) || rogue_slot(&rogue, 0)->rejected)
		_exit(61);
	rogue_close(&rogue, true);
	_exit(reached);
}

static uint64_t change_users(struct host *host, uint64_t count)
{
	struct rogue_options options = {.rings = 1};
	struct rogue ours;
	uint64_t done = 0;

	if (geteuid() != 0) {
		printf("skipped: only root can be two users\n");
		return 0;
	}
	rogue_open(&ours, &options);
	rogue_define(&ours, "hostile", "owner", 5);
	if (!rogue_attach(&ours, host->socket))
		host_expect(host, false, "a good producer is refused: %s", ours.answer.text);
	/* The way to the sockets is free; the control socket is the owner's group's alone. */
	if (chmod(host->directory, 0755) || chown(host->socket, 0, SHARED_GID))
		exit(1);
	for (uint64_t i = 0; i < count; i++) {
		pid_t pid = process_fork();
		if (pid == 0 && i % 2)
			be_member(host, i == 1 ? ours.region->uuid : NULL);
		else if (pid == 0)
			be_stranger(host);
		int code = host_wait(pid);
		host_expect(host, code == 0, "another user %s group reaches too much: %d",
			    i % 2 ? "of the" : "without a", code);
		rogue_emit(&ours, 0, 1, 1, 1);
		done++;
	}
	host_expect(host, rogue_taken(&ours, 0) && !rogue_slot(&ours, 0)->rejected,
		    "the owner is served no more");
	rogue_close(&ours, true);
	return done;
}

/* Is a line of /proc/PID/maps memory that is shared, and that others could open by its name? What
 * lies in the data directory is the database's. */
static bool shared_by_name(const char *line, const char *data)
{
	char access[8] = "", name[256] = "";

	if (sscanf(line, "%*s %7s %*s %*s %*s %255s", access, name) < 1 || access[3] != 's')
		return false;
	return name[0] == '/' && strncmp(name, "/memfd:", 7) != 0 &&
	       strncmp(name, data, strlen(data)) != 0 && strcmp(name, "/dev/zero") != 0;
}

/* Does the process map memory with a name, or hold some of /dev/shm? */
static bool uses_named_memory(const struct host *host, pid_t pid)
{
	char path[64], line[512];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *file = fopen(path, "r");
	while (file && !found && fgets(line, sizeof(line), file))
		found = shared_by_name(line, host->data);
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	while (folder && !found && (entry = readdir(folder))) {
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, line, sizeof(line) - 1);
		line[bytes < 0 ? 0 : bytes] = '\0';
		found = strstr(line, "/dev/shm/") != NULL;
	}
	if (folder)
		closedir(folder);
	return found;
}

static uint64_t watch_named_memory(struct host *host, uint64_t count)
{
	struct honest honest;

	honest_start(&honest, host, 0, 2, 500);
	for (uint64_t i = 0; i < count; i++) {
		honest_wait(&honest, host, 300);
		host_expect(host,
			    !uses_named_memory(host, host->pid) &&
				    !uses_named_memory(host, honest.pid[0]) &&
				    !uses_named_memory(host, honest.pid[1]),
			    "there is memory with a name");
	}
	honest_stop(&honest, host);
	honest_free(&honest);
	return count;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 6;
	struct host host;
	uint64_t violations = 0;

	if (argc < 3)
		return 2;
	if (host_quick())
		count = (count + 1) / 2;
	host_only(argv[3]);
	/* A producer takes three: of 56, 57, 76 and 77 what is left is none, one and two. */
	if (host_wanted("few-descriptors"))
		violations += serve_all(argv[2], "few-descriptors", limit_descriptors,
					&(struct range){8, 56, 20}, count);
	/* A sanitizer's address space has no bound that means anything. */
	if (!host_sanitized() && host_wanted("little-memory"))
		violations += serve_all(argv[2], "little-memory", limit_memory,
					&(struct range){16u << 20, 1u << 30, 256u << 20}, count);
	host_open(&host, argv[2], "");
	host_start(&host);
	host_prove(&host, "limited-applications", limit_applications, count * 12);
	host_prove(&host, "other-users", change_users, count);
	host_prove(&host, "named-memory", watch_named_memory, count);
	host_stop(&host);
	host_verify(&host);
	violations += host.violations;
	host_close(&host);
	return violations ? 1 : 0;
}
