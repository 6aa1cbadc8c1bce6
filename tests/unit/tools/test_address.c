/* config_address: an address and port in numbers, and who can reach it. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include "config_address.h"

Test(address, takes_both_kinds_of_numbers)
{
	struct sockaddr_storage address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
	socklen_t bytes;

	cr_assert_eq(config_address("127.0.0.1:9464", &address, &bytes), 0);
	cr_expect_eq(address.ss_family, AF_INET);
	cr_expect_eq(bytes, sizeof(*four));
	cr_expect_eq(ntohs(four->sin_port), 9464);
	cr_expect_eq(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
	cr_assert_eq(config_address("[fe80::1]:1", &address, &bytes), 0);
	cr_expect_eq(address.ss_family, AF_INET6);
	cr_expect_eq(bytes, sizeof(*six));
	cr_expect_eq(ntohs(six->sin6_port), 1);
	cr_expect_eq(six->sin6_addr.s6_addr[15], 1);
}

Test(address, refuses_what_is_none)
{
	static const char *const texts[] = {
		"",
		":",
		":80",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:80 ",
		"127.0.0.1:+80",
		"127.0.0.1:0000080",
		"127.1:80",
		"localhost:80",
		"::1:80",
		"[::1]",
		"[::1:80",
		"::1]:80",
		"[]:80",
		"[127.0.0.1]:80",
		"[::1]x:80",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:80"};
	struct sockaddr_storage address;
	socklen_t bytes;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_eq(config_address(texts[i], &address, &bytes), -EINVAL, "\"%s\"",
			     texts[i]);
}

Test(address, knows_what_only_this_machine_reaches)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {{"127.0.0.1:80", true},
		     {"127.255.0.1:80", true},
		     {"[::1]:80", true},
		     {"0.0.0.0:80", false},
		     {"[::]:80", false},
		     {"10.0.0.1:80", false},
		     {"128.0.0.1:80", false},
		     {"[fe80::1]:80", false},
		     {"[::ffff:127.0.0.1]:80", false}};
	struct sockaddr_storage address;
	socklen_t bytes;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(config_address(cases[i].text, &address, &bytes), 0, "%s",
			     cases[i].text);
		cr_expect_eq(config_address_is_loopback(&address), cases[i].loopback, "%s",
			     cases[i].text);
	}
}
