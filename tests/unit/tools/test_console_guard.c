/* guard: which requests are answered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"

static const char *const names[] = {"Shop.Example"};
static struct guard guard;
static struct guard_verdict verdict;

static void set_up(void)
{
	guard = (struct guard){.hosts = names, .hosts_count = 1, .address = "192.0.2.7"};
	guard.local = true;
}

static unsigned check(const struct guard_head *head)
{
	guard_check(&guard, head, &verdict);
	cr_assert(!verdict.status == !verdict.why);
	return verdict.status;
}

static struct guard_head get(const char *host)
{
	return (struct guard_head){.method = "GET", .path = "/api/v1/session", .host = host};
}

static struct guard_head post(void)
{
	return (struct guard_head){.method = "POST",
				   .path = "/api/v1/mutes",
				   .host = "localhost:8474",
				   .content_type = "application/json; charset=utf-8",
				   .content_length = "2"};
}

Test(guard, only_our_names_are_answered_to, .init = set_up)
{
	static const char *const ours[] = {"localhost",  "LOCALHOST:80", "127.0.0.1",
					   "[::1]:8474", "192.0.2.7",    "shop.example:443"};
	static const char *const others[] = {"evil.example", "192.0.2.8", "127.0.0.2",
					     "shop.example.evil.example", "[::2]"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		cr_assert_eq(check(&(struct guard_head[]){get(ours[i])}[0]), 0, "%s", ours[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_eq(check(&(struct guard_head[]){get(others[i])}[0]), 403, "%s",
			     others[i]);
	cr_assert_eq(check(&(struct guard_head[]){get(NULL)}[0]), 400);
	/* At every address it is known under any; not under any name. */
	guard.any_address = true;
	cr_assert_eq(check(&(struct guard_head[]){get("192.0.2.8")}[0]), 0);
	cr_assert_eq(check(&(struct guard_head[]){get("evil.example")}[0]), 403);
}

Test(guard, a_page_of_another_site_neither_writes_nor_asks, .init = set_up)
{
	struct guard_head head = post();

	cr_assert_eq(check(&head), 0);
	head.origin = "http://localhost:8474";
	cr_assert_eq(check(&head), 0);
	head.origin = "https://localhost:8474";
	cr_assert_eq(check(&head), 0, "behind a proxy that speaks TLS");
	static const char *const others[] = {"null",
					     "",
					     "http://localhost",
					     "http://evil.example",
					     "http://localhost:8474/",
					     "localhost:8474"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		head.origin = others[i];
		cr_assert_eq(check(&head), 403, "%s", others[i]);
	}
	head = get("localhost");
	head.fetch_site = "cross-site";
	cr_assert_eq(check(&head), 403);
	head.fetch_site = "same-origin";
	cr_assert_eq(check(&head), 0);
	head.path = "/";
	head.fetch_site = "cross-site";
	cr_assert_eq(check(&head), 0, "a link from elsewhere leads to the page");
}

Test(guard, who_writes_needs_the_token_where_others_reach_the_console, .init = set_up)
{
	struct guard_head head = post();

	guard.local = false;
	cr_assert_eq(check(&head), 403, "without a token nobody writes");
	cr_assert(guard_wants_token(&guard));
	strcpy(guard.token, "0123456789abcdef");
	cr_assert_eq(check(&head), 401);
	head.authorization = "Bearer 0123456789abcdeX";
	cr_assert_eq(check(&head), 403);
	head.authorization = "Bearer 0123456789abcdef0";
	cr_assert_eq(check(&head), 403);
	head.authorization = "Basic 0123456789abcdef";
	cr_assert_eq(check(&head), 401);
	head.authorization = "bearer 0123456789abcdef";
	cr_assert_eq(check(&head), 0);
	head = get("localhost");
	cr_assert_eq(check(&head), 0, "whoever reaches it may look");
	head = (struct guard_head){
		.method = "DELETE", .path = "/api/v1/mutes/1", .host = "localhost"};
	cr_assert_eq(check(&head), 401);
	guard.local = true;
	cr_assert_eq(check(&head), 401, "a token that is given is asked of all");
	head = post();
	head.path = "/api/v1/csp";
	head.content_type = "application/csp-report";
	cr_assert_eq(check(&head), 0, "a browser's report brings none");
}

Test(guard, a_body_ends_in_one_place, .init = set_up)
{
	struct guard_head head = post();

	head.transfer_encoding = "chunked";
	cr_assert_eq(check(&head), 400);
	cr_assert(verdict.close);
	head.content_length = NULL;
	cr_assert_eq(check(&head), 0);
	head.transfer_encoding = "gzip, chunked";
	cr_assert_eq(check(&head), 400);
	head = post();
	head.repeated = true;
	cr_assert_eq(check(&head), 400);
	head = post();
	head.malformed = true;
	cr_assert_eq(check(&head), 400);
	head = post();
	head.content_length = "65536";
	cr_assert_eq(check(&head), 0);
	head.content_length = "65537";
	cr_assert_eq(check(&head), 413);
	head.content_length = "2x";
	cr_assert_eq(check(&head), 400);
	head = get("localhost");
	head.content_length = "2";
	cr_assert_eq(check(&head), 400);
	head = get("localhost");
	head.bytes = GUARD_HEAD_BYTES_MAX + 1;
	cr_assert_eq(check(&head), 431);
}

Test(guard, a_post_is_json_and_methods_are_few, .init = set_up)
{
	static const char *const types[] = {"text/plain", "application/jsonx", "",
					    "application/x-www-form-urlencoded",
					    "application/csp-report"};
	struct guard_head head = post();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		head.content_type = types[i];
		cr_assert_eq(check(&head), 415, "%s", types[i]);
	}
	head.content_type = NULL;
	cr_assert_eq(check(&head), 415);
	head = get("localhost");
	head.method = "PUT";
	cr_assert_eq(check(&head), 405);
	cr_assert_not_null(verdict.allow);
}

static int read_token(const char *text, mode_t mode, char *why)
{
	char path[] = "/tmp/weir-token-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
	guard.token[0] = '\0';
	int error = guard_token(&guard, path, why, 256);
	unlink(path);
	return error;
}

Test(guard, a_token_lies_in_a_file_of_its_owner, .init = set_up)
{
	char why[256], longest[GUARD_TOKEN_BYTES_MAX + 2];

	cr_assert_eq(read_token("0123456789abcdef\n", 0600, why), 0);
	cr_assert_str_eq(guard.token, "0123456789abcdef");
	cr_assert_eq(read_token("0123456789abcdef", 0400, why), 0);
	cr_assert_eq(read_token("0123456789abcdef\n", 0640, why), -EPERM);
	cr_assert(strstr(why, "chmod 600"));
	cr_assert_not(strstr(why, "0123456789abcdef"));
	cr_assert_eq(read_token("0123456789abcdef\n", 0604, why), -EPERM);
	cr_assert_eq(read_token("short\n", 0600, why), -EINVAL);
	cr_assert_eq(read_token("", 0600, why), -EINVAL);
	cr_assert_eq(read_token("0123456789 abcdef\n", 0600, why), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[GUARD_TOKEN_BYTES_MAX + 1] = '\0';
	cr_assert_eq(read_token(longest, 0600, why), -EINVAL);
	longest[GUARD_TOKEN_BYTES_MAX] = '\0';
	cr_assert_eq(read_token(longest, 0600, why), 0);
	cr_assert_eq(guard_token(&guard, "/nonexistent/token", why, sizeof(why)), -ENOENT);
	cr_assert_eq(guard_token(&guard, "/tmp", why, sizeof(why)), -EINVAL);
}
