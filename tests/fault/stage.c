/*
 * stage: see stage.h.
 *
 *   applications   open ......emit........................................ emit .... close
 *   engine 1            open ... input, status, reload ... killed
 *   engine 2                                                      open ... close
 *   engine 3                                                  (nothing refused)  open ... close
 *
 * The number of an event is its value, so that a hole, a double or a torn event shows.
 */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "deliver/payload.h"
#include "deliver/store.h"
#include "engine_private.h"
#include "disk.h"
#include "fault.h"
#include "log/reader.h"
#include "replay.h"
#include "stream.h"
#include "verify.h"

#define START_MS UINT64_C(1767225600000)
#define INTERVAL_MS 60000u
#define SLOTS_OF_INTERVAL 24u
#define RING_EVENTS 1024u
#define TURN_MS 5u
#define SERIES_MAX 64u

static const char metrics[] =
	"  - {name: page_views, event: page_view, agg: count, by: [country]}\n"
	"  - {name: revenue, event: purchase, agg: sum}\n";
static const char detectors[] =
	"  - {name: views-window, metric: page_views, kind: window, window: 12, k: 2.5, severity: 5}\n"
	"  - {name: revenue-window, metric: revenue, kind: window, window: 12, k: 2, severity: 5}\n"
	"  - {name: stopped, metric: revenue, kind: absence, absent: 2, severity: 3}\n";

static void expect(struct stage *stage, bool condition, const char *what)
{
	if (!condition) {
		printf("FAILED: %s\n", what);
		stage->violations++;
	}
}

static uint64_t draw(struct stage *stage, uint64_t bound)
{
	uint64_t z = stage->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

static int write_config(const struct stage *stage, const char *last, char *text, size_t bytes)
{
	return snprintf(text, bytes,
			"data_directory: %s/data\nsocket: %s/weir.sock\n"
			"control_socket: %s/control.sock\nenvironment: test\nlanes: 1\nshards: 1\ninterval: 1m\n"
			"lateness: {event: 1m}\ncheckpoint_intervals: 20\n"
			"limits: {series_max: %u}\n"
			"log: {io: %s, durability: interval, sync_interval: 20ms, "
			"segment_bytes: 1MiB, block_bytes: 16KiB%s}\n"
			"%s%s%s"
			"metrics:\n%sdetectors:\n%s%s",
			stage->directory, stage->directory, stage->directory, SERIES_MAX, stage->io,
			stage->retain ? ", retain_age: 1s" : "",
			stage->redis ? "redis: {url: \"" : "", stage->redis ? stage->redis : "",
			stage->redis ? "\"}\n" : "", metrics, detectors, last);
}

/* Applications. */

static void open_producer(struct stage *stage, int p)
{
	static const char *const countries[] = {"DE", "FR"};
	char path[128];
	struct weir_options options = {
		.size = sizeof(options),
		.socket_path = path,
		.source = "stage",
		.event_clock = 1,
		.ring_events = RING_EVENTS,
		.table_bytes = 1u << 14,
		.series_max = 16,
	};

	snprintf(path, sizeof(path), "%s/weir.sock", stage->directory);
	enum fault_side was = fault_enter(SIDE_CLIENT);
	int error = weir_open(&options, &stage->producers[p]);
	fault_enter(was);
	stage->attempts[p] = 0;
	if (error < 0) {
		stage->opens_refused++;
		stage->producers[p] = NULL;
		return;
	}
	fault_enter(SIDE_CLIENT);
	for (int s = 0; s < STAGE_SERIES; s++) {
		struct weir_dimension by[] = {{"country", countries[s % 2]}};
		stage->series[p][s] =
			weir_series(stage->producers[p], s < 2 ? WEIR_PAGE_VIEW : WEIR_PURCHASE,
				    WEIR_VALUE, WEIR_KIND_NUMBER, by, 1);
	}
	fault_enter(was);
}

static void poll_producers(struct stage *stage)
{
	enum fault_side was = fault_enter(SIDE_CLIENT);

	for (int p = 0; p < STAGE_PRODUCERS; p++)
		if (stage->producers[p])
			weir_poll(stage->producers[p]);
	fault_enter(was);
}

/* The engine. */

static int open_one(struct stage *stage)
{
	char why[512] = "";
	struct engine_options options = {
		.config = stage->config,
		.clock = &stage->clock,
		.random_seed = stage->slot + 77,
		.lock_wait_ms = 1000,
	};

	clock_system(&stage->clock);
	stage->engine = NULL;
	int error = engine_open(&options, &stage->engine, why, sizeof(why));
	if (error < 0) {
		stage->engine = NULL;
		stage->opens_refused++;
		printf("refused to start: %s\n", why);
		expect(stage, fault_struck() > 0, "an engine starts when nothing is refused");
		expect(stage, why[0] || error == -ENOMEM, "who refuses to start says why");
	}
	return error;
}

static int close_one(struct stage *stage)
{
	engine_close(stage->engine);
	stage->engine = NULL;
	return 0;
}

static int abandon_one(struct stage *stage)
{
	engine_abandon(stage->engine);
	stage->engine = NULL;
	return 0;
}

static int turn(struct stage *stage)
{
	uint64_t now_ns = clock_monotonic_ns(&stage->clock);
	int work = engine_crank(stage->engine, now_ns);

	if (stage->engine->publisher)
		work += publisher_step(stage->engine->publisher, now_ns);
	return work + engine_control_step(stage->engine, now_ns);
}

static int input(struct stage *stage)
{
	char text[4096], why[512];
	int bytes = write_config(
		stage, "  - {name: views-rule, metric: page_views, kind: absence, absent: 3}\n",
		text, sizeof(text));

	engine_input(stage->engine,
		     "{\"kind\":\"annotate\",\"text\":\"sale\",\"from_ms\":1,\"until_ms\":2}", why,
		     sizeof(why));
	return engine_configure(stage->engine, text, (size_t)bytes, "stage", why, sizeof(why));
}

int stage_serve(struct stage *stage, enum stage_call what)
{
	switch (what) {
	case STAGE_OPEN:
		return open_one(stage);
	case STAGE_TURN:
		return turn(stage);
	case STAGE_INPUT:
		return input(stage);
	case STAGE_CLOSE:
		return close_one(stage);
	default:
		return abandon_one(stage);
	}
}

/* A call into the engine. One that stops itself is a dead one: what it held is let go of. */
static int call(struct stage *stage, enum stage_call what)
{
	jmp_buf stopped;
	int result;

	if (stage->host)
		return stage->host(stage, what);
	if (setjmp(stopped)) {
		fault_stop = NULL;
		fault_enter(SIDE_TEST);
		stage->stops++;
		/* While it starts nobody has it to let go of: the process ends here, and what
		 * comes after is the kills' at named points. */
		if (!stage->engine) {
			fflush(stdout);
			_exit(STAGE_STOPPED_AT_START);
		}
		engine_abandon(stage->engine);
		stage->engine = NULL;
		return -ECANCELED;
	}
	fault_stop = &stopped;
	fault_enter(SIDE_ENGINE);
	result = stage_serve(stage, what);
	fault_enter(SIDE_TEST);
	fault_stop = NULL;
	return result;
}

/* A supervisor tries again; in the end the machine is well again. */
static void start(struct stage *stage)
{
	stage->wanted = true;
	if (stage->over)
		return;
	for (int tries = 0; tries < 2; tries++) {
		if (call(stage, STAGE_OPEN) == 0)
			return;
		fault_pass_ms(1000);
	}
	fault_disarm();
	expect(stage, call(stage, STAGE_OPEN) == 0, "an engine starts once the machine is well");
}

static void stop(struct stage *stage, bool kept)
{
	stage->wanted = false;
	if (stage->engine)
		call(stage, kept ? STAGE_CLOSE : STAGE_ABANDON);
}

static void cut_power(struct stage *stage);

static int crank(struct stage *stage)
{
	if (stage->over)
		return 0;
	if (stage->cut_after && fault_struck() > 0 && ++stage->turns_behind >= stage->cut_after) {
		cut_power(stage);
		return 0;
	}
	fault_pass_ms(TURN_MS);
	poll_producers(stage);
	if (!stage->engine && stage->wanted)
		start(stage);
	return stage->engine ? call(stage, STAGE_TURN) : 0;
}

/* An event of slot `number`: in a few intervals of many there are no purchases. A full ring gets a
 * few turns; then the event is dropped, and counted. */
static void emit(struct stage *stage)
{
	uint64_t slot = stage->slot++;
	uint64_t interval = slot / SLOTS_OF_INTERVAL;
	int p = (int)draw(stage, STAGE_PRODUCERS), s = (int)draw(stage, STAGE_SERIES);
	int error = -EAGAIN;

	if (slot >= STAGE_EVENTS_MAX)
		abort();
	if (stage->over || !stage->producers[p] || stage->series[p][s] <= 0 ||
	    (s >= 2 && interval % 17 >= 14))
		return;
	uint64_t time_ms = START_MS + slot * (INTERVAL_MS / SLOTS_OF_INTERVAL);
	for (int tries = 0; error == -EAGAIN && tries < 3 && !stage->over; tries++) {
		enum fault_side was = fault_enter(SIDE_CLIENT);
		stage->attempts[p]++;
		error = weir_emit_at(stage->producers[p], stage->series[p][s], (double)slot,
				     time_ms);
		fault_enter(was);
		if (error == -EAGAIN)
			crank(stage);
	}
	int number = p + (stage->cut ? STAGE_PRODUCERS : 0);
	stage->emitted[slot] = error == 0 ? (uint8_t)(number + 1) : 0;
	stage->events += error == 0;
}

static void play(struct stage *stage, unsigned intervals)
{
	for (unsigned i = 0; i < intervals; i++) {
		for (unsigned e = 0; e < SLOTS_OF_INTERVAL; e++)
			emit(stage);
		for (int turns = 0; turns < 2; turns++)
			crank(stage);
	}
}

static bool all_attached(struct stage *stage)
{
	for (int p = 0; p < STAGE_PRODUCERS; p++) {
		struct weir_ledger ledger = {.attached = 1};
		if (stage->producers[p])
			weir_ledger(stage->producers[p], &ledger);
		if (!ledger.attached)
			return false;
	}
	return true;
}

static void attach(struct stage *stage)
{
	poll_producers(stage);
	/* Who was refused tries again after a minute. */
	for (int turns = 0; turns < 400 && !all_attached(stage); turns++) {
		fault_pass_ms(turns < 200 ? 20 : 500);
		crank(stage);
	}
}

static void settle(struct stage *stage)
{
	attach(stage);
	for (int idle = 0, turns = 0; idle < 60 && turns < 20000; turns++) {
		fault_pass_ms(25);
		idle = crank(stage) > 2 ? 0 : idle + 1;
	}
}

/* What an operator does: whatever comes of it is an answer, or none; never the engine's end. true:
 * it was yes. */
static bool ask(struct stage *stage, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static const char yes[] = "{\"ok\":true";
	char answer[4096] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", stage->directory);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, line, strlen(line), MSG_NOSIGNAL) > 0)
		for (int turns = 0; turns < 40; turns++) {
			crank(stage);
			ssize_t got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
			if (got == 0 || (got > 0 && answer[got - 1] == '\n'))
				break;
		}
	close(fd);
	crank(stage);
	return strncmp(answer, yes, sizeof(yes) - 1) == 0;
}

static void operate(struct stage *stage)
{
	ask(stage, "{\"command\":\"status\"}\n");
	stage->told.mute = ask(
		stage,
		"{\"command\":\"mute\",\"metric\":\"page*\",\"for_ms\":3600000}\n");
	ask(stage, "{\"command\":\"anomalies\"}\n{\"command\":\"detectors\"}\n{nonsense\n");
	if (stage->engine)
		call(stage, STAGE_INPUT);
	for (int turns = 0; turns < 20; turns++)
		crank(stage);
}

void stage_begin(struct stage *stage, const char *parent)
{
	char text[4096], why[512];

	snprintf(stage->directory, sizeof(stage->directory), "%s/stage-XXXXXX", parent);
	if (!mkdtemp(stage->directory))
		abort();
	int bytes = write_config(stage, "", text, sizeof(text));
	if (config_parse(text, (size_t)bytes, "stage", &stage->config, why, sizeof(why)) < 0) {
		printf("%s\n", why);
		abort();
	}
	stage->random = 1;
}

void stage_play(struct stage *stage)
{
	for (int p = 0; p < STAGE_PRODUCERS; p++)
		open_producer(stage, p);
	start(stage);
	attach(stage);
	play(stage, 60);
	operate(stage);
	play(stage, 60);
	/* As kill -9 does, and the applications go on alone. */
	stop(stage, false);
	play(stage, 4);
	start(stage);
	attach(stage);
	play(stage, 40);
	/* A disk that refuses for long: the same engine goes on when it is well. */
	fault_disarm();
	play(stage, 40);
	/* Retention looks once a second; both checkpoints are this engine's now. */
	fault_pass_ms(3000);
	play(stage, 2);
	stop(stage, true);
	if (stage->cut_after && !stage->cut)
		cut_power(stage);
}

/* The end. */

void lines_add(struct lines *lines, char *line)
{
	lines->lines = realloc(lines->lines, (lines->count + 1) * sizeof(char *));
	if (!lines->lines || !line)
		abort();
	lines->lines[lines->count++] = line;
}

static int add_line(void *self, const struct anomaly *anomaly)
{
	lines_add(self, payload_json(anomaly, "test"));
	return 0;
}

static int add_published(void *self, const struct anomaly *anomaly)
{
	return store_publishes(anomaly) ? add_line(self, anomaly) : 0;
}

static void add_revision(void *self, uint64_t sequence, const struct anomaly *anomaly)
{
	(void)sequence;
	add_line(self, anomaly);
}

void lines_free(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
}

/* What the store has, whoever looks; false: there is none yet. */
static bool read_store(const struct stage *stage, store_each *each, struct lines *stored)
{
	struct store_query query = {.limit = 1u << 30, .revisions = true};
	struct store_reader *reader;
	char path[128];

	snprintf(path, sizeof(path), "%s/data/weir.db", stage->directory);
	if (store_reader_open(path, &reader) < 0)
		return false;
	store_anomalies(reader, &query, each, stored);
	store_reader_close(reader);
	return true;
}

/* As it is: everybody is gone, and of the files what the disk has. */
static void cut_power(struct stage *stage)
{
	for (int p = 0; p < STAGE_PRODUCERS; p++) {
		struct weir_ledger ledger = {0};
		if (!stage->producers[p])
			continue;
		weir_ledger(stage->producers[p], &ledger);
		stage->told.durable[p] = ledger.durable;
	}
	read_store(stage, add_line, &stage->told.alerts);
	disk_off();
	stop(stage, false);
	fault_disarm();
	for (int p = 0; p < STAGE_PRODUCERS; p++) {
		weir_close(stage->producers[p], 0);
		stage->producers[p] = NULL;
	}
	disk_cut();
	printf("power cut: %llu pages and names taken back; told: %llu and %llu durable of %llu, "
	       "%u alerts%s\n",
	       (unsigned long long)disk_taken_back(),
	       (unsigned long long)stage->told.durable[0],
	       (unsigned long long)stage->told.durable[1], (unsigned long long)stage->events,
	       stage->told.alerts.count, stage->told.mute ? ", a mute" : "");
	stage->cut = true;
	stage->over = true;
	stage->events = 0;
}

static void check_stream(struct stage *stage, const struct lines *stored)
{
	struct lines came = {0}, published = {0};

	if (!read_store(stage, add_published, &published))
		abort();
	expect(stage, stream_read(stage->redis, &came), "Redis answers");
	expect(stage, stream_good(&came, &published, stored),
	       "Redis has every alert, in order, and no other");
	lines_free(&came);
	lines_free(&published);
}

static int is_mute(void *self, const struct operator_input *input, uint64_t ended)
{
	(void)ended;
	*(bool *)self |= input->kind == OPERATOR_MUTE;
	return 0;
}

static void check_told(struct stage *stage, const struct lines *stored)
{
	const struct lines *told = &stage->told.alerts;
	struct store_reader *reader;
	bool same = told->count <= stored->count, mute = false;
	char path[128];

	for (uint32_t i = 0; same && i < told->count; i++)
		same = strcmp(told->lines[i], stored->lines[i]) == 0;
	expect(stage, same, "an alert that was there to be sent is there behind a power cut");
	snprintf(path, sizeof(path), "%s/data/weir.db", stage->directory);
	if (store_reader_open(path, &reader) < 0)
		abort();
	store_inputs(reader, -1, NULL, 1000, is_mute, &mute);
	store_reader_close(reader);
	expect(stage, mute || !stage->told.mute, "a mute that was answered is there");
}

static struct io *open_log(struct stage *stage, int *ret_fd)
{
	char path[128];
	struct io *io;

	snprintf(path, sizeof(path), "%s/data", stage->directory);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 || io_pwrite_create(*ret_fd, 1, &io) < 0)
		abort();
	return io;
}

static void check_alerts(struct stage *stage)
{
	struct lines stored = {0}, replayed = {0};
	struct replay replay;
	int fd;
	struct replay_options options = {
		.io = open_log(stage, &fd),
		.shards = 1,
		.series_max = SERIES_MAX,
		.start = REPLAY_OLDEST,
		.each = add_revision,
		.self = &replayed,
	};

	if (!read_store(stage, add_line, &stored))
		abort();
	if (stage->cut)
		check_told(stage, &stored);
	if (stage->redis)
		check_stream(stage, &stored);
	expect(stage, replay_run(&options, &replay) == 0, "the log replays");
	if (replay.why[0])
		printf("%s\n", replay.why);
	/* Retention may have taken the beginning: then the replay knows a suffix. */
	uint32_t skip = replay.started_at ? stored.count - replayed.count : 0;
	bool same = stored.count == replayed.count + skip && skip <= stored.count;
	for (uint32_t i = 0; same && i < replayed.count; i++)
		same = strcmp(stored.lines[skip + i], replayed.lines[i]) == 0;
	printf("%u revisions stored, %u replayed from close %llu on\n", stored.count,
	       replayed.count, (unsigned long long)replay.started_at);
	expect(stage, same, "the live alerts are those of a replay: none missing, none twice");
	if (stage->events > 2000 && !stage->opens_refused)
		expect(stage, stored.count > 0, "alerts were raised");
	replay_fini(&replay);
	options.io->ops->destroy(options.io);
	close(fd);
	lines_free(&stored);
	lines_free(&replayed);
	lines_free(&stage->told.alerts);
}

/* Retention takes the beginning of each ring, a power cut the end, behind what was called durable;
 * and nothing else. Returns how many are missing. */
static uint64_t count_missing(const struct stage *stage, const uint8_t *seen, bool whole)
{
	bool begun[2 * STAGE_PRODUCERS] = {false}, ended[2 * STAGE_PRODUCERS] = {false};
	uint64_t index[2 * STAGE_PRODUCERS] = {0}, missing = 0;

	for (uint64_t slot = 0; slot < stage->slot; slot++) {
		int p = stage->emitted[slot] - 1;
		if (p < 0)
			continue;
		bool must = !stage->cut || p >= STAGE_PRODUCERS ||
			    index[p] < stage->told.durable[p];
		index[p]++;
		begun[p] |= seen[slot] || whole;
		ended[p] |= !seen[slot] && begun[p];
		missing += begun[p] && (must ? !seen[slot] : seen[slot] && ended[p]);
	}
	return missing;
}

static void check_events(struct stage *stage)
{
	static uint8_t seen[STAGE_EVENTS_MAX];
	uint64_t doubles = 0, strangers = 0;
	struct reader_report report = {0};
	struct reader_block block;
	struct reader *reader;
	char why[256];
	int fd;
	struct io *io = open_log(stage, &fd);

	if (reader_open(io, "lane-00", 0, 0, false, &reader, why, sizeof(why)) < 0) {
		printf("%s\n", why);
		expect(stage, stage->events == 0, "there is a log");
	} else {
		while (reader_next(reader, &block) > 0)
			for (uint32_t e = 0; block.header.type == WEIR_BLOCK_EVENTS &&
					     e < block.header.count; e++) {
				double value = weir_bits_value(block.events[e].value);
				uint64_t slot = (uint64_t)value;
				if (!(value >= 0 && value < STAGE_EVENTS_MAX) ||
				    !stage->emitted[slot] || (double)slot != value)
					strangers++;
				else
					doubles += seen[slot]++ > 0;
			}
		reader_report(reader, &report);
		reader_close(reader);
	}
	io->ops->destroy(io);
	close(fd);
	uint64_t missing = count_missing(stage, seen, report.first_lsn <= 1);
	if (missing || doubles || strangers)
		printf("%llu events: %llu missing, %llu twice, %llu that nobody wrote\n",
		       (unsigned long long)stage->events, (unsigned long long)missing,
		       (unsigned long long)doubles, (unsigned long long)strangers);
	expect(stage, missing == 0, "every published event is in the log");
	expect(stage, doubles == 0, "no event is in the log twice");
	expect(stage, strangers == 0, "the log has no event that nobody wrote");
}

static void check_verify(struct stage *stage)
{
	struct verify_report report;
	char path[128], why[256];

	snprintf(path, sizeof(path), "%s/data", stage->directory);
	int error = verify_directory(path, NULL, &report, why, sizeof(why));
	expect(stage, error == 0, "weirctl verify can read it");
	if (error < 0) {
		printf("%s\n", why);
		return;
	}
	for (uint32_t i = 0; i < report.findings.count && i < 5; i++)
		printf("verify: %s\n", report.findings.line[i]);
	expect(stage, report.ok && report.ledger_ok, "weirctl verify finds nothing wrong");
	expect(stage, report.events + report.lost + report.rejected >= stage->events ||
			      report.segments > 0,
	       "verify has seen the log");
	verify_report_free(&report);
}

static void check_ledgers(struct stage *stage)
{
	uint64_t published = 0;

	for (int p = 0; p < STAGE_PRODUCERS; p++) {
		struct weir_ledger ledger;
		if (!stage->producers[p])
			continue;
		weir_ledger(stage->producers[p], &ledger);
		published += ledger.published;
		/* What is attempted is a sum of the rest: it is held against who counted calls. */
		expect(stage, ledger.attempted == stage->attempts[p],
		       "each emit is published or dropped, and counted");
		expect(stage, ledger.persisted == ledger.published, "published = persisted");
		expect(stage, ledger.durable == ledger.published, "published = durable");
		expect(stage, ledger.rejected == 0 && ledger.lost == 0, "nothing is lost");
		if (ledger.persisted != ledger.published || ledger.rejected || ledger.lost)
			printf("producer %d: attached %u, %llu published, %llu persisted, "
			       "%llu rejected, %llu lost; %s\n",
			       p, ledger.attached, (unsigned long long)ledger.published,
			       (unsigned long long)ledger.persisted,
			       (unsigned long long)ledger.rejected,
			       (unsigned long long)ledger.lost, stage->redis ? "" : "-");
		weir_close(stage->producers[p], 0);
		stage->producers[p] = NULL;
	}
	expect(stage, published == stage->events, "published = what emit said yes to");
}

/* What the last closes brought is the next engine's to say. */
static void say_rest(struct stage *stage)
{
	if (!stage->redis)
		return;
	start(stage);
	for (int turns = 0; turns < 20000; turns++) {
		fault_pass_ms(25);
		if (crank(stage) <= 2 && store_outbox_rows(stage->engine->store) == 0)
			break;
	}
	expect(stage, store_outbox_rows(stage->engine->store) == 0, "the outbox becomes empty");
	stop(stage, false);
}

void stage_check(struct stage *stage)
{
	char command[160];

	fault_disarm();
	if (stage->cut) {
		stage->over = false;
		stage->cut_after = 0;
		for (int p = 0; p < STAGE_PRODUCERS; p++)
			open_producer(stage, p);
	}
	start(stage);
	settle(stage);
	play(stage, 2);
	settle(stage);
	check_ledgers(stage);
	settle(stage);
	stop(stage, true);
	say_rest(stage);
	config_free(stage->config);
	check_events(stage);
	check_verify(stage);
	check_alerts(stage);
	if (fault_held() && !stage->stops)
		fault_say_held();
	expect(stage, fault_held() == 0 || stage->stops, "what was allocated is given back");
	if (stage->violations)
		return;
	snprintf(command, sizeof(command), "rm -rf %s", stage->directory);
	if (system(command) != 0)
		abort();
}
