/* The zones behind a configuration of the log, as FORMAT.md has them, against what the engine
 * writes and against what it never would. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "verify_private.h"

static const char *wrong(const char *record)
{
	return verify_zones(record, strlen(record));
}

Test(verify_zones, of_a_record_that_the_engine_writes_are_whole)
{
	static const char text[] = "timezone: Europe/London\nmetrics: [{name: a, event: b}]\n"
				   "detectors: [{metric: a, timezone: America/New_York},"
				   "{metric: a, name: c, timezone: Asia/Kathmandu}]";
	struct config *config = NULL;
	char why[512];

	if (access("/usr/share/zoneinfo/Europe/London", R_OK) < 0)
		cr_skip_test("no time zone database here (Debian: tzdata)");
	cr_assert_eq(config_parse(text, strlen(text), "x", &config, why, sizeof(why)), 0, "%s",
		     why);
	cr_assert(strstr(config->record, "#zones 3\n"));
	cr_assert_null(wrong(config->record), "%s", wrong(config->record));
	config_free(config);
}

Test(verify_zones, are_none_or_well_formed_or_named_as_wrong)
{
	static const char *const good[] = {
		"a: b",
		"a: b\n",
		"",
		"#zones 0\n",
		"a: b\n#zone A/B 0\n#zones 1\n",
		"a: b\n#zone A/B -3600 5+0 6-7200 <-02>2<-01>,M3.5.0/-1,M10.5.0/0\n#zones 1\n",
		"#zone A 0\n#zone B 0 GMT0\n#zones 2\n",
		"#zone broken\na: b\n"};
	static const char *const bad[] = {"#zones 1\n",
					  "a: b\n#zones 1\n",
					  "a: b\n#zones 65\n",
					  "a: b\n#zones -1\n",
					  "#zone A 0\n#zones 2\n",
					  "#zone A\n#zones 1\n",
					  "#zone A x\n#zones 1\n",
					  "#zone A 0 5\n#zones 1\n",
					  "#zone A 0 5+\n#zones 1\n",
					  "#zone A 0 5+0 5+0\n#zones 1\n",
					  "#zone A 0 5+99999\n#zones 1\n",
					  "#zone A 0 GMT0 5+0\n#zones 1\n",
					  "#zone A 0 \n#zones 1\n",
					  "#zone  0\n#zones 1\n"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert_null(wrong(good[i]), "%s: %s", good[i], wrong(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(wrong(bad[i]), "%s", bad[i]);
}

/* Every cut, and every byte changed: an answer, and no crash. */
Test(verify_zones, survive_whatever_they_are_given)
{
	static const char text[] = "a: b\n#zone A/B 0 5+0 6-7200 GMT0\n#zone C 0\n#zones 2\n";

	for (size_t cut = 0; cut < sizeof(text); cut++)
		for (size_t at = 0; at < cut; at++)
			for (int change = 0; change < 5; change++) {
				char *copy = malloc(cut);

				memcpy(copy, text, cut);
				copy[at] = "\0\n9 #"[change];
				verify_zones(copy, cut);
				free(copy);
			}
}
