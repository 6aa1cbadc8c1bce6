/*
 * The descriptor store's both ends: what the engine says, and the parent that keeps and restarts.
 *
 * The parent runs this very program as its engine: with $TEST_ENGINE set, it is one (see below)
 * and never gets to the tests.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fdstore.h"
#include "supervise.h"

/* A service manager's socket in the abstract name space. */
static int manager_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t bytes = sizeof(address);
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	snprintf(name, sizeof(name), "@%.*s",
		 (int)(bytes - offsetof(struct sockaddr_un, sun_path) - 1), address.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next datagram's text; its descriptor or -1. */
static int manager_read(int socket, char text[512])
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {.iov_base = text, .iov_len = 511};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	ssize_t bytes = recvmsg(socket, &header, MSG_DONTWAIT);
	int fd = -1;

	cr_assert_geq(bytes, 0, "nothing was said");
	text[bytes] = 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

Test(fdstore, without_a_manager_everything_is_fine_and_does_nothing)
{
	struct fdstore store;
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "1000000", 1);
	cr_expect_eq(fdstore_open(&store), 0);
	cr_expect_eq(fdstore_notify(&store, "READY=1"), 0);
	fdstore_keep(&store, "name", 0);
	fdstore_drop(&store, "name");
	cr_expect_eq(store.watchdog_ns, 0);
	cr_expect_eq(store.unsent, 0);
	fdstore_close(&store);
}

Test(fdstore, a_manager_hears_readiness_and_gets_descriptors_by_name)
{
	struct fdstore store;
	char text[512];
	struct stat given, got;
	int manager = manager_open(), memory = memfd_create("test", MFD_CLOEXEC);

	setenv("WATCHDOG_USEC", "30000000", 1);
	cr_assert_eq(fdstore_open(&store), 0);
	cr_expect_eq(store.watchdog_ns, UINT64_C(30000000000));
	cr_expect_null(getenv("NOTIFY_SOCKET"), "children of the engine are not its voice");
	fdstore_notify(&store, "READY=1\nSTATUS=well");
	cr_expect_eq(manager_read(manager, text), -1);
	cr_expect_str_eq(text, "READY=1\nSTATUS=well");
	fdstore_keep(&store, "u0.ab.region.7", memory);
	int fd = manager_read(manager, text);
	cr_expect_str_eq(text, "FDSTORE=1\nFDNAME=u0.ab.region.7");
	cr_assert_geq(fd, 0);
	cr_assert_eq(fstat(memory, &given), 0);
	cr_assert_eq(fstat(fd, &got), 0);
	cr_expect_eq(given.st_ino, got.st_ino);
	fdstore_drop(&store, "u0.ab.region.7");
	cr_expect_eq(manager_read(manager, text), -1);
	cr_expect_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=u0.ab.region.7");
	fdstore_close(&store);
}

Test(fdstore, another_process_s_watchdog_is_not_ours)
{
	struct fdstore store;
	manager_open();
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(fdstore_open(&store), 0);
	cr_expect_eq(store.watchdog_ns, 0);
	fdstore_close(&store);
}

Test(fdstore, a_manager_that_does_not_listen_costs_a_bounded_wait_and_is_counted, .timeout = 10)
{
	struct fdstore store;
	struct timespec begin, end;
	char name[16];

	log_set_level(LOG_ERROR);
	manager_open();
	cr_assert_eq(fdstore_open(&store), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 2000 && store.unsent < 2; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		fdstore_keep(&store, name, STDIN_FILENO);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect_eq(store.unsent, 2, "the queue of a socket is bounded");
	cr_expect_lt(end.tv_sec - begin.tv_sec, 3);
	fdstore_close(&store);
}

Test(fdstore, a_manager_that_is_named_but_not_there_is_an_error)
{
	struct fdstore store;
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	cr_expect_eq(fdstore_open(&store), -ENOENT);
	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_expect_eq(fdstore_open(&store), -EINVAL);
	cr_expect_eq(store.socket, -1);
	cr_expect_eq(fdstore_notify(&store, "READY=1"), 0);
}

struct taken {
	char names[256];
	int refuse;
};

static int take(void *self, const char *name, int fd)
{
	struct taken *taken = self;
	size_t used = strlen(taken->names);
	char byte = '?';

	if (pread(fd, &byte, 1, 0) != 1)
		byte = '-';
	snprintf(taken->names + used, sizeof(taken->names) - used, "%s=%c ", name, byte);
	if (taken->refuse)
		return -EINVAL;
	close(fd);
	return 0;
}

/* Descriptors from 3 on, as a manager would leave them; the rest of the test runs in a child. */
static void place_descriptors(const char *contents, const char *names)
{
	char number[16];
	int count = (int)strlen(contents);
	int high[8];

	for (int i = 0; i < count; i++) {
		int fd = memfd_create("test", 0);
		cr_assert_eq(write(fd, contents + i, 1), 1);
		high[i] = fcntl(fd, F_DUPFD, 100);
		close(fd);
	}
	for (int i = 0; i < count; i++)
		dup2(high[i], 3 + i);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	snprintf(number, sizeof(number), "%d", count);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* In a child, because descriptors 3, 4, ... of the test itself are taken. The exit status: 0 if
 * all is as expected. */
static int try_take(const char *names, const char *expected, bool refuse, bool other_pid)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct fdstore store = {.socket = -1};
		struct taken taken = {.refuse = refuse};
		place_descriptors("abcd", names);
		if (other_pid)
			setenv("LISTEN_PID", "1", 1);
		uint32_t count = fdstore_take(&store, take, &taken);
		bool ok = !strcmp(taken.names, expected);
		ok &= count == (refuse || other_pid ? 0 : 4);
		for (int fd = 3; fd < 7; fd++) /* closed by the taker, or by fdstore_take */
			ok &= other_pid || fcntl(fd, F_GETFD) < 0;
		ok &= other_pid || !getenv("LISTEN_FDS");
		_exit(!ok);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

Test(fdstore, what_came_with_the_start_is_taken_regions_first)
{
	cr_expect_eq(try_take("u0.x.0:u0.x.region.5:u0.y.1:u0.y.region.6",
			      "u0.x.region.5=b u0.y.region.6=d u0.x.0=a u0.y.1=c ", false, false),
		     0);
}

Test(fdstore, missing_names_are_empty_and_what_is_refused_is_closed)
{
	cr_expect_eq(try_take("u0.x.0", "u0.x.0=a =b =c =d ", true, false), 0);
	cr_expect_eq(try_take("", "=a =b =c =d ", true, false), 0);
}

Test(fdstore, descriptors_for_another_process_are_left_alone)
{
	cr_expect_eq(try_take("a:b:c:d", "", false, true), 0);
}

/* The engine that the parent runs: what it does is in $TEST_ENGINE, what it saw goes to a file. */

static void note(const char *text)
{
	int fd = open(getenv("TEST_NOTES"), O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(99);
	close(fd);
}

static int make_memory(char content)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0 || write(fd, &content, 1) != 1)
		_exit(98);
	return fd;
}

static void be_first_engine(struct fdstore *store)
{
	note("first ");
	fdstore_notify(store, "READY=1");
	fdstore_keep(store, "u0.a.0", make_memory('r'));
	fdstore_keep(store, "u0.b.0", make_memory('x'));
	fdstore_keep(store, "u0.a.region.9", make_memory('m'));
	fdstore_keep(store, "u0.a.1", make_memory('s'));
	fdstore_keep(store, "u0.a.1", make_memory('t')); /* again: the later one */
	fdstore_drop(store, "u0.b.0");
	kill(getpid(), SIGKILL);
}

static __attribute__((constructor)) void be_engine(void)
{
	const char *what = getenv("TEST_ENGINE");
	struct fdstore store;
	struct taken taken = {.refuse = 0};

	if (!what)
		return;
	if (fdstore_open(&store) < 0)
		_exit(97);
	if (!strcmp(what, "keep")) {
		if (!fdstore_take(&store, take, &taken))
			be_first_engine(&store);
		note(taken.names);
		_exit(0);
	}
	if (!strcmp(what, "never-ready")) {
		note("tried ");
		_exit(1);
	}
	if (!strcmp(what, "stop")) {
		sigset_t set;
		int signal;
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		fdstore_notify(&store, "READY=1");
		kill(getppid(), SIGTERM); /* as an operator would */
		sigwait(&set, &signal);
		note("stopped ");
		_exit(5);
	}
	if (!strcmp(what, "configuration")) {
		fdstore_notify(&store, "READY=1");
		note("tried ");
		_exit(78);
	}
	_exit(96);
}

/* Run the parent over such an engine; its exit status, and the notes. */
static int run_parent(const char *what, char notes[512])
{
	char path[] = "/tmp/weir-supervise-XXXXXX";
	char *argv[] = {"weird", NULL};
	int fd = mkstemp(path), status;
	pid_t parent = fork();

	cr_assert_geq(fd, 0);
	if (!parent) {
		setenv("TEST_ENGINE", what, 1);
		setenv("TEST_NOTES", path, 1);
		log_set_level(LOG_ERROR);
		_exit(supervise(argv));
	}
	cr_assert_eq(waitpid(parent, &status, 0), parent);
	ssize_t bytes = pread(fd, notes, 511, 0);
	notes[bytes > 0 ? bytes : 0] = 0;
	close(fd);
	unlink(path);
	return status;
}

Test(supervise, what_a_killed_engine_kept_is_given_to_the_next_one, .timeout = 20)
{
	char notes[512];
	int status = run_parent("keep", notes);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_expect_eq(strncmp(notes, "first u0.a.region.9=m ", 22), 0, "%s", notes);
	cr_expect(strstr(notes, "u0.a.0=r ") && strstr(notes, "u0.a.1=t "), "%s", notes);
	cr_expect_null(strstr(notes, "u0.b.0"));
	cr_expect_eq(strlen(notes), strlen("first u0.a.region.9=m u0.a.0=r u0.a.1=t "));
}

Test(supervise, an_engine_that_was_never_ready_is_not_started_again, .timeout = 20)
{
	char notes[512];
	int status = run_parent("never-ready", notes);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	cr_expect_str_eq(notes, "tried ");
}

Test(supervise, a_configuration_error_ends_it, .timeout = 20)
{
	char notes[512];
	int status = run_parent("configuration", notes);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 78);
	cr_expect_str_eq(notes, "tried ");
}

Test(supervise, sigterm_is_passed_on_and_the_engines_status_is_the_answer, .timeout = 20)
{
	char notes[512];
	int status = run_parent("stop", notes);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	cr_expect_str_eq(notes, "stopped ");
}
