/*
 * changes: see changes.h.
 */
#include "changes.h"

#include <stdio.h>

void change_print(const json_t *change)
{
	const char *key = json_string_value(json_object_get(change, "key"));
	const char *from = json_string_value(json_object_get(change, "from"));
	const char *to = json_string_value(json_object_get(change, "to"));
	printf("%s: %s -> %s%s\n", key ? key : "?", from ? from : "(none)", to ? to : "(none)",
	       json_is_true(json_object_get(change, "restart")) ? "  (needs a restart)" : "");
}
