/* Who waits for whom: nobody for another's disk, for another's question to an engine that is slow,
 * or for an engine when the console ends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/un.h>

#include "ask.h"
#include "book.h"
#include "connections.h"
#include "interval/history.h"
#include "server_made.h"
#include "watch.h"

#define FULL 64 /* connections: more than wait in any queue of length 1 */

/* A test takes these in hand; others have what they know. */
static struct {
	bool history;         /* there is one, and it is ours */
	int64_t progress[2];  /* as the second and as the first who asks sees it */
	unsigned asked, read; /* for progress; for its metrics */
	bool read_meanwhile;  /* the book was to be had */
	bool engine;          /* it answers when it is told to */
	uint32_t asking, answers;
	int threads;       /* so many can be had; 0: any number */
	uint64_t later_ms; /* it is so much later for who looks after connections */
} hand;

static struct server_made made;

static void begin(void)
{
	memset(&hand, 0, sizeof(hand));
	server_made_open(&made);
}

static void end(void)
{
	server_made_close(&made);
}

TestSuite(waits, .init = begin, .fini = end, .timeout = 100);

int __real_history_reader_open(const char *path, struct history_reader **ret_reader);
int __wrap_history_reader_open(const char *path, struct history_reader **ret_reader);
int __wrap_history_reader_open(const char *path, struct history_reader **ret_reader)
{
	*ret_reader = NULL;
	return hand.history ? 0 : __real_history_reader_open(path, ret_reader);
}

int __real_history_reader_open_or_say(const char *path, struct history_reader **ret_reader,
				      char *why, size_t why_bytes);
int __wrap_history_reader_open_or_say(const char *path, struct history_reader **ret_reader,
				      char *why, size_t why_bytes);
int __wrap_history_reader_open_or_say(const char *path, struct history_reader **ret_reader,
				      char *why, size_t why_bytes)
{
	*ret_reader = NULL;
	return hand.history ? 0
			    : __real_history_reader_open_or_say(path, ret_reader, why, why_bytes);
}

void __real_history_reader_close(struct history_reader *reader);
void __wrap_history_reader_close(struct history_reader *reader);
void __wrap_history_reader_close(struct history_reader *reader)
{
	if (!hand.history)
		__real_history_reader_close(reader);
}

int __wrap_history_metrics(struct history_reader *reader,
			   int (*each)(void *self, const struct history_metric_name *name),
			   void *self);
int __wrap_history_metrics(struct history_reader *reader,
			   int (*each)(void *self, const struct history_metric_name *name),
			   void *self)
{
	const struct history_metric_name name = {
		.source = "live", .metric = "visits", .aggregation = AGGREGATE_RATIO};

	(void)reader;
	hand.read++;
	if (pthread_rwlock_tryrdlock(&made.console.book->lock) == 0) {
		hand.read_meanwhile = true;
		book_done(made.console.book);
	}
	return hand.progress[0] ? 0 : each(self, &name);
}

int __wrap_history_progress(struct history_reader *reader, int64_t *ret_progress);
int __wrap_history_progress(struct history_reader *reader, int64_t *ret_progress)
{
	unsigned status = 200;
	bool first = hand.asked++ == 0;

	(void)reader;
	*ret_progress = hand.progress[first];
	if (first) /* another comes later, and is done first */
		json_decref(overview_get(&made.console, &status));
	return 0;
}

json_t *__real_engine_ask(struct engine_link *link, json_t *request, unsigned *status, char *why);
json_t *__wrap_engine_ask(struct engine_link *link, json_t *request, unsigned *status, char *why);
json_t *__wrap_engine_ask(struct engine_link *link, json_t *request, unsigned *status, char *why)
{
	if (!hand.engine)
		return __real_engine_ask(link, request, status, why);
	json_decref(request);
	weir_add_32(&hand.asking, 1);
	while (!weir_load_relaxed_32(&hand.answers))
		usleep(1000);
	return json_pack("{sb s{} s[] s[] s[]}", "ok", 1, "status", "stats", "producers",
			 "detectors");
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *argument)
{
	if (hand.threads && --hand.threads == 0)
		return EAGAIN;
	return __real_pthread_create(thread, attributes, run, argument);
}

void __real_connections_sweep(struct connections *connections, uint64_t now_ms);
void __wrap_connections_sweep(struct connections *connections, uint64_t now_ms);
void __wrap_connections_sweep(struct connections *connections, uint64_t now_ms)
{
	__real_connections_sweep(connections, now_ms + hand.later_ms);
}

Test(waits, nobody_for_the_history_that_is_read_for_the_book)
{
	struct book *book = made.console.book;
	struct in_force *in_force = made.console.in_force;

	hand.history = true;
	book->metrics = 0; /* nobody has said yet which there are */
	made.console.in_force = NULL;
	news_step(&made.console);
	made.console.in_force = in_force;
	cr_assert_gt(hand.read, 0);
	cr_assert(hand.read_meanwhile);
	cr_assert_eq(book->metrics, 1);
	cr_assert_str_eq(book->metric[0].name->text, "visits");
	cr_assert_str_eq(book->metric[0].unit, "share");
	hand.history = false;
}

/* What was begun behind a look at the history is of it, or of a later one. */
Test(waits, nobody_for_an_overview_that_is_there)
{
	unsigned status = 200;

	hand.history = true;
	hand.progress[1] = 5;
	hand.progress[0] = 6;
	json_t *answer = overview_get(&made.console, &status);
	cr_assert_eq(status, 200);
	cr_assert_eq(hand.asked, 2);
	cr_assert_eq(hand.read, 1, "it was worked out %u times", hand.read);
	json_decref(answer);
	hand.history = false;
}

static void *look(void *self)
{
	unsigned status = 200;

	(void)self;
	json_decref(pipeline_get(&made.console, &status));
	cr_assert_eq(status, 200);
	return NULL;
}

static pthread_t ask_a_slow_engine(void)
{
	pthread_t thread;

	hand.engine = true;
	hand.asking = hand.answers = 0;
	cr_assert_eq(pthread_create(&thread, NULL, look, NULL), 0);
	while (!weir_load_relaxed_32(&hand.asking))
		usleep(1000);
	return thread;
}

static void engine_answers(pthread_t thread)
{
	weir_store_relaxed_32(&hand.answers, 1);
	pthread_join(thread, NULL);
	hand.engine = false;
}

Test(waits, nobody_for_whom_a_slow_engine_keeps_waiting)
{
	unsigned status = 200;
	pthread_t thread = ask_a_slow_engine();

	json_t *answer = pipeline_get(&made.console, &status);
	cr_assert_eq(status, 503);
	cr_assert(strstr(json_string_value(json_object_get(answer, "error")), "slow"));
	json_decref(answer);
	engine_answers(thread);
}

/* Its answer is being made: that is not the client's time. */
Test(waits, who_waits_for_an_answer_is_not_late)
{
	struct browser browser;

	browser_open(&browser, made.guard.port);
	hand.engine = true;
	browser_says(&browser, "/api/v1/pipeline", NULL);
	while (!weir_load_relaxed_32(&hand.asking))
		usleep(1000);
	hand.later_ms = 31000;
	server_tick(made.server);
	hand.later_ms = 0;
	weir_store_relaxed_32(&hand.answers, 1);
	cr_assert(browser_hears(&browser), "it was cut off");
	cr_assert_eq(browser.status, 200);
	hand.engine = false;
	browser_close(&browser);
}

Test(waits, nobody_for_the_engine_when_threads_cannot_be_had)
{
	char why[ENGINE_WHY_BYTES] = "";
	unsigned status = 200;
	struct watch *watch;

	hand.threads = 3;
	cr_assert_eq(watch_start(&made.console, made.server, &watch), -EAGAIN);
	json_t *answer = engine_ask(made.console.link, json_pack("{ss}", "command", "config"),
				    &status, why);
	cr_assert_null(answer);
	cr_assert_str_eq(why, "this console is being stopped");
}

static bool tries(void *by, int fd)
{
	int *left = by;

	return fd < 0 || (*left)-- > 0;
}

/* A socket where as many wait as may: an hour of patience is cut short. */
Test(waits, nobody_for_a_socket_whose_queue_is_full)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd[FULL], count = 0, left = 5;
	char why[256] = "";
	bool sent = true;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/full.sock", made.engine.root);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	do {
		fd[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	} while (connect(fd[count++], (struct sockaddr *)&address, sizeof(address)) == 0 &&
		 count < FULL);
	cr_assert_lt(count, FULL);
	const struct ask_how how = {.socket_path = address.sun_path,
				    .option = "--control",
				    .patience_ms = 3600000,
				    .holds = tries,
				    .by = &left,
				    .ret_sent = &sent};
	cr_assert_null(ask_with(&how, json_pack("{ss}", "command", "status"), why, sizeof(why)));
	cr_assert(strstr(why, "cannot ask at"), "%s", why);
	cr_assert_lt(left, 0);
	cr_assert_not(sent);
	while (count > 0)
		close(fd[--count]);
	close(listener);
}
