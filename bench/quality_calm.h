/*
 * quality_calm: alarms on clean data, by kind of metric and length of interval: a severity of 50 is
 * once a week by chance, whatever is measured and however often.
 *
 *   count        events            conversion   orders of visits
 *   revenue      sum of orders     basket       mean value of an order (a gauge)
 *
 * Series and rates are those of `quality shop`, their minutes added up to longer intervals; an
 * interval with a minute missing is missing.
 */
#ifndef BENCH_QUALITY_CALM_H
#define BENCH_QUALITY_CALM_H

#include "quality_shop.h"

/* Score and print them all. 0; -ENOMEM. */
int calm_run(const struct shop_request *request);

#endif
