/* The operations of weir/order.h as functions, so that a test can hold both of its variants. */
#ifndef TEST_ORDER_TWIN_H
#define TEST_ORDER_TWIN_H

#include <stdint.h>

struct order_twin {
	const char *name;
	uint32_t (*load_relaxed_32)(const uint32_t *p);
	uint32_t (*load_acquire_32)(const uint32_t *p);
	void (*store_relaxed_32)(uint32_t *p, uint32_t v);
	void (*store_release_32)(uint32_t *p, uint32_t v);
	void (*add_32)(uint32_t *p, uint32_t v);
	int (*cas_32)(uint32_t *p, uint32_t was, uint32_t v);
	uint64_t (*load_relaxed_64)(const uint64_t *p);
	uint64_t (*load_acquire_64)(const uint64_t *p);
	void (*store_relaxed_64)(uint64_t *p, uint64_t v);
	void (*store_release_64)(uint64_t *p, uint64_t v);
	void (*add_64)(uint64_t *p, uint64_t v);
	int (*cas_64)(uint64_t *p, uint64_t was, uint64_t v);
	void (*max_64)(uint64_t *p, uint64_t v);
};

#define ORDER_TWIN(title)                                                                          \
	{                                                                                          \
		.name = title, .load_relaxed_32 = weir_load_relaxed_32,                            \
		.load_acquire_32 = weir_load_acquire_32,                                           \
		.store_relaxed_32 = weir_store_relaxed_32,                                         \
		.store_release_32 = weir_store_release_32, .add_32 = weir_add_32,                  \
		.cas_32 = weir_cas_32, .load_relaxed_64 = weir_load_relaxed_64,                    \
		.load_acquire_64 = weir_load_acquire_64,                                           \
		.store_relaxed_64 = weir_store_relaxed_64,                                         \
		.store_release_64 = weir_store_release_64, .add_64 = weir_add_64,                  \
		.cas_64 = weir_cas_64, .max_64 = weir_max_64,                                      \
	}

extern const struct order_twin order_builtin;

#endif
