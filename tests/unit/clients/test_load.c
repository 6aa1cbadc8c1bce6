/* The shared library as a plug-in or another language loads it: late, and let go early. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "weir/weir.h"

struct loaded {
	void *library;
	int (*open)(const struct weir_options *, weir **);
	int (*series)(weir *, const char *, const char *, enum weir_series_kind,
		      const struct weir_dimension *, size_t);
	int (*emit)(weir *, int, double);
	void (*ledger)(weir *, struct weir_ledger *);
	int (*close)(weir *, uint32_t);
	weir *w;
	int id;
	pthread_barrier_t barrier;
};

static void *symbol(void *library, const char *name)
{
	void *address = dlsym(library, name);

	cr_assert_not_null(address, "%s", name);
	return address;
}

static void load(struct loaded *l)
{
	l->library = dlopen(getenv("WEIR_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	cr_assert_not_null(l->library, "%s", dlerror());
	*(void **)&l->open = symbol(l->library, "weir_open");
	*(void **)&l->series = symbol(l->library, "weir_series");
	*(void **)&l->emit = symbol(l->library, "weir_emit");
	*(void **)&l->ledger = symbol(l->library, "weir_ledger");
	*(void **)&l->close = symbol(l->library, "weir_close");
}

static void *emit_and_outlive(void *argument)
{
	struct loaded *l = argument;

	cr_assert_eq(l->emit(l->w, l->id, 1), 0);
	pthread_barrier_wait(&l->barrier);
	pthread_barrier_wait(&l->barrier); /* closed and let go meanwhile */
	return NULL;
}

/* The thread was there before the library, and exits after it was let go. */
Test(load, a_library_that_comes_late_and_goes_early_leaves_its_threads_whole)
{
	struct loaded l = {0};
	struct weir_options options = {.size = sizeof(options), .socket_path = "/nowhere/s"};
	struct weir_ledger ledger;
	pthread_t thread;

	if (!getenv("WEIR_LIBRARY"))
		cr_skip("WEIR_LIBRARY does not name libweir.so");
	pthread_barrier_init(&l.barrier, NULL, 2);
	load(&l);
	cr_assert_eq(l.open(&options, &l.w), 0);
	l.id = l.series(l.w, WEIR_PURCHASE, NULL, WEIR_KIND_NUMBER, NULL, 0);
	pthread_create(&thread, NULL, emit_and_outlive, &l);
	pthread_barrier_wait(&l.barrier);
	cr_assert_eq(l.emit(l.w, l.id, 1), 0);
	l.ledger(l.w, &ledger);
	cr_assert_eq(ledger.published, 2);
	l.close(l.w, 0);
	dlclose(l.library);
	pthread_barrier_wait(&l.barrier);
	pthread_join(thread, NULL);
}
