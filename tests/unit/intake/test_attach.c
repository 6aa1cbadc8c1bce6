/*
 * Attach, re-attach, restore, death: a producer's life as the intake sees it.
 */
#include "peer.h"

#include <time.h>

/* A death takes the kernel a moment to tell: step until it is seen. */
static void steps_until_deaths(struct host *host, uint64_t deaths)
{
	struct timespec pause = {.tv_nsec = 200000};
	for (int i = 0; i < 5000 && host_counters(host).deaths < deaths; i++) {
		host_steps(host);
		nanosleep(&pause, NULL);
	}
	cr_assert_eq(host_counters(host).deaths, deaths);
}

Test(attach, a_producer_gets_a_control_page_it_cannot_write)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
	const struct weir_control_header *control = peer.control;
	cr_expect_eq(control->magic, WEIR_CONTROL_MAGIC);
	cr_expect_eq(control->version, WEIR_LAYOUT_VERSION);
	cr_expect_eq(control->fingerprint, weir_layout_fingerprint());
	cr_expect_eq(control->epoch, 7);
	cr_expect_eq(control->slots, WEIR_RINGS_MAX);

	void *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, peer.control_fd, 0);
	cr_expect(writable == MAP_FAILED && errno == EPERM);
	cr_expect_eq(mprotect((void *)(uintptr_t)peer.control, 4096, PROT_READ | PROT_WRITE), -1);
	cr_expect_eq(pwrite(peer.control_fd, "x", 1, 0), -1);
	cr_expect_eq(ftruncate(peer.control_fd, 0), -1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, a_ring_is_offered_to_a_lane_with_its_position_in_the_control_page)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 2, 128);
	for (int i = 0; i < 5; i++)
		peer_push(&peer, 2, weir_event_word(1000, 1));
	peer_attach(&peer, &host);
	cr_expect_eq(peer_offer(&peer, &host, 2), 0);
	cr_assert_eq(host.offered_count, 1);
	struct intake_ring *ring = host.offered[0];
	cr_expect_eq(ring->record.index, 2);
	cr_expect_gt(ring->record.number, 0);
	cr_expect_eq(ring->record.uid, getuid());
	cr_expect_eq(memcmp(ring->record.uuid, peer.region->uuid, 16), 0);
	cr_expect_eq(ring->drain.capacity, 128);
	cr_expect_eq(ring->drain.number, ring->record.number);
	cr_expect_eq(drain_snapshot(&ring->drain), 5);
	const struct weir_control_slot *slot = &weir_control_slots(peer.control)[2];
	cr_expect_eq(slot->released, 0);
	cr_expect_eq(slot->flags, WEIR_CONTROL_ATTACHED);
	weir_store_release_64(&ring->control->released, 5); /* as the lane does */
	cr_expect_eq(weir_load_acquire_64(&slot->released), 5);
	cr_expect_eq(host_counters(&host).producers, 1);
	cr_expect_eq(host_counters(&host).rings, 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, a_ring_that_no_lane_has_room_for_is_offered_again)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	host.lanes_full = true;
	cr_expect_eq(peer_offer(&peer, &host, 0), 0);
	cr_expect_eq(host.offered_count, 0);
	host.lanes_full = false;
	host_steps(&host);
	cr_expect_eq(host.offered_count, 1);
	host_steps(&host);
	cr_expect_eq(host.offered_count, 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, rings_may_be_sent_before_welcome_is_read_and_by_a_process_that_is_gone)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	pid_t child = fork();
	if (!child) {
		peer.region->start_time_ticks = process_start_time(getpid());
		peer_define(&peer, "purchase", "DE");
		peer_make_ring(&peer, 0, 64);
		peer_push(&peer, 0, weir_event_word(1000, 1));
		int fd = socket_connect(&host);
		send_message(fd, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
		send_message(fd, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
		_exit(0);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	steps_until_deaths(&host, 1);
	cr_assert_eq(host.offered_count, 1);
	cr_expect_eq(weir_load_acquire_32(&host.offered[0]->drain.over), 1);
	cr_expect_eq(drain_snapshot(&host.offered[0]->drain), 1);
	lane_detach(host.offered[0]);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).producers, 0);
	cr_expect_eq(host_counters(&host).rings, 0);
	cr_expect_eq(host.kept_count, 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, all_that_a_dead_process_left_in_its_socket_is_taken_before_the_end_is_told)
{
	enum { RINGS = 60 }; /* more than are read in the turns until the death is seen */
	struct host host;
	struct peer peer;
	int status;

	host_init(&host);
	peer_init(&peer, 1);
	peer.region->rings_max = RINGS;
	for (uint32_t i = 0; i < RINGS; i++)
		peer_make_ring(&peer, i, 64);
	pid_t child = fork();
	if (!child) {
		peer.region->start_time_ticks = process_start_time(getpid());
		int fd = socket_connect(&host), sent = 0;
		sent += send_message(fd, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
		for (uint32_t i = 0; i < RINGS; i++)
			sent += send_message(fd, WEIR_MESSAGE_RING, i, peer.ring_fd[i]);
		_exit(sent != 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	host_steps(&host);
	cr_expect_eq(host.offered_count, RINGS);
	for (uint32_t i = 0; i < host.offered_count; i++)
		cr_expect_eq(weir_load_acquire_32(&host.offered[i]->drain.over), 1);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, a_killed_producers_rings_are_told_dead_and_freed_when_detached)
{
	struct host host;
	struct peer peer;
	int ready[2], hold[2];
	char byte;

	host_init(&host);
	uint32_t before = open_descriptors();
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(hold), 0);
	pid_t child = fork();
	if (!child) {
		peer.region->start_time_ticks = process_start_time(getpid());
		int fd = socket_connect(&host);
		send_message(fd, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
		send_message(fd, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
		close(hold[1]);
		if (!fork()) { /* its child keeps the socket open: no hang-up will tell */
			(void)!read(hold[0], &byte, 1);
			_exit(0);
		}
		peer_push(&peer, 0, weir_event_word(1000, 1));
		(void)!write(ready[1], "r", 1);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	host_steps(&host);
	cr_assert_eq(host.offered_count, 1);
	cr_expect_eq(weir_load_acquire_32(&host.offered[0]->drain.over), 0);
	cr_expect_eq(host.kept_count, 2);
	kill(child, SIGKILL);
	steps_until_deaths(&host, 1);
	waitpid(child, NULL, 0);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&host.offered[0]->drain.over), 1);
	cr_expect_eq(host_counters(&host).rings, 1); /* the lane still reads it */
	cr_expect_eq(drain_snapshot(&host.offered[0]->drain), 1);
	lane_detach(host.offered[0]);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).rings, 0);
	cr_expect_eq(host_counters(&host).producers, 0);
	cr_expect_eq(host.kept_count, 0);
	close(ready[0]);
	close(ready[1]);
	close(hold[0]);
	close(hold[1]); /* lets the grandchild go */
	peer_fini(&peer);
	cr_expect_eq(open_descriptors(), before);
	host_fini(&host);
}

Test(attach, a_closed_region_is_drained_and_freed_while_its_process_lives)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_make_ring(&peer, 1, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	/* The second ring and the close come together. */
	send_message(peer.socket, WEIR_MESSAGE_RING, 1, peer.ring_fd[1]);
	weir_store_release_32(&peer.region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	cr_assert_eq(host.offered_count, 2);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(weir_load_acquire_32(&host.offered[i]->drain.over), 1);
		lane_detach(host.offered[i]);
	}
	host_steps(&host);
	cr_expect_eq(host_counters(&host).producers, 0);
	cr_expect_eq(host_counters(&host).deaths, 0);
	peer_fini(&peer);
	host_fini(&host);
}

/* libweir may see the socket close before it sees that all is kept, and offer the region again. */
Test(attach, a_closed_region_that_comes_back_is_not_read_again)
{
	struct host host;
	struct peer peer;
	struct weir_message message;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	weir_store_release_64(&peer.ring[0]->tail, 40);
	weir_store_release_32(&peer.region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	cr_assert_eq(drain_snapshot(&host.offered[0]->drain), 40);
	host.offered[0]->drain.next = 40;
	lane_detach(host.offered[0]);
	host_steps(&host);
	cr_assert_eq(host_counters(&host).producers, 0);

	int again = socket_connect(&host), control_fd;
	send_message(again, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
	send_message(again, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
	host_steps(&host);
	cr_expect_eq(read_answer(again, &message, &control_fd), WEIR_MESSAGE_WELCOME);
	expect_answer(again, WEIR_MESSAGE_RING_OK, 0, &message);
	cr_expect_eq(message.sequence, 40, "the log has everything below");
	cr_assert_eq(host.offered_count, 2);
	cr_expect_eq(drain_snapshot(&host.offered[1]->drain), 0);
	lane_detach(host.offered[1]);
	host_steps(&host);
	close(control_fd);
	close(again);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, hello_again_replaces_the_socket_and_keeps_the_rings)
{
	struct host host;
	struct peer peer;
	struct weir_message message;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	weir_store_release_64(&host.offered[0]->control->released, 33);

	int old = peer.socket, again = socket_connect(&host), control_fd;
	send_message(again, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
	send_message(again, WEIR_MESSAGE_RING, 0, peer.ring_fd[0]);
	host_steps(&host);
	cr_expect_eq(read_answer(again, &message, &control_fd), WEIR_MESSAGE_WELCOME);
	expect_answer(again, WEIR_MESSAGE_RING_OK, 0, &message);
	cr_expect_eq(message.sequence, 33);
	cr_expect_eq(read_answer(old, &message, NULL), -1, "the old socket is closed");
	cr_expect_eq(host.offered_count, 1);
	cr_expect_eq(host_counters(&host).producers, 1);
	/* The same page: what the lane says is seen through the new descriptor. */
	struct stat a, b;
	cr_assert_eq(fstat(control_fd, &a), 0);
	cr_assert_eq(fstat(peer.control_fd, &b), 0);
	cr_expect_eq(a.st_ino, b.st_ino);
	close(control_fd);
	close(again);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, a_lost_socket_leaves_region_and_rings_as_they_are)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	close(peer.socket);
	host_steps(&host);
	cr_expect_eq(host_counters(&host).producers, 1);
	cr_expect_eq(weir_load_acquire_32(&host.offered[0]->drain.over), 0);
	peer.socket = socket_connect(&host);
	send_message(peer.socket, WEIR_MESSAGE_HELLO, 0, peer.region_fd);
	host_steps(&host);
	expect_answer(peer.socket, WEIR_MESSAGE_WELCOME, 0, NULL);
	cr_expect_eq(host_counters(&host).attached, 1);
	peer_fini(&peer);
	host_fini(&host);
}

static struct weir_ring_record record_of(const struct peer *peer, uint32_t index, uint32_t number,
					 uint64_t next)
{
	struct weir_ring_record record = {.number = number,
					  .index = index,
					  .uid = getuid(),
					  .next_sequence = next,
					  .rejected = 3,
					  .lost = 4};
	memcpy(record.uuid, peer->region->uuid, 16);
	return record;
}

Test(attach, a_restored_ring_goes_on_where_the_log_ends)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	for (int i = 0; i < 150; i++)
		peer_push(&peer, 0, weir_event_word(1000, 1));
	struct weir_ring_record old = record_of(&peer, 0, 41, 90);
	struct weir_ring_record record = record_of(&peer, 0, 41, 100);
	cr_assert_eq(intake_restore(host.intake, &record), 0);
	cr_assert_eq(intake_restore(host.intake, &old), 0);
	host_steps(&host);
	cr_expect_eq(intake_awaited(host.intake), 1);
	peer_attach(&peer, &host);
	cr_expect_eq(peer_offer(&peer, &host, 0), 100);
	cr_expect_eq(intake_awaited(host.intake), 0);
	struct intake_ring *ring = host.offered[0];
	cr_expect_eq(ring->record.number, 41);
	cr_expect_eq(ring->drain.next, 100);
	cr_expect_eq(ring->drain.rejected, 3);
	cr_expect_eq(ring->drain.lost, 4);
	const struct weir_control_slot *slot = weir_control_slots(peer.control);
	cr_expect_eq(slot->released, 100);
	cr_expect_eq(slot->durable, 100);
	cr_expect_eq(slot->rejected, 3);
	cr_expect_eq(slot->lost, 4);
	cr_expect_eq(drain_snapshot(&ring->drain), 50);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, what_was_overwritten_before_the_log_had_it_is_counted_as_lost)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_make_ring(&peer, 1, 64);
	for (int i = 0; i < 150; i++)
		peer_push(&peer, 0, weir_event_word(1000, 1));
	for (int i = 0; i < 1000; i++)
		peer_push(&peer, 1, weir_event_word(1000, 1));
	struct weir_ring_record record = record_of(&peer, 0, 41, 80);
	intake_restore(host.intake, &record);
	peer_attach(&peer, &host);
	cr_expect_eq(peer_offer(&peer, &host, 0), 150 - 64);
	cr_expect_eq(host.offered[0]->drain.lost, 4 + 6);
	cr_expect_eq(peer_offer(&peer, &host, 1), 1000 - 64); /* unknown to this log */
	cr_expect_eq(host.offered[1]->drain.lost, 1000 - 64);
	cr_expect_eq(host.offered[1]->record.number, 42, "numbers are not used again");
	cr_expect_eq(weir_control_slots(peer.control)[1].lost, 1000 - 64);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, a_ring_behind_the_log_is_a_lie_and_refused)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_make_ring(&peer, 0, 64);
	peer_make_ring(&peer, 1, 64);
	peer_push(&peer, 0, weir_event_word(1000, 1));
	peer.ring[1]->tail = UINT64_MAX;
	struct weir_ring_record record = record_of(&peer, 0, 41, 2);
	intake_restore(host.intake, &record);
	peer_attach(&peer, &host);
	for (uint32_t i = 0; i < 2; i++) {
		send_message(peer.socket, WEIR_MESSAGE_RING, i, peer.ring_fd[i]);
		host_steps(&host);
		expect_answer(peer.socket, WEIR_MESSAGE_REFUSED, -EPROTO, NULL);
	}
	cr_expect_eq(host.offered_count, 0);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, awaited_counts_regions_that_were_there_and_have_not_come_back)
{
	struct host host;
	struct peer a, b;

	host_init(&host);
	peer_init(&a, 1);
	peer_init(&b, 2);
	peer_make_ring(&a, 0, 64);
	peer_make_ring(&a, 1, 64);
	struct weir_ring_record records[] = {record_of(&a, 0, 1, 0), record_of(&b, 0, 2, 0),
					     record_of(&a, 1, 3, 0), record_of(&b, 1, 4, 0),
					     record_of(&b, 2, 5, 0)};
	records[4].final = 1;
	records[4].uid = 4711;
	for (int i = 0; i < 5; i++)
		cr_assert_eq(intake_restore(host.intake, &records[i]), 0);
	host_steps(&host);
	cr_expect_eq(intake_awaited(host.intake), 2);
	peer_attach(&a, &host);
	peer_offer(&a, &host, 0);
	cr_expect_eq(intake_awaited(host.intake), 2); /* its other ring is still missing */
	peer_offer(&a, &host, 1);
	cr_expect_eq(intake_awaited(host.intake), 1);
	peer_fini(&a);
	peer_fini(&b);
	host_fini(&host);
}

Test(attach, definitions_are_mapped_as_they_come)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_define(&peer, "purchase", "DE");
	peer_define(&peer, "purchase", "FR");
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	struct series_map *map = host.offered[0]->drain.map;
	cr_expect_eq(weir_load_acquire_32(&map->mapped), 3);
	cr_expect_eq(peer_define(&peer, "purchase", "IT"), 3);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&map->mapped), 4);
	struct series_text name, value;
	series_dimension(series_get(host.registry, map->ids[3]), 0, &name, &value);
	cr_expect(value.count == 2 && !memcmp(value.bytes, "IT", 2));
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, definitions_over_a_producers_bound_share_their_events_overflow_series)
{
	struct host host;
	struct peer peer;
	char value[16];

	host_prepare(&host);
	host.options.producer_series_max = 3;
	host_open(&host);
	peer_init(&peer, 1);
	for (int i = 0; i < 6; i++) {
		snprintf(value, sizeof(value), "%d", i);
		peer_define(&peer, "purchase", value);
	}
	peer_make_ring(&peer, 0, 64);
	peer_attach(&peer, &host);
	peer_offer(&peer, &host, 0);
	const uint32_t *ids = host.offered[0]->drain.map->ids;
	cr_expect(ids[1] != ids[2] && ids[2] != ids[3] && ids[3] != ids[4]);
	cr_expect(ids[4] == ids[5] && ids[5] == ids[6] && ids[4] != 0);
	struct series_text field = series_field(series_get(host.registry, ids[4]));
	cr_expect(field.count == 12 && !memcmp(field.bytes, "__overflow__", 12));
	cr_expect_eq(series_overflowed(host.registry), 3);
	peer_fini(&peer);
	host_fini(&host);
}

Test(attach, an_event_source_ends_when_its_last_producer_is_drained_and_begins_again)
{
	struct host host;
	struct peer a, b;

	host_init(&host);
	peer_init(&a, 1);
	peer_init(&b, 2);
	a.region->clock = b.region->clock = WEIR_CLOCK_EVENT;
	strcpy(a.region->source, "orders-2010");
	strcpy(b.region->source, "orders-2010");
	peer_make_ring(&a, 0, 64);
	peer_attach(&a, &host);
	peer_offer(&a, &host, 0);
	cr_assert_eq(host.sources.count, 1);
	struct source *source = &host.sources.sources[0];
	cr_expect_str_eq(source->name, "orders-2010");
	cr_expect_eq(source->clock, WEIR_CLOCK_EVENT);
	cr_expect_eq(source->lateness_ms, 3000);
	cr_expect_eq(source->clock_ms, 0);
	weir_store_release_32(&a.region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&source->ended), 0); /* not drained yet */
	lane_detach(host.offered[0]);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&source->ended), 1);
	peer_attach(&b, &host);
	cr_expect_eq(weir_load_acquire_32(&source->ended), 0);
	cr_expect_eq(host.sources.count, 1);
	weir_store_release_32(&b.region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&source->ended), 1);
	peer_fini(&a);
	peer_fini(&b);
	host_fini(&host);
}

Test(attach, wall_sources_follow_the_engines_clock_and_never_end)
{
	struct host host;
	struct peer peer;

	host_init(&host);
	peer_init(&peer, 1);
	peer_attach(&peer, &host);
	struct source *source = &host.sources.sources[0];
	cr_expect_eq(source->clock, WEIR_CLOCK_WALL);
	cr_expect_eq(source->lateness_ms, 2000);
	uint64_t was = source->clock_ms;
	cr_expect_geq(was, 1700000000000);
	host.now_ns += UINT64_C(10000000000);
	host.wall_ms += 10000;
	host_steps(&host);
	cr_expect_geq(source->clock_ms, was + 9000); /* slewed a little */
	weir_store_release_32(&peer.region->state, WEIR_REGION_CLOSED);
	host_steps(&host);
	cr_expect_eq(weir_load_acquire_32(&source->ended), 0);
	peer_fini(&peer);
	host_fini(&host);
}
