/*
 * likelihood: how much likelier it is that parts of a whole are off by factors of their own than
 * that all of it is off by one: Poisson counts against their means, in nats.
 */
#ifndef DETECT_LIKELIHOOD_H
#define DETECT_LIKELIHOOD_H

#include "detect/math.h"

/* Of what a part has, what must be left beside it: else there is nothing to tell it from. */
#define LIKELIHOOD_REST_MIN 1e-3

static inline double likelihood_term(double x, double m)
{
	return x > 0 ? x * math_log(x / math_max(m, 1e-9)) : 0;
}

/* So many parts (of two; one that is none has x and m of 0) and the rest of a whole, in lumps. */
static inline double likelihood_gain(int parts, const double x[2], const double m[2],
				     double whole_x, double whole_m)
{
	double rest_x = math_max(whole_x - x[0] - x[1], 0);
	double rest_m = math_max(whole_m - m[0] - m[1], 0);

	if (rest_m < LIKELIHOOD_REST_MIN * (m[0] + m[1]))
		return 0;
	/* One event where none was expected proves nothing: nobody knows a rate to less than half
	 * an event. */
	double all_x = rest_x, all_m = rest_m + 0.5, sum = likelihood_term(all_x, all_m);
	for (int i = 0; i < parts; i++) {
		sum += likelihood_term(x[i], m[i] + 0.5);
		all_x += x[i];
		all_m += m[i] + 0.5;
	}
	return sum - likelihood_term(all_x, all_m);
}

#endif
