/*
 * machine: see machine.h. Everything is read from /proc and /sys, so that it says what this kernel
 * gives to this process and not what a data sheet says.
 */
#include "machine.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "apart.h"
#include "commit.h"
#include "figure.h"
#include "processor.h"
#include "weir/weir.h"

/* The first line of a file, without its line feed. Returns text; "": there is none. */
static const char *read_line(const char *path, char *text, size_t text_bytes)
{
	FILE *file = fopen(path, "re");
	text[0] = '\0';
	if (!file)
		return text;
	if (!fgets(text, (int)text_bytes, file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The value of a line "key : value" of a file, the first there is; "": none. */
static void read_key(const char *path, const char *key, char *value, size_t value_bytes)
{
	char line[4096];
	size_t length = strlen(key);
	FILE *file = fopen(path, "re");
	value[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		char *at = line + length;
		if (strncmp(line, key, length) != 0 || !strchr(" \t:", *at))
			continue;
		at += strspn(at, " \t:");
		at[strcspn(at, "\n")] = '\0';
		snprintf(value, value_bytes, "%s", at);
		break;
	}
	if (file)
		fclose(file);
}

static void read_cpu(struct machine *machine)
{
	char name[80], family[16], model[16];
	read_key("/proc/cpuinfo", "model name", name, sizeof(name));
	read_key("/proc/cpuinfo", "cpu family", family, sizeof(family));
	read_key("/proc/cpuinfo", "model", model, sizeof(model));
	if (name[0] && family[0])
		snprintf(machine->cpu, sizeof(machine->cpu), "%s, family %s model %s", name, family,
			 model);
	else
		snprintf(machine->cpu, sizeof(machine->cpu), "%s", name);
}

static void read_caches(struct machine *machine)
{
	size_t used = 0;
	for (int i = 0; i < 8; i++) {
		char path[128], level[16], type[32], size[32];
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
		read_line(path, level, sizeof(level));
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/type", i);
		read_line(path, type, sizeof(type));
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
		read_line(path, size, sizeof(size));
		unsigned long kib = strtoul(size, NULL, 10);
		if (!level[0] || strcmp(type, "Instruction") == 0)
			continue;
		int r = snprintf(machine->caches + used, sizeof(machine->caches) - used,
				 "%sL%s%s %lu %s", used ? ", " : "", level,
				 strcmp(type, "Data") == 0 ? "d" : "",
				 kib >= 1024 ? kib / 1024 : kib, kib >= 1024 ? "MiB" : "KiB");
		if (r < 0 || (size_t)r >= sizeof(machine->caches) - used)
			return;
		used += (size_t)r;
	}
}

/* The hypervisor's signature, where the processor has cpuid. */
static void read_virtual(struct machine *machine)
{
#if defined(__x86_64__)
	uint32_t a = 1, b = 0, c = 0, d = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c >> 31))
		return;
	a = 0x40000000;
	c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	uint32_t words[3] = {b, c, d};
	char name[sizeof(words) + 1] = "";
	memcpy(name, words, sizeof(words));
	size_t used = 0;
	for (size_t i = 0; i < sizeof(words) && name[i]; i++)
		if (isprint((unsigned char)name[i]))
			machine->virtual[used++] = name[i];
	if (strcmp(machine->virtual, "KVMKVMKVM") == 0)
		machine->virtual[3] = '\0';
#endif
}

/* The word in brackets: "always [madvise] never". */
static void chosen_word(const char *path, char word[24])
{
	char line[128];
	char *at = strchr(read_line(path, line, sizeof(line)), '[');
	size_t length = at ? strcspn(at + 1, "]") : 0;
	snprintf(word, 24, "%.*s", (int)length, at ? at + 1 : "");
}

static void read_pages(struct machine *machine)
{
	char own[24], shared[24];
	chosen_word("/sys/kernel/mm/transparent_hugepage/enabled", own);
	chosen_word("/sys/kernel/mm/transparent_hugepage/shmem_enabled", shared);
	snprintf(machine->pages, sizeof(machine->pages), "%s, shared memory %s",
		 own[0] ? own : "none", shared[0] ? shared : "none");
}

/* A line of mountinfo: "36 35 98:0 /root /mount options [fields] - type source options". */
static void read_file_system(struct machine *machine)
{
	char line[4096], wanted[32], real[PATH_MAX];
	struct stat st;
	if (realpath(machine->directory, real))
		snprintf(machine->directory, sizeof(machine->directory), "%.255s", real);
	if (stat(machine->directory, &st) < 0)
		return;
	snprintf(wanted, sizeof(wanted), "%u:%u", major(st.st_dev), minor(st.st_dev));
	FILE *file = fopen("/proc/self/mountinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		char device[32];
		char *behind = strstr(line, " - ");
		if (!behind || sscanf(line, "%*u %*u %31s", device) != 1 ||
		    strcmp(device, wanted) != 0)
			continue;
		sscanf(behind, " - %63s %63s", machine->file_system, machine->device);
		break;
	}
	if (file)
		fclose(file);
}

void machine_read(struct machine *machine, const char *directory)
{
	char text[128];
	struct utsname names;
	*machine = (struct machine){0};
	read_cpu(machine);
	read_caches(machine);
	read_virtual(machine);
	read_pages(machine);
	if (uname(&names) == 0)
		snprintf(machine->kernel, sizeof(machine->kernel), "%.40s %.80s", names.sysname,
			 names.release);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  machine->clock, sizeof(machine->clock));
	if (directory) {
		snprintf(machine->directory, sizeof(machine->directory), "%s", directory);
		read_file_system(machine);
	}
	snprintf(machine->version, sizeof(machine->version), "%s", weir_version());
	snprintf(machine->commit, sizeof(machine->commit), "%s", WEIR_COMMIT);
#if defined(__clang__)
	snprintf(machine->compiler, sizeof(machine->compiler), "clang %s", __clang_version__);
#else
	snprintf(machine->compiler, sizeof(machine->compiler), "gcc %s", __VERSION__);
#endif
	machine->cores_online = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	machine->cores = processor_count();
	machine->apart_ns = apart_ns();
	machine->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	machine->load = strtod(read_line("/proc/loadavg", text, sizeof(text)), NULL);
}

static void print_member(const char *name, const char *text, FILE *out)
{
	fprintf(out, ",\"%s\":", name);
	if (text[0])
		figure_json_text(text, out);
	else
		fputs("null", out);
}

void machine_print_json(const struct machine *machine, FILE *out)
{
	fputs("{\"name\":\"machine\"", out);
	print_member("cpu", machine->cpu, out);
	fprintf(out, ",\"cores\":%u,\"cores_online\":%u", machine->cores, machine->cores_online);
	if (machine->apart_ns > 0)
		fprintf(out, ",\"cores_apart_ns\":%.0f", machine->apart_ns);
	else
		fputs(",\"cores_apart_ns\":null", out);
	print_member("caches", machine->caches, out);
	print_member("hypervisor", machine->virtual, out);
	print_member("kernel", machine->kernel, out);
	print_member("clock", machine->clock, out);
	fprintf(out, ",\"memory\":%llu", (unsigned long long)machine->memory_bytes);
	print_member("large_pages", machine->pages, out);
	print_member("directory", machine->directory, out);
	print_member("file_system", machine->file_system, out);
	print_member("device", machine->device, out);
	fprintf(out, ",\"load\":%.2f", machine->load);
	print_member("version", machine->version, out);
	print_member("commit", machine->commit, out);
	print_member("compiler", machine->compiler, out);
	fputs("}\n", out);
}

static const char *or_unknown(const char *text)
{
	return text[0] ? text : "unknown";
}

void machine_print(const struct machine *machine, FILE *out)
{
	fprintf(out, "machine   %s; %u", or_unknown(machine->cpu), machine->cores);
	if (machine->cores != machine->cores_online)
		fprintf(out, " of %u", machine->cores_online);
	fprintf(out, " core%s", machine->cores == 1 ? "" : "s");
	if (machine->apart_ns > 0)
		fprintf(out, ", %.0f ns apart", machine->apart_ns);
	fprintf(out, "; %s", or_unknown(machine->caches));
	if (machine->virtual[0])
		fprintf(out, "; under %s", machine->virtual);
	fprintf(out, "\n          %.1f GiB of memory, large pages %s; %s, clock %s; load %.2f\n",
		(double)machine->memory_bytes / (1 << 30), machine->pages,
		or_unknown(machine->kernel), or_unknown(machine->clock), machine->load);
	if (machine->directory[0])
		fprintf(out, "data      %s: %s on %s\n", machine->directory,
			or_unknown(machine->file_system), or_unknown(machine->device));
	fprintf(out, "weir      %s, commit %s, built with %s\n", machine->version, machine->commit,
		machine->compiler);
}

void machine_head(bool json, const char *directory)
{
	struct machine machine;
	machine_read(&machine, directory);
	if (json)
		machine_print_json(&machine, stdout);
	else
		machine_print(&machine, stdout);
	if (!json)
		putchar('\n');
	/* A run takes long, and who waits wants to see something. */
	fflush(stdout);
}
