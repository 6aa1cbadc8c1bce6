/*
 * doctor_engine: the engine, its configuration, and what it talks to: service manager, sockets,
 * disk, Redis.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "ask.h"
#include "config.h"
#include "doctor.h"

#define WHY_BYTES 1024
#define REDIS_MS 1000
#define TMPFS 0x01021994
#define ROOM_LEAST (UINT64_C(256) << 20)

void doctor_config(struct doctor *doctor)
{
	char why[WHY_BYTES] = "", mend[WHY_BYTES];
	if (config_load(doctor->config_path, &doctor->config, why, sizeof(why)) == 0) {
		doctor_say(doctor, DOCTOR_OK, "config", NULL, "%s: %u metrics, %u detectors",
			   doctor->config_path, doctor->config->metrics_count,
			   doctor->config->detectors_count);
		if (doctor->config->metrics_count == 0)
			doctor_say(doctor, DOCTOR_NOTE, "config",
				   "add metrics and detectors; tools/presets has some",
				   "nothing is watched: events are kept, no more");
		return;
	}
	doctor->config = NULL;
	snprintf(mend, sizeof(mend), "weirctl config check %s", doctor->config_path);
	doctor_say(doctor, DOCTOR_WRONG, "config", mend, "%s", why);
}

static int64_t number_at(const json_t *status, const char *group, const char *name)
{
	const json_t *from = group ? json_object_get(status, group) : status;
	return json_integer_value(json_object_get(from, name));
}

/* What the engine itself says is wrong. */
static void check_status(struct doctor *doctor)
{
	const json_t *status = doctor->status, *lane;
	int64_t failing = number_at(status, "store", "failing");
	size_t i;
	if (!failing)
		failing = number_at(status, "control_log", "failing");
	json_array_foreach(json_object_get(status, "lanes"), i, lane)
		failing = failing ? failing : number_at(lane, NULL, "failing");
	if (failing)
		doctor_say(doctor, DOCTOR_WRONG, "engine",
			   failing == ENOSPC ? "make room on the disk, or set log.retain_bytes"
					     : "see its log: journalctl -u weird",
			   "it cannot write: %s", strerror((int)failing));
	if (number_at(status, NULL, "events_lost"))
		doctor_say(doctor, DOCTOR_NOTE, "engine", "weirctl verify DIR says which",
			   "%" PRId64 " events were overwritten before it came back to them",
			   number_at(status, NULL, "events_lost"));
	if (number_at(status, NULL, "events_dropped"))
		doctor_say(doctor, DOCTOR_NOTE, "engine",
			   "larger rings in the producers (ring_events), or more lanes",
			   "%" PRId64 " events found their ring full and were dropped",
			   number_at(status, NULL, "events_dropped"));
	if (number_at(status, "intake", "refused"))
		doctor_say(doctor, DOCTOR_NOTE, "engine", "see its log: journalctl -u weird",
			   "%" PRId64 " producers were refused",
			   number_at(status, "intake", "refused"));
}

void doctor_engine(struct doctor *doctor)
{
	char why[WHY_BYTES];
	const char *path = doctor->socket;
	if (!path && doctor->config)
		path = doctor->config->control_socket;
	doctor->answer = ask(ask_socket(path), json_pack("{ss}", "command", "status"), why,
			     sizeof(why));
	if (!doctor->answer) {
		doctor_say(doctor, DOCTOR_WRONG, "engine",
			   "systemctl start weird, or weird --config FILE", "%s", why);
		return;
	}
	doctor->status = json_object_get(doctor->answer, "status");
	doctor->pid = (pid_t)number_at(doctor->status, NULL, "pid");
	doctor_say(doctor, DOCTOR_OK, "engine", NULL, "answers: weird %s, pid %d, writes with %s",
		   json_string_value(json_object_get(doctor->status, "version")), (int)doctor->pid,
		   json_string_value(json_object_get(doctor->status, "io")));
	check_status(doctor);
}

void doctor_service(struct doctor *doctor)
{
	char line[128], load[32] = "", active[32] = "", restarts[32] = "0";
	if (access("/run/systemd/system", F_OK) < 0)
		return; /* no systemd: weird --supervise, or by hand */
	FILE *from = popen("systemctl show -p LoadState,ActiveState,NRestarts weird 2>/dev/null",
			   "re");
	while (from && fgets(line, sizeof(line), from)) {
		sscanf(line, "LoadState=%31s", load);
		sscanf(line, "ActiveState=%31s", active);
		sscanf(line, "NRestarts=%31s", restarts);
	}
	if (from)
		pclose(from);
	if (strcmp(load, "loaded") != 0)
		doctor_say(doctor, DOCTOR_NOTE, "service",
			   "meson install, then systemctl enable --now weird",
			   "systemd does not know weird.service");
	else if (strcmp(active, "active") != 0)
		doctor_say(doctor, DOCTOR_WRONG, "service",
			   "journalctl -u weird -n 20; systemctl restart weird",
			   "weird.service is %s", active);
	else if (strcmp(restarts, "0") != 0)
		doctor_say(doctor, DOCTOR_NOTE, "service", "journalctl -u weird",
			   "weird.service was started again %s times", restarts);
	else
		doctor_say(doctor, DOCTOR_OK, "service", NULL, "weird.service is active");
}

void doctor_socket(struct doctor *doctor)
{
	const char *path = doctor->config ? doctor->config->socket : NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	close(fd);
	if (!error)
		doctor_say(doctor, DOCTOR_OK, "socket", NULL, "producers reach %s", path);
	else if (error == EACCES)
		doctor_say(doctor, DOCTOR_WRONG, "socket",
			   "usermod -aG weir USER, then log in again",
			   "%s is not for this user: %s", path, strerror(error));
	else
		doctor_say(doctor, DOCTOR_WRONG, "socket",
			   doctor->status ? "is this the configuration that the engine runs with?"
					  : "start the engine",
			   "producers do not reach %s: %s", path, strerror(error));
}

/* What the log may fill, against what there is. */
static void check_room(struct doctor *doctor, const struct statvfs *disk)
{
	const struct config *config = doctor->config;
	uint64_t size = (uint64_t)disk->f_blocks * disk->f_frsize;
	uint64_t left = (uint64_t)disk->f_bavail * disk->f_frsize;
	uint64_t least = 2 * config->segment_bytes * config->lanes;
	if (left < least || left < ROOM_LEAST)
		doctor_say(doctor, DOCTOR_WRONG, "disk",
			   "make room, or log: {retain_bytes: ...} in the configuration",
			   "%" PRIu64 " MiB left: less than two segments of each lane, or 256 MiB",
			   left >> 20);
	else
		doctor_say(doctor, DOCTOR_OK, "disk", NULL, "%" PRIu64 " MiB left of %" PRIu64,
			   left >> 20, size >> 20);
	if (config->retain_bytes > size)
		doctor_say(doctor, DOCTOR_WRONG, "disk",
			   "log: {retain_bytes: ...} in the configuration, less than the disk has",
			   "the log may take %" PRIu64 " MiB, the disk has %" PRIu64,
			   config->retain_bytes >> 20, size >> 20);
	if (strcmp(config->io, "none") == 0)
		doctor_say(doctor, DOCTOR_NOTE, "disk", "log: {io: auto} in the configuration",
			   "no event is kept: log.io is none");
	else if (!config->retain_bytes && !config->retain_s)
		doctor_say(doctor, DOCTOR_NOTE, "disk",
			   "log: {retain_bytes: 100GiB} or {retain_age: 30d} in the configuration",
			   "the log is never cleared: it grows until the disk is full");
}

void doctor_disk(struct doctor *doctor)
{
	struct statvfs disk;
	struct statfs kind;
	char mend[WHY_BYTES];
	if (!doctor->config)
		return;
	const char *path = doctor->config->data_directory;
	if (statvfs(path, &disk) < 0 || statfs(path, &kind) < 0) {
		snprintf(mend, sizeof(mend), "install -d -o weir -g weir -m 0750 %s", path);
		doctor_say(doctor, DOCTOR_WRONG, "disk", mend, "%s: %s", path, strerror(errno));
		return;
	}
	if (disk.f_flag & ST_RDONLY)
		doctor_say(doctor, DOCTOR_WRONG, "disk", "mount it writable", "%s is read-only",
			   path);
	if (kind.f_type == TMPFS)
		doctor_say(doctor, DOCTOR_NOTE, "disk", "data_directory: on a disk",
			   "%s is in memory: what it keeps is gone with the machine", path);
	check_room(doctor, &disk);
}

/* Connect within REDIS_MS. A descriptor, or negative errno. */
static int connect_to(const struct sockaddr *address, socklen_t bytes)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = fd < 0 ? errno : 0;
	if (!error && connect(fd, address, bytes) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};
		socklen_t size = sizeof(error);
		error = poll(&wait, 1, REDIS_MS) == 1 ? 0 : ETIMEDOUT;
		if (!error)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	if (error && fd >= 0)
		close(fd);
	return error ? -error : fd;
}

/* "unix:///path" or "redis://host:port". */
static int connect_redis(const char *url)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	if (strncmp(url, "unix://", 7) == 0) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", url + 7);
		return connect_to((struct sockaddr *)&local, sizeof(local));
	}
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char host[256], *port;
	snprintf(host, sizeof(host), "%s", url + 8);
	port = strrchr(host, ':');
	if (port)
		*port++ = '\0';
	if (getaddrinfo(host, port ? port : "6379", &hints, &found) != 0)
		return -EHOSTUNREACH;
	int fd = connect_to(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

/* It is asked as anybody would: whether the engine's password is right, the engine knows. */
static void ping_redis(struct doctor *doctor, int fd)
{
	static const char question[] = "PING\r\n";
	char answer[128] = "";
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t got = send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL);
	if (got > 0 && poll(&wait, 1, REDIS_MS) == 1)
		got = recv(fd, answer, sizeof(answer) - 1, 0);
	answer[strcspn(answer, "\r\n")] = '\0';
	const json_t *redis = json_object_get(doctor->status, "redis");
	const char *error = json_string_value(json_object_get(redis, "error"));
	bool apart = redis && json_is_true(json_object_get(redis, "configured")) &&
		     !json_is_true(json_object_get(redis, "connected"));
	if (answer[0] != '+' && answer[0] != '-')
		doctor_say(doctor, DOCTOR_WRONG, "redis", "is this Redis? redis-cli PING",
			   "%s does not answer", doctor->config->redis_url);
	else if (apart)
		doctor_say(doctor, DOCTOR_WRONG, "redis",
			   "redis.user and redis.password_file in the configuration",
			   "it answers, and the engine is not connected: %s", error ? error : "?");
	else if (strncmp(answer, "-LOADING", 8) == 0)
		doctor_say(doctor, DOCTOR_NOTE, "redis", "wait", "it loads its data");
	else if (strncmp(answer, "-NOAUTH", 7) == 0 && !doctor->config->redis_password_file)
		doctor_say(doctor, DOCTOR_WRONG, "redis",
			   "redis: {password_file: ...} in the configuration",
			   "%s asks for a password", doctor->config->redis_url);
	else
		doctor_say(doctor, DOCTOR_OK, "redis", NULL, "%s answers",
			   doctor->config->redis_url);
}

void doctor_redis(struct doctor *doctor)
{
	const char *url = doctor->config ? doctor->config->redis_url : NULL;
	const char *password = doctor->config ? doctor->config->redis_password_file : NULL;
	int64_t waiting = doctor->status ? number_at(doctor->status, "store", "outbox") : 0;
	if (!url) {
		if (doctor->config)
			doctor_say(doctor, DOCTOR_NOTE, "redis",
				   "redis: {url: ...} in the configuration",
				   "none is configured: alerts go nowhere but to weirctl "
				   "anomalies");
		return;
	}
	if (password && access(password, R_OK) < 0 && errno == ENOENT)
		doctor_say(doctor, DOCTOR_WRONG, "redis", "write the password there, mode 0640",
			   "password_file %s: %s", password, strerror(errno));
	int fd = connect_redis(url);
	if (fd < 0) {
		doctor_say(doctor, DOCTOR_WRONG, "redis", "systemctl start redis-server",
			   "%s: %s; %" PRId64 " revisions wait for it", url, strerror(-fd),
			   waiting);
		return;
	}
	ping_redis(doctor, fd);
	close(fd);
}
