/*
 * Descriptors that outlived an engine, the names they are kept under, and the socket's file.
 */
#include "peer.h"

#include "intake/producer.h"

/* The engine dies: what it kept stays, and a new one opens on the same directory. */
static void host_restart(struct host *host, struct kept kept[KEPT_MAX], uint32_t *ret_count)
{
	memcpy(kept, host->kept, sizeof(host->kept));
	*ret_count = host->kept_count;
	intake_close(host->intake); /* drops nothing: nobody has left */
	cr_assert_eq(host->kept_count, *ret_count);
	memset(host->offered, 0, sizeof(host->offered));
	host->offered_count = 0;
	host_open(host);
}

/* As fdstore_take() does: copies, regions first. */
static int adopt_all(struct host *host, const struct kept *kept, uint32_t count)
{
	int taken = 0;
	for (int rings = 0; rings <= 1; rings++)
		for (uint32_t i = 0; i < count; i++) {
			if ((strstr(kept[i].name, ".region.") == NULL) != rings)
				continue;
			int fd = dup(kept[i].fd);
			int r = intake_adopt(host->intake, kept[i].name, fd);
			if (r < 0)
				close(fd);
			taken += r == 0;
		}
	return taken;
}

Test(adopt, the_rings_of_a_living_idle_producer_are_drained_without_a_word_of_it)
{
	struct host host;
	struct peer peer;
	struct kept kept[KEPT_MAX];
	uint32_t count;

	host_init(&host);
	peer_init(&peer, 1);
	peer_define(&peer, "purchase", "DE");
	peer_make_ring(&peer, 0, 64);
	peer_make_ring(&peer, 3, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	peer_offer(&peer, &host, 3);
	struct weir_ring_record record = host.offered[1]->record;
	for (int i = 0; i < 10; i++)
		peer_push(&peer, 3, weir_event_word(1000, 1));
	record.next_sequence = 4;

	host_restart(&host, kept, &count);
	cr_assert_eq(count, 3);
	cr_assert_eq(intake_restore(host.intake, &record), 0);
	uint32_t before = open_descriptors();
	cr_expect_eq(adopt_all(&host, kept, count), 3);
	cr_expect_eq(open_descriptors(), before + 2); /* pidfd and control page */
	host_steps(&host);
	cr_assert_eq(host.offered_count, 2);
	struct intake_ring *ring = host.offered[0]->record.index == 3 ? host.offered[0]
								      : host.offered[1];
	cr_expect_eq(ring->record.number, record.number);
	cr_expect_eq(ring->drain.next, 4);
	cr_expect_eq(drain_snapshot(&ring->drain), 6);
	cr_expect_eq(weir_load_acquire_32(&ring->drain.over), 0);
	cr_expect_eq(ring->drain.map->mapped, 2);
	cr_expect_eq(intake_awaited(host.intake), 0);
	cr_expect_eq(host.kept_count, 3, "it stays in the store for the next crash");
	/* It wakes up and says HELLO: the same producer. */
	weir_store_release_64(&ring->control->released, 10);
	close(peer.socket);
	munmap((void *)(uintptr_t)peer.control, WEIR_CONTROL_BYTES);
	close(peer.control_fd);
	peer_attach(&peer, &host);
	cr_expect_eq(peer_offer(&peer, &host, 3), 10);
	cr_expect_eq(weir_control_slots(peer.control)[3].released, 10);
	cr_expect_eq(host_counters(&host).producers, 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(adopt, the_rings_of_a_producer_that_died_meanwhile_are_drained_and_forgotten)
{
	struct host host;
	struct peer peer;
	struct kept kept[KEPT_MAX];
	uint32_t count;
	int ready[2], hold[2];
	char byte;

	host_init(&host);
	peer_init(&peer, 1);
	peer_define(&peer, "purchase", "DE");
	peer_make_ring(&peer, 0, 64);
	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(hold), 0);
	pid_t child = fork();
	if (!child) {
		close(hold[1]);
		peer.region->start_time_ticks = process_start_time(getpid());
		int fd = socket_connect(&host);
		send_message(fd, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
		send_message(fd, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
		(void)!write(ready[1], "r", 1);
		(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	host_steps(&host);
	cr_assert_eq(host.offered_count, 1);
	host_restart(&host, kept, &count);
	peer_push(&peer, 0, weir_event_word(1000, 1));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	cr_expect_eq(adopt_all(&host, kept, count), 2);
	host_steps(&host);
	cr_assert_eq(host.offered_count, 1);
	cr_expect_eq(weir_load_acquire_32(&host.offered[0]->drain.over), 1);
	cr_expect_eq(drain_snapshot(&host.offered[0]->drain), 1);
	cr_expect_eq(host.kept_count, 2);
	lane_detach(host.offered[0]);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).producers, 0);
	cr_expect_eq(host.kept_count, 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(adopt, a_pid_that_means_another_process_by_now_is_a_death)
{
	struct host host;
	struct peer peer;
	char name[STORE_NAME_BYTES];

	host_init(&host);
	peer_init(&peer, 1);
	store_name_region(name, getuid(), peer.region->uuid, getpid());
	peer.region->start_time_ticks--; /* this pid, but an earlier life */
	cr_expect_eq(intake_adopt(host.intake, name, dup(peer.region_fd)), 0);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).deaths, 1);
	cr_expect_eq(host_counters(&host).producers, 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(adopt, what_is_not_what_its_name_says_is_refused_and_dropped)
{
	struct host host;
	struct peer peer;
	char name[STORE_NAME_BYTES];
	uint8_t other[16] = {9};

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	host_keep_fd(&host, "nonsense", peer.region_fd);
	cr_expect_eq(intake_adopt(host.intake, "nonsense", peer.region_fd), -EINVAL);
	cr_expect_eq(host.kept_count, 0);
	store_name_ring(name, getuid(), peer.region->uuid, 0);
	cr_expect_eq(intake_adopt(host.intake, name, peer.ring_fd[0]), -ENOENT);
	store_name_region(name, getuid(), other, getpid());
	cr_expect_lt(intake_adopt(host.intake, name, peer.region_fd), 0);
	store_name_region(name, getuid(), peer.region->uuid, getpid());
	cr_expect_lt(intake_adopt(host.intake, name, peer.ring_fd[0]), 0);
	cr_expect_eq(intake_adopt(host.intake, name, dup(peer.region_fd)), 0);
	cr_expect_eq(intake_adopt(host.intake, name, peer.region_fd), -EEXIST);
	store_name_ring(name, getuid(), peer.region->uuid, 1);
	cr_expect_lt(intake_adopt(host.intake, name, peer.ring_fd[0]), 0); /* it is ring 0 */
	peer_fini(&peer);
	host_fini(&host);
}

Test(adopt, names_are_read_as_they_are_written_and_nothing_else_is_read)
{
	uint8_t uuid[16];
	char name[STORE_NAME_BYTES];
	struct store_name parsed;

	for (int i = 0; i < 16; i++)
		uuid[i] = (uint8_t)(i * 17);
	store_name_region(name, UINT32_MAX, uuid, INT32_MAX);
	cr_expect_str_eq(name, "u4294967295.00112233445566778899aabbccddeeff.region.2147483647");
	cr_expect_eq(store_name_parse(name, &parsed), 0);
	cr_expect(parsed.region && parsed.uid == UINT32_MAX && parsed.number == INT32_MAX &&
		  !memcmp(parsed.uuid, uuid, 16));
	cr_expect_lt(strlen(name), 64, "weird --supervise keeps names of up to 63 bytes");
	store_name_ring(name, 0, uuid, 255);
	cr_expect_eq(store_name_parse(name, &parsed), 0);
	cr_expect(!parsed.region && parsed.uid == 0 && parsed.number == 255);
	static const char *const bad[] = {
		"",
		"u",
		"stored",
		"u0",
		"u0.",
		"x0.00112233445566778899aabbccddeeff.1",
		"u0.00112233445566778899aabbccddeeff",
		"u0.00112233445566778899aabbccddeeff.",
		"u0.00112233445566778899aabbccddeef.1",
		"u0.00112233445566778899aabbccddeeff0.1",
		"u0.00112233445566778899AABBCCDDEEFF.1",
		"u0.00112233445566778899aabbccddeeff.1x",
		"u0.00112233445566778899aabbccddeeff.-1",
		"u0.00112233445566778899aabbccddeeff.4294967296",
		"u4294967296.00112233445566778899aabbccddeeff.1",
		"u-1.00112233445566778899aabbccddeeff.1",
		"u0.00112233445566778899aabbccddeeff.region",
		"u0.00112233445566778899aabbccddeeff.region.",
		"u0.00112233445566778899aabbccddeeff.regio.1",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(store_name_parse(bad[i], &parsed), -EINVAL, "%s", bad[i]);
}

static int try_open(struct host *host, char why[256])
{
	struct intake *intake;
	*why = 0;
	int r = intake_open(&host->options, &intake, why, 256);
	if (r == 0)
		intake_close(intake);
	return r;
}

Test(listen, a_dead_engines_socket_file_is_replaced)
{
	struct host host;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	host_prepare(&host);
	strcpy(address.sun_path, host.socket);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* the file stays, as after kill -9 */
	host_open(&host);
	cr_assert_eq(stat(host.socket, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0660);
	close(socket_connect(&host));
	intake_stop(host.intake);
	cr_expect_eq(stat(host.socket, &status), -1, "a stopped engine leaves no file");
	host_fini(&host);
}

Test(listen, a_living_engines_socket_is_left_alone)
{
	struct host host;
	char why[256];

	host_init(&host);
	cr_expect_eq(try_open(&host, why), -EADDRINUSE);
	cr_expect(strstr(why, "another program listens"), "%s", why);
	close(socket_connect(&host));
	host_fini(&host);
}

Test(listen, a_file_that_is_no_socket_is_left_alone)
{
	struct host host;
	char why[256];

	host_prepare(&host);
	int fd = open(host.socket, O_CREAT | O_WRONLY, 0600);
	cr_assert_eq(write(fd, "precious", 8), 8);
	close(fd);
	cr_expect_eq(try_open(&host, why), -EEXIST);
	cr_expect(strstr(why, "not a socket"), "%s", why);
	struct stat status;
	cr_expect_eq(stat(host.socket, &status), 0);
	cr_expect_eq(status.st_size, 8);
	host_fini(&host);
}

Test(listen, a_missing_directory_and_a_long_path_say_what_to_do)
{
	struct host host;
	char why[256], path[300];

	host_prepare(&host);
	snprintf(path, sizeof(path), "%s/not/there.sock", host.directory);
	host.options.socket_path = path;
	cr_expect_eq(try_open(&host, why), -ENOENT);
	cr_expect(strstr(why, "mkdir -p") && strstr(why, "/not"), "%s", why);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[200] = 0;
	cr_expect_eq(try_open(&host, why), -ENAMETOOLONG);
	cr_expect(strstr(why, "shorter"), "%s", why);
	host_fini(&host);
}

Test(listen, another_engines_file_is_not_removed_at_the_end)
{
	struct host first, second;
	struct stat status;

	host_init(&first);
	host_prepare(&second);
	cr_assert_eq(unlink(first.socket), 0); /* somebody cleaned up too much */
	second.options.socket_path = first.socket;
	host_open(&second);
	intake_stop(first.intake);
	cr_expect_eq(stat(first.socket, &status), 0);
	intake_stop(second.intake);
	cr_expect_eq(stat(first.socket, &status), -1);
	host_fini(&first);
	host_fini(&second);
}
