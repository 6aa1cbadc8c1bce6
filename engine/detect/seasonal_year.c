/*
 * seasonal_year: what a year before had to say of today.
 *
 * Idea:  of each of the last 400 days a byte is kept: the logarithm of what came over what the
 *        shape of the week alone would have said. A day stands out by what it has over the median
 *        of the fortnight around it (and over its weekday, where the weeks beside it have that
 *        too); so does last year's Christmas, however much has grown since.
 *
 *            . . . . . . . . . .|. . . .     a byte of each day, this year and the last
 *                 ^   ^
 *                 |   +-- the date: Christmas
 *                 +------ the weekday, 364 days before or the same one of its month: Black Friday
 *
 *        What stood out is expected again, so far as such days did before: a slope for either
 *        alignment, of what came on what last year had said, shrunk towards a part (ridge
 *        regression: Hoerl, Kennard 1970). How far they were off is doubt: neither that last
 *        year's holiday comes again nor that last year's outage does not is a surprise. Where
 *        nothing stood out nothing changes, to the bit; so it is of a series without a year.
 *
 *        The forecast is so many times the usual then, as where a calendar says so: levels and
 *        shape learn what is left. A day that was as if nobody had said anything takes that back.
 *        Days of which most is unknown (missing, incomplete, excluded or expected by a calendar,
 *        confirmed incidents) are unknown here too.
 *
 * Cannot see: what goes neither by date nor by weekday (Easter); seasons, which levels follow.
 *
 * Runs on: the shard that owns the metric, once a day. Never allocates.
 */
#include "base/civil.h"
#include "detect/seasonal.h"

/* One step of a byte, as a logarithm; the byte of a day that nobody knows. */
#define STEP SEASONAL_YEAR_STEP
#define UNKNOWN INT8_MIN
/* Bytes would be further than this from 0: all are moved. */
#define BYTE_FAR 90
#define BYTE_MAX 127
/* Days before and after one, whose median it stands out from; so many must be known. */
#define REACH 7
#define AROUND (2 * REACH + 1)
#define KNOWN_MIN 8
/* What is learned of a day waits until all around it are known. */
#define WAIT (REACH + 1)
#define WEEKS_BACK 364
/* A day needs so many days of a series behind it, so that the shape knows all weekdays. */
#define DAYS_MIN 28
/* What stands out counts so far as its square exceeds this many variances; it is no more than this
 * in the end. */
#define SIGNIFICANT 4.0
#define APART_MAX 1.2
/* Trust begins with so many days of this slope for either alignment, off by this part. */
#define TRUST_PRIOR 4.0
#define TRUST_BEGIN 0.35
#define OFF_BEGIN 0.5
#define OFF_MIN 0.2
#define DOUBT_MAX 4.0
/* Seasons are the median's way in so many days; it counts so far as its square exceeds
 * SIGNIFICANT times this part of a day's variance. They fade, a part a day; what is left below
 * LEAST is none. */
#define SEASON_DAYS 14
#define SEASON_BEFORE 4
#define SEASON_AFTER 3
#define SEASON_VARIANCE 1.0
#define SEASON_FADE 0.01
#define SEASON_LEAST 1e-3
/* Days that trust remembers, and scatter; the least scatter; from its mean to a deviation. */
#define TRUST_DAYS 1000.0
#define SCATTER_DAYS 90.0
#define SCATTER_MIN 0.01
#define SCATTER_NORMAL 1.25
/* A mistake by less than so many times is none. */
#define MISTAKE 1.25
/* Lumps that a day's ratio is shrunk by, towards the last one's. */
#define LUMPS 4.0

_Static_assert(366 + SEASON_DAYS + WAIT + REACH + 1 < SEASONAL_YEAR, "what is looked at is kept");

/* What last year says of a day: by the weekday, by the date. Logarithms; 0: nothing. */
struct hint {
	double weekday, date;
};

static int8_t *byte_of(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	int64_t at = day % SEASONAL_YEAR;

	return &group->year[at < 0 ? at + SEASONAL_YEAR : at][lane];
}

/* Median of what is known around a day, in steps. false: too little is. */
static bool median(struct seasonal_group *group, uint32_t lane, int64_t day, double *ret)
{
	int8_t row[AROUND];
	int count = 0;

	for (int64_t at = day - REACH; at <= day + REACH; at++) {
		int8_t byte = *byte_of(group, lane, at);
		int place = count;

		if (byte == UNKNOWN)
			continue;
		for (; place > 0 && row[place - 1] > byte; place--)
			row[place] = row[place - 1];
		row[place] = byte;
		count++;
	}
	if (count < KNOWN_MIN)
		return false;
	*ret = 0.5 * (row[count / 2] + row[(count - 1) / 2]);
	return true;
}

static double above(struct seasonal_group *group, uint32_t lane, int64_t day, double usual)
{
	int8_t byte = *byte_of(group, lane, day);

	return byte == UNKNOWN ? 0 : STEP * (byte - usual);
}

/* How far a day stands out; 0 where that is not known. What both the week before and the one after
 * have is the weekday's, which is the shape's to know. */
static double apart(struct seasonal_group *group, uint32_t lane, int64_t day, double usual)
{
	double own = above(group, lane, day, usual);
	double before = above(group, lane, day - 7, usual);
	double after = above(group, lane, day + 7, usual);
	double weekly = math_min(fabs(before), fabs(after));

	if (before * after <= 0 || before * own <= 0)
		return own;
	return own < 0 ? math_min(own + weekly, 0) : math_max(own - weekly, 0);
}

static double scatter_of(const struct seasonal_exact *exact, uint32_t lane)
{
	return SCATTER_NORMAL * math_max(LANE(exact->year_scatter, lane), SCATTER_MIN);
}

/* Which part of it is left beside chance of so much variance. */
static double beyond(double apart, double variance)
{
	return math_max(1 - SIGNIFICANT * variance / math_max(apart * apart, 1e-12), 0);
}

static double believed(const struct seasonal_exact *exact, uint32_t lane, double apart)
{
	double noise = scatter_of(exact, lane);

	return math_clamp(apart * beyond(apart, noise * noise), -APART_MAX, APART_MAX);
}

/* How the median around a day has moved since so many days before, as a logarithm. */
static bool moved(struct seasonal_group *group, uint32_t lane, int64_t since, int64_t day,
		  double *ret)
{
	double from, to;

	if (!median(group, lane, since, &from) || !median(group, lane, day, &to))
		return false;
	*ret = STEP * (to - from);
	return true;
}

/* Days back to the same date of the year before. */
static int64_t date_back(int64_t day)
{
	int64_t year = civil_year(day);
	bool late = day - civil_day(year, 1, 1) >= 59; /* 29 February or 1 March */

	return civil_is_leap(late ? year : year - 1) ? 366 : 365;
}

/* Days back to the same weekday of the year before: the same one of its month, if there is one. */
static int64_t weekday_back(int64_t day)
{
	int64_t year = civil_year(day), past = day - WEEKS_BACK;
	int month = 12;

	while (civil_day(year, month, 1) > day)
		month--;
	int64_t first = civil_day(year - 1, month, 1);
	int64_t nth = (day - civil_day(year, month, 1)) / 7;
	int64_t same = past + (nth - civil_floor_div(past - first, 7)) * 7;
	return same - first < civil_month_days(year - 1, month) ? day - same : WEEKS_BACK;
}

static struct hint hint_of(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	const struct seasonal_exact *exact = &group->exact;
	double usual;

	if (!median(group, lane, day - WEEKS_BACK, &usual))
		return (struct hint){0};
	double weekday = apart(group, lane, day - weekday_back(day), usual);
	double date = apart(group, lane, day - date_back(day), usual);
	return (struct hint){believed(exact, lane, weekday), believed(exact, lane, date)};
}

static bool says(const struct hint *hint)
{
	return fabs(hint->weekday) > 0 || fabs(hint->date) > 0;
}

/* What is expected of it, as a logarithm. */
static double expected(const struct seasonal_exact *exact, uint32_t lane, const struct hint *hint)
{
	double ww = LANE(exact->year_ww, lane) + TRUST_PRIOR;
	double dd = LANE(exact->year_dd, lane) + TRUST_PRIOR;
	double wd = LANE(exact->year_wd, lane);
	double wt = LANE(exact->year_wt, lane) + TRUST_PRIOR * TRUST_BEGIN;
	double dt = LANE(exact->year_dt, lane) + TRUST_PRIOR * TRUST_BEGIN;
	double inverse = 1 / (ww * dd - wd * wd);
	double weekday = math_clamp((wt * dd - dt * wd) * inverse, 0, 1);
	double date = math_clamp((dt * ww - wt * wd) * inverse, 0, 1);

	return math_clamp(weekday * hint->weekday + date * hint->date, -APART_MAX, APART_MAX);
}

static void keep_sum(lanes *sum, uint32_t lane, double more)
{
	LANE(*sum, lane) = LANE(*sum, lane) * (1 - 1 / TRUST_DAYS) + more;
}

/* Did what last year said come true? Days count alike, but for what is near chance. */
static void learn_trust(struct seasonal_exact *exact, uint32_t lane, const struct hint *hint,
			double came)
{
	double most = math_max(fabs(hint->weekday), fabs(hint->date));
	double noise = 2 * scatter_of(exact, lane);
	double weight = 1 / (most * most + noise * noise);

	came = math_clamp(came, -1.5 * most, 1.5 * most);
	double off = came - expected(exact, lane, hint);
	keep_sum(&exact->year_ww, lane, weight * hint->weekday * hint->weekday);
	keep_sum(&exact->year_dd, lane, weight * hint->date * hint->date);
	keep_sum(&exact->year_wd, lane, weight * hint->weekday * hint->date);
	keep_sum(&exact->year_wt, lane, weight * hint->weekday * came);
	keep_sum(&exact->year_dt, lane, weight * hint->date * came);
	keep_sum(&exact->year_off, lane, weight * off * off);
}

/* Does this year's season move as last year's did? Days of the same fortnight are one. */
static void learn_season(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	struct seasonal_exact *exact = &group->exact;
	double noise = scatter_of(exact, lane), variance = SEASON_VARIANCE * noise * noise;
	int64_t past = day - date_back(day);
	double said, came;

	if (!moved(group, lane, past - SEASON_DAYS, past, &said) ||
	    !moved(group, lane, day - SEASON_DAYS, day, &came))
		return;
	double part = beyond(said, variance);
	came = math_clamp(came, -1.5 * fabs(said), 1.5 * fabs(said));
	double weight = part / (SEASON_DAYS * (said * said + variance));
	keep_sum(&exact->year_uu, lane, weight * said * said);
	keep_sum(&exact->year_uv, lane, weight * said * came);
}

/* Where last year's season goes from yesterday to today. */
static void move_season(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	struct seasonal_exact *exact = &group->exact;
	double noise = scatter_of(exact, lane), season = LANE(exact->year_season, lane);
	int64_t past = day - date_back(day);
	double week, step;

	season *= 1 - SEASON_FADE;
	if (moved(group, lane, past - SEASON_BEFORE, past + SEASON_AFTER, &week) &&
	    moved(group, lane, past - 1, past, &step)) {
		double trust = (LANE(exact->year_uv, lane) + TRUST_PRIOR * TRUST_BEGIN) /
			       (LANE(exact->year_uu, lane) + TRUST_PRIOR);
		season += math_clamp(trust, 0, 1) * step *
			  beyond(week, SEASON_VARIANCE * noise * noise);
	}
	season = math_clamp(season, -APART_MAX, APART_MAX);
	LANE(exact->year_season, lane) = fabs(season) < SEASON_LEAST ? 0 : season;
}

static void learn(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	struct seasonal_exact *exact = &group->exact;
	double usual;

	if (*byte_of(group, lane, day) == UNKNOWN || !median(group, lane, day, &usual))
		return;
	struct hint hint = hint_of(group, lane, day);
	double came = apart(group, lane, day, usual);
	if (says(&hint))
		learn_trust(exact, lane, &hint, came);
	learn_season(group, lane, day);
	double scatter = LANE(exact->year_scatter, lane), seen = LANE(exact->year_seen, lane);
	double most = seen < KNOWN_MIN ? 1 : 4 * math_max(scatter, SCATTER_MIN);
	double gain = 1 / math_min(seen + 1, SCATTER_DAYS);
	LANE(exact->year_scatter, lane) = scatter + gain * (math_min(fabs(came), most) - scatter);
	LANE(exact->year_seen, lane) = seen + 1;
}

/* Nearest whole number; what is far beyond a byte is as far as that. */
static int whole(double x)
{
	x = math_clamp(x, -1e6, 1e6);
	return (int)(x < 0 ? x - 0.5 : x + 0.5);
}

static int8_t clip(int byte)
{
	return (int8_t)(byte < -BYTE_MAX ? -BYTE_MAX : byte > BYTE_MAX ? BYTE_MAX : byte);
}

/* It has grown, or shrunk, out of what a byte can say: from now on all are relative to today. */
static void move(struct seasonal_group *group, uint32_t lane, int by)
{
	for (uint32_t i = 0; i < SEASONAL_YEAR; i++)
		if (group->year[i][lane] != UNKNOWN)
			group->year[i][lane] = clip(group->year[i][lane] - by);
	LANE(group->exact.year_anchor, lane) += by;
}

/* A day's ratio, in steps. The first one is as the fortnight before it was. */
static void put(struct seasonal_group *group, uint32_t lane, int64_t day, double ratio)
{
	struct seasonal_exact *exact = &group->exact;
	double steps = math_log(ratio) / STEP, usual = 0;

	if (LANE(exact->year_level, lane) <= 0) {
		median(group, lane, day - WAIT, &usual);
		LANE(exact->year_anchor, lane) = steps - usual;
	}
	LANE(exact->year_level, lane) = ratio;
	int byte = whole(steps - LANE(exact->year_anchor, lane));
	if (byte < -BYTE_FAR || byte > BYTE_FAR) {
		move(group, lane, byte);
		byte = 0;
	}
	*byte_of(group, lane, day) = (int8_t)byte;
}

/* A day is over. */
static void note(struct seasonal_group *group, const struct seasonal_step *step, uint32_t lane,
		 int64_t day)
{
	const struct seasonal_exact *exact = &group->exact;
	double value = LANE(exact->year_value, lane), base = LANE(exact->year_base, lane);
	double level = LANE(exact->year_level, lane);

	if (LANE(exact->year_count, lane) < 0.5 * step->per_day || !(base > 0) ||
	    LANE(exact->seen, lane) < DAYS_MIN * step->per_day)
		return;
	if (step->lumps && level > 0) {
		double lumps = step->whole || step->shares ? LUMPS
							   : LUMPS * LANE(exact->lump, lane);
		value += lumps;
		base += lumps / level;
	}
	double ratio = value / base;
	if (ratio > 1e-30 && ratio < 1e30)
		put(group, lane, day, ratio);
}

static double surprise(double comes, double expected)
{
	double gap = math_exp(comes - expected) - 1;

	return gap * gap;
}

/* What is expected of today, and how far that is in doubt: that nothing comes, or what either
 * alignment says. */
static void expect(struct seasonal_group *group, uint32_t lane, int64_t day)
{
	struct seasonal_exact *exact = &group->exact;
	struct hint hint = hint_of(group, lane, day);

	move_season(group, lane, day);
	double season = LANE(exact->year_season, lane);
	double factor = expected(exact, lane, &hint);
	/* Where it says nothing: once, to the bit. */
	bool once = fabs(season + factor) <= 0;
	LANE(exact->year_times, lane) = once ? 1 : math_exp(season + factor);
	LANE(exact->year_doubt, lane) = 0;
	if (!says(&hint))
		return;
	double sums = LANE(exact->year_ww, lane) + LANE(exact->year_dd, lane);
	double off = (LANE(exact->year_off, lane) + TRUST_PRIOR * OFF_BEGIN) / (sums + TRUST_PRIOR);
	double doubt = surprise(0, factor) + surprise(hint.weekday, factor) +
		       surprise(hint.date, factor);
	doubt *= 0.5 * math_max(off, OFF_MIN);
	LANE(exact->year_doubt, lane) = math_min(doubt, DOUBT_MAX);
}

/* How many times the season the day was said to bring. */
static double feast(const struct seasonal_exact *exact, uint32_t lane)
{
	return LANE(exact->year_times, lane) / math_exp(LANE(exact->year_season, lane));
}

/* Was the day that ends more as if last year had said nothing of it? */
static bool mistaken(const struct seasonal_exact *exact, uint32_t lane)
{
	double season = math_exp(LANE(exact->year_season, lane)), times = feast(exact, lane);
	double base = LANE(exact->year_base, lane) * LANE(exact->year_before, lane) * season;
	double value = LANE(exact->year_value, lane);

	if (!(value > 0) || !(base > 0) || (times > 1 / MISTAKE && times < MISTAKE))
		return false;
	double came = math_log(math_clamp(value / base, 1e-30, 1e30));
	return fabs(came) < fabs(came - math_log(times));
}

/* Levels take back what they learned relative to it, and windows begin anew. */
LANES_INLINE void take_back(struct seasonal_group *group, const struct seasonal_step *step)
{
	struct seasonal_exact *exact = &group->exact;
	lanes_mask which = lanes_none();
	lanes times = lanes_all(1);

	for (uint32_t lane = 0; lane < LANES; lane++) {
		LANE(which, lane) = step->lumps && mistaken(exact, lane) ? -1 : 0;
		LANE(times, lane) = feast(exact, lane);
	}
	if (!lanes_any(which))
		return;
	lanes level = lanes_all(0);
	for (uint32_t a = 0; a < SEASONAL_LEVELS; a++) {
		double kept = math_exp(step->per_day * math_log(step->keep[a]));
		lanes base = exact->level_base[a] / (1 + (1 - kept) * (times - 1));
		exact->level_base[a] = lanes_pick(which, base, exact->level_base[a]);
		base = lanes_max(exact->level_base[a], lanes_all(1e-9));
		level += exact->share[a] * (exact->level_value[a] / base);
	}
	exact->level = lanes_pick(which, level, exact->level);
	seasonal_window_forget(group, step, &which);
}

void seasonal_year_day(struct seasonal_group *group, const struct seasonal_step *step)
{
	struct seasonal_exact *exact = &group->exact;
	/* Of a longer time that nobody saw, as much as is kept. */
	int64_t from = step->old_day < step->day - SEASONAL_YEAR ? step->day - SEASONAL_YEAR
								 : step->old_day;

	take_back(group, step);
	for (uint32_t lane = 0; lane < LANES; lane++) {
		for (int64_t day = from; day <= step->day; day++)
			*byte_of(group, lane, day) = UNKNOWN;
		if (from == step->old_day)
			note(group, step, lane, step->old_day);
		learn(group, lane, step->day - WAIT);
		expect(group, lane, step->day);
	}
	exact->year_before = exact->level;
	exact->year_value = exact->year_base = exact->year_count = lanes_all(0);
}

void seasonal_year_inherit(struct seasonal_group *group, uint32_t lane,
			   const struct seasonal_group *from, int64_t today, int64_t last)
{
	struct seasonal_exact *exact = &group->exact;
	const struct seasonal_exact *other = &from->exact;

	for (int64_t day = today - SEASONAL_YEAR + 1; day < today; day++) {
		bool kept = day <= last && day > last - SEASONAL_YEAR;
		int64_t at = day % SEASONAL_YEAR;

		at = at < 0 ? at + SEASONAL_YEAR : at;
		*byte_of(group, lane, day) = kept ? from->year[at][lane] : UNKNOWN;
	}
	LANE(exact->year_level, lane) = 0;
	LANE(exact->year_scatter, lane) = LANE(other->year_scatter, lane);
	LANE(exact->year_seen, lane) = LANE(other->year_seen, lane);
	LANE(exact->year_ww, lane) = LANE(other->year_ww, lane);
	LANE(exact->year_wd, lane) = LANE(other->year_wd, lane);
	LANE(exact->year_dd, lane) = LANE(other->year_dd, lane);
	LANE(exact->year_wt, lane) = LANE(other->year_wt, lane);
	LANE(exact->year_dt, lane) = LANE(other->year_dt, lane);
	LANE(exact->year_off, lane) = LANE(other->year_off, lane);
	LANE(exact->year_uu, lane) = LANE(other->year_uu, lane);
	LANE(exact->year_uv, lane) = LANE(other->year_uv, lane);
}

bool seasonal_year_possible(const struct seasonal_exact *exact, uint32_t lane)
{
	double ww = LANE(exact->year_ww, lane), dd = LANE(exact->year_dd, lane);
	double wd = LANE(exact->year_wd, lane), times = LANE(exact->year_times, lane);

	return times > 0.05 && times < 20 && fabs(LANE(exact->year_season, lane)) <= APART_MAX &&
	       LANE(exact->year_uu, lane) >= 0 && LANE(exact->year_doubt, lane) >= 0 &&
	       LANE(exact->year_doubt, lane) <= DOUBT_MAX && LANE(exact->year_scatter, lane) >= 0 &&
	       LANE(exact->year_seen, lane) >= 0 && LANE(exact->year_count, lane) >= 0 &&
	       LANE(exact->year_level, lane) >= 0 && LANE(exact->year_off, lane) >= 0 && ww >= 0 &&
	       dd >= 0 && wd * wd <= ww * dd * (1 + 1e-9) + 1e-9;
}
