/*
 * config_detector: one detector of the configuration. For config.c alone.
 */
#ifndef CONFIG_DETECTOR_H
#define CONFIG_DETECTOR_H

#include "config_values.h"
#include "config_yaml.h"

/* detectors[index] from its texts; the metrics are there already. 0, or a negative errno with what
 * is wrong in the job. */
int config_detector_parse(struct config_job *job, unsigned index, const struct yaml_detector *yaml);
void config_detector_free(struct config_detector *detector);

#endif
