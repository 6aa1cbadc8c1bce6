/*
 * calendar_set: see calendar_set.h.
 */
#include "calendar_set.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone.h"
#include "input_calendar.h"

#define ENDING ".json"

const char *calendar_sets_folder(void)
{
	const char *folder = getenv("WEIR_CALENDARS");

	return folder && folder[0] ? folder : WEIR_CALENDARS_FOLDER;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_set(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), ending = strlen(ENDING);

	return length > ending && strcmp(entry->d_name + length - ending, ENDING) == 0;
}

static json_t *load(const char *folder, const char *file, json_error_t *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] ? "/" : "", file);
	return json_load_file(path, JSON_REJECT_DUPLICATES, error);
}

int calendar_sets_each(void (*each)(void *self, const char *name, const char *title), void *self)
{
	struct dirent **entries;
	const char *folder = calendar_sets_folder();
	int count = scandir(folder, &entries, is_set, by_name);

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		json_error_t error;
		json_t *set = load(folder, entries[i]->d_name, &error);
		const char *name = json_string_value(json_object_get(set, "set"));
		const char *title = json_string_value(json_object_get(set, "title"));
		if (name)
			each(self, name, title ? title : "");
		json_decref(set);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static void add_name(void *self, const char *name, const char *title)
{
	char *names = self;
	size_t used = strlen(names);

	(void)title;
	snprintf(names + used, 256 - used, "%s%s", used ? ", " : "", name);
}

/* Entries one by one: with the set's name and zone, and right. */
static int complete(json_t *set, char *why, size_t why_bytes)
{
	json_t *zone = json_object_get(set, "zone"), *name = json_object_get(set, "set");
	json_t *entries = json_object_get(set, "entries"), *members;
	struct calendar_entry entry;
	char what[256] = "";
	size_t i;

	if (!json_is_array(entries) || json_array_size(entries) == 0 || !json_is_string(name)) {
		snprintf(why, why_bytes, "it wants \"set\", a name, and \"entries\", a list");
		return -EINVAL;
	}
	json_array_foreach(entries, i, members)
	{
		if (!json_is_object(members)) {
			snprintf(why, why_bytes, "entry %zu is no object", i + 1);
			return -EINVAL;
		}
		json_object_set(members, "set", name);
		if (zone && !json_object_get(members, "zone"))
			json_object_set(members, "zone", zone);
		if (input_calendar_read(members, &entry, what, sizeof(what)) < 0) {
			snprintf(why, why_bytes, "entry %zu: %s", i + 1, what);
			return -EINVAL;
		}
		zone_free((struct zone *)(uintptr_t)entry.zone);
	}
	return 0;
}

json_t *calendar_set_read(const char *name, char *why, size_t why_bytes)
{
	bool given = strchr(name, '/') != NULL;
	char file[NAME_MAX + 1], names[256] = "", what[512] = "";
	json_error_t error;

	snprintf(file, sizeof(file), "%s%s", name, ENDING);
	json_t *set = load(given ? "" : calendar_sets_folder(), given ? name : file, &error);
	if (!set && !given && json_error_code(&error) == json_error_cannot_open_file) {
		int result = calendar_sets_each(add_name, names);
		snprintf(why, why_bytes, "there is no set \"%s\" in %s: %s%s", name,
			 calendar_sets_folder(), result < 0 ? strerror(-result) : "there are ",
			 result < 0 ? "; WEIR_CALENDARS says where they are" : names);
		return NULL;
	}
	if (!set) {
		snprintf(why, why_bytes, "set %s: line %d: %s", name, error.line, error.text);
		return NULL;
	}
	if (complete(set, what, sizeof(what)) < 0) {
		snprintf(why, why_bytes, "set %s: %s", name, what);
		json_decref(set);
		return NULL;
	}
	json_t *entries = json_incref(json_object_get(set, "entries"));
	json_decref(set);
	return entries;
}
