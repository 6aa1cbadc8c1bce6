/*
 * expect: what the programs of one story count; what fails is said, and they go on.
 */
#ifndef TESTS_SIM_EXPECT_H
#define TESTS_SIM_EXPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/proof.h"

static int expect_failed, expect_passed;

static void expect(bool condition, const char *what)
{
	expect_passed += condition;
	expect_failed += !condition;
	if (!condition)
		printf("FAILED: %s\n", what);
}

/* The exit code, when everything is said. */
static int expect_end(const char *proof, uint64_t count)
{
	printf("%d passed, %d failed\n", expect_passed, expect_failed);
	proof_say(proof, count, (uint64_t)expect_failed);
	return expect_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
