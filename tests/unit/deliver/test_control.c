/*
 * test_control: clients of every manner against the control socket, its crank turned by hand.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "deliver/control.h"
#include "sample.h"

struct bench {
	char directory[64], path[96];
	struct control *control;
	uint64_t now_ns;
	uint32_t asked;
	struct control_later later; /* of "later"; answers when `ready` */
	bool ready;
	uint32_t polled, forgotten;
	size_t answer_bytes; /* of "big" */
};

static char *poll_later(struct control_later *later)
{
	struct bench *bench = (struct bench *)((char *)later - offsetof(struct bench, later));
	bench->polled++;
	return bench->ready ? strdup("{\"ok\":true,\"late\":true}") : NULL;
}

static void forget_later(struct control_later *later)
{
	struct bench *bench = (struct bench *)((char *)later - offsetof(struct bench, later));
	bench->forgotten++;
}

/* Answers "status" with how often it was asked, "big" with much, "echo" with what came. */
static char *answer(void *self, const char *command, const void *request)
{
	struct bench *bench = self;
	char *text;
	bench->asked++;
	if (strcmp(command, "big") == 0) {
		text = malloc(bench->answer_bytes + 1);
		memset(text, 'x', bench->answer_bytes);
		text[bench->answer_bytes] = '\0';
		return text;
	}
	if (strcmp(command, "echo") == 0)
		return json_dumps(request, JSON_COMPACT);
	if (strcmp(command, "nothing") == 0)
		return NULL;
	if (strcmp(command, "later") == 0) {
		bench->later = (struct control_later){poll_later, forget_later};
		control_later(bench->control, &bench->later);
		return NULL;
	}
	return asprintf(&text, "{\"ok\":true,\"asked\":%u}", bench->asked) < 0 ? NULL : text;
}

static void bench_init(struct bench *bench)
{
	char why[256] = "";
	memset(bench, 0, sizeof(*bench));
	strcpy(bench->directory, sample_directory());
	snprintf(bench->path, sizeof(bench->path), "%s/control.sock", bench->directory);
	cr_assert_eq(control_open(bench->path, answer, bench, &bench->control, why, sizeof(why)), 0,
		     "%s", why);
	bench->now_ns = 1000000000;
}

static void bench_fini(struct bench *bench)
{
	control_close(bench->control);
	cr_assert_lt(access(bench->path, F_OK), 0, "the socket file is left behind");
	sample_remove(bench->directory);
}

static void turn(struct bench *bench, int steps)
{
	for (int i = 0; i < steps; i++)
		control_step(bench->control, bench->now_ns);
}

static int client_open(struct bench *bench)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, bench->path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void client_say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the client has got by now, turning the crank until a line or the end has come. */
static const char *client_hear(struct bench *bench, int fd)
{
	static char text[4096];
	size_t used = 0;
	for (int i = 0; i < 20; i++) {
		ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, MSG_DONTWAIT);
		if (got == 0)
			break;
		used += got > 0 ? (size_t)got : 0;
		if (used && text[used - 1] == '\n')
			break;
		turn(bench, 1);
	}
	text[used] = '\0';
	return text;
}

static bool client_is_gone(struct bench *bench, int fd)
{
	char byte;
	turn(bench, 2);
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(control, answers_a_line_with_a_line)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":1}\n");
	client_say(fd, "{\"command\":\"echo\",\"severity\":50}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"command\":\"echo\",\"severity\":50}\n");
	client_say(fd, "{\"command\":\"nothing\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":false,\"error\":\"out of memory\"}\n");
	close(fd);
	turn(&bench, 2);
	bench_fini(&bench);
}

Test(control, answers_many_lines_that_came_at_once_in_order)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"status\"}\n{\"command\":\"status\"}\n{\"comm");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":1}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":2}\n");
	client_say(fd, "and\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":3}\n");
	close(fd);
	bench_fini(&bench);
}

Test(control, serves_others_while_an_answer_has_to_wait)
{
	struct bench bench;
	bench_init(&bench);
	int waiting = client_open(&bench), other = client_open(&bench);
	client_say(waiting, "{\"command\":\"later\"}\n{\"command\":\"status\"}\n");
	turn(&bench, 5);
	client_say(other, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, other), "{\"ok\":true,\"asked\":2}\n");
	bench.now_ns += UINT64_C(3600000000000); /* whoever makes it wait bounds that */
	cr_assert_str_eq(client_hear(&bench, waiting), "");
	cr_assert_gt(bench.polled, 5);
	bench.ready = true;
	cr_assert_str_eq(client_hear(&bench, waiting), "{\"ok\":true,\"late\":true}\n");
	cr_assert_str_eq(client_hear(&bench, waiting), "{\"ok\":true,\"asked\":3}\n");
	cr_assert_eq(bench.forgotten, 1);
	close(waiting);
	close(other);
	turn(&bench, 2);
	bench_fini(&bench);
}

Test(control, forgets_what_nobody_waits_for_any_more)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"later\"}\n");
	turn(&bench, 3);
	shutdown(fd, SHUT_WR);
	turn(&bench, 3);
	cr_assert_eq(bench.forgotten, 0, "it may still listen");
	close(fd);
	turn(&bench, 5);
	cr_assert_eq(bench.forgotten, 1);
	fd = client_open(&bench);
	client_say(fd, "{\"command\":\"later\"}\n");
	turn(&bench, 3);
	bench_fini(&bench);
	cr_assert_eq(bench.forgotten, 2);
	close(fd);
}

Test(control, takes_a_last_line_without_a_newline)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"status\"}");
	turn(&bench, 3);
	shutdown(fd, SHUT_WR);
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":1}\n");
	cr_assert(client_is_gone(&bench, fd));
	close(fd);
	bench_fini(&bench);
}

Test(control, says_what_is_wrong_with_a_request_and_goes_on)
{
	static const struct {
		const char *request, *words;
	} cases[] = {
		{"\n", "broken JSON"},
		{"hello\n", "broken JSON at byte"},
		{"{\"command\":\n", "broken JSON"},
		{"{\"command\":\"status\"} {}\n", "broken JSON"},
		{"{\"command\":\"a\",\"command\":\"b\"}\n", "duplicate"},
		{"[]\n", "a request is an object"},
		{"{}\n", "a request is an object"},
		{"{\"command\":7}\n", "a request is an object"},
		{"\"status\"\n", "broken JSON"},
		{"{\"\xff\xfe\":1}\n", "broken JSON"},
		{"\xff\n", "broken JSON"},
		{"{\"command\":\"status\xed\xa0\x80\"}\n", "broken JSON"},
	};
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		client_say(fd, cases[i].request);
		const char *text = client_hear(&bench, fd);
		json_t *value = json_loads(text, 0, NULL);
		cr_assert(value, "%s gave %s", cases[i].request, text);
		cr_assert(json_is_false(json_object_get(value, "ok")));
		const char *error = json_string_value(json_object_get(value, "error"));
		cr_assert(error && strstr(error, cases[i].words), "%s gave %s", cases[i].request,
			  text);
		json_decref(value);
	}
	cr_assert_eq(bench.asked, 0);
	client_say(fd, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":1}\n");
	close(fd);
	bench_fini(&bench);
}

Test(control, survives_deep_nesting_and_NULs)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	char *deep = malloc(60001);
	memset(deep, '[', 60000);
	deep[59999] = '\n';
	cr_assert_eq(send(fd, deep, 60000, MSG_NOSIGNAL), 60000);
	cr_assert(strstr(client_hear(&bench, fd), "\"ok\":false"));
	cr_assert_eq(send(fd, "{\"command\":\"st\0atus\"}\n", 23, MSG_NOSIGNAL), 23);
	cr_assert(strstr(client_hear(&bench, fd), "\"ok\":false"));
	free(deep);
	close(fd);
	bench_fini(&bench);
}

Test(control, refuses_a_line_beyond_64_KiB_and_hangs_up)
{
	struct bench bench;
	bench_init(&bench);
	int fd = client_open(&bench);
	char *line = malloc(70000);
	/* A request of exactly 64 KiB with its newline is fine. */
	memset(line, ' ', 65536);
	memcpy(line, "{\"command\":\"status\"}", 20);
	line[65535] = '\n';
	turn(&bench, 1);
	for (size_t sent = 0; sent < 65536; turn(&bench, 1)) {
		ssize_t put = send(fd, line + sent, 65536 - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += put > 0 ? (size_t)put : 0;
	}
	cr_assert_str_eq(client_hear(&bench, fd), "{\"ok\":true,\"asked\":1}\n");
	memset(line, 'x', 70000);
	for (size_t sent = 0; sent < 70000; turn(&bench, 1)) {
		ssize_t put = send(fd, line + sent, 70000 - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN)
			break;
		sent += put > 0 ? (size_t)put : 0;
	}
	cr_assert(strstr(client_hear(&bench, fd), "at most 65536 bytes"));
	free(line);
	close(fd);
	int other = client_open(&bench);
	client_say(other, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, other), "{\"ok\":true,\"asked\":2}\n");
	close(other);
	bench_fini(&bench);
}

Test(control, serves_one_client_while_another_is_in_the_middle_of_a_line)
{
	struct bench bench;
	bench_init(&bench);
	int slow = client_open(&bench), quick = client_open(&bench);
	client_say(slow, "{\"command\"");
	turn(&bench, 4);
	client_say(quick, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, quick), "{\"ok\":true,\"asked\":1}\n");
	client_say(slow, ":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, slow), "{\"ok\":true,\"asked\":2}\n");
	close(slow);
	close(quick);
	bench_fini(&bench);
}

Test(control, gives_a_request_five_seconds_but_an_idle_client_all_the_time)
{
	struct bench bench;
	bench_init(&bench);
	int slow = client_open(&bench), idle = client_open(&bench);
	turn(&bench, 2);
	client_say(slow, "{");
	turn(&bench, 1);
	bench.now_ns += 4900000000;
	client_say(slow, "\"command\"");
	turn(&bench, 2);
	bench.now_ns += 200000000; /* a byte now and then does not help */
	cr_assert(strstr(client_hear(&bench, slow), "took longer than 5 s"));
	cr_assert(client_is_gone(&bench, slow));
	bench.now_ns += 3600000000000;
	client_say(idle, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, idle), "{\"ok\":true,\"asked\":1}\n");
	close(slow);
	close(idle);
	bench_fini(&bench);
}

Test(control, writes_a_large_answer_as_the_client_takes_it)
{
	struct bench bench;
	bench_init(&bench);
	bench.answer_bytes = 3000000;
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"big\"}\n");
	size_t got = 0;
	char buffer[65536];
	for (int i = 0; i < 1000 && got <= bench.answer_bytes; i++) {
		turn(&bench, 1);
		ssize_t bytes = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		got += bytes > 0 ? (size_t)bytes : 0;
	}
	cr_assert_eq(got, bench.answer_bytes + 1);
	close(fd);
	bench_fini(&bench);
}

Test(control, lets_go_of_a_client_that_takes_no_answer)
{
	struct bench bench;
	bench_init(&bench);
	bench.answer_bytes = 3000000;
	int fd = client_open(&bench), other = client_open(&bench);
	client_say(fd, "{\"command\":\"big\"}\n");
	turn(&bench, 5);
	client_say(other, "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, other), "{\"ok\":true,\"asked\":2}\n");
	bench.now_ns += 6000000000;
	turn(&bench, 2);
	size_t got = 0;
	char buffer[65536];
	ssize_t bytes;
	while ((bytes = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		got += (size_t)bytes;
	cr_assert_eq(bytes, 0, "hung up");
	cr_assert_lt(got, bench.answer_bytes);
	close(fd);
	close(other);
	bench_fini(&bench);
}

Test(control, makes_room_by_sending_away_who_has_been_idle_longest)
{
	struct bench bench;
	int fds[17];
	bench_init(&bench);
	for (int i = 0; i < 16; i++) {
		bench.now_ns++;
		fds[i] = client_open(&bench);
		turn(&bench, 1);
	}
	client_say(fds[0], "{\"command\":\"status\"}\n");
	bench.now_ns++;
	cr_assert_str_eq(client_hear(&bench, fds[0]), "{\"ok\":true,\"asked\":1}\n");
	turn(&bench, 1);
	fds[16] = client_open(&bench);
	cr_assert(client_is_gone(&bench, fds[1]), "the one that never spoke");
	client_say(fds[16], "{\"command\":\"status\"}\n");
	cr_assert_str_eq(client_hear(&bench, fds[16]), "{\"ok\":true,\"asked\":2}\n");
	for (int i = 0; i < 17; i++)
		close(fds[i]);
	bench_fini(&bench);
}

Test(control, tells_the_seventeenth_when_all_are_busy)
{
	struct bench bench;
	int fds[17];
	bench_init(&bench);
	for (int i = 0; i < 16; i++) {
		fds[i] = client_open(&bench);
		client_say(fds[i], "{");
		turn(&bench, 2);
	}
	fds[16] = client_open(&bench);
	cr_assert(strstr(client_hear(&bench, fds[16]), "too many clients"));
	cr_assert(client_is_gone(&bench, fds[16]));
	for (int i = 0; i < 17; i++)
		close(fds[i]);
	bench_fini(&bench);
}

Test(control, notices_clients_that_vanish_in_the_middle)
{
	struct bench bench;
	bench_init(&bench);
	bench.answer_bytes = 3000000;
	for (int i = 0; i < 40; i++) {
		int fd = client_open(&bench);
		client_say(fd, i % 2 ? "{\"command\":\"big\"}\n" : "{\"comm");
		turn(&bench, 1 + i % 3);
		close(fd);
	}
	turn(&bench, 5);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"echo\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"command\":\"echo\"}\n");
	close(fd);
	bench_fini(&bench);
}

Test(control, is_for_its_owner_and_group_whatever_the_umask)
{
	struct bench bench;
	struct stat status;
	umask(0077);
	bench_init(&bench);
	cr_assert_eq(stat(bench.path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0660, "%o", status.st_mode & 07777);
	bench_fini(&bench);
	umask(0);
	bench_init(&bench);
	cr_assert_eq(stat(bench.path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0660, "%o", status.st_mode & 07777);
	bench_fini(&bench);
}

static void expect_refusal(const char *path, int error, const char *words)
{
	struct control *control = NULL;
	char why[256] = "";
	cr_assert_eq(control_open(path, answer, NULL, &control, why, sizeof(why)), error, "%s: %s",
		     path, why);
	cr_assert(strstr(why, words), "%s", why);
}

Test(control, takes_over_a_dead_engines_socket_and_no_other)
{
	struct bench bench;
	bench_init(&bench);
	expect_refusal(bench.path, -EADDRINUSE, "another engine answers");
	turn(&bench, 2); /* its probe, come and gone */
	bench_fini(&bench);

	strcpy(bench.directory, sample_directory());
	snprintf(bench.path, sizeof(bench.path), "%s/control.sock", bench.directory);
	pid_t child = fork();
	if (child == 0) {
		char why[256];
		control_open(bench.path, answer, NULL, &bench.control, why, sizeof(why));
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
	cr_assert_eq(access(bench.path, F_OK), 0);
	char why[256] = "";
	cr_assert_eq(control_open(bench.path, answer, &bench, &bench.control, why, sizeof(why)), 0,
		     "%s", why);
	int fd = client_open(&bench);
	client_say(fd, "{\"command\":\"echo\"}\n");
	cr_assert_str_eq(client_hear(&bench, fd), "{\"command\":\"echo\"}\n");
	close(fd);
	/* Somebody put another socket in its place: that one stays when we close. */
	unlink(bench.path);
	struct control *other;
	cr_assert_eq(control_open(bench.path, answer, &bench, &other, why, sizeof(why)), 0);
	control_close(bench.control);
	cr_assert_eq(access(bench.path, F_OK), 0);
	bench.control = other;
	bench_fini(&bench);
}

Test(control, says_what_to_do_when_it_cannot_listen)
{
	const char *directory = sample_directory();
	char path[256];
	snprintf(path, sizeof(path), "%s/none/control.sock", directory);
	expect_refusal(path, -ENOENT, "no such directory: make it");
	snprintf(path, sizeof(path), "%s/file", directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	expect_refusal(path, -EEXIST, "no socket is in its place");
	cr_assert_eq(access(path, F_OK), 0, "the file is not ours to remove");
	memset(path, 'x', 200);
	path[200] = '\0';
	expect_refusal(path, -ENAMETOOLONG, "longer than 107 bytes");
	sample_remove(directory);
}
