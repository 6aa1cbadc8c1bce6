/* route: which handler answers, and which methods a path has. */
#include <criterion/criterion.h>
#include <string.h>

#include "route.h"

static struct route_match match;

static const char *id_of(const char *method, const char *path)
{
	route_find(method, path, &match);
	return match.handler ? match.id : NULL;
}

Test(route, a_path_leads_to_its_handler)
{
	cr_assert_str_eq(id_of("GET", "/api/v1/session"), "");
	cr_assert_eq(match.handler, api_session);
	cr_assert_str_eq(id_of("GET", "/api/v1/anomalies/00ff"), "00ff");
	cr_assert_eq(match.handler, api_anomaly);
	cr_assert_str_eq(id_of("POST", "/api/v1/anomalies/a b/feedback"), "a b");
	cr_assert_eq(match.handler, api_feedback);
	cr_assert_str_eq(id_of("DELETE", "/api/v1/mutes/12"), "12");
}

Test(route, another_method_is_told_which_there_are)
{
	cr_assert_null(id_of("DELETE", "/api/v1/session"));
	cr_assert_str_eq(match.allow, "GET, HEAD");
	cr_assert_null(id_of("DELETE", "/api/v1/mutes"));
	cr_assert_str_eq(match.allow, "GET, HEAD, POST");
	cr_assert_null(id_of("GET", "/api/v1/mutes/1"));
	cr_assert_str_eq(match.allow, "DELETE");
}

Test(route, nothing_else_leads_anywhere)
{
	static const char *const wrong[] = {"/api/v1",
					    "/api/v1/",
					    "/api/v1/session/",
					    "/api/v1/sessions",
					    "/api/v1/anomalies/",
					    "/api/v1/anomalies/a/b",
					    "/api/v1/anomalies//feedback",
					    "/api/v1/anomalies/{id}/x",
					    "/"};
	char path[400] = "/api/v1/anomalies/";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_null(id_of("GET", wrong[i]), "%s", wrong[i]);
		cr_assert_null(match.allow, "%s", wrong[i]);
	}
	memset(path + strlen(path), 'a', ROUTE_ID_BYTES);
	cr_assert_null(id_of("GET", path));
}

Test(route, pages_are_what_a_browser_may_be_sent_to)
{
	cr_assert(route_is_page("/"));
	cr_assert(route_is_page("/anomalies/00ff"));
	cr_assert(route_is_page("/pipeline"));
	cr_assert_not(route_is_page("/anomalies/"));
	cr_assert_not(route_is_page("/anomalies/a/b"));
	cr_assert_not(route_is_page("/assets/app.js"));
	cr_assert_not(route_is_page("/api/v1/session"));
}
