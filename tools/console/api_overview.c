/*
 * api_overview: today's key figures against what was expected by now.
 */
#include "api.h"
#include "console.h"
#include "overview.h"

json_t *api_overview(struct console *console, const struct api_request *request, unsigned *status)
{
	(void)request;
	return overview_get(console, status);
}
