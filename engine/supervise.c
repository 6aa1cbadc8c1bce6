/*
 * supervise: the tiny parent of `weird --supervise`: starts the engine, keeps descriptors for it,
 * starts it again when it dies. For where there is no systemd.
 *
 * Idea:  the parent does so little that it has nothing to die of. It holds copies of the shared
 *        memory of producers (it never maps it) and speaks as much of the service manager's
 *        protocol as the engine uses: READY, WATCHDOG, FDSTORE, FDSTOREREMOVE in; descriptors from
 *        3 on and $LISTEN_* out.
 *
 *            start                        exit 0, 2, 78, never ready, or asked to stop
 *   [idle] --------> [engine runs] ----------------------------------------> exit
 *      ^                  | crash, watchdog
 *      `--- 0.1 .. 5 s ---'   (what it said before it died is read first)
 *
 * Runs on:  the only thread of the parent.
 * Never:    reads or maps what it keeps; takes a word from anybody but its child.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "keeper.h"
#include "supervise.h"

#define LISTEN_FIRST_FD 3
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* Who ran this long has recovered from whatever it was. */
#define SETTLED_MS 60000
#define WATCHDOG_MS 30000 /* holds from the first WATCHDOG=1 on */
#define STOP_MS 30000     /* from SIGTERM to SIGKILL */
/* More than a queue holds, so that an engine's last words are heard whoever else is talking. */
#define DATAGRAMS_PER_TURN 4096

struct supervisor {
	char **argv; /* the engine's: ours without --supervise */
	int signals; /* signalfd */
	int status;  /* of the last child */
	bool stopping;
	uint64_t started_ms, stopping_ms, start_at_ms;
	unsigned backoff_ms;
	struct keeper keeper; /* knows the child */
};

static int open_signals(struct supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* Room for the kept descriptors, twice: in the child from 3 on, and here above those. */
static int raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 512;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	int wanted = KEEPER_MAX + 2 * LISTEN_FIRST_FD;
	return limit.rlim_max >= 3 * (rlim_t)wanted ? wanted : (int)(limit.rlim_max / 2);
}

/* The child's environment and descriptors; then it is the engine. Never returns. */
static void become_engine(struct supervisor *s, const char *names)
{
	char number[16];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* no engine without its keeper */
	setenv("NOTIFY_SOCKET", s->keeper.address, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("WATCHDOG_PID", number, 1);
	snprintf(number, sizeof(number), "%d", s->keeper.count);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d000", WATCHDOG_MS);
	setenv("WATCHDOG_USEC", number, 1);
	for (int i = 0; i < s->keeper.count; i++)
		if (dup2(s->keeper.kept[i].fd, LISTEN_FIRST_FD + i) < 0)
			_exit(EXIT_FAILURE);
	execv("/proc/self/exe", s->argv);
	_exit(EXIT_FAILURE);
}

static int start(struct supervisor *s)
{
	char *names = keeper_names(&s->keeper);

	if (!names)
		return -ENOMEM;
	pid_t child = fork();
	if (child == 0)
		become_engine(s, names);
	free(names);
	if (child < 0)
		return -errno;
	s->keeper.child = child;
	s->started_ms = monotonic_ms();
	s->keeper.pinged_ms = 0;
	return 0;
}

/* The child has ended. true: so do we. */
static bool judge_end(struct supervisor *s)
{
	int code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;

	if (s->stopping || code == 0 || code == 2 || code == 78 || !s->keeper.ready)
		return true;
	if (monotonic_ms() - s->started_ms > SETTLED_MS)
		s->backoff_ms = BACKOFF_MIN_MS;
	log_warning("supervise",
		    "the engine ended by %s %d: again in %u ms, with %d descriptors kept",
		    code < 0 ? "signal" : "exit code", code < 0 ? WTERMSIG(s->status) : code,
		    s->backoff_ms, s->keeper.count);
	s->start_at_ms = monotonic_ms() + s->backoff_ms;
	s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MAX_MS ? s->backoff_ms * 2 : BACKOFF_MAX_MS;
	return false;
}

/* true: it is over. */
static bool take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_signo != SIGHUP) {
			s->stopping = true;
			s->stopping_ms = monotonic_ms();
			if (!s->keeper.child)
				return true;
		}
		if (s->keeper.child)
			kill(s->keeper.child, info.ssi_signo == SIGHUP ? SIGHUP : SIGTERM);
	}
	return false;
}

static void enforce_times(const struct supervisor *s)
{
	uint64_t now = monotonic_ms();

	if (!s->keeper.child)
		return;
	if (s->stopping && now - s->stopping_ms > STOP_MS)
		kill(s->keeper.child, SIGKILL);
	else if (s->keeper.pinged_ms && now - s->keeper.pinged_ms > WATCHDOG_MS)
		kill(s->keeper.child, SIGABRT);
}

static bool has_ended(const struct supervisor *s)
{
	siginfo_t info = {0};
	return s->keeper.child &&
	       waitid(P_PID, (id_t)s->keeper.child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == s->keeper.child;
}

static int run(struct supervisor *s)
{
	struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
			       {.fd = s->keeper.socket, .events = POLLIN}};

	for (;;) {
		if (!s->keeper.child && monotonic_ms() >= s->start_at_ms && start(s) < 0)
			s->start_at_ms = monotonic_ms() + BACKOFF_MAX_MS;
		poll(fds, 2, s->keeper.child ? 1000 : 50);
		if (take_signals(s))
			return EXIT_SUCCESS;
		/* Reaped only after its last datagram: what it gave away before it died is kept. */
		bool ended = has_ended(s);
		for (int i = 0; i < DATAGRAMS_PER_TURN && keeper_hear(&s->keeper); i++)
			;
		enforce_times(s);
		if (!ended || waitpid(s->keeper.child, &s->status, WNOHANG) != s->keeper.child)
			continue;
		s->keeper.child = 0;
		if (judge_end(s))
			return WIFEXITED(s->status) ? WEXITSTATUS(s->status) : EXIT_FAILURE;
	}
}

/* --supervise, or what getopt_long takes for it. */
static bool is_ours(const char *argument)
{
	size_t bytes = strlen(argument);
	return bytes > 2 && !strncmp(argument, "--supervise", bytes);
}

/* A copy without --supervise. NULL: no memory. */
static char **engine_arguments(char *const argv[])
{
	size_t count = 0, used = 0;

	while (argv[count])
		count++;
	char **copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		if (!is_ours(argv[i]))
			copy[used++] = argv[i];
	return copy;
}

int supervise(char *const argv[])
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int error = s ? 0 : -ENOMEM, status = EXIT_FAILURE;

	if (!error) {
		s->argv = engine_arguments(argv);
		s->signals = s->keeper.socket = -1;
		s->backoff_ms = BACKOFF_MIN_MS;
		error = s->argv ? open_signals(s) : -ENOMEM;
	}
	if (!error)
		error = keeper_open(&s->keeper, raise_descriptors());
	if (error)
		log_error("supervise", "cannot watch over an engine: %s", strerror(-error));
	else
		status = run(s);
	if (s && s->keeper.count)
		log_info("supervise",
			 "ends with the memory of living producers kept: they offer it to "
			 "the next engine themselves");
	if (s) {
		close(s->signals);
		keeper_close(&s->keeper);
		free(s->argv);
	}
	free(s);
	return status;
}
