/*
 * restart: how long an engine is away: kill -9, start, until it drains again.
 *
 *   restart COUNT WEIRD WEIRCTL [MIB]
 *
 * From the start of the process to the moment at which an event that waited in a ring is persisted:
 * recovery, the producer's attach, the first block. So many times with next to nothing in the log,
 * then with so many MiB of events (default 256) behind the last checkpoint, all of them replayed
 * each time, by what the engine says of it. Each of the two as it comes, killed while it writes
 * files ahead, and what it has read before in memory; and settled and cold: left alone until all
 * files are written ahead, and nothing of the directory in the page cache. Times are said, not
 * judged; what is judged is that nothing is lost, that the log was as long as it should be, and
 * that so many lives take no more of the disk than they hold.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "site.h"
#include "support/proof.h"

#define RING_EVENTS 65536u
#define BATCH 1024u
#define EVENT_BYTES 16u
/* Files that the engine keeps written ahead: in a lane, in the control log. */
#define LANE_SPARES 2
#define CONTROL_SPARES 1
/* Of the disk, by default; and what a life that ended early may keep of its three files. */
#define LANE_FILE_MIB 128u
#define CONTROL_FILE_MIB 32u
#define LIFE_MIB 12u

struct driver {
	struct site site;
	weir *w;
	int series;
	uint64_t emitted;
};

/* No checkpoint comes between: what is in the log is replayed each time. */
static void write_config(const struct site *site)
{
	FILE *file = fopen(site->config, "w");

	if (!file)
		exit(1);
	fprintf(file,
		"data_directory: %s\nsocket: %s\ncontrol_socket: %s\nlanes: 2\nshards: 2\n"
		"interval: 1s\ncheckpoint_intervals: 100000\n"
		"metrics:\n  - {name: orders, event: purchase, agg: count}\n",
		site->data, site->socket, site->control);
	fclose(file);
}

static void open_producer(struct driver *driver)
{
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = driver->site.socket,
		.ring_events = RING_EVENTS,
	};

	if (weir_open(&options, &driver->w) < 0)
		exit(1);
	driver->series = weir_series(driver->w, WEIR_PURCHASE, WEIR_VALUE, WEIR_KIND_NUMBER, NULL,
				     0);
}

static bool emit(struct driver *driver, uint64_t count)
{
	struct weir_sample samples[BATCH];
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	struct weir_ledger ledger;

	for (uint32_t i = 0; i < BATCH; i++)
		samples[i] = (struct weir_sample){.value = i, .series = driver->series};
	while (count) {
		load_look(driver->w);
		weir_ledger(driver->w, &ledger);
		if (driver->emitted - ledger.persisted > RING_EVENTS - BATCH) {
			if (site_now_us() > end_us)
				return site_expect(&driver->site, false, "the engine drains");
			pause_us(100);
			continue;
		}
		const uint64_t some = count < BATCH ? count : BATCH;
		if (weir_emit_many(driver->w, samples, some) != some)
			return site_expect(&driver->site, false, "there is room in the ring");
		driver->emitted += some;
		count -= some;
	}
	return true;
}

static bool wait_for_all(struct driver *driver)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	struct weir_ledger ledger;

	do {
		load_look(driver->w);
		weir_ledger(driver->w, &ledger);
		if (ledger.persisted == driver->emitted)
			return site_expect(&driver->site, !ledger.lost && !ledger.rejected,
					   "nothing is lost");
		pause_us(100);
	} while (site_now_us() < end_us);
	return site_expect(&driver->site, false, "what waited in the ring is persisted");
}

/* What the engine has said of its last recovery. */
static uint64_t events_replayed(const struct site *site)
{
	FILE *file = fopen(site->log, "r");
	unsigned long long blocks, events = 0, found;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, ": read ");
		if (at && sscanf(at, ": read %llu blocks, %llu events", &blocks, &found) == 2)
			events = found;
	}
	if (file)
		fclose(file);
	return events;
}

/* Each name in a directory below the data directory. */
static void each_name(const struct site *site, const char *below,
		      void (*each)(void *self, const char *path), void *self)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", site->data, below);
	DIR *directory = opendir(path);
	const struct dirent *entry;
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", site->data, below, entry->d_name);
		each(self, path);
	}
	if (directory)
		closedir(directory);
}

static void count_spare(void *self, const char *path)
{
	int *spares = self;

	*spares += strstr(path, "/spare-") != NULL;
}

/* The next file is written ahead before any spare is. */
static bool settle(struct driver *driver)
{
	static const struct {
		const char *name;
		int spares;
	} logs[] = {
		{"lane-00", LANE_SPARES}, {"lane-01", LANE_SPARES}, {"control", CONTROL_SPARES}};
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	size_t settled = 0;

	while (settled < sizeof(logs) / sizeof(logs[0]) && site_now_us() < end_us) {
		int spares = 0;
		each_name(&driver->site, logs[settled].name, count_spare, &spares);
		if (spares >= logs[settled].spares)
			settled++;
		else
			pause_us(5000);
	}
	return site_expect(&driver->site, settled == sizeof(logs) / sizeof(logs[0]),
			   "files are written ahead");
}

static void forget_file(void *self, const char *path)
{
	struct stat stat;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	(void)self;
	if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode)) {
		fdatasync(fd); /* only clean pages go */
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	if (fd >= 0)
		close(fd);
}

static void each_file(const struct site *site, void (*each)(void *self, const char *path),
		      void *self)
{
	static const char *const places[] = {".", "lane-00", "lane-01", "control", "checkpoint"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		each_name(site, places[i], each, self);
}

static void add_room(void *self, const char *path)
{
	uint64_t *room = self;
	struct stat stat;

	if (lstat(path, &stat) == 0 && S_ISREG(stat.st_mode))
		*room += (uint64_t)stat.st_blocks * 512;
}

/* So many lives and so much kept: the disk holds that, and not what each life had allocated. */
static void judge_room(struct site *site, unsigned lives, unsigned mib)
{
	uint64_t room = 0;
	const uint64_t whole = 2 * (2 + LANE_SPARES) * LANE_FILE_MIB +
			       (2 + CONTROL_SPARES) * CONTROL_FILE_MIB;

	each_file(site, add_room, &room);
	room >>= 20;
	printf("%llu MiB of disk after %u lives\n", (unsigned long long)room, lives);
	site_expect(site, room <= whole + 2 * (uint64_t)mib + (uint64_t)lives * LIFE_MIB,
		    "a life that has ended leaves what it holds");
}

static bool restart(struct driver *driver, bool cold, uint64_t *ret_us)
{
	struct site *site = &driver->site;
	char *argv[] = {(char *)site->weird, "--config", site->config, NULL};
	const uint64_t before = driver->emitted;

	if (cold && !settle(driver))
		return false;
	site_end_engine(site, SIGKILL);
	if (cold)
		each_file(site, forget_file, NULL);
	if (!emit(driver, 1))
		return false;
	const uint64_t was_us = site_now_us();
	site->engine = process_spawn(argv, site->log);
	if (!wait_for_all(driver))
		return false;
	*ret_us = site_now_us() - was_us;
	return site_expect(site, events_replayed(site) >= before, "the whole log is replayed");
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static unsigned measure(struct driver *driver, unsigned count, const char *what, bool cold)
{
	uint64_t *us = calloc(count + 1, sizeof(*us));
	unsigned done = 0;

	while (us && done < count && restart(driver, cold, &us[done]))
		done++;
	if (done) {
		qsort(us, done, sizeof(*us), by_size);
		printf("restart to draining, %s%s: p50 %.1f ms, p99 %.1f ms, most %.1f ms of %u\n",
		       what, cold ? ", settled and cold" : "", (double)us[done / 2] / 1000,
		       (double)us[(done - 1) * 99 / 100] / 1000, (double)us[done - 1] / 1000, done);
	}
	free(us);
	return done;
}

static unsigned measure_both(struct driver *driver, unsigned count, const char *what)
{
	unsigned done = measure(driver, count, what, false);

	return driver->site.failed ? done : done + measure(driver, count, what, true);
}

int main(int argc, char **argv)
{
	static struct driver driver;
	unsigned done = 0;
	char what[64];

	if (argc < 4) {
		fprintf(stderr, "usage: restart COUNT WEIRD WEIRCTL [MIB]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	const unsigned count = (unsigned)atoi(argv[1]);
	const unsigned mib = argc > 4 ? (unsigned)atoi(argv[4]) : 256;
	site_begin(&driver.site, argv[2], argv[3], "/var/tmp");
	write_config(&driver.site);
	if (site_start_engine(&driver.site)) {
		open_producer(&driver);
		if (emit(&driver, 1) && wait_for_all(&driver))
			done += measure_both(&driver, count, "idle");
		snprintf(what, sizeof(what), "%u MiB to replay", mib);
		if (!driver.site.failed &&
		    emit(&driver, (uint64_t)mib * (1u << 20) / EVENT_BYTES) &&
		    wait_for_all(&driver))
			done += measure_both(&driver, count, what);
		weir_close(driver.w, 1000);
		int status = site_end_engine(&driver.site, SIGTERM);
		site_expect(&driver.site, WIFEXITED(status) && WEXITSTATUS(status) == 0,
			    "the engine stops cleanly");
		judge_room(&driver.site, done + 1, done > 2 * count ? mib : 0);
		site_verify(&driver.site, false);
	}
	proof_say("restarts", done, driver.site.failed);
	site_end(&driver.site);
	return driver.site.failed ? 1 : 0;
}
