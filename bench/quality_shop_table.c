/*
 * quality_shop_table: a row for each figure, a column for each rate; or a line of JSON for each.
 */
#include <math.h>
#include <stdio.h>

#include "quality_shop.h"

static const struct {
	const char *label, *name; /* for people; in JSON */
	int decimals;
	bool rival;
} rows[SHOP_ROWS] = {
	[SHOP_ROW_ORACLE] = {"found by the oracle, %", "oracle", 1, false},
	[SHOP_ROW_WEIR] = {"found by weir, %", "weir", 1, false},
	[SHOP_ROW_RATIO] = {"  of the oracle's", "ratio", 3, false},
	[SHOP_ROW_RATIO_LEAST] = {"  nine times of ten from", "ratio_least", 3, false},
	[SHOP_ROW_RATIO_MOST] = {"  to", "ratio_most", 3, false},
	[SHOP_ROW_GLOBAL] = {"  one threshold for all rates", "ratio_global", 3, false},
	[SHOP_ROW_RIVALS] = {"  sliding 1 h, of the oracle's", "rival_1h", 3, true},
	[SHOP_ROW_RIVALS + 1] = {"  sliding 24 h", "rival_24h", 3, true},
	[SHOP_ROW_RIVALS + 2] = {"  sliding 7 d", "rival_7d", 3, true},
	[SHOP_ROW_RIVALS + 3] = {"  hour of the week", "rival_hour_of_week", 3, true},
	[SHOP_ROW_DELAY_50] = {"delay / oracle, 50 % and more", "delay_50", 2, false},
	[SHOP_ROW_DELAY_20] = {"  20 %", "delay_20", 2, false},
	[SHOP_ROW_HOURS] = {"alarm-hours/week, severity 50", "hours_50", 2, false},
	[SHOP_ROW_EPISODES] = {"  episodes", "episodes_50", 2, false},
	[SHOP_ROW_EARLY] = {"  in the first week of all", "hours_50_week_1", 2, false},
	[SHOP_ROW_EARLY + 1] = {"  in each of the next three", "hours_50_week_2_4", 2, false},
	[SHOP_ROW_GLOBAL_HOURS] = {"  at the one threshold", "hours_global", 2, false},
	[SHOP_ROW_SHIPPED] = {"alarms fired as shipped at, %", "shipped", 1, false},
	[SHOP_ROW_FIRED] = {"  on clean data, a series-year", "fired_year", 1, false},
	[SHOP_ROW_THRESHOLD] = {"threshold of the score", "threshold", 2, false},
	[SHOP_ROW_ERROR] = {"error of expected, rms %", "error", 2, false},
	[SHOP_ROW_LOUD] = {"3 sigma: sliding 1 h, hours/week", "loud_1h", 1, true},
	[SHOP_ROW_LOUD + 1] = {"  sliding 24 h", "loud_24h", 1, true},
	[SHOP_ROW_LOUD + 2] = {"  sliding 7 d", "loud_7d", 1, true},
	[SHOP_ROW_LOUD + 3] = {"  hour of the week", "loud_hour_of_week", 1, true},
	[SHOP_ROW_COST] = {"ns a series-minute, all in all", "ns", 0, false},
};

static const struct {
	const char *title, *unit, *name;
} kinds[SHOP_KINDS] = {
	{"counts", "events a minute", ""},
	{"conversion (a ratio)", "orders a minute", "conversion_"},
	{"revenue (a sum)", "orders a minute", "revenue_"},
};

static void print_number(double value, int width, int decimals)
{
	if (!isfinite(value))
		printf(" %*s", width, "-");
	else
		printf(" %*.*f", width, decimals, value);
}

static void print_cells(const struct shop_table *table)
{
	printf("\nfound of 30 and 60 minutes, %%: weir/oracle\n");
	for (uint32_t k = 0; k < COUNTS_SIZES / 2; k++) {
		char label[32];
		snprintf(label, sizeof(label), "  %.0f %%", -100.0 * counts_sizes[k]);
		printf("%-33s", label);
		for (uint32_t i = 0; i < table->rates; i++) {
			char cell[32] = "-";
			if (isfinite(table->cells[k][0][i]))
				snprintf(cell, sizeof(cell), "%.0f/%.0f", table->cells[k][0][i],
					 table->cells[k][1][i]);
			printf(" %7s", cell);
		}
		putchar('\n');
	}
}

static void print_people(const struct shop_table *table)
{
	printf("%s, tier %u: %d injections a series\n\n%-33s", kinds[table->kind].title,
	       table->tier, SHOP_EVENTS, kinds[table->kind].unit);
	for (uint32_t i = 0; i < table->rates; i++)
		printf(" %7g", table->rate[i]);
	printf(" %7s\n%-33s", "all", "series");
	for (uint32_t i = 0; i < table->rates; i++)
		printf(" %7u", table->series[i]);
	putchar('\n');
	for (uint32_t row = 0; row < SHOP_ROWS; row++) {
		if (rows[row].rival && !table->rivals)
			continue;
		printf("%-33s", rows[row].label);
		for (uint32_t i = 0; i <= table->rates; i++)
			print_number(table->figures[row][i], 7, rows[row].decimals);
		putchar('\n');
	}
	print_cells(table);
	putchar('\n');
}

static void print_line(const struct shop_table *table, const char *name, const char *column,
		       double value)
{
	printf("{\"name\":\"shop_t%u_%s%s_%s\",\"value\":", table->tier,
	       kinds[table->kind].name, name, column);
	if (!isfinite(value))
		printf("null}\n");
	else
		printf("%.6g}\n", value);
}

/* The cells, by size: "shop_t0_weir_20p_r100". */
static void print_cells_json(const struct shop_table *table)
{
	for (uint32_t k = 0; k < COUNTS_SIZES / 2; k++) {
		for (uint32_t i = 0; i < table->rates; i++) {
			char name[32], column[32];
			snprintf(column, sizeof(column), "r%g", table->rate[i]);
			snprintf(name, sizeof(name), "weir_%.0fp", -100.0 * counts_sizes[k]);
			print_line(table, name, column, table->cells[k][0][i]);
			snprintf(name, sizeof(name), "oracle_%.0fp", -100.0 * counts_sizes[k]);
			print_line(table, name, column, table->cells[k][1][i]);
		}
	}
}

static void print_json(const struct shop_table *table)
{
	for (uint32_t row = 0; row < SHOP_ROWS; row++) {
		if (rows[row].rival && !table->rivals)
			continue;
		for (uint32_t i = 0; i <= table->rates; i++) {
			char column[32] = "all";
			if (i < table->rates)
				snprintf(column, sizeof(column), "r%g", table->rate[i]);
			print_line(table, rows[row].name, column, table->figures[row][i]);
		}
	}
	print_cells_json(table);
}

void shop_table_print(const struct shop_table *table, bool json)
{
	if (json)
		print_json(table);
	else
		print_people(table);
	fflush(stdout);
}
