/*
 * api_pipeline: how the engine is: its status, every number of it, who sends, what detects.
 */
#include "api.h"
#include "pipeline.h"

json_t *api_pipeline(struct console *console, const struct api_request *request, unsigned *status)
{
	(void)request;
	return pipeline_get(console, status);
}
