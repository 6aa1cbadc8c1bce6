/*
 * config_zones: the time zones that a configuration names, and how their rules travel with it.
 * For config.c and config_*.c alone.
 *
 *   a record     the text of the file, as it is
 *   of the log   #zone Europe/London 3600 57722400+0 ... GMT0BST,M3.5.0/1,M10.5.0
 *                #zones 1
 *
 * The lines behind the text are comments of YAML, so that a record is still one document. They are
 * left out where no zone is named; the last line says how many there are, so that what a person
 * wrote is never taken for them (FORMAT.md, section 9).
 */
#ifndef CONFIG_ZONES_H
#define CONFIG_ZONES_H

#include "base/zone.h"
#include "config_values.h"

/* The bytes of a record that are the text; the zones behind it go to the job's configuration.
 * 0, or a negative errno with what is wrong in the job. */
int config_zones_split(struct config_job *job, const char *record, size_t bytes,
		       size_t *ret_text_bytes);
/* The zone of a name, from the machine's database where the job reads a file, and from the record
 * where it reads one of the log. *ret_zone: NULL for UTC, else the configuration's. 0, or a
 * negative errno with what is wrong in the job. */
int config_zones_find(struct config_job *job, const char *path, const char *name,
		      const struct zone **ret_zone);
/* The text and its zones. NULL: no memory. */
char *config_zones_record(const struct config *config);
void config_zones_free(struct config *config);

#endif
