/*
 * orders: recorded order lines to one event per invoice and country.
 */
#include "orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weir/event.h"

#define COLUMNS_MAX 32
#define MICROS 1000000
#define MICROS_DIGITS 6
/* Up to here a double holds every number of millionths. */
#define MICROS_MAX (INT64_C(1) << 53)

enum column { INVOICE, QUANTITY, DATE, PRICE, COUNTRY, COLUMNS };

static const char *const column_names[COLUMNS] = {"InvoiceNo", "Quantity", "InvoiceDate",
						  "UnitPrice", "Country"};

struct line {
	char *fields[COLUMNS_MAX];
	size_t count;
};

/* Cut a line of CSV in place; quotes as in RFC 4180, but for line breaks within them. */
static int split(char *text, struct line *ret_line)
{
	char *in = text;
	ret_line->count = 0;
	for (;;) {
		if (ret_line->count == COLUMNS_MAX)
			return -EINVAL;
		char *out = in;
		bool quoted = *in == '"';
		ret_line->fields[ret_line->count++] = out;
		in += quoted;
		while (*in && (quoted || *in != ',')) {
			if (quoted && *in == '"') {
				if (in[1] != '"') {
					quoted = false;
					in++;
					continue;
				}
				in++;
			}
			*out++ = *in++;
		}
		if (quoted)
			return -EINVAL; /* a quote without its partner */
		bool more = *in == ',';
		*out = '\0';
		if (!more)
			return 0;
		in++;
	}
}

/* [+-]digits[.digits], at most six of them behind the point. */
static int parse_decimal(const char *text, int64_t *ret_micros)
{
	bool negative = *text == '-';
	int64_t value = 0;
	int digits = 0, behind = -1;
	if (*text == '-' || *text == '+')
		text++;
	for (; *text; text++) {
		if (*text == '.' && behind < 0) {
			behind = 0;
			continue;
		}
		if (*text < '0' || *text > '9' || behind == MICROS_DIGITS ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text - '0', &value))
			return -EINVAL;
		digits++;
		behind += behind >= 0;
	}
	if (digits == 0)
		return -EINVAL;
	for (int i = behind < 0 ? 0 : behind; i < MICROS_DIGITS; i++)
		if (__builtin_mul_overflow(value, 10, &value))
			return -EINVAL;
	*ret_micros = negative ? -value : value;
	return 0;
}

/* "2011-01-04 10:00:00", the seconds may be missing; read as UTC. */
static int parse_time(const char *text, uint64_t *ret_ms)
{
	struct tm tm = {0};
	int used = 0, seconds_used = 0;
	if (sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d%n:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &used, &tm.tm_sec, &seconds_used) < 5)
		return -EINVAL;
	if (seconds_used)
		used = seconds_used;
	if (used == 0 || text[used] != '\0')
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	struct tm normal = tm;
	time_t second = timegm(&normal);
	/* 30 February would have become a day in March. */
	if (second < 0 || (uint64_t)second > WEIR_TIME_MS_MAX / 1000 ||
	    normal.tm_mon != tm.tm_mon || normal.tm_mday != tm.tm_mday ||
	    normal.tm_hour != tm.tm_hour || normal.tm_min != tm.tm_min ||
	    normal.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_ms = (uint64_t)second * 1000;
	return 0;
}

static int find_country(struct orders *orders, const char *name, uint32_t *ret_index)
{
	size_t bytes = strlen(name);
	if (bytes == 0 || bytes > 256)
		return -EINVAL;
	for (uint32_t i = 0; i < orders->countries_count; i++) {
		if (strcmp(orders->countries[i], name) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	if (orders->countries_count == ORDERS_COUNTRIES_MAX)
		return -EINVAL;
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	*ret_index = orders->countries_count;
	orders->countries[orders->countries_count++] = copy;
	return 0;
}

static uint64_t order_hash(const char *invoice, uint32_t country)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ country; /* FNV-1a */
	for (; *invoice; invoice++)
		hash = (hash ^ (unsigned char)*invoice) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Where the order is in the table, or the free place where it would be. */
static size_t table_find(const struct orders *orders, const char *invoice, uint32_t country)
{
	size_t place = order_hash(invoice, country) & (orders->table_size - 1);
	while (orders->table[place]) {
		const struct order *order = &orders->orders[orders->table[place] - 1];
		if (order->country == country && strcmp(order->invoice, invoice) == 0)
			break;
		place = (place + 1) & (orders->table_size - 1);
	}
	return place;
}

/* Room for one more order in the array, and a table at most half full. */
static int make_room(struct orders *orders)
{
	if (orders->count < orders->capacity)
		return 0;
	size_t capacity = orders->capacity ? orders->capacity * 2 : 1024;
	struct order *grown = realloc(orders->orders, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	orders->orders = grown;
	uint32_t *table = calloc(capacity * 2, sizeof(*table));
	if (!table)
		return -ENOMEM;
	free(orders->table);
	orders->table = table;
	orders->table_size = capacity * 2;
	orders->capacity = capacity;
	for (size_t i = 0; i < orders->count; i++)
		table[table_find(orders, grown[i].invoice, grown[i].country)] = (uint32_t)i + 1;
	return 0;
}

/* Returns what is wrong, or NULL. */
static const char *add_line(struct orders *orders, char *const fields[COLUMNS])
{
	const char *invoice = fields[INVOICE];
	char *end;
	uint32_t country;
	uint64_t time_ms;
	int64_t price, amount;

	if (invoice[0] == '\0' || strlen(invoice) >= ORDERS_INVOICE_BYTES)
		return "InvoiceNo is empty or too long";
	errno = 0;
	long long quantity = strtoll(fields[QUANTITY], &end, 10);
	if (end == fields[QUANTITY] || *end || errno)
		return "Quantity is not a whole number";
	if (parse_time(fields[DATE], &time_ms) < 0)
		return "InvoiceDate is not YYYY-MM-DD HH:MM:SS";
	if (parse_decimal(fields[PRICE], &price) < 0)
		return "UnitPrice is not a decimal number with at most six places";
	if (find_country(orders, fields[COUNTRY], &country) < 0)
		return "Country is empty or too long, or there are too many";
	if (make_room(orders) < 0)
		return "out of memory";
	size_t place = table_find(orders, invoice, country);
	if (!orders->table[place]) {
		struct order *order = &orders->orders[orders->count];
		*order = (struct order){.time_ms = time_ms,
					.line = orders->lines,
					.country = country,
					.refund = invoice[0] == 'C'};
		memcpy(order->invoice, invoice, strlen(invoice) + 1);
		orders->table[place] = (uint32_t)++orders->count;
	}
	struct order *order = &orders->orders[orders->table[place] - 1];
	if (__builtin_mul_overflow(price, (int64_t)quantity, &amount) ||
	    __builtin_add_overflow(order->micros, amount, &order->micros) ||
	    order->micros > MICROS_MAX || order->micros < -MICROS_MAX)
		return "the order's value is out of range";
	orders->lines++;
	return NULL;
}

static const char *read_header(const struct line *line, size_t columns[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		columns[i] = COLUMNS_MAX;
		for (size_t j = 0; j < line->count; j++)
			if (strcmp(line->fields[j], column_names[i]) == 0)
				columns[i] = j;
		if (columns[i] == COLUMNS_MAX)
			return "the header must name InvoiceNo, Quantity, InvoiceDate, UnitPrice "
			       "and Country";
	}
	return NULL;
}

static int compare_orders(const void *left, const void *right)
{
	const struct order *a = left, *b = right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return a->line < b->line ? -1 : 1;
}

/* One pass over the lines; returns what is wrong with line *ret_number, or NULL. */
static const char *read_lines(FILE *file, struct orders *orders, uint64_t *ret_number)
{
	char *text = NULL;
	size_t text_bytes = 0, columns[COLUMNS] = {0};
	const char *wrong = NULL;
	ssize_t bytes;

	while (!wrong && (bytes = getline(&text, &text_bytes, file)) > 0) {
		struct line line;
		char *fields[COLUMNS];
		char *start = text;
		if (++*ret_number == 1 && strncmp(start, "\xef\xbb\xbf", 3) == 0)
			start += 3; /* a byte order mark */
		text[strcspn(text, "\r\n")] = '\0';
		if (*start == '\0')
			continue;
		if (strlen(text) + 2 < (size_t)bytes || split(start, &line) < 0) {
			wrong = "not a line of CSV";
		} else if (*ret_number == 1) {
			wrong = read_header(&line, columns);
		} else {
			for (int i = 0; i < COLUMNS && !wrong; i++) {
				if (columns[i] >= line.count)
					wrong = "fewer fields than the header has";
				else
					fields[i] = line.fields[columns[i]];
			}
			wrong = wrong ? wrong : add_line(orders, fields);
		}
	}
	free(text);
	if (!wrong && *ret_number == 0)
		wrong = "the file is empty";
	return wrong;
}

int orders_read(FILE *file, const char *name, struct orders *ret_orders, char *why,
		size_t why_bytes)
{
	uint64_t number = 0;
	memset(ret_orders, 0, sizeof(*ret_orders));
	const char *wrong = read_lines(file, ret_orders, &number);
	if (wrong || ferror(file)) {
		snprintf(why, why_bytes, "%s:%llu: %s", name, (unsigned long long)number,
			 wrong ? wrong : "cannot be read");
		orders_fini(ret_orders);
		return wrong ? -EINVAL : -EIO;
	}
	free(ret_orders->table); /* its indexes are void after sorting */
	ret_orders->table = NULL;
	if (ret_orders->count)
		qsort(ret_orders->orders, ret_orders->count, sizeof(*ret_orders->orders),
		      compare_orders);
	return 0;
}

void orders_fini(struct orders *orders)
{
	for (uint32_t i = 0; i < orders->countries_count; i++)
		free(orders->countries[i]);
	free(orders->orders);
	free(orders->table);
	memset(orders, 0, sizeof(*orders));
}

double order_value(const struct order *order)
{
	return (double)order->micros / MICROS;
}
