/*
 * config_metric: the keys of one metric. For config.c alone.
 */
#ifndef CONFIG_METRIC_H
#define CONFIG_METRIC_H

#include "config_values.h"
#include "config_yaml.h"

/* metrics[index] of the job's configuration; those before it are whole. 0, -ENOMEM, -EINVAL. */
int config_metric_parse(struct config_job *job, unsigned index, const struct yaml_metric *yaml);
void config_metric_free(struct config_metric *metric);

#endif
