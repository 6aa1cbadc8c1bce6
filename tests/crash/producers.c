/*
 * producers: producers are killed, and nobody else notices.
 *
 *   producers KILLS WEIRD WEIRCTL [AT A TIME [SEED]]
 *
 * So many producers at a time write as fast as they can, and are killed: at random moments, while
 * they work (a timer of their own processor time), and between slot and tail, where the killer has
 * seen in their memory that an event is half or wholly written and not yet published (victim.h).
 * Now and then one is stopped there, and goes on after a while. Two survivors write through all of
 * it, no further ahead than half a ring, so that they lose nothing as long as they are drained.
 *
 * For each of the dead: the log holds its events 0 .. tail - 1 once and whole, and nothing else;
 * `tail` is what its memory said after its death. For the survivors: after each kill what they had
 * written by then is taken (else: a stall), their ledgers are exact, nothing was dropped. The
 * engine lets go of every descriptor of the dead.
 *
 * Before the first kill the survivors time their emits one by one, alone and then beside one that
 * stands still between slot and tail: how long they take is printed, and that they go on is judged.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "log/reader.h"
#include "site.h"
#include "support/proof.h"
#include "support/random.h"
#include "victim.h"

#define SURVIVORS 2u
#define SURVIVOR_RING 1024u
#define AT_A_TIME 16u
#define AT_A_TIME_MAX 64u
/* A stopped one goes on after so many kills of others. */
#define STOPPED_KILLS 20u
#define ALIVE_US_MAX 10000u
#define CPU_NS_MAX 5000000u
#define LANES 2u
#define TIMED 50000u

/* What a survivor times its emits beside. */
enum company { UNTIMED, ALONE, BESIDE_STOPPED, COMPANIES };

struct survivor {
	uint32_t stop, ended;
	uint32_t company; /* driver -> survivor */
	uint64_t emitted, persisted;
	struct weir_ledger ledger;
	uint32_t timed[COMPANIES]; /* TIMED: all of these */
	uint32_t ns[COMPANIES][TIMED];
};

/* How one is to die. */
enum manner { BY_CHANCE, AT_WORK, IN_AN_EMIT, MANNERS };

struct slot {
	struct victim *victim; /* NULL: free */
	struct victim_view view;
	pid_t pid;
	enum manner manner;
	uint64_t due_us;       /* 0: not yet ready */
	unsigned until;        /* > 0: stopped, until so many were killed */
	uint64_t stopped_tail; /* it must get further before it dies */
	bool stopped;          /* it was, once */
};

struct driver {
	struct site site;
	unsigned kills_wanted, at_a_time;
	bool can_stop;
	struct victim *victims; /* kills_wanted of them, shared; ids from SURVIVORS on */
	struct survivor *survivors;
	pid_t survivor_pids[SURVIVORS];
	struct slot slots[AT_A_TIME_MAX];
	unsigned started, kills, mid_emit, stops, stalls;
	unsigned places[VICTIM_PLACES];
	uint64_t lost, doubled, torn;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The next emit of a survivor, timed if that is wanted. Did it say yes? */
static bool emit_next(struct survivor *survivor, weir *w, int series, double value)
{
	/* Relaxed: words, each for itself. */
	const uint32_t company = __atomic_load_n(&survivor->company, __ATOMIC_RELAXED);
	const uint32_t timed = survivor->timed[company];

	if (company == UNTIMED || timed == TIMED)
		return weir_emit(w, series, value) == 0;
	const uint64_t before_ns = clock_ns();
	const bool yes = weir_emit(w, series, value) == 0;
	survivor->ns[company][timed] = (uint32_t)(clock_ns() - before_ns);
	/* Release: pairs with the driver's acquire; the times are there. */
	__atomic_store_n(&survivor->timed[company], timed + 1, __ATOMIC_RELEASE);
	return yes;
}

static void survive(const struct site *site, struct survivor *survivor, uint32_t id)
{
	const struct victim me = {.id = id, .start_ms = 1};
	struct weir_ledger ledger;
	int series;
	weir *w = victim_open(site, SURVIVOR_RING, &series);
	uint64_t n = 0;

	if (!w || series <= 0)
		_exit(1);
	/* Relaxed throughout: counters and a word, each for itself. */
	while (!__atomic_load_n(&survivor->stop, __ATOMIC_RELAXED)) {
		load_look(w);
		weir_ledger(w, &ledger);
		__atomic_store_n(&survivor->persisted, ledger.persisted, __ATOMIC_RELAXED);
		while (n - ledger.persisted < SURVIVOR_RING / 2) {
			const double value = weir_bits_value(victim_event(&me, n).value);
			n += emit_next(survivor, w, series, value);
		}
		__atomic_store_n(&survivor->emitted, n, __ATOMIC_RELAXED);
		pause_us(1000);
	}
	weir_wait(w, WEIR_DURABLE, SITE_PATIENCE_S * 1000);
	weir_ledger(w, &survivor->ledger);
	survivor->emitted = n;
	weir_close(w, 1000);
	survivor->ended = 1;
	_exit(0);
}

static void *share(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		exit(1);
	return map;
}

/* What the engine holds of producers: their memory, their processes. */
static unsigned descriptors(const struct driver *driver)
{
	char path[300], target[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)driver->site.engine);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)driver->site.engine,
			 entry->d_name);
		ssize_t bytes = readlink(path, target, sizeof(target) - 1);
		target[bytes > 0 ? bytes : 0] = '\0';
		count += strncmp(target, "/memfd:weir-r", 13) == 0 ||
			 strcmp(target, "anon_inode:[pidfd]") == 0 ||
			 strncmp(target, "pidfd:", 6) == 0;
	}
	if (folder)
		closedir(folder);
	return count;
}

/* All that the survivors have written by now is taken. */
static void expect_no_stall(struct driver *driver)
{
	uint64_t wanted[SURVIVORS], end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	for (unsigned s = 0; s < SURVIVORS; s++)
		wanted[s] = __atomic_load_n(&driver->survivors[s].emitted, __ATOMIC_RELAXED);
	for (unsigned s = 0; s < SURVIVORS; s++)
		while (__atomic_load_n(&driver->survivors[s].persisted, __ATOMIC_RELAXED) <
		       wanted[s]) {
			if (site_now_us() > end_us) {
				driver->stalls++;
				site_expect(&driver->site, false, "survivors are drained");
				return;
			}
			pause_us(500);
		}
}

static enum manner draw_manner(const struct driver *driver)
{
	const enum manner drawn = (enum manner)random_below(4);

	if (driver->can_stop)
		return drawn == MANNERS ? IN_AN_EMIT : drawn;
	return (enum manner)random_below(2);
}

static void begin(struct driver *driver, struct slot *slot, enum manner manner)
{
	struct victim *victim = &driver->victims[driver->started];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	victim->id = SURVIVORS + driver->started++;
	victim->start_ms = (uint64_t)now.tv_sec * 1000;
	*slot = (struct slot){.victim = victim, .manner = manner};
	if (slot->manner == AT_WORK)
		victim->cpu_ns = 1 + random_below(CPU_NS_MAX);
	slot->pid = victim_start(&driver->site, victim);
}

/* It is dead: what had it published? */
static void bury(struct driver *driver, struct slot *slot)
{
	slot->victim->tail = slot->view.header ? slot->view.header->tail : 0;
	victim_look_away(&slot->view);
	slot->victim = NULL;
	driver->kills++;
	expect_no_stall(driver);
}

static void finish(struct driver *driver, struct slot *slot)
{
	int status = 0;

	kill(slot->pid, SIGKILL);
	/* A traced one may still say that it has stopped. */
	while (waitpid(slot->pid, &status, 0) == slot->pid && WIFSTOPPED(status))
		;
	bury(driver, slot);
}

/* It was stopped in an emit, and is not killed there: it goes on after some kills of others. */
static void stand_still(struct driver *driver, struct slot *slot)
{
	slot->until = driver->kills + STOPPED_KILLS;
	slot->stopped = true;
	slot->stopped_tail = slot->view.header->tail;
	driver->stops++;
}

/* Its time has come. */
static void strike(struct driver *driver, struct slot *slot)
{
	if (slot->manner == IN_AN_EMIT) {
		enum victim_place place = victim_stop(slot->victim, slot->pid, &slot->view,
						      random_below(slot->victim->id % 2 ? 200 : 8));
		if (place == VICTIM_BETWEEN) { /* not this time */
			slot->due_us = site_now_us() + random_below(ALIVE_US_MAX);
			return;
		}
		if (random_one_in(8)) {
			stand_still(driver, slot);
			return;
		}
		driver->places[place]++;
		driver->mid_emit++;
	}
	finish(driver, slot);
}

static void look_for(struct driver *driver, struct slot *slot)
{
	/* Acquire: pairs with the victim's release; its series and descriptor are there. */
	if (!__atomic_load_n(&slot->victim->ready, __ATOMIC_ACQUIRE))
		return;
	site_expect(&driver->site, victim_look(slot->victim, slot->pid, &slot->view),
		    "a producer's memory can be seen");
	slot->due_us = site_now_us() + 1 + random_below(ALIVE_US_MAX);
	/* Relaxed: nothing comes with it. */
	__atomic_store_n(&slot->victim->seen, 1, __ATOMIC_RELAXED);
}

/* The stopped one goes on, and dies later. */
static void let_go_on(struct driver *driver, struct slot *slot)
{
	if (driver->kills < slot->until && driver->started < driver->kills_wanted)
		return;
	victim_continue(slot->pid);
	slot->until = 0;
	slot->due_us = site_now_us() + random_below(ALIVE_US_MAX);
}

static void turn_slot(struct driver *driver, struct slot *slot)
{
	const uint64_t now_us = site_now_us();
	int status;

	if (!slot->victim) {
		if (driver->started < driver->kills_wanted)
			begin(driver, slot, draw_manner(driver));
		return;
	}
	if (slot->due_us == 0)
		look_for(driver, slot);
	else if (slot->until)
		let_go_on(driver, slot);
	else if (slot->manner != AT_WORK && now_us >= slot->due_us &&
		 !(slot->stopped && slot->view.header->tail == slot->stopped_tail)) {
		strike(driver, slot);
		return;
	}
	if (waitpid(slot->pid, &status, WNOHANG) == slot->pid) {
		site_expect(&driver->site, slot->manner == AT_WORK && WIFSIGNALED(status),
			    "producers end as they are told");
		bury(driver, slot);
	}
}

static int compare_ns(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* The survivors time TIMED emits each. They wait for nobody, nor for who stands still. */
static void time_survivors(struct driver *driver, enum company company, const char *beside)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;

	for (unsigned s = 0; s < SURVIVORS; s++)
		__atomic_store_n(&driver->survivors[s].company, company, __ATOMIC_RELAXED);
	for (unsigned s = 0; s < SURVIVORS; s++) {
		struct survivor *survivor = &driver->survivors[s];
		/* Acquire: as in emit_next(). */
		while (__atomic_load_n(&survivor->timed[company], __ATOMIC_ACQUIRE) < TIMED) {
			if (site_now_us() > end_us) {
				driver->stalls++;
				site_expect(&driver->site, false, "survivors go on");
				return;
			}
			pause_us(1000);
		}
		uint32_t *ns = survivor->ns[company];
		qsort(ns, TIMED, sizeof(*ns), compare_ns);
		printf("an emit of survivor %u, %s: p50 %u ns, p99.9 %u ns\n", s, beside,
		       ns[TIMED / 2], ns[TIMED - 1 - TIMED / 1000]);
	}
	expect_no_stall(driver);
}

/* The first one stops between slot and tail, and stands there until some others are dead. */
static void time_beside_stopped(struct driver *driver)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	struct slot *slot = &driver->slots[0];
	enum victim_place place = VICTIM_BETWEEN;

	time_survivors(driver, ALONE, "alone");
	if (!driver->can_stop || driver->site.failed)
		return;
	begin(driver, slot, IN_AN_EMIT);
	while (place == VICTIM_BETWEEN && site_now_us() < end_us) {
		if (slot->due_us == 0)
			look_for(driver, slot);
		else
			place = victim_stop(slot->victim, slot->pid, &slot->view, random_below(8));
		pause_us(200);
	}
	if (!site_expect(&driver->site, place != VICTIM_BETWEEN, "one can be stopped in an emit"))
		return;
	stand_still(driver, slot);
	time_survivors(driver, BESIDE_STOPPED, "beside one that stands still in its own");
	site_expect(&driver->site, slot->view.header->tail == slot->stopped_tail, "it stood still");
	for (unsigned s = 0; s < SURVIVORS; s++)
		__atomic_store_n(&driver->survivors[s].company, UNTIMED, __ATOMIC_RELAXED);
}

/* Until all are dead. false: nothing has moved for too long. */
static bool kill_all(struct driver *driver)
{
	uint64_t moved_us = site_now_us();
	unsigned before = 0;

	while (driver->kills < driver->kills_wanted) {
		for (unsigned i = 0; i < driver->at_a_time; i++)
			turn_slot(driver, &driver->slots[i]);
		if (driver->kills != before)
			moved_us = site_now_us();
		before = driver->kills;
		if (site_now_us() - moved_us > SITE_PATIENCE_S * 1000000ull)
			return site_expect(&driver->site, false, "producers come and go");
		pause_us(200);
	}
	return true;
}

struct counting {
	struct driver *driver;
	uint8_t **seen; /* [victims], a byte for each event below the tail */
};

static void count_event(struct counting *counting, const struct weir_event *event)
{
	struct driver *driver = counting->driver;
	uint64_t id, n;

	if (!victim_of_event(event, &id, &n) || id >= SURVIVORS + driver->kills_wanted) {
		driver->torn++;
		return;
	}
	if (id < SURVIVORS)
		return; /* their ledger tells */
	const struct victim *victim = &driver->victims[id - SURVIVORS];
	const struct weir_event wanted = victim_event(victim, n);
	/* The series is the engine's in the log. */
	if (wanted.value != event->value ||
	    weir_event_time_ms(wanted.word) != weir_event_time_ms(event->word))
		driver->torn++;
	else if (n >= victim->tail || counting->seen[id - SURVIVORS][n]++)
		driver->doubled++;
}

static void read_lane(struct counting *counting, struct io *io, uint32_t lane)
{
	struct reader_block block;
	struct reader *reader;
	char name[16], why[256];

	snprintf(name, sizeof(name), "lane-%02u", lane);
	if (reader_open(io, name, (uint16_t)lane, 0, false, &reader, why, sizeof(why)) < 0) {
		site_expect(&counting->driver->site, false, why);
		return;
	}
	while (reader_next(reader, &block) > 0)
		if (block.header.type == WEIR_BLOCK_EVENTS)
			for (uint32_t e = 0; e < block.header.count; e++)
				count_event(counting, &block.events[e]);
	reader_close(reader);
}

static uint64_t judge(struct driver *driver)
{
	struct counting counting = {.driver = driver};
	uint64_t published = 0;
	struct io *io;
	int fd = open(driver->site.data, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || io_pwrite_create(fd, 1, &io) < 0)
		exit(1);
	counting.seen = calloc(driver->kills_wanted, sizeof(*counting.seen));
	for (unsigned v = 0; v < driver->kills_wanted; v++) {
		counting.seen[v] = calloc(driver->victims[v].tail + 1, 1);
		published += driver->victims[v].tail;
	}
	for (uint32_t lane = 0; lane < LANES; lane++)
		read_lane(&counting, io, lane);
	for (unsigned v = 0; v < driver->kills_wanted; v++) {
		for (uint64_t n = 0; n < driver->victims[v].tail; n++)
			driver->lost += !counting.seen[v][n];
		free(counting.seen[v]);
	}
	free(counting.seen);
	io->ops->destroy(io);
	close(fd);
	site_expect(&driver->site, driver->lost == 0, "what the dead had published is in the log");
	site_expect(&driver->site, driver->doubled == 0, "nothing is there twice");
	site_expect(&driver->site, driver->torn == 0, "no event is torn");
	return published;
}

static void check_survivors(struct driver *driver)
{
	for (unsigned s = 0; s < SURVIVORS; s++) {
		const struct survivor *survivor = &driver->survivors[s];
		const struct weir_ledger *ledger = &survivor->ledger;
		site_expect(&driver->site, survivor->ended, "a survivor comes to its end");
		site_expect(&driver->site,
			    ledger->attempted == survivor->emitted &&
				    ledger->published == ledger->attempted,
			    "a survivor drops nothing");
		site_expect(&driver->site,
			    ledger->persisted == ledger->published &&
				    ledger->durable == ledger->published && !ledger->rejected &&
				    !ledger->lost,
			    "a survivor's ledger is exact");
	}
}

/* The engine has let go of the dead. */
static void expect_forgotten(struct driver *driver, unsigned before)
{
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	unsigned now;

	while ((now = descriptors(driver)) != before && site_now_us() < end_us)
		pause_us(10000);
	printf("%u descriptors of producers before the first kill, %u after the last\n", before,
	       now);
	site_expect(&driver->site, before > 0 && now == before,
		    "the engine holds no descriptor of the dead");
}

static void start(struct driver *driver)
{
	struct site *site = &driver->site;

	site_write_config(site, "uring", 1, "");
	if (!site_start_engine(site))
		return;
	for (unsigned s = 0; s < SURVIVORS; s++) {
		driver->survivor_pids[s] = process_fork();
		if (driver->survivor_pids[s] == 0)
			survive(site, &driver->survivors[s], s);
	}
	const uint64_t end_us = site_now_us() + SITE_PATIENCE_S * 1000000;
	for (unsigned s = 0; s < SURVIVORS; s++)
		while (!__atomic_load_n(&driver->survivors[s].persisted, __ATOMIC_RELAXED)) {
			if (site_now_us() > end_us) {
				site_expect(site, false, "survivors attach");
				return;
			}
			pause_us(1000);
		}
}

static void end(struct driver *driver)
{
	for (unsigned s = 0; s < SURVIVORS; s++) {
		__atomic_store_n(&driver->survivors[s].stop, 1, __ATOMIC_RELAXED);
		waitpid(driver->survivor_pids[s], NULL, 0);
	}
	int status = site_end_engine(&driver->site, SIGTERM);
	site_expect(&driver->site, WIFEXITED(status) && WEXITSTATUS(status) == 0,
		    "the engine stops cleanly");
}

static void say(struct driver *driver, uint64_t published)
{
	printf("%u kills, %u at a time; %llu events published, %llu missing, %llu twice or never "
	       "published, %llu torn; %u stalls\n",
	       driver->kills, driver->at_a_time, (unsigned long long)published,
	       (unsigned long long)driver->lost, (unsigned long long)driver->doubled,
	       (unsigned long long)driver->torn, driver->stalls);
	printf("killed between slot and tail: %u, with half a slot written %u, a whole one %u, "
	       "several %u; %u stopped there for a while\n",
	       driver->mid_emit, driver->places[VICTIM_HALF], driver->places[VICTIM_WHOLE],
	       driver->places[VICTIM_BATCH_OPEN], driver->stops);
	const uint64_t bad = driver->site.failed + driver->lost + driver->doubled + driver->torn;
	proof_say("producer-kills", driver->kills, bad);
	if (driver->can_stop) {
		proof_say("producer-kills-mid-emit", driver->mid_emit, bad);
		proof_say("producer-stops", driver->stops, bad);
		proof_say("emits-beside-stopped", SURVIVORS * TIMED, bad);
	}
}

int main(int argc, char **argv)
{
	static struct driver driver;

	if (argc < 4) {
		fprintf(stderr, "usage: producers KILLS WEIRD WEIRCTL [AT A TIME [SEED]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	driver.kills_wanted = (unsigned)atoi(argv[1]);
	driver.at_a_time = argc > 4 ? (unsigned)atoi(argv[4]) : AT_A_TIME;
	if (driver.at_a_time > AT_A_TIME_MAX)
		driver.at_a_time = AT_A_TIME_MAX;
	random_start(argc > 5 ? strtoull(argv[5], NULL, 10) : 1);
	site_begin(&driver.site, argv[2], argv[3], "/var/tmp");
	driver.can_stop = victim_can_stop();
	driver.victims = share(driver.kills_wanted * sizeof(*driver.victims));
	driver.survivors = share(SURVIVORS * sizeof(*driver.survivors));
	start(&driver);
	uint64_t published = 0;
	if (driver.site.engine > 0 && !driver.site.failed) {
		const unsigned before = descriptors(&driver);
		time_beside_stopped(&driver);
		if (kill_all(&driver))
			expect_forgotten(&driver, before);
		end(&driver);
		published = judge(&driver);
		check_survivors(&driver);
		/* Times are the victims' own: late is no fault. */
		site_verify(&driver.site, false);
	}
	const bool can_stop = driver.can_stop;
	say(&driver, published);
	site_end(&driver.site);
	if (driver.site.failed)
		return 1;
	if (can_stop)
		return 0;
	printf("skipped: ptrace is refused here: no kill between slot and tail was tried\n");
	return 77;
}
