/*
 * defaults: of the default detector, for the configuration and for the scoring of rows: one place.
 */
#ifndef BASE_DEFAULTS_H
#define BASE_DEFAULTS_H

#define DEFAULT_SEVERITY 70  /* once in nine months of one series, by chance */
#define DEFAULT_MIN_VOLUME 0 /* it knows itself what few events mean */
#define DEFAULT_LEARN 1      /* it is heard as soon as it speaks */

#endif
