/*
 * quality_slices_table: a row for each kind and size of fault; or a line of JSON for each figure.
 */
#include <math.h>
#include <stdio.h>

#include "quality_slices.h"

/* Faults of one kind and size, of several kinds together. */
struct sums {
	double faults;
	struct {
		double possible, found, delay, named;
	} of[SLICES_WATCHERS];
};

static const struct {
	const char *label, *name;
	uint32_t kinds; /* a bit each */
} groups[] = {
	{"one country", "country", 1U << SLICES_ONE_COUNTRY},
	{"one device", "device", 1U << SLICES_ONE_DEVICE},
	{"country or device", "value", 1U << SLICES_ONE_COUNTRY | 1U << SLICES_ONE_DEVICE},
	{"one pair", "pair", 1U << SLICES_ONE_PAIR},
	{"two countries", "countries", 1U << SLICES_TWO_COUNTRIES},
	{"two pairs", "pairs", 1U << SLICES_TWO_PAIRS},
	{"any", "any", (1U << SLICES_KINDS) - 1},
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static void add(struct sums *sums, const struct slices_fault *fault)
{
	sums->faults++;
	for (uint32_t i = 0; i < SLICES_WATCHERS; i++) {
		const struct slices_answer *answer = &fault->answers[i];
		sums->of[i].possible += answer->possible;
		if (answer->found == 0)
			continue;
		sums->of[i].found++;
		sums->of[i].delay += answer->found;
		sums->of[i].named += answer->named;
	}
}

static struct sums collect(const struct slices_request *request, const struct slices_shop *shops,
			   uint32_t kinds, uint32_t size)
{
	struct sums sums = {0};

	for (uint32_t i = 0; i < request->shops; i++) {
		for (uint32_t k = 0; k < SLICES_FAULTS; k++) {
			const struct slices_fault *fault = &shops[i].faults[k];
			if (kinds >> fault->kind & 1 && fault->size == size)
				add(&sums, fault);
		}
	}
	return sums;
}

static void print_number(double value, int decimals)
{
	if (isfinite(value))
		printf(" %8.*f", decimals, value);
	else
		printf(" %8s", "-");
}

static void print_row(const char *label, double size, const struct sums *sums)
{
	char text[64];

	snprintf(text, sizeof(text), "%s, %.0f %%", label, -100.0 * size);
	printf("%-26s %6.0f", text, sums->faults);
	for (uint32_t i = 0; i < SLICES_WATCHERS; i++) {
		print_number(100.0 * sums->of[i].possible / sums->faults, 1);
		print_number(100.0 * sums->of[i].found / sums->faults, 1);
		print_number(sums->of[i].delay / sums->of[i].found, 1);
		print_number(100.0 * sums->of[i].named / sums->of[i].found, 1);
	}
	putchar('\n');
}

static void print_line(double rate, const char *name, double value)
{
	printf("{\"name\":\"slices_r%g_%s\",\"value\":", rate, name);
	if (isfinite(value))
		printf("%.6g}\n", value);
	else
		printf("null}\n");
}

static void print_json(double rate, const char *group, double size, const struct sums *sums)
{
	static const char *const watchers[SLICES_WATCHERS] = {"", "shipped_"};
	char name[96];

	for (uint32_t i = 0; i < SLICES_WATCHERS; i++) {
		const struct {
			const char *name;
			double value;
		} figures[] = {
			{"possible", 100.0 * sums->of[i].possible / sums->faults},
			{"found", 100.0 * sums->of[i].found / sums->faults},
			{"delay", sums->of[i].delay / sums->of[i].found},
			{"named", 100.0 * sums->of[i].named / sums->of[i].found},
		};
		for (uint32_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++) {
			snprintf(name, sizeof(name), "%s_%.0fp_%s%s", group, 100.0 * size,
				 watchers[i], figures[k].name);
			print_line(rate, name, figures[k].value);
		}
	}
}

static void print_calm(const struct slices_request *request, const struct slices_shop *shops,
		       double rate)
{
	double weeks = (double)request->shops * SLICES_TEST_WEEKS;
	double loud = 0.0, fired = 0.0;

	for (uint32_t i = 0; i < request->shops; i++) {
		loud += shops[i].loud_hours;
		fired += shops[i].fired;
	}
	if (request->json) {
		print_line(rate, "hours_50", loud / weeks / SLICES_COUNT);
		print_line(rate, "fired_year", fired / weeks * 52.0);
		return;
	}
	printf("\nclean: %.2f alarm-hours a slice-week at severity 50; as shipped %.1f alarms a "
	       "year of all %d slices\n\n",
	       loud / weeks / SLICES_COUNT, fired / weeks * 52.0, SLICES_COUNT);
}

void slices_print(const struct slices_request *request, const struct slices_shop *shops)
{
	for (uint32_t r = 0; r < request->rates_count; r++) {
		const struct slices_shop *of = shops + (size_t)r * request->shops;
		double rate = request->rates[r];
		if (!request->json)
			printf("%g events a minute in %d slices, a fault of %d minutes\n"
			       "%-33s %35s %35s\n%-26s %6s %8s %8s %8s %8s %8s %8s %8s %8s\n",
			       rate, SLICES_COUNT, SLICES_LENGTH, "",
			       "severity 50 of each slice", "as shipped", "", "faults",
			       "possible", "found %", "minutes", "named %", "possible",
			       "found %", "minutes", "named %");
		for (uint32_t group = 0; group < GROUPS; group++) {
			for (uint32_t size = 0; size < SLICES_SIZES; size++) {
				struct sums sums = collect(request, of, groups[group].kinds, size);
				if (request->json)
					print_json(rate, groups[group].name, slices_sizes[size],
						   &sums);
				else
					print_row(groups[group].label, slices_sizes[size], &sums);
			}
		}
		print_calm(request, of, rate);
	}
	fflush(stdout);
}
