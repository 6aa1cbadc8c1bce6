/*
 * severity: the functions of severity.h that no inner loop needs.
 *
 * Runs on: any thread; no state.
 */
#include "detect/severity.h"

#include "detect/math.h"

double severity_log10_intervals(int64_t interval_ms)
{
	return math_log10(604800000.0 / (double)interval_ms);
}

double severity_clamp(double raw)
{
	return math_clamp(raw, 0.0, 100.0);
}

double severity_log10_p(double raw, double log10_intervals)
{
	return math_min((50.0 - raw) / 12.5 - log10_intervals, -MATH_LOG10_2);
}

double severity_budget(double threshold, double slices)
{
	return threshold + 12.5 * math_log10(math_max(slices, 1.0));
}

int severity_band(double severity)
{
	static const int bands[] = {SEVERITY_CRITICAL, SEVERITY_MAJOR, SEVERITY_MINOR,
				    SEVERITY_WARNING};
	for (unsigned i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
		if (severity >= bands[i])
			return bands[i];
	}
	return 0;
}
