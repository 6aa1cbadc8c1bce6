/*
 * sheet: 400 days of a small shop in which each rule of the marketers' sheet is broken once.
 *
 * For each of the sixteen rules in tools/presets/marketing-rules.yaml a change is planted that goes
 * two points beyond the rule's threshold, and at another time one that stays a little below it. No
 * other rule may see either: what a change does to totals is evened out or small. Changes that
 * would be a jump the other way when they end go in steps.
 *
 * Constant table, pure functions; sheet_play.h plays it.
 */
#ifndef SHOP_SHEET_H
#define SHOP_SHEET_H

#include <stdint.h>
#include <stdio.h>

#define SHEET_DAYS 400u

/* What a change scales. */
enum sheet_what {
	SHEET_VISITS,   /* session_start; its bounces and page views go with it */
	SHEET_BOUNCES,  /* bounce */
	SHEET_PAGES,    /* page_view */
	SHEET_SEARCHES, /* search */
	SHEET_ORDERS,   /* purchase */
	SHEET_WORTH,    /* the value of a purchase */
	SHEET_WHATS,
};

/* The planted factor in a channel on a day, 1 where nothing is planted. */
double sheet_factor(enum sheet_what what, const char *channel, uint32_t day);
/* The first day of a sheet that begins in this week. */
uint64_t sheet_first_ms(uint64_t time_ms);
/* What is planted, as JSON members without braces. */
void sheet_print(uint64_t first_ms, FILE *to);

#endif
