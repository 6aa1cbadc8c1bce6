/*
 * What the intake refuses, how it says so, and that nobody else notices.
 */
#include "peer.h"

#include <pthread.h>

/* One HELLO on a connection of its own, with this descriptor (or none). */
static int hello(struct host *host, int fd, struct weir_message *ret_message)
{
	int socket = socket_connect(host), control_fd = -1;
	cr_assert_eq(send_message(socket, WEIR_MESSAGE_HELLO, 0, fd), 0);
	host_steps(host);
	int type = read_answer(socket, ret_message, &control_fd);
	if (control_fd >= 0)
		close(control_fd);
	close(socket);
	host_steps(host);
	return type;
}

static void expect_refused_hello(struct host *host, int fd, int status, const char *text)
{
	struct weir_message message;
	uint64_t refused = host_counters(host).refused;
	uint32_t before = open_descriptors();

	int type = hello(host, fd, &message);
	cr_expect_eq(type, WEIR_MESSAGE_REFUSED, "%s: answer %d", text, type);
	cr_expect_eq(message.status, status, "%s: %d (%s)", text, message.status, message.text);
	cr_expect(strstr(message.text, text), "\"%s\" does not say \"%s\"", message.text, text);
	cr_expect_eq(host_counters(host).refused, refused + 1);
	cr_expect_eq(host_counters(host).producers, 0);
	cr_expect_eq(open_descriptors(), before, "%s: a descriptor is left", text);
}

Test(refusal, a_region_must_be_a_sealed_memfd)
{
	struct host host;
	struct peer peer;
	int pipe_fds[2];
	static const int missing[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL};

	host_init(&host);
	cr_assert_eq(pipe(pipe_fds), 0);
	expect_refused_hello(&host, pipe_fds[0], -EINVAL, "not a memfd");
	expect_refused_hello(&host, open("/dev/zero", O_RDONLY), -EINVAL, "not a memfd");
	expect_refused_hello(&host, open("/proc/self/exe", O_RDONLY), -EINVAL, "not a memfd");
	expect_refused_hello(&host, open(host.directory, O_RDONLY), -EINVAL, "not a memfd");
	expect_refused_hello(&host, pipe_fds[1], -EINVAL, "not a memfd");
	for (int i = 0; i < 3; i++) {
		peer_init_as(&peer, 1, PEER_SEALS & ~missing[i], 16384);
		expect_refused_hello(&host, peer.region_fd, -EPERM, "not sealed");
		peer_fini(&peer);
	}
	char path[] = "/dev/shm/weir-test-XXXXXX"; /* of the right size, on the right file system */
	int fd = mkstemp(path);
	if (fd >= 0) {
		unlink(path);
		cr_assert_eq(ftruncate(fd, 4096 + 16384), 0);
		expect_refused_hello(&host, fd, -EPERM, "not sealed");
	}
	host_fini(&host);
}

Test(refusal, a_regions_header_must_be_right_in_every_field)
{
	struct host host;
	struct peer peer;

	host_init(&host);
#define REFUSED(change, status, text)                                                              \
	do {                                                                                       \
		peer_init(&peer, 1);                                                               \
		change;                                                                            \
		expect_refused_hello(&host, peer.region_fd, status, text);                         \
		peer_fini(&peer);                                                                  \
	} while (0)
	REFUSED(peer.region->magic++, -EINVAL, "not a weir region");
	REFUSED(peer.region->magic = WEIR_RING_MAGIC, -EINVAL, "not a weir region");
	REFUSED(peer.region->version++, -EPROTONOSUPPORT, "install the same release");
	REFUSED(peer.region->fingerprint++, -EPROTONOSUPPORT, "install the same release");
	REFUSED(peer.region->table_bytes += 8192, -EINVAL, "its header says");
	REFUSED(peer.region->table_bytes -= 8192, -EINVAL, "its header says");
	REFUSED(peer.region->table_bytes = 0, -EINVAL, "its header says");
	REFUSED(peer.region->table_bytes = UINT64_MAX, -EFBIG, "table_bytes");
	REFUSED(peer.region->table_bytes = UINT64_MAX - 4096, -EFBIG, "table_bytes");
	REFUSED(peer.region->rings_max = 0, -EINVAL, "rings_max");
	REFUSED(peer.region->rings_max = WEIR_RINGS_MAX + 1, -EINVAL, "rings_max");
	REFUSED(peer.region->series_max = 0, -EINVAL, "series_max");
	REFUSED(peer.region->series_max = UINT32_MAX, -EINVAL, "series_max");
	REFUSED(peer.region->clock = 2, -EINVAL, "clock");
	REFUSED(memset(peer.region->source, 'a', 32), -EINVAL, "source");
	REFUSED(peer.region->source[0] = 0, -EINVAL, "source");
	REFUSED(strcpy(peer.region->source, "Live"), -EINVAL, "source");
	REFUSED(strcpy(peer.region->source, "a/b"), -EINVAL, "source");
	REFUSED(strcpy(peer.region->source, "caf\xc3\xa9"), -EINVAL, "source");
	REFUSED(memset(peer.region->uuid, 0, 16), -EINVAL, "uuid");
	REFUSED(peer.region->start_time_ticks++, -EPERM, "another process");
#undef REFUSED
	/* After all that an honest one is welcome, also with a program name without an end. */
	peer_init(&peer, 1);
	memset(peer.region->program, 'p', sizeof(peer.region->program));
	peer_attach(&peer, &host);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, a_region_of_impossible_size_is_not_even_mapped)
{
	struct host host;
	void *at;

	host_init(&host);
	expect_refused_hello(&host, memfd_of(100, PEER_SEALS, &at), -EFBIG, "a region has");
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(fd, (off_t)1 << 40), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, PEER_SEALS), 0);
	expect_refused_hello(&host, fd, -EFBIG, "a region has");
	host_fini(&host);
}

Test(refusal, a_ring_must_be_what_it_says)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
#define REFUSED(change, status)                                                                    \
	do {                                                                                       \
		peer_make_ring(&peer, 1, 64);                                                      \
		change;                                                                            \
		send_message(peer.socket, WEIR_MESSAGE_RING, 1, peer.ring_fd[1]);                  \
		host_steps(&host);                                                                 \
		expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, status, NULL);                    \
		munmap(peer.ring[1], peer.ring_bytes[1]);                                          \
		close(peer.ring_fd[1]);                                                            \
		peer.ring[1] = NULL;                                                               \
	} while (0)
	REFUSED(peer.ring[1]->magic++, -EINVAL);
	REFUSED(peer.ring[1]->version++, -EPROTONOSUPPORT);
	REFUSED(peer.ring[1]->fingerprint++, -EPROTONOSUPPORT);
	REFUSED(peer.ring[1]->uuid[3]++, -EPERM);
	REFUSED(peer.ring[1]->index = 0, -EPERM);
	REFUSED(peer.ring[1]->capacity = 0, -EINVAL);
	REFUSED(peer.ring[1]->capacity = 63, -EINVAL);
	REFUSED(peer.ring[1]->capacity = 32, -EINVAL);
	REFUSED(peer.ring[1]->capacity = 65, -EINVAL);
	REFUSED(peer.ring[1]->capacity = 128, -EINVAL); /* twice what is there, less a page's end */
	REFUSED(peer.ring[1]->capacity = UINT64_C(1) << 60, -EINVAL);
	REFUSED(peer.ring[1]->capacity = 2 * WEIR_RING_EVENTS_MAX, -EINVAL);
#undef REFUSED
	peer_make_ring_as(&peer, 2, 64, F_SEAL_SHRINK | F_SEAL_GROW);
	send_message(peer.socket, WEIR_MESSAGE_RING, 2, peer.ring_fd[2]);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EPERM, NULL);
	/* The connection has survived all of it. */
	peer_make_ring(&peer, 3, 64);
	peer_offer(&peer, &host, 3);
	cr_expect_eq(host.offered_count, 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, ring_indexes_are_bounded_and_another_memfd_under_a_taken_one_is_refused)
{
	struct host host;
	struct peer peer;
	struct weir_ring_header *twin;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_make_ring(&peer, 4, 64); /* rings_max is 4 */
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	static const uint32_t indexes[] = {4, WEIR_RINGS_MAX, UINT32_MAX};
	for (int i = 0; i < 3; i++) {
		send_message(peer.socket, WEIR_MESSAGE_RING, indexes[i], peer.ring_fd[4]);
		host_steps(&host);
		expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EINVAL, NULL);
	}
	int fd = memfd_of(peer.ring_bytes[0], PEER_SEALS, (void **)&twin);
	*twin = *peer.ring[0];
	send_message(peer.socket, WEIR_MESSAGE_RING, 0, fd);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EEXIST, NULL);
	close(fd);
	/* In quarantine: not answered as if all were well. */
	host.offered[0]->control->flags |= WEIR_CONTROL_QUARANTINED;
	send_message(peer.socket, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EPROTO, NULL);
	peer_fini(&peer);
	host_fini(&host);
}

/* Four bytes number a log's rings, for as long as it lives. */
Test(refusal, a_log_without_numbers_for_rings_says_so)
{
	struct host host;
	struct peer peer;
	struct weir_message message;
	struct weir_ring_record record = {
		.number = WEIR_RUN_MARK - 1, .uid = getuid(), .uuid = {9}, .final = 1};

	host_init(&host);
	cr_assert_eq(intake_restore(host.intake, &record), 0);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	send_message(peer.socket, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -ENOSPC, &message);
	cr_expect(strstr(message.text, "new data directory"), "\"%s\"", message.text);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, a_uuid_belongs_to_one_memfd)
{
	struct host host;
	struct peer a, b;
	struct weir_message message;

	host_init(&host);
	peer_init(&a, 1);
	peer_init(&b, 1);
	peer_attach(&a, &host);
	cr_expect_eq(hello(&host, b.region_fd, &message), WEIR_MESSAGE_REFUSED);
	cr_expect_eq(message.status, -EEXIST);
	cr_expect_eq(host_counters(&host).producers, 1);
	cr_expect_eq(read_answer(a.socket, &message, NULL), 0, "the first one's socket is open");
	peer_fini(&a);
	peer_fini(&b);
	host_fini(&host);
}

Test(refusal, a_forked_childs_hello_with_its_parents_region_is_refused)
{
	struct host host;
	struct peer peer;
	int status;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
	pid_t child = fork();
	if (!child) {
		int fd = socket_connect(&host);
		send_message(fd, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		struct weir_message message = {0};
		poll(&readable, 1, 5000);
		_exit(read_answer(fd, &message, NULL) == WEIR_MESSAGE_REFUSED &&
				      message.status == -EPERM
			      ? 0
			      : 1);
	}
	for (int i = 0; i < 5000 && waitpid(child, &status, WNOHANG) == 0; i++) {
		host_steps(&host);
		usleep(100);
	}
	cr_expect_eq(status, 0);
	cr_expect_eq(host_counters(&host).producers, 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, garbage_closes_the_connection_and_only_that)
{
	struct host host;
	struct peer peer;
	char bytes[300] = {0};
	struct weir_message message;
	uint64_t random = 5;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
	uint32_t before = open_descriptors();
	static const size_t sizes[] = {1, 4, 127, 128, 129, 300};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int socket = socket_connect(&host), fd = peer.region_fd;
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (char)(random = random * 6364136223846793005u + 1442695u);
		cr_assert_eq(send_bytes(socket, bytes, sizes[i], &fd, i % 2), 0);
		host_steps(&host);
		expect_answer(socket, WEIR_MESSAGE_REFUSED, -EBADMSG, NULL);
		cr_expect_eq(read_answer(socket, &message, NULL), -1);
		close(socket);
	}
	/* Two descriptors, seventeen descriptors; a type, a version that do not exist. */
	int fds[16];
	for (int i = 0; i < 16; i++)
		fds[i] = peer.region_fd;
	message = (struct weir_message){.magic = WEIR_MESSAGE_MAGIC,
					.version = WEIR_LAYOUT_VERSION,
					.type = WEIR_MESSAGE_HELLO};
	for (uint32_t count = 2; count <= 16; count += 7) {
		int socket = socket_connect(&host);
		cr_assert_eq(send_bytes(socket, &message, sizeof(message), fds, count), 0);
		host_steps(&host);
		expect_answer(socket, WEIR_MESSAGE_REFUSED, -EBADMSG, NULL);
		close(socket);
	}
	int socket = socket_connect(&host);
	message.type = WEIR_MESSAGE_WELCOME;
	cr_assert_eq(send_bytes(socket, &message, sizeof(message), NULL, 0), 0);
	host_steps(&host);
	expect_answer(socket, WEIR_MESSAGE_REFUSED, -EBADMSG, NULL);
	close(socket);
	socket = socket_connect(&host);
	message.version++;
	cr_assert_eq(send_bytes(socket, &message, sizeof(message), fds, 1), 0);
	host_steps(&host);
	expect_answer(socket, WEIR_MESSAGE_REFUSED, -EPROTONOSUPPORT, NULL);
	close(socket);
	host_steps(&host);
	cr_expect_eq(open_descriptors(), before);
	cr_expect_eq(host_counters(&host).producers, 1);
	cr_expect_eq(read_answer(peer.socket, &message, NULL), 0, "the other one's is open");
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, words_out_of_order_are_refused)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	int socket = socket_connect(&host);
	send_message(socket, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]); /* before HELLO */
	host_steps(&host);
	expect_answer(socket, WEIR_MESSAGE_REFUSED, -EINVAL, NULL);
	close(socket);
	socket = socket_connect(&host);
	send_message(socket, WEIR_MESSAGE_HELLO, 0, -1); /* without a descriptor */
	host_steps(&host);
	expect_answer(socket, WEIR_MESSAGE_REFUSED, -EINVAL, NULL);
	close(socket);
	peer_attach(&peer, &host);
	send_message(peer.socket, WEIR_MESSAGE_HELLO, 0, peer.region_fd); /* twice */
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EINVAL, NULL);
	send_message(peer.socket, WEIR_MESSAGE_RING, 0, -1);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EINVAL, NULL);
	peer_offer(&peer, &host, 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, who_never_understands_is_cut_off_in_the_end)
{
	struct host host;
	struct peer peer;
	struct weir_message message;
	int refused = 0, type = 1;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
	for (int i = 0; i < 200 && type > 0; i++) {
		if (send_message(peer.socket, WEIR_MESSAGE_RING, 9999, peer.region_fd) < 0)
			break;
		host_steps(&host);
		type = read_answer(peer.socket, &message, NULL);
		refused += type == WEIR_MESSAGE_REFUSED;
	}
	cr_expect_eq(refused, 64);
	cr_expect_eq(host_counters(&host).producers, 1); /* its region is held all the same */
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, quotas_hold_for_a_users_bytes_and_for_producers)
{
	struct host host;
	struct peer peers[4];
	struct weir_message message;

	host_prepare(&host);
	host.options.producers_max = 3;
	host.options.user_bytes_max = 1u << 20;
	host_open(&host);
	for (int i = 0; i < 4; i++)
		peer_init(&peers[i], (uint8_t)(i + 1));
	peer_attach(&peers[0], &host);
	peer_make_ring(&peers[0], 0, 1u << 17); /* 2 MiB */
	send_message(peers[0].socket, WEIR_MESSAGE_RING, 0, peers[0].ring_fd[0]);
	host_steps(&host);
	expect_answer(peers[0].socket, WEIR_MESSAGE_REFUSED, -EDQUOT, &message);
	cr_expect(strstr(message.text, "user_bytes_max"));
	peer_make_ring(&peers[0], 1, 1u << 15); /* half a MiB */
	peer_make_ring(&peers[0], 2, 1u << 15);
	peer_offer(&peers[0], &host, 1);
	send_message(peers[0].socket, WEIR_MESSAGE_RING, 2, peers[0].ring_fd[2]);
	host_steps(&host);
	expect_answer(peers[0].socket, WEIR_MESSAGE_REFUSED, -EDQUOT, NULL);
	peer_attach(&peers[1], &host);
	peer_attach(&peers[2], &host);
	cr_expect_eq(hello(&host, peers[3].region_fd, &message), WEIR_MESSAGE_REFUSED);
	cr_expect_eq(message.status, -EUSERS);
	cr_expect(strstr(message.text, "producers_max"));
	/* One goes; there is room again, in places and in bytes. */
	weir_store_release_32(&peers[0].region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	lane_detach(host.offered[0]);
	host_steps(&host);
	peer_attach(&peers[3], &host);
	peer_make_ring(&peers[3], 0, 1u << 15);
	peer_offer(&peers[3], &host, 0);
	for (int i = 0; i < 4; i++)
		peer_fini(&peers[i]);
	host_fini(&host);
}

Test(refusal, a_source_that_cannot_be_logged_refuses_its_producer)
{
	struct host host;
	struct peer peer;
	struct weir_message message;
	char name[16];

	host_init(&host);
	peer_init(&peer, 1);
	host.source_error = -ENOSPC;
	cr_expect_eq(hello(&host, peer.region_fd, &message), WEIR_MESSAGE_REFUSED);
	cr_expect_eq(message.status, -ENOSPC);
	cr_expect_eq(host.sources.count, 0);
	host.source_error = 0;
	peer_attach(&peer, &host);
	cr_expect_eq(host.sources.count, 1);
	peer_fini(&peer);
	host_fini(&host);

	host_prepare(&host);
	host.options.producers_max = 32;
	host_open(&host);
	struct peer peers[WEIR_SOURCES_MAX + 1];
	for (uint32_t i = 0; i <= WEIR_SOURCES_MAX; i++) {
		snprintf(name, sizeof(name), "source-%u", i);
		peer_init(&peers[i], (uint8_t)(i + 1));
		strcpy(peers[i].region->source, name);
		if (i < WEIR_SOURCES_MAX)
			peer_attach(&peers[i], &host);
	}
	cr_expect_eq(hello(&host, peers[WEIR_SOURCES_MAX].region_fd, &message),
		     WEIR_MESSAGE_REFUSED);
	cr_expect_eq(message.status, -ENOSPC);
	for (uint32_t i = 0; i <= WEIR_SOURCES_MAX; i++)
		peer_fini(&peers[i]);
	host_fini(&host);
}

Test(refusal, a_connection_that_says_nothing_is_closed_after_a_second)
{
	struct host host;
	struct weir_message message;

	host_init(&host);
	int socket = socket_connect(&host);
	host_steps(&host);
	host.now_ns += 900000000;
	host_steps(&host);
	cr_expect_eq(read_answer(socket, &message, NULL), 0);
	host.now_ns += 200000000;
	host_steps(&host);
	cr_expect_eq(read_answer(socket, &message, NULL), -1);
	cr_expect_eq(host_counters(&host).refused, 1);
	close(socket);
	host_fini(&host);
}

Test(refusal, a_flood_of_silent_connections_keeps_nobody_out_and_no_descriptor)
{
	struct host host;
	struct peer peer;
	int flood[300];

	host_init(&host);
	uint32_t before = open_descriptors();
	for (int i = 0; i < 300; i++)
		flood[i] = socket_connect(&host);
	host_steps(&host);
	cr_expect_leq(open_descriptors() - before, 300 + 64);
	peer_init(&peer, 1);
	peer_attach(&peer, &host); /* in the same stroke as ever */
	for (int i = 0; i < 300; i++)
		close(flood[i]);
	host_steps(&host);
	peer_fini(&peer);
	host_steps(&host);
	/* The producer's pidfd and control page, and the region in our store. */
	cr_expect_leq(open_descriptors(), before + 3);
	host_fini(&host);
}

Test(refusal, a_table_whose_framing_lies_is_refused_from_there_on)
{
	static const uint32_t lengths[] = {0,     4,          12,
					   16384, UINT32_MAX, WEIR_DEFINITION_BYTES_MAX + 8};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct host host;
		struct peer peer;

		host_init(&host);
		peer_init(&peer, 1);
		peer_make_ring(&peer, 0, 64);
		peer_define(&peer, "purchase", "DE");
		peer_attach(&peer, &host);
		peer_offer(&peer, &host, 0);
		uint64_t used = peer.region->table_used;
		peer_define(&peer, "purchase", "FR");
		memcpy((char *)peer.region + WEIR_TABLE_OFFSET + used, &lengths[i], 4);
		host_steps(&host);
		const struct series_map *map = host.offered[0]->drain.map;
		cr_expect_eq(weir_load_acquire_32(&map->mapped), map->series_max + 1);
		cr_expect_neq(map->ids[1], 0);
		cr_expect_eq(map->ids[2], 0);
		cr_expect_eq(host_counters(&host).quarantined, 1);
		peer_define(&peer, "purchase", "IT");
		host_steps(&host);
		cr_expect_eq(map->ids[3], 0);
		cr_expect_eq(host_counters(&host).quarantined, 1);
		peer_fini(&peer);
		host_fini(&host);
	}
}

Test(refusal, table_cursors_that_lie_are_refused)
{
	for (int lie = 0; lie < 4; lie++) {
		struct host host;
		struct peer peer;

		host_init(&host);
		peer_init(&peer, 1);
		peer_make_ring(&peer, 0, 64);
		peer_define(&peer, "purchase", "DE");
		peer_attach(&peer, &host);
		peer_offer(&peer, &host, 0);
		if (lie == 0)
			peer.region->series_count = 0; /* back */
		if (lie == 1)
			peer.region->series_count = peer.region->series_max + 1;
		if (lie == 2)
			peer.region->series_count++; /* without bytes */
		if (lie == 3) {
			peer.region->series_count++;
			peer.region->table_used = UINT64_MAX;
		}
		host_steps(&host);
		cr_expect_eq(host_counters(&host).quarantined, 1, "lie %d", lie);
		peer_fini(&peer);
		host_fini(&host);
	}
}

Test(refusal, more_definitions_than_announced_do_not_leave_the_map)
{
	struct host host;
	struct peer peer;
	char value[8];

	host_init(&host);
	peer_init(&peer, 1);
	peer.region->series_max = 2;
	peer_make_ring(&peer, 0, 64);
	for (int i = 0; i < 50; i++) {
		snprintf(value, sizeof(value), "%d", i);
		peer_define(&peer, "purchase", value);
	}
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	const struct series_map *map = host.offered[0]->drain.map;
	cr_expect_eq(map->series_max, 2);
	cr_expect_eq(weir_load_acquire_32(&map->mapped), 3);
	cr_expect_eq(series_count(host.registry), 1, "nothing of it is believed");
	cr_expect_eq(host_counters(&host).quarantined, 1);
	peer_fini(&peer);
	host_fini(&host);
}

/* The record begins inside the table and would end behind the mapping. */
Test(refusal, a_table_is_not_read_behind_its_end)
{
	for (int lie = 0; lie < 3; lie++) {
		struct host host;
		struct peer peer;

		host_init(&host);
		peer_init_as(&peer, 1, PEER_SEALS, 4096);
		peer.region->series_max = 300;
		while (peer.region->table_used < 4096)
			peer_define(&peer, "abc", NULL); /* 8 + 3 + 5 bytes of "value" */
		cr_assert_eq(peer.region->table_used, 4096, "%lu", peer.region->table_used);
		peer.region->series_count += lie < 2; /* one more, behind the end */
		peer.region->table_used += lie == 1 ? 64 : 0;
		if (lie == 2) { /* the last one is longer than what is left */
			uint32_t bytes = 4096;
			memcpy((char *)peer.region + WEIR_TABLE_OFFSET + 4096 - 16, &bytes, 4);
		}
		peer_attach(&peer, &host);
		cr_expect_eq(host_counters(&host).quarantined, 1, "lie %d", lie);
		peer_fini(&peer);
		host_fini(&host);
	}
}

/* The memfd may be rounded up to pages; what lies between the table and the page's end is none of
 * its definitions. */
Test(refusal, a_table_ends_where_the_header_said_not_where_the_page_does)
{
	struct host host;
	struct peer peer;

	host_prepare(&host);
	host.options.producer_series_max = 1000;
	host_open(&host);
	peer_init_as(&peer, 1, PEER_SEALS, 4096);
	peer.region->table_bytes = 4000;
	peer.region->series_max = 300;
	while (peer.region->table_used < 4000)
		peer_define(&peer, "abc", NULL);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	cr_expect_eq(host_counters(&host).quarantined, 0);
	peer.region->table_bytes = 4096; /* too late */
	peer_define(&peer, "xyz", NULL);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).quarantined, 1);
	cr_expect_eq(series_count(host.registry), 2);
	cr_expect_eq(host.offered[0]->drain.map->ids[251], 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(refusal, a_record_that_is_no_definition_is_counted_and_the_next_one_is_fine)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	uint64_t used = peer.region->table_used;
	peer_define(&peer, "purchase", "DE");
	((struct weir_definition *)((char *)peer.region + WEIR_TABLE_OFFSET + used))->kind = 9;
	peer_define(&peer, "purchase", "FR");
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	const struct series_map *map = host.offered[0]->drain.map;
	cr_expect_eq(weir_load_acquire_32(&map->mapped), 3);
	cr_expect_eq(map->ids[1], 0);
	cr_expect_neq(map->ids[2], 0);
	cr_expect_eq(host_counters(&host).refused_definitions, 1);
	cr_expect_eq(host_counters(&host).quarantined, 0);
	peer_fini(&peer);
	host_fini(&host);
}

struct scribbler {
	struct peer *peer;
	uint32_t stop;
};

/* Writes anything anywhere in its own memory while the engine reads it. */
static void *scribble(void *self)
{
	struct scribbler *scribbler = self;
	struct peer *peer = scribbler->peer;
	uint64_t random = 99;
	while (!weir_load_relaxed_32(&scribbler->stop)) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		uint64_t *region = (uint64_t *)peer->region;
		volatile uint64_t *at = random >> 63 ? &region[random % (peer->region_bytes / 8)]
						     : &region[512 + random % 64];
		if (at == (volatile uint64_t *)&peer->region->state)
			continue; /* CLOSED would end it */
		*at = random >> 8;
		if (random % 7 == 0)
			weir_store_relaxed_32(&peer->region->series_count,
					      (uint32_t)(random >> 40) % 200);
		if (random % 5 == 0)
			weir_store_relaxed_64(&peer->region->table_used, (random >> 20) % 16384);
	}
	return NULL;
}

Test(refusal, memory_that_changes_while_it_is_read_harms_nobody, .timeout = 20)
{
	for (int round = 0; round < 40; round++) {
		struct host host;
		struct peer bad, good;
		pthread_t thread;
		struct scribbler scribbler = {.peer = &bad};

		host_init(&host);
		peer_init(&bad, 1);
		peer_init(&good, 2);
		peer_make_ring(&good, 0, 64);
		for (int i = 0; i < 20; i++)
			peer_define(&bad, "purchase", "DE");
		peer_attach(&bad, &host);
		cr_assert_eq(pthread_create(&thread, NULL, scribble, &scribbler), 0);
		for (int i = 0; i < 50; i++) {
			host.now_ns += 1000000;
			intake_step(host.intake, host.now_ns);
		}
		peer_define(&good, "purchase", "FR");
		peer_attach(&good, &host);
		peer_offer(&good, &host, 0);
		cr_expect_neq(host.offered[0]->drain.map->ids[1], 0);
		weir_store_relaxed_32(&scribbler.stop, 1);
		pthread_join(thread, NULL);
		for (uint32_t id = 1; id < series_count(host.registry); id++) {
			const struct weir_definition *d = series_get(host.registry, id);
			cr_assert_eq(series_check(d, d->bytes, NULL), 0);
		}
		peer_fini(&bad);
		peer_fini(&good);
		host_fini(&host);
	}
}
