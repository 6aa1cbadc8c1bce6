/* A list of detectors put into the text of a configuration, however that is written. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_text.h"

static char why[512];

static json_t *others(void)
{
	json_t *list = config_text_detectors("- {name: new, metric: orders, severity: 42}", 43,
					     "list", why, sizeof(why));

	cr_assert(list, "%s", why);
	return list;
}

/* What it was, with these detectors in the place of its own, and with other intervals. */
static void takes_others(const char *text)
{
	json_t *list = others();
	struct config *config = NULL;

	cr_assert_eq(config_parse(text, strlen(text), "file", &config, why, sizeof(why)), 0,
		     "%s\n%s", text, why);
	config_free(config);
	for (int64_t ms = 0; ms <= 60000; ms += 60000) {
		char *with = config_text_with(text, strlen(text), list, ms, "file", why,
					      sizeof(why));
		cr_assert(with, "%s\n%s", text, why);
		cr_assert_eq(config_parse(with, strlen(with), "file", &config, why, sizeof(why)), 0,
			     "%s\n%s", with, why);
		cr_assert_eq(config->detectors_count, 1, "%s", with);
		cr_assert_str_eq(config->detectors[0].name, "new", "%s", with);
		cr_assert_eq(config->metrics_count, 1, "%s", with);
		cr_assert(!ms || config->interval_ms == ms, "%s", with);
		config_free(config);
		free(with);
	}
	json_decref(list);
}

#define METRIC "{name: orders, event: order_placed}"

Test(config_text, a_list_is_put_into_any_text_that_the_engine_takes)
{
	takes_others("metrics:\n  - " METRIC "\n");
	takes_others("metrics:\n  - " METRIC "\ndetectors:\n  - name: old\n    metric: orders\n");
	takes_others("interval: 10s\ndetectors:\n- name: old\n  metric: orders\n\n# what we count\n"
		     "metrics:\n  - " METRIC "\n");
	takes_others("{metrics: [" METRIC "]}");
	takes_others("{metrics: [" METRIC "], detectors: [{name: old, metric: orders}]}\n");
	takes_others("{\"interval\": \"10s\", \"detectors\": [{\"metric\": \"orders\"}],\n"
		     " \"metrics\": [" METRIC "]}\n");
	takes_others("---\nmetrics:\n  - " METRIC "\n...\n");
	takes_others("metrics:\n  - " METRIC "\n...\n# the end\n");
	takes_others("  metrics:\n    - " METRIC "\n");
	takes_others("\xef\xbb\xbfmetrics:\n  - " METRIC "\ndetectors: []\ninterval: 10s\n");
	takes_others("metrics:\n  - {name: orders, event: &e order_placed}\n"
		     "detectors:\n  - name: old\n    metric: orders\n    severity: \"40\"\n"
		     "    kind: seasonal # the usual\n");
}

Test(config_text, an_alias_at_the_end_of_the_list_goes_with_it)
{
	takes_others("metrics:\n  - {name: &n orders, event: order_placed}\n"
		     "detectors:\n  - name: old\n    severity: 40\n    metric: *n\n"
		     "interval: 10s\n");
	takes_others("metrics:\n  - {name: &n orders, event: order_placed}\n"
		     "detectors:\n  - name: old\n    severity: 40\n    metric: *n\n");
}

Test(config_text, what_another_key_names_is_refused_by_name)
{
	const char *text = "detectors:\n  - name: &n orders\n    metric: orders\nmetrics:\n"
			   "  - {name: *n, event: order_placed}\n";
	json_t *list = others();

	cr_assert_null(
		config_text_with(text, strlen(text), list, 0, "shop.yaml", why, sizeof(why)));
	cr_assert(strstr(why, "shop.yaml: no other detectors can be put into it"), "%s", why);
	json_decref(list);
}
