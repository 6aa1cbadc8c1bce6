/* connections: each part of a request has its time, an address its share, and who is at a head
 * longest gives way when there is no room. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"

static struct connections *connections;
static struct connections_counters counters;

static void set_up(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	connections = connections_open();
}

static void tear_down(void)
{
	connections_close(connections);
}

TestSuite(connections, .init = set_up, .fini = tear_down);

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &address.sin_addr);
	return address;
}

struct client {
	int ends[2]; /* ours, the console's */
	struct connection *place;
};

static void come(struct client *client, const char *address, uint64_t now_ms)
{
	struct sockaddr_in from = address_of(address);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, client->ends), 0);
	client->place = connections_add(connections, client->ends[1],
					(const struct sockaddr *)&from, now_ms);
	cr_assert_not_null(client->place);
}

static void go(struct client *client)
{
	connections_remove(connections, client->place);
	close(client->ends[0]);
	close(client->ends[1]);
}

/* Does the client see an end? */
static int is_cut(const struct client *client)
{
	struct pollfd wait = {.fd = client->ends[0], .events = POLLIN};

	return poll(&wait, 1, 0) == 1 && wait.revents & POLLHUP;
}

Test(connections, each_part_of_a_request_has_its_time)
{
	static const struct {
		enum connection_phase phase;
		uint64_t patience_ms;
	} parts[] = {
		{CONNECTION_HEAD, 15000}, {CONNECTION_BODY, 10000}, {CONNECTION_ANSWER, 30000}};
	struct client client, listener;

	come(&listener, "127.0.0.1", 0);
	connections_phase(connections, listener.place, CONNECTION_STREAM, 0);
	for (size_t i = 0; i < 3; i++) {
		come(&client, "127.0.0.1", 0);
		connections_phase(connections, client.place, parts[i].phase, 500);
		connections_sweep(connections, 500 + parts[i].patience_ms - 1);
		cr_assert_not(is_cut(&client));
		connections_sweep(connections, 500 + parts[i].patience_ms);
		cr_assert(is_cut(&client));
		go(&client);
	}
	connections_sweep(connections, 1000000);
	cr_assert_not(is_cut(&listener));
	connections_counters(connections, &counters);
	cr_assert_eq(counters.late, 3);
	cr_assert_eq(counters.open, 1);
	go(&listener);
}

Test(connections, an_address_has_a_share_and_this_machine_all)
{
	static struct client clients[CONNECTIONS_OF_ADDRESS_MAX];
	struct sockaddr_in far = address_of("192.0.2.1"), other = address_of("192.0.2.2"),
			   here = address_of("127.0.0.1");
	struct sockaddr_any {
		sa_family_t family;
	} file = {AF_UNIX};

	for (unsigned i = 0; i < CONNECTIONS_OF_ADDRESS_MAX; i++) {
		cr_assert(connections_admit(connections, (struct sockaddr *)&far));
		come(&clients[i], "192.0.2.1", 0);
	}
	cr_assert_not(connections_admit(connections, (struct sockaddr *)&far));
	cr_assert(connections_admit(connections, (struct sockaddr *)&other));
	cr_assert(connections_admit(connections, (struct sockaddr *)&here));
	cr_assert(connections_admit(connections, (struct sockaddr *)&file));
	cr_assert(connections_admit(connections, NULL));
	go(&clients[7]);
	cr_assert(connections_admit(connections, (struct sockaddr *)&far));
	connections_counters(connections, &counters);
	cr_assert_eq(counters.refused, 1);
}

Test(connections, networks_of_ipv6_count_as_one_address)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6};

	for (unsigned i = 0; i < CONNECTIONS_OF_ADDRESS_MAX; i++) {
		inet_pton(AF_INET6, "2001:db8::", &from.sin6_addr);
		from.sin6_addr.s6_addr[15] = (uint8_t)i;
		cr_assert(connections_admit(connections, (struct sockaddr *)&from));
		cr_assert(connections_add(connections, 0, (struct sockaddr *)&from, 0));
	}
	from.sin6_addr.s6_addr[8] = 1;
	cr_assert_not(connections_admit(connections, (struct sockaddr *)&from));
	from.sin6_addr.s6_addr[7] = 1;
	cr_assert(connections_admit(connections, (struct sockaddr *)&from));
}

Test(connections, when_there_is_no_room_for_more_bodies_who_takes_longest_over_one_goes)
{
	static struct client clients[40];

	for (unsigned i = 0; i < 40; i++) {
		come(&clients[i], "127.0.0.1", i);
		/* Those that came last began their bodies first. */
		if (i % 2)
			connections_phase(connections, clients[i].place, CONNECTION_BODY, 100 - i);
	}
	connections_evict(connections, CONNECTION_BODY, 20);
	for (unsigned i = 0; i < 40; i++)
		cr_assert_not(is_cut(&clients[i]), "%u: there is room", i);
	connections_evict(connections, CONNECTION_BODY, 15);
	connections_evict(connections, CONNECTION_BODY, 15);
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(is_cut(&clients[i]), i % 2 && i > 30, "%u", i);
	connections_counters(connections, &counters);
	cr_assert_eq(counters.evicted, 5);
}

Test(connections, when_there_is_no_room_who_is_at_a_head_longest_goes)
{
	static struct client clients[CONNECTIONS_MAX];
	unsigned cut = 0;

	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		come(&clients[i], "127.0.0.1", i);
		if (i % 2)
			connections_phase(connections, clients[i].place, CONNECTION_STREAM, i);
	}
	cr_assert_not(connections_admit(connections, NULL));
	cr_assert_null(connections_add(connections, 0, NULL, 0));
	connections_sweep(connections, CONNECTIONS_MAX);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		cut += is_cut(&clients[i]);
		cr_assert(!is_cut(&clients[i]) || (i % 2 == 0 && i < CONNECTIONS_MAX / 2), "%u", i);
	}
	cr_assert_eq(cut, CONNECTIONS_MAX / 8);
	connections_sweep(connections, CONNECTIONS_MAX);
	connections_counters(connections, &counters);
	cr_assert_eq(counters.evicted, CONNECTIONS_MAX / 8);
}
