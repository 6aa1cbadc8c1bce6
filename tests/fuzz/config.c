/*
 * config: bytes as a configuration file, and as one that the log holds.
 *
 * Holds: what is taken can be written down and is taken again; what is refused has a reason.
 */
#include "config.h"

#include <string.h>

#include "base/check.h"
#include "target.h"

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
		config_free(config);
	}
	if (config_restore((const char *)data, size, "record", &config, why, sizeof(why)) == 0)
		config_free(config);
	return 0;
}
