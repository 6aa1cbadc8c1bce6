/*
 * math: exp, log and the tails of the distributions that detectors need, the same bit for bit on
 * every machine and build.
 *
 * Idea:  libm's results differ between versions and processors; these use only IEEE + - * / sqrt
 *        and integer operations on the bits, in a fixed order, without branches on data, so a
 *        vector build gives what a scalar build gives. (The project is built without contraction.)
 * Never: sets errno, looks at the rounding mode, returns NaN for arguments that are not NaN.
 */
#ifndef DETECT_MATH_H
#define DETECT_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MATH_LN10 2.302585092994045684
#define MATH_LOG10_E 0.43429448190325182765
#define MATH_LOG10_2 0.30102999566398119521

static inline double math_bits_double(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline uint64_t math_double_bits(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline double math_min(double a, double b)
{
	return a < b ? a : b;
}

static inline double math_max(double a, double b)
{
	return a > b ? a : b;
}

static inline double math_clamp(double value, double low, double high)
{
	return math_min(math_max(value, low), high);
}

/* e^x to 2 units in the last place; x is clamped to +-708 (no subnormal result, no infinity). */
static inline double math_exp(double x)
{
	/* 1.5 * 2^52: adding it rounds to an integer and leaves that in the low bits. */
	const double magic = 6755399441055744.0;
	double clamped = math_clamp(x, -708.0, 708.0);
	double shifted = clamped * 1.4426950408889634074 + magic;
	double n = shifted - magic;
	/* ln 2 in two parts, the first with trailing zeros, so that n * high is exact. */
	double r = (clamped - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
	double p = 1.0 / 6227020800.0;
	p = p * r + 1.0 / 479001600.0;
	p = p * r + 1.0 / 39916800.0;
	p = p * r + 1.0 / 3628800.0;
	p = p * r + 1.0 / 362880.0;
	p = p * r + 1.0 / 40320.0;
	p = p * r + 1.0 / 5040.0;
	p = p * r + 1.0 / 720.0;
	p = p * r + 1.0 / 120.0;
	p = p * r + 1.0 / 24.0;
	p = p * r + 1.0 / 6.0;
	p = p * r + 0.5;
	p = p * r * r + r + 1.0;
	return math_bits_double(math_double_bits(p) + (math_double_bits(shifted) << 52));
}

/* Natural logarithm to 2 units in the last place (absolute 1e-16 near 1); x below the smallest
 * normal number, zero and negative ones included, counts as that number. */
static inline double math_log(double x)
{
	const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd);
	uint64_t bits = math_double_bits(math_max(x, 0x1p-1022));
	uint64_t biased = (bits - root_half + (UINT64_C(1023) << 52)) >> 52;
	/* The exponent as a double through the bits of 2^52 + biased: no integer conversion. */
	double e = math_bits_double(biased | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
	double m = math_bits_double(bits - ((biased - 1023) << 52)); /* sqrt(1/2) .. sqrt(2) */
	double f = m - 1.0;
	double s = f / (2.0 + f);
	double z = s * s;
	double p = 2.0 / 21.0;
	p = p * z + 2.0 / 19.0;
	p = p * z + 2.0 / 17.0;
	p = p * z + 2.0 / 15.0;
	p = p * z + 2.0 / 13.0;
	p = p * z + 2.0 / 11.0;
	p = p * z + 2.0 / 9.0;
	p = p * z + 2.0 / 7.0;
	p = p * z + 2.0 / 5.0;
	p = p * z + 2.0 / 3.0;
	/* log m = 2s + s z p, with 2s = f - s f. */
	return e * 0x1.62e42fee00000p-1 + (f - (s * (f - z * p) - e * 0x1.a39ef35793c76p-33));
}

/* The same within 1e-8: the series is cut where 1e-16 is not asked for. */
static inline double math_log_short(double x)
{
	const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd);
	uint64_t bits = math_double_bits(math_max(x, 0x1p-1022));
	uint64_t biased = (bits - root_half + (UINT64_C(1023) << 52)) >> 52;
	double e = math_bits_double(biased | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
	double m = math_bits_double(bits - ((biased - 1023) << 52));
	double s = (m - 1.0) / (m + 1.0);
	double z = s * s;
	double p = 2.0 + z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0))));
	return e * 0.6931471805599453 + s * p;
}

/* 10^x within 2e-7; x from -300 to 300. */
static inline double math_power10(double x)
{
	const double magic = 6755399441055744.0;
	double whole = x * 3.3219280948873623;
	double shifted = whole + magic;
	double r = (whole - (shifted - magic)) * 0.6931471805599453;
	double p = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
	p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * p)));
	return math_bits_double(math_double_bits(p) + (math_double_bits(shifted) << 52));
}

static inline double math_log10(double x)
{
	return math_log(x) * MATH_LOG10_E;
}

/*
 * log10 of the two-sided tail P(|Z| >= |z|) of the standard normal: log10 erfc(|z| / sqrt 2).
 * log erfc(a) = log t - a^2 + P(t) with t = 2/(2+a); P is a Chebyshev fit of
 * log(erfcx(a) / t) on 0 < t <= 1, absolute error 6e-13. No underflow at any z. Never above 0.
 */
static inline double math_log10_tail(double z)
{
	double a = math_max(z, -z) * 0.70710678118654752440;
	double t = 2.0 / (2.0 + a);
	double y = 2.0 * t - 1.0;
	double p = 2.6403042778749209e-7;
	p = p * y - 9.02615350250448135e-7;
	p = p * y - 1.0977145573937415e-6;
	p = p * y + 7.22287949102356978e-6;
	p = p * y - 1.88168694219102965e-6;
	p = p * y - 2.83815148387416013e-5;
	p = p * y + 3.31123851484925034e-5;
	p = p * y + 7.00435549597840312e-5;
	p = p * y - 1.74884859917152256e-4;
	p = p * y - 9.31211825098727795e-5;
	p = p * y + 6.73831124940482099e-4;
	p = p * y - 1.46413769889483249e-4;
	p = p * y - 2.34583557088203702e-3;
	p = p * y + 1.75895945880317579e-3;
	p = p * y + 8.82494034134496359e-3;
	p = p * y - 9.87269139998067093e-3;
	p = p * y - 4.68956102849541652e-2;
	p = p * y + 4.73433069036825973e-2;
	p = p * y + 6.72643223977925357e-1;
	p = p * y - 6.71794084057001309e-1;
	return math_min((math_log(t) + (p - a * a)) * MATH_LOG10_E, 0.0);
}

/*
 * The normal score of a count: z such that P(Z <= z) is close to P(X <= x) below the mean, and
 * P(Z >= z) to P(X >= x) above it, X being Poisson. Peizer and Pratt (1968), "A normal
 * approximation for binomial, F, beta, and other common, related tail probabilities": within 1 %
 * of z out to the far tails, where Wilson and Hilferty's cube root is off by a third.
 *
 * x, mean: in the units of the value. step: the value's smallest step (1 for counts), for the
 * continuity correction. scale: variance over mean (1 for Poisson; an over-dispersed count or a sum
 * of money is a Poisson count of lumps of that size). The score never points to the wrong side.
 */
static inline double math_poisson_score(double x, double mean, double step, double scale)
{
	double side = x > mean ? -0.5 : 0.5;
	double c = (x + side * step) / scale;
	double m = mean / scale;
	double gap = c - m;
	double size = math_max(gap, -gap);
	/* Below one lump the correction must not dwarf the gap itself. */
	double trust = math_min(1.0, 2.0 * c);
	double d = gap + trust * (1.0 / 6.0 + 0.02 / (c + 0.5));
	double deviance = math_max(c * math_log(c / m) - gap, 0.0);
	double near = d / sqrt(m); /* the limit for c -> m, where the quotient below is 0/0 */
	double far = d / size * sqrt(2.0 * deviance);
	double z = size > 1e-6 * m ? far : near;
	double above = math_max(z, 0.0), below = math_min(z, 0.0);
	return x > mean ? above : below;
}

/* The normal score of a Student t with `freedom` degrees: Wallace (1959), within 2 % of z. */
static inline double math_student_score(double t, double freedom)
{
	double square = freedom * math_log(1.0 + t * t / freedom);
	double z = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * sqrt(math_max(square, 0.0));
	return t < 0 ? -z : z;
}

/* The t >= 0 whose score is z >= 0. */
static inline double math_student_inverse(double z, double freedom)
{
	double root = z * (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0);
	return sqrt(freedom * (math_exp(root * root / freedom) - 1.0));
}

/* |z| whose two-sided tail is 10^log10_p, for -300 <= log10_p < 0 (clamped). Not for inner loops.
 */
double math_tail_quantile(double log10_p);

/*
 * The count whose normal score is z: where a band of +-|z| ends. Cornish and Fisher's expansion of
 * the Poisson quantile to the third term, which is kept from overruling the second where the mean
 * is small. For drawing bands: good to a step or two.
 */
static inline double math_poisson_quantile(double z, double mean, double step, double scale)
{
	double root = sqrt(math_max(mean / scale, 1e-12));
	double second = (z * z - 1.0) / 6.0;
	double most = 0.5 * math_max(second, -second);
	double third = math_clamp((z - z * z * z) / (72.0 * root), -most, most);
	double quantile = mean + scale * (z * root + second + third);
	/* Outward by the continuity correction; nothing is rare enough below a small mean. */
	double lower = root > -0.5 * z ? math_max(quantile - 0.5 * step, 0.0) : 0.0;
	return z < 0 ? lower : quantile + 0.5 * step;
}

#endif
