/* Counts allocations of the whole program: see counting.h. */
#include "counting.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static uint64_t allocations;

uint64_t allocations_count(void)
{
	return __atomic_load_n(&allocations, __ATOMIC_RELAXED);
}

static void count(void)
{
	__atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifdef SANITIZED

int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
					      void (*free_hook)(const volatile void *));

static void allocated(const volatile void *pointer, size_t bytes)
{
	(void)pointer;
	(void)bytes;
	count();
}

static void freed(const volatile void *pointer)
{
	(void)pointer;
}

__attribute__((constructor)) static void hook(void)
{
	__sanitizer_install_malloc_and_free_hooks(allocated, freed);
}

#else

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *pointer, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
	count();
	return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t members, size_t bytes)
{
	count();
	return __libc_calloc(members, bytes);
}

__attribute__((visibility("default"))) void *realloc(void *pointer, size_t bytes)
{
	count();
	return __libc_realloc(pointer, bytes);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t bytes)
{
	count();
	return __libc_memalign(alignment, bytes);
}

__attribute__((visibility("default"))) int posix_memalign(void **ret_pointer, size_t alignment,
							  size_t bytes)
{
	count();
	*ret_pointer = __libc_memalign(alignment, bytes);
	return *ret_pointer ? 0 : ENOMEM;
}

#endif
