/*
 * math: the one function of math.h that iterates.
 *
 * Runs on: any thread; no state.
 */
#include "detect/math.h"

double math_tail_quantile(double log10_p)
{
	double target = math_clamp(log10_p, -300.0, -1e-9);
	/* The tail is monotone: bisection takes the same 60 steps on every machine. 38 is beyond
	 * the z of 10^-300. */
	double low = 0, high = 38;
	for (int i = 0; i < 60; i++) {
		double middle = 0.5 * (low + high);
		if (math_log10_tail(middle) > target)
			low = middle;
		else
			high = middle;
	}
	return 0.5 * (low + high);
}
