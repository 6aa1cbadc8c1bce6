#include <criterion/criterion.h>
Test(reader, x) {}
