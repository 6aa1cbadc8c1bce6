/* ask: against the engine's own control socket, and against others that answer badly. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ask.h"
#include "deliver/control.h"
#include "weir/order.h"

static char root[64], path[96], why[320];

static char *answer(void *self, const char *command, const void *request)
{
	const char *said = self;
	(void)request;
	return strdup(strcmp(command, "status") == 0 ? said
						     : "{\"ok\":false,\"error\":\"unknown\"}");
}

struct server {
	struct control *control;
	pthread_t thread;
	uint32_t stop;
};

static void *serve(void *argument)
{
	struct server *server = argument;
	for (int i = 0; i < 200 && !weir_load_relaxed_32(&server->stop); i++)
		control_step(server->control, 0);
	return NULL;
}

static void start(struct server *server, const char *said)
{
	cr_assert_eq(control_open(path, answer, (void *)(uintptr_t)said, &server->control, why,
				  sizeof(why)),
		     0, "%s", why);
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
	weir_store_relaxed_32(&server->stop, 1);
	pthread_join(server->thread, NULL);
	control_close(server->control);
}

static void set_up(void)
{
	snprintf(root, sizeof(root), "/tmp/weir-ask-XXXXXX");
	cr_assert(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/control.sock", root);
	unsetenv("WEIR_CONTROL");
}

static void tear_down(void)
{
	unlink(path);
	rmdir(root);
}

TestSuite(ctl_ask, .init = set_up, .fini = tear_down, .timeout = 20);

Test(ctl_ask, an_answer_that_is_ok_is_returned_whole)
{
	struct server server = {0};
	start(&server, "{\"ok\":true,\"status\":{\"data_directory\":\"/x/y\",\"pid\":1}}");
	json_t *said = ask(path, json_pack("{ss}", "command", "status"), why, sizeof(why));
	cr_assert(said, "%s", why);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(said, "status"), "pid")),
		     1);
	json_decref(said);
	char *directory = ask_directory(NULL, path, why, sizeof(why));
	cr_assert(directory);
	cr_expect_str_eq(directory, "/x/y");
	free(directory);
	stop(&server);
}

Test(ctl_ask, a_relative_directory_is_where_the_engine_was_started)
{
	struct server server = {0};
	char said[96], expected[64];
	snprintf(said, sizeof(said),
		 "{\"ok\":true,\"status\":{\"data_directory\":\"data\",\"pid\":%d}}", getpid());
	snprintf(expected, sizeof(expected), "/proc/%d/cwd/data", getpid());
	start(&server, said);
	char *directory = ask_directory(NULL, path, why, sizeof(why));
	cr_assert(directory);
	cr_expect_str_eq(directory, expected);
	free(directory);
	stop(&server);
}

Test(ctl_ask, a_refusal_and_an_engine_that_is_not_there_are_said)
{
	struct server server = {0};
	start(&server, "{}");
	cr_expect_null(ask(path, json_pack("{ss}", "command", "bake"), why, sizeof(why)));
	cr_expect_str_eq(why, "the engine says: unknown");
	stop(&server);
	cr_expect_null(ask(path, json_pack("{ss}", "command", "status"), why, sizeof(why)));
	cr_expect(strstr(why, "is weird running?"), "%s", why);
	char long_path[300];
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	cr_expect_null(ask(long_path, json_pack("{ss}", "command", "status"), why, sizeof(why)));
	cr_expect(strstr(why, "too long"), "%s", why);
}

/* One client, one answer, as it is. */
static void *serve_raw(void *argument)
{
	int *listener = argument;
	char request[256];
	static const char bad[] = "this is no JSON\n";
	int fd = accept(*listener, NULL, NULL);
	if (fd < 0)
		return NULL;
	ssize_t sent = recv(fd, request, sizeof(request), 0) > 0
			       ? send(fd, bad, sizeof(bad) - 1, MSG_NOSIGNAL)
			       : 0;
	(void)sent;
	close(fd);
	fd = accept(*listener, NULL, NULL); /* the second one gets nothing */
	if (fd >= 0) {
		sent = recv(fd, request, sizeof(request), 0);
		close(fd);
	}
	return NULL;
}

Test(ctl_ask, what_is_no_answer_is_said)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	pthread_t thread;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 2), 0);
	cr_assert_eq(pthread_create(&thread, NULL, serve_raw, &listener), 0);
	cr_expect_null(ask(path, json_pack("{ss}", "command", "status"), why, sizeof(why)));
	cr_expect(strstr(why, "no JSON"), "%s", why);
	cr_expect_null(ask(path, json_pack("{ss}", "command", "status"), why, sizeof(why)));
	cr_expect(strstr(why, "no answer"), "%s", why);
	pthread_join(thread, NULL);
	close(listener);
}

Test(ctl_ask, the_socket_is_the_one_given_or_of_the_environment_or_the_default)
{
	cr_expect_str_eq(ask_socket("/a"), "/a");
	cr_expect_str_eq(ask_socket(NULL), "/run/weir/control.sock");
	setenv("WEIR_CONTROL", "/b", 1);
	cr_expect_str_eq(ask_socket(NULL), "/b");
	cr_expect_str_eq(ask_socket("/a"), "/a");
}
