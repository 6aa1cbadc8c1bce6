/* The clock of emits: the kernel's own function, and it says what libc's says. */
#include <criterion/criterion.h>
#include <sys/auxv.h>

#include "client.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STAND_IN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STAND_IN 1
#endif
#endif

static uint64_t ns_of(libweir_clock_function clock)
{
	struct timespec now;

	cr_assert_eq(clock(CLOCK_REALTIME_COARSE, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

Test(clock, is_the_kernels_own_where_there_is_one)
{
	weir *w;

	cr_assert_eq(weir_open(NULL, &w), 0);
#if defined(__x86_64__) && !defined(STAND_IN)
	const uintptr_t image = getauxval(AT_SYSINFO_EHDR);
	const uintptr_t at = (uintptr_t)libweir_clock;
	cr_assert(image == 0 || (at > image && at - image < 65536), "%p, the image is at %p",
		  (void *)at, (void *)image);
#else
	cr_assert_not_null(libweir_clock);
#endif
	weir_close(w, 0);
}

Test(clock, says_what_libc_says)
{
	weir *w;

	cr_assert_eq(weir_open(NULL, &w), 0);
	for (int i = 0; i < 100000; i++) {
		const uint64_t before_ns = ns_of(clock_gettime);
		const uint64_t at_ns = ns_of(libweir_clock);
		const uint64_t after_ns = ns_of(clock_gettime);
		cr_assert(before_ns <= at_ns && at_ns <= after_ns);
	}
	weir_close(w, 0);
}
