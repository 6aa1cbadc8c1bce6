/*
 * config: bytes as a configuration file, as one that the log holds, and as a draft of detectors.
 *
 * Holds: what is taken can be written down and is taken again; what is refused has a reason; the
 * detectors of a configuration, written into its text anew, are the same ones.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config_diff.h"
#include "config_text.h"
#include "target.h"

/* As overrides and backtests do. */
static void write_anew(const struct config *config)
{
	struct config *again;
	char why[512] = "";
	size_t bytes = strlen(config->text);
	json_t *detectors = config_text_detectors(config->text, bytes, "fuzz", why, sizeof(why));

	if (!detectors) { /* aliases, say */
		check(why[0]);
		return;
	}
	char *text = config_text_with(config->text, bytes, detectors, 0, "fuzz", why,
				      sizeof(why));
	check(text || why[0]);
	if (!text) { /* an anchor that another key names, say */
		json_decref(detectors);
		return;
	}
	if (config_parse(text, strlen(text), "fuzz", &again, why, sizeof(why)) == 0) {
		check(config_diff(config, again, NULL, NULL) == 0);
		config_free(again);
	}
	free(text);
	json_decref(detectors);
}

static void read_draft(const char *text, size_t bytes)
{
	char why[512] = "";
	json_t *detectors = config_text_detectors(text, bytes, "draft", why, sizeof(why));

	check(detectors || why[0]);
	json_decref(detectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config, *again;
	char why[512] = "";
	int error = config_parse((const char *)data, size, "fuzz", &config, why, sizeof(why));

	check(error == 0 || why[0]);
	if (error == 0) {
		check(config_restore(config->record, strlen(config->record), "record", &again, why,
				     sizeof(why)) == 0);
		config_free(again);
		write_anew(config);
		config_free(config);
	}
	if (config_restore((const char *)data, size, "record", &config, why, sizeof(why)) == 0)
		config_free(config);
	read_draft((const char *)data, size);
	return 0;
}
