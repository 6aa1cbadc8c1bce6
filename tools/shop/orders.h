/*
 * orders: recorded order lines to one event per invoice and country.
 *
 * Input: CSV with a header line that names at least InvoiceNo, Quantity, InvoiceDate, UnitPrice and
 * Country, in any order (UCI Online Retail has these). An order is all lines of one invoice and
 * country: its value is the sum of quantity * unit price, its time that of its first line, and it
 * is a refund if the invoice number begins with C. Shop time is read as UTC.
 *
 * Sums are exact: prices are read as decimals into millionths, never as floating point.
 * A line that cannot be read fails the whole file, before anything is emitted.
 */
#ifndef SHOP_ORDERS_H
#define SHOP_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ORDERS_INVOICE_BYTES 24
#define ORDERS_COUNTRIES_MAX 1024

struct order {
	char invoice[ORDERS_INVOICE_BYTES];
	uint64_t time_ms;
	uint64_t line;    /* its first, without the header, from 0 */
	int64_t micros;   /* value, in millionths of the currency */
	uint32_t country; /* index */
	bool refund;
};

struct orders {
	struct order *orders; /* by time; those of one time in the order of their first lines */
	size_t count, capacity;
	char *countries[ORDERS_COUNTRIES_MAX];
	uint32_t countries_count;
	uint64_t lines;  /* read, without the header */
	uint32_t *table; /* hash of invoice and country to 1 + index in orders; 0: free */
	size_t table_size;
};

/* 0; or -EINVAL, -ENOMEM, -EIO with file, line and what is wrong in `why`. */
int orders_read(FILE *file, const char *name, struct orders *ret_orders, char *why,
		size_t why_bytes);
/* The same of a path: "-" is standard input, a name that ends in .gz goes through gzip. */
int orders_load(const char *path, struct orders *ret_orders, char *why, size_t why_bytes);
void orders_fini(struct orders *orders);
/* The value as the nearest double. */
double order_value(const struct order *order);

#endif
