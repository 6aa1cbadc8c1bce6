/* orders: lines to orders, with exact sums, and files that are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orders.h"

#define HEADER "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

static struct orders orders;
static char why[256];

static int read_bytes(const char *text, size_t bytes)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, bytes, "r");
	cr_assert(file);
	int ret = orders_read(file, "x.csv", &orders, why, sizeof(why));
	fclose(file);
	return ret;
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

Test(shop_orders, lines_of_one_invoice_and_country_are_one_order_at_its_first_lines_time)
{
	cr_assert_eq(read_text(HEADER "536365,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
				      "536366,1,2010-12-01 08:28:00,1,,France\n"
				      "536365,2,2010-12-01 08:27:00,0.10,17850,United Kingdom\n"
				      "536365,1,2010-12-01 08:29:00,7.5,17850,France\n"),
		     0, "%s", why);
	cr_assert_eq(orders.count, 3);
	cr_expect_eq(orders.lines, 4);
	cr_expect_eq(orders.orders[0].time_ms, UINT64_C(1291191960000));
	cr_expect_eq(orders.orders[0].micros, 15500000);
	cr_expect_eq(order_value(&orders.orders[0]), 15.5);
	cr_expect_str_eq(orders.countries[orders.orders[0].country], "United Kingdom");
	cr_expect_str_eq(orders.countries[orders.orders[1].country], "France");
	cr_expect_eq(orders.orders[2].micros, 7500000);
	orders_fini(&orders);
}

Test(shop_orders, an_invoice_of_a_c_is_a_refund_and_any_other_a_purchase_also_of_nothing)
{
	cr_assert_eq(read_text(HEADER "C1,-2,2011-01-04 10:00:00,1.25,,UK\n"
				      "A2,1,2011-01-04 10:00:00,-11062.06,,UK\n"
				      "3,5,2011-01-04 10:00:00,0,,UK\n"
				      "C4,1,2011-01-04 10:00:00,0.0,,UK\n"),
		     0, "%s", why);
	cr_assert_eq(orders.count, 4);
	cr_expect(orders.orders[0].refund);
	cr_expect_eq(order_value(&orders.orders[0]), -2.5);
	cr_expect_not(orders.orders[1].refund);
	cr_expect_eq(order_value(&orders.orders[1]), -11062.06);
	cr_expect_not(orders.orders[2].refund);
	cr_expect_eq(order_value(&orders.orders[2]), 0.0);
	cr_expect(orders.orders[3].refund);
	orders_fini(&orders);
}

Test(shop_orders, orders_come_by_time_and_those_of_one_time_as_they_stand)
{
	cr_assert_eq(read_text(HEADER "3,1,2011-01-04 10:02:00,3,,UK\n"
				      "1,1,2011-01-04 10:01:00,1,,UK\n"
				      "2,1,2011-01-04 10:01:00,2,,UK\n"
				      "0,1,2011-01-04 10:01,0,,UK\n"),
		     0, "%s", why);
	static const char *const expected[] = {"1", "2", "0", "3"};
	for (int i = 0; i < 4; i++)
		cr_expect_str_eq(orders.orders[i].invoice, expected[i]);
	orders_fini(&orders);
}

Test(shop_orders, sums_are_exact_where_floating_point_is_not)
{
	/* 0.1 added 3000 times is not 300 in floating point. */
	size_t bytes = sizeof(HEADER) + 3000 * 40, used = 0;
	char *text = malloc(bytes);
	used += (size_t)snprintf(text, bytes, HEADER);
	for (int i = 0; i < 3000; i++)
		used += (size_t)snprintf(text + used, bytes - used,
					 "7,1,2011-01-04 10:00:00,%s,,UK\n",
					 i % 2 ? "0.1" : "+0.100000");
	cr_assert_eq(read_bytes(text, used), 0, "%s", why);
	cr_expect_eq(orders.count, 1);
	cr_expect_eq(order_value(&orders.orders[0]), 300.0);
	orders_fini(&orders);
	free(text);
}

Test(shop_orders, columns_are_found_by_name_and_quotes_are_read)
{
	cr_assert_eq(
		read_text(
			"\xef\xbb\xbfInvoiceNo,StockCode,Description,Quantity,InvoiceDate,"
			"UnitPrice,CustomerID,Country\r\n"
			"9,85A,\"HEART, \"\"WHITE\"\"\",6,2011-01-04T10:00:00,2.55,1,\"EIRE\"\r\n"),
		0, "%s", why);
	cr_assert_eq(orders.count, 1);
	cr_expect_eq(orders.orders[0].micros, 15300000);
	cr_expect_str_eq(orders.countries[0], "EIRE");
	orders_fini(&orders);
}

Test(shop_orders, a_thousand_invoices_are_all_found_again)
{
	enum { INVOICES = 5000, LINES = 3 };
	size_t bytes = sizeof(HEADER) + INVOICES * LINES * 60, used = 0;
	char *text = malloc(bytes);
	used += (size_t)snprintf(text, bytes, HEADER);
	for (int line = 0; line < LINES; line++)
		for (int i = 0; i < INVOICES; i++)
			used += (size_t)snprintf(text + used, bytes - used,
						 "%d,%d,2011-01-04 10:%02d:00,0.01,,C%d\n", i / 2,
						 line + 1, i % 60, i % 2);
	cr_assert_eq(read_bytes(text, used), 0, "%s", why);
	cr_assert_eq(orders.count, INVOICES);
	for (size_t i = 0; i < orders.count; i++)
		cr_assert_eq(orders.orders[i].micros, 60000);
	orders_fini(&orders);
	free(text);
}

Test(shop_orders, what_cannot_be_read_is_refused_with_its_line)
{
	static const char *const bad[] = {
		"1,x,2011-01-04 10:00:00,1,,UK",
		"1,1.5,2011-01-04 10:00:00,1,,UK",
		"1,1,2011-02-30 10:00:00,1,,UK",
		"1,1,2011-01-04 25:00:00,1,,UK",
		"1,1,04/01/2011 10:00,1,,UK",
		"1,1,2011-01-04 10:00:00x,1,,UK",
		"1,1,1969-01-04 10:00:00,1,,UK",
		"1,1,2011-01-04 10:00:00,1e3,,UK",
		"1,1,2011-01-04 10:00:00,,,UK",
		"1,1,2011-01-04 10:00:00,1.2.3,,UK",
		"1,1,2011-01-04 10:00:00,.,,UK",
		"1,1,2011-01-04 10:00:00,0.0000001,,UK",
		"1,1,2011-01-04 10:00:00,1,,",
		"1,1,2011-01-04 10:00:00,1",
		",1,2011-01-04 10:00:00,1,,UK",
		"1,9999999999999,2011-01-04 10:00:00,9999,,UK",
		"1,1,2011-01-04 10:00:00,99999999999999999999,,UK",
		"1,1,2011-01-04 10:00:00,1,,\"UK",
		"123456789012345678901234567890,1,2011-01-04 10:00:00,1,,UK",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[512];
		snprintf(text, sizeof(text), HEADER "1,1,2011-01-04 10:00:00,1,,UK\n%s\n", bad[i]);
		cr_expect_eq(read_text(text), -EINVAL, "%s", bad[i]);
		cr_expect(strncmp(why, "x.csv:3: ", 9) == 0, "%s: %s", bad[i], why);
		cr_expect_eq(orders.count, 0);
	}
	cr_expect_eq(read_bytes(HEADER "1,1\0,1\n", sizeof(HEADER) + 7), -EINVAL);
	cr_expect_eq(read_text("InvoiceNo,Quantity,InvoiceDate,Country\n"), -EINVAL);
	cr_expect(strstr(why, "header must name"));
	cr_expect_eq(read_text("\n"), 0, "an empty line is passed over");
	orders_fini(&orders);
}
