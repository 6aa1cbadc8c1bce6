/*
 * clock: the kernel's own function for the clock, found without the detour over libc.
 *
 * Idea:  the kernel maps a small library into every process (the vDSO), and libc's clock_gettime is
 *        a jump into it with a check in front and one behind. Every emit that takes the time calls
 *        it; called directly it costs a fifth less. Where there is none, or none that we know
 *        (other processors, valgrind), libc's is as good. Where somebody stands in for libc's
 *        clock_gettime (a test with a time of its own, a sanitizer), his word counts; but not
 *        where an executable that is not position-independent has this library linked in: there
 *        the addresses of all of libc's functions are entries of the executable's own table, which
 *        look alike whoever stands behind them.
 *
 * Runs on:  whoever opens the first handle.
 */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "client.h"

libweir_clock_function libweir_clock = clock_gettime;

#if defined(__x86_64__) || defined(__aarch64__)

/* What the image's dynamic section points to; the image lies where it lies, so addresses in it are
 * offsets. */
struct image {
	const char *base;
	const ElfW(Sym) *symbols;
	const char *names;
	const uint32_t *hash;     /* NULL: there is only the other */
	const uint32_t *gnu_hash;
};

/* true: there are symbols to search. */
static bool image_read(const char *base, struct image *ret_image)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(base + header->e_phoff);
	const ElfW(Dyn) *dynamic = NULL;
	ElfW(Addr) linked_at = 0;

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			linked_at = segments[i].p_vaddr - segments[i].p_offset;
		else if (segments[i].p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)(base + segments[i].p_offset);
	}
	*ret_image = (struct image){.base = base - linked_at};
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const char *at = ret_image->base + dynamic->d_un.d_ptr;
		if (dynamic->d_tag == DT_SYMTAB)
			ret_image->symbols = (const ElfW(Sym) *)at;
		else if (dynamic->d_tag == DT_STRTAB)
			ret_image->names = at;
		else if (dynamic->d_tag == DT_HASH)
			ret_image->hash = (const uint32_t *)at;
		else if (dynamic->d_tag == DT_GNU_HASH)
			ret_image->gnu_hash = (const uint32_t *)at;
	}
	return ret_image->symbols && ret_image->names && (ret_image->hash || ret_image->gnu_hash);
}

/* How many symbols are there? Only the tables by which they are found say so. */
static uint32_t image_symbols(const struct image *image)
{
	if (image->hash)
		return image->hash[1];
	const uint32_t buckets = image->gnu_hash[0], first = image->gnu_hash[1];
	const uint32_t *bucket = image->gnu_hash + 4 + image->gnu_hash[2] * (sizeof(size_t) / 4);
	const uint32_t *chain = bucket + buckets;
	uint32_t last = 0;

	for (uint32_t i = 0; i < buckets; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

/* Which loaded object an address lies in: its program headers' address, NULL: none. */
struct owner {
	uintptr_t at;
	const void *object;
};

static int owner_look(struct dl_phdr_info *info, size_t bytes, void *argument)
{
	struct owner *owner = argument;

	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uintptr_t from = info->dlpi_addr + segment->p_vaddr;
		if (segment->p_type == PT_LOAD && owner->at - from < segment->p_memsz)
			owner->object = info->dlpi_phdr;
	}
	return owner->object != NULL;
}

static const void *object_of(uintptr_t at)
{
	struct owner owner = {.at = at};

	dl_iterate_phdr(owner_look, &owner);
	return owner.object;
}

void libweir_clock_find(void)
{
	static const char *const known[] = {"__vdso_clock_gettime", "__kernel_clock_gettime"};
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR); /* 0: there is none */
	struct image image;

	if (!base || !image_read(base, &image) ||
	    object_of((uintptr_t)clock_gettime) != object_of((uintptr_t)getauxval))
		return;
	const uint32_t count = image_symbols(&image);
	for (uint32_t i = 0; i < count; i++) {
		const ElfW(Sym) *symbol = &image.symbols[i];
		const char *name = image.names + symbol->st_name;
		if (symbol->st_shndx == SHN_UNDEF || (symbol->st_info & 0xf) != STT_FUNC ||
		    (strcmp(name, known[0]) && strcmp(name, known[1])))
			continue;
		const libweir_clock_function found =
			(libweir_clock_function)(uintptr_t)(image.base + symbol->st_value);
		struct timespec now;
		if (found(CLOCK_REALTIME_COARSE, &now) == 0)
			libweir_clock = found;
		return;
	}
}

#else

void libweir_clock_find(void)
{
}

#endif
