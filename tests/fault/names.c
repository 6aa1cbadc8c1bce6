/*
 * names: see names.h. The symbol table of /proc/self/exe, sorted.
 */
#include "names.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct function {
	uint64_t at, bytes;
	char name[48];
} *functions;
static size_t functions_count;

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void take(const char *file, const Elf64_Shdr *table, const Elf64_Shdr *texts)
{
	const Elf64_Sym *symbols = (const void *)(file + table->sh_offset);
	size_t count = table->sh_size / sizeof(*symbols);

	functions = calloc(count, sizeof(*functions));
	for (size_t i = 0; functions && i < count; i++) {
		const char *name = file + texts->sh_offset + symbols[i].st_name;
		if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC || !symbols[i].st_size)
			continue;
		struct function *function = &functions[functions_count++];
		function->at = symbols[i].st_value;
		function->bytes = symbols[i].st_size;
		/* Parts that compilers split off are the function's. */
		snprintf(function->name, sizeof(function->name), "%.*s",
			 (int)strcspn(name, "."), name);
	}
	qsort(functions, functions_count, sizeof(*functions), by_address);
}

void names_read(void)
{
	struct stat stat;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &stat) < 0)
		abort();
	char *file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		abort();
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);
	for (int i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			take(file, &sections[i], &sections[sections[i].sh_link]);
	munmap(file, (size_t)stat.st_size);
}

const char *name_of(const void *address)
{
	extern const char __executable_start[];
	uint64_t at = (uint64_t)((const char *)address - __executable_start);
	size_t low = 0, high = functions_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (functions[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || at >= functions[low - 1].at + functions[low - 1].bytes)
		return NULL;
	return functions[low - 1].name;
}
