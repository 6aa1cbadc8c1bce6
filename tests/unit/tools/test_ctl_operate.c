/* operate: what is told an engine whose answers are lost: it is said again under the same key. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "operate.h"
#include "options.h"

#define ASKED_MAX 4

/* Takes one request after the other, and answers the last alone. */
static struct {
	char root[64], path[96];
	int listener;
	unsigned lost; /* before that */
	const char *answer;
	json_t *asked[ASKED_MAX];
	unsigned count;
	pthread_t thread;
} engine;

static json_t *take_request(int fd)
{
	char line[1024];
	size_t used = 0;
	ssize_t got;

	while (used < sizeof(line) && (got = recv(fd, line + used, sizeof(line) - used, 0)) > 0) {
		used += (size_t)got;
		if (line[used - 1] == '\n')
			return json_loadb(line, used, 0, NULL);
	}
	return NULL;
}

static void *serve(void *argument)
{
	(void)argument;
	while (engine.count <= engine.lost) {
		int fd = accept(engine.listener, NULL, NULL);
		engine.asked[engine.count] = take_request(fd);
		if (engine.count++ == engine.lost)
			(void)!send(fd, engine.answer, strlen(engine.answer), MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static void begin(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(&engine, 0, sizeof(engine));
	engine.answer = "{\"ok\":true,\"number\":7}\n";
	strcpy(engine.root, "/tmp/weir-operate-XXXXXX");
	cr_assert(mkdtemp(engine.root));
	snprintf(engine.path, sizeof(engine.path), "%s/control.sock", engine.root);
	strcpy(address.sun_path, engine.path);
	engine.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(engine.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(engine.listener, 4), 0);
}

static void end(void)
{
	for (unsigned i = 0; i < engine.count; i++)
		json_decref(engine.asked[i]);
	close(engine.listener);
	unlink(engine.path);
	rmdir(engine.root);
}

TestSuite(ctl_operate, .init = begin, .fini = end, .timeout = 60);

static json_t *tell(const struct operate_by *by, int *ret_code)
{
	cr_assert_eq(pthread_create(&engine.thread, NULL, serve, NULL), 0);
	json_t *answer = operate(by, json_pack("{ss ss}", "command", "annotate", "text", "x"),
				 ret_code);
	pthread_join(engine.thread, NULL);
	return answer;
}

static const char *member(unsigned asked, const char *name)
{
	return json_string_value(json_object_get(engine.asked[asked], name));
}

Test(ctl_operate, what_may_have_been_kept_is_said_again_as_the_same)
{
	struct operate_by by = {.socket = engine.path, .author = "ann"};
	int code = TOOL_NO;

	engine.lost = 2;
	json_t *answer = tell(&by, &code);
	cr_assert(answer);
	cr_expect_eq(json_integer_value(json_object_get(answer, "number")), 7);
	json_decref(answer);
	cr_assert_eq(engine.count, 3);
	cr_assert(member(0, "key"));
	cr_expect_eq(strlen(member(0, "key")), 32);
	cr_expect_str_eq(member(0, "author"), "ann");
	cr_expect(json_equal(engine.asked[1], engine.asked[0]));
	cr_expect(json_equal(engine.asked[2], engine.asked[0]));
}

Test(ctl_operate, what_is_said_another_time_is_another)
{
	struct operate_by by = {.socket = engine.path};
	int code;

	json_decref(tell(&by, &code));
	json_t *first = engine.asked[0];
	engine.count = 0;
	json_decref(tell(&by, &code));
	cr_assert(member(0, "key"));
	cr_expect_str_neq(member(0, "key"), json_string_value(json_object_get(first, "key")));
	json_decref(first);
}

Test(ctl_operate, a_refusal_is_an_answer)
{
	struct operate_by by = {.socket = engine.path};
	int code = TOOL_OK;

	engine.answer = "{\"ok\":false,\"error\":\"there is no anomaly with this id\"}\n";
	cr_expect_null(tell(&by, &code));
	cr_expect_eq(code, TOOL_NO);
	cr_expect_eq(engine.count, 1);
}

Test(ctl_operate, what_is_not_kept_has_neither_author_nor_key)
{
	struct operate_by by = {.socket = engine.path, .unkept = true};
	int code;

	json_decref(tell(&by, &code));
	cr_expect_null(member(0, "key"));
	cr_expect_null(member(0, "author"));
}

Test(ctl_operate, an_engine_that_is_not_there_has_not_heard_it)
{
	struct operate_by by = {.socket = "/nonexistent/weir.sock"};
	int code = TOOL_OK;

	cr_expect_null(operate(&by, json_pack("{ss}", "command", "annotate"), &code));
	cr_expect_eq(code, TOOL_IO);
}
