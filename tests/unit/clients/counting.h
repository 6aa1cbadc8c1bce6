/*
 * counting: how many times this program has allocated. Without a sanitizer by standing in for the
 * allocator's own entry points, with one by its hooks.
 */
#ifndef TEST_COUNTING_H
#define TEST_COUNTING_H

#include <stdint.h>

uint64_t allocations_count(void);

#endif
