/* fnv: the hash that its authors published. */
#include <criterion/criterion.h>

#include "base/fnv.h"

Test(fnv, gives_the_published_values)
{
	cr_expect_eq(fnv(FNV_BEGIN, NULL, 0), UINT64_C(0xcbf29ce484222325));
	cr_expect_eq(fnv(FNV_BEGIN, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
	cr_expect_eq(fnv(FNV_BEGIN, "foobar", 6), UINT64_C(0x85944171f73967e8));
}

Test(fnv, goes_on_where_it_was)
{
	cr_expect_eq(fnv(fnv(FNV_BEGIN, "foo", 3), "bar", 3), fnv(FNV_BEGIN, "foobar", 6));
}
