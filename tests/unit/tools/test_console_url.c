/* url: targets and hosts, taken apart strictly. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "url.h"

static struct url url;
static const char *why;

static int parse(const char *target)
{
	url_fini(&url);
	why = NULL;
	return url_parse(target, &url, &why);
}

Test(url, a_path_and_its_query_are_decoded)
{
	cr_assert_eq(parse("/anomalies/caf%C3%A9?metric=a%2Cb&q=two+words&empty&slice=x%3Dy"), 0);
	cr_assert_str_eq(url.path, "/anomalies/caf\xc3\xa9");
	cr_assert_str_eq(url_query(&url, "metric"), "a,b");
	cr_assert_str_eq(url_query(&url, "q"), "two words");
	cr_assert_str_eq(url_query(&url, "empty"), "");
	cr_assert_str_eq(url_query(&url, "slice"), "x=y");
	cr_assert_null(url_query(&url, "none"));
	cr_assert_eq(parse("/a+b?&&a=1&"), 0);
	cr_assert_str_eq(url.path, "/a+b");
	cr_assert_eq(url.query_count, 1);
	url_fini(&url);
}

Test(url, what_could_be_read_in_two_ways_is_refused)
{
	static const char *const wrong[] = {
		"",         "a",           "http://localhost/",
		"/a/../b",  "/..",         "/.",
		"/a//b",    "//",          "/%2e%2e/a",
		"/a%2fb",   "/a%5Cb",      "/a\\b",
		"/%00",     "/%",          "/%1",
		"/%zz",     "/%0a",        "/%7f",
		"/%ff",     "/%c0%ae",     "/%ed%a0%80",
		"/%e2%82",  "/#a",         "/?a#b",
		"/?a=%00",  "/?a=1&a=2",   "/?%=1",
		"/?a=%ff",  "/?a=%0d",     "/%f4%90%80%80",
		"/a/.",     "/a/%2E%2e/b", "/?a=%e0%80%80",
		"/\x80xyz", "/%F8a",       "*",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(parse(wrong[i]), -EINVAL, "%s", wrong[i]);
		cr_assert_not_null(why, "%s", wrong[i]);
		cr_assert_null(url.bytes);
	}
}

Test(url, members_of_a_query_are_bounded)
{
	char target[URL_QUERY_MAX * 5 + 16] = "/?a";

	for (unsigned i = 1; i < URL_QUERY_MAX; i++)
		sprintf(target + strlen(target), "&b%u", i);
	cr_assert_eq(parse(target), 0);
	strcat(target, "&c");
	cr_assert_eq(parse(target), -EINVAL);
}

Test(url, a_host_is_a_name_or_an_address_with_or_without_a_port)
{
	static const char *const right[][2] = {
		{"localhost", "localhost"},   {"LocalHost:80", "localhost"},
		{"127.0.0.1:1", "127.0.0.1"}, {"[::1]", "::1"},
		{"[::1]:65535", "::1"},       {"a-b_c.example", "a-b_c.example"}};
	static const char *const wrong[] = {"",     ":80",    "a:",  "a:b", "a:1:2",  "a:123456",
					    "[::1", "[::1]x", "[]",  "a b", "a/",     "a@b",
					    "a,b",  "\xc3",   "%61", "::1", "[::1]:", "a\\"};
	char name[URL_HOST_BYTES], longest[2 * URL_HOST_BYTES];

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		cr_assert(url_host(right[i][0], name), "%s", right[i][0]);
		cr_assert_str_eq(name, right[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(url_host(wrong[i], name), "%s", wrong[i]);
	memset(longest, 'a', sizeof(longest));
	longest[URL_HOST_BYTES] = '\0';
	cr_assert_not(url_host(longest, name));
	longest[URL_HOST_BYTES - 1] = '\0';
	cr_assert(url_host(longest, name));
}
