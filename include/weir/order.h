/*
 * order: the only vocabulary for memory shared between threads or processes.
 *
 * Idea:  the order is in the name of the operation. Normal builds use Concurrency Kit's ck_pr
 *        primitives; ThreadSanitizer cannot see inside their assembly and would report false
 *        races, so its builds use the compiler's __atomic built-ins with the same meaning.
 *        tests/unit/clients/test_order.c runs both and compares.
 * Never: anything but naturally aligned 32- and 64-bit words.
 *
 *   weir_load_relaxed(p)      a value, no order: counters that people look at
 *   weir_load_acquire(p)      what the storer did before its release is visible after this
 *   weir_store_relaxed(p, v)  a value, no order
 *   weir_store_release(p, v)  all earlier loads and stores are visible before this one
 *   weir_add(p, v)            an atomic add, no order: counters with several writers
 *   weir_max(p, v)            raise *p to v; earlier stores are visible to who loads v (acquire)
 */
#ifndef WEIR_ORDER_H
#define WEIR_ORDER_H

#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define WEIR_ORDER_BUILTIN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_ORDER_BUILTIN 1
#endif
#endif

#ifdef WEIR_ORDER_BUILTIN

#define WEIR_ORDER_DEFINE(suffix, type)                                                            \
	static inline type weir_load_relaxed_##suffix(const type *p)                               \
	{                                                                                          \
		return __atomic_load_n(p, __ATOMIC_RELAXED);                                       \
	}                                                                                          \
	static inline type weir_load_acquire_##suffix(const type *p)                               \
	{                                                                                          \
		return __atomic_load_n(p, __ATOMIC_ACQUIRE);                                       \
	}                                                                                          \
	static inline void weir_store_relaxed_##suffix(type *p, type v)                            \
	{                                                                                          \
		__atomic_store_n(p, v, __ATOMIC_RELAXED);                                          \
	}                                                                                          \
	static inline void weir_store_release_##suffix(type *p, type v)                            \
	{                                                                                          \
		__atomic_store_n(p, v, __ATOMIC_RELEASE);                                          \
	}                                                                                          \
	static inline void weir_add_##suffix(type *p, type v)                                      \
	{                                                                                          \
		__atomic_fetch_add(p, v, __ATOMIC_RELAXED);                                        \
	}                                                                                          \
	static inline int weir_cas_##suffix(type *p, type was, type v)                             \
	{                                                                                          \
		return __atomic_compare_exchange_n(p, &was, v, 0, __ATOMIC_ACQ_REL,                \
						   __ATOMIC_RELAXED);                              \
	}

#else

#include <ck_pr.h>

#define WEIR_ORDER_DEFINE(suffix, type)                                                            \
	static inline type weir_load_relaxed_##suffix(const type *p)                               \
	{                                                                                          \
		return ck_pr_load_##suffix(p);                                                     \
	}                                                                                          \
	static inline type weir_load_acquire_##suffix(const type *p)                               \
	{                                                                                          \
		type v = ck_pr_load_##suffix(p);                                                   \
		ck_pr_fence_acquire();                                                             \
		return v;                                                                          \
	}                                                                                          \
	static inline void weir_store_relaxed_##suffix(type *p, type v)                            \
	{                                                                                          \
		ck_pr_store_##suffix(p, v);                                                        \
	}                                                                                          \
	static inline void weir_store_release_##suffix(type *p, type v)                            \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		ck_pr_store_##suffix(p, v);                                                        \
	}                                                                                          \
	static inline void weir_add_##suffix(type *p, type v)                                      \
	{                                                                                          \
		ck_pr_add_##suffix(p, v);                                                          \
	}                                                                                          \
	static inline int weir_cas_##suffix(type *p, type was, type v)                             \
	{                                                                                          \
		/* A locked compare-and-swap is a full barrier on x86; elsewhere the fences        \
		 * give it the acquire and release halves that the built-in twin has. */           \
		ck_pr_fence_release();                                                             \
		int ok = ck_pr_cas_##suffix(p, was, v);                                            \
		ck_pr_fence_acquire();                                                             \
		return ok;                                                                         \
	}

#endif

WEIR_ORDER_DEFINE(32, uint32_t)
WEIR_ORDER_DEFINE(64, uint64_t)

/* Ask for the line of `p` as one that will be written: it comes from the other processor's cache
 * while something else is done. A hint: any address will do, and nothing is ordered. */
static inline void weir_prefetch_write(const void *p)
{
#if defined(__x86_64__)
	/* The built-in becomes a prefetch for reading where the compiler is not told that there is
	 * this one. Processors without it take it for a no-op. */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1, 3);
#endif
}

/* Raise *p to v. The release half of the swap publishes what the caller did before; a loader
 * that acquires v sees it. Losing the race to a larger value is success. */
static inline void weir_max_64(uint64_t *p, uint64_t v)
{
	for (;;) {
		uint64_t was = weir_load_relaxed_64(p);
		if (was >= v || weir_cas_64(p, was, v))
			return;
	}
}

#endif
