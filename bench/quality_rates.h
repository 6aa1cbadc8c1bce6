/*
 * quality_rates: events a minute, as the questions of quality are told them: "1,5,20".
 */
#ifndef BENCH_QUALITY_RATES_H
#define BENCH_QUALITY_RATES_H

#include <stdint.h>

/* 0; -EINVAL: no numbers between 0.01 and 100000, or more than `most`. */
int quality_rates(const char *text, uint32_t most, double *ret_rates, uint32_t *ret_count);

#endif
