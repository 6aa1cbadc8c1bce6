/* A request's target: what a value of its query may have, and nothing else. */
#include <criterion/criterion.h>

#include "url.h"

static int parse(const char *target, struct url *url)
{
	const char *why = NULL;
	int error = url_parse(target, url, &why);

	cr_assert((error == 0) == (why == NULL), "%s", target);
	return error;
}

/* A dimension value is what a producer sent: an anomaly of it can be asked for. */
Test(url, a_value_may_have_control_characters)
{
	struct url url;

	cr_assert_eq(parse("/api/v1/anomalies?slice=country%3D%01a%7F&q=%0a", &url), 0);
	cr_assert_str_eq(url_query(&url, "slice"), "country=\x01"
						   "a\x7f");
	cr_assert_str_eq(url_query(&url, "q"), "\n");
	url_fini(&url);
}

Test(url, nothing_else_may)
{
	static const char *const refused[] = {
		"/?slice=\x01", "/?slice=a\x7f", "/?sl%01ice=a", "/an%0Aomalies", "/?slice=%00",
		"/?slice=%c3",  "/?metric=%01",  "/?slice=%ff",  "/?slice=%0",    "/\t?slice=a",
	};
	struct url url;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		cr_assert_eq(parse(refused[i], &url), -22, "%s", refused[i]);
}
