/*
 * defaults: of the default detector, for the configuration and for the scoring of rows: one place.
 */
#ifndef BASE_DEFAULTS_H
#define BASE_DEFAULTS_H

#define DEFAULT_SEVERITY 70 /* once in nine months of one series, by chance */

#endif
