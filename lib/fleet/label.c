/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels of a host. */
#include "fleet/label.h"

#include "base/buf.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

static char *name_in(const char *text)
{
	return must_printf("%.*s", (int)strcspn(text, "="), text);
}

bool label_set(json_t *labels, const char *text)
{
	const char *value = strchr(text, '=');
	char *name = name_in(text);
	bool fits = *name && !json_object_get(labels, name);
	if (fits)
		json_object_set_new(labels, name, json_string(value ? value + 1 : ""));
	free(name);
	return fits;
}

json_t *label_set_all(char *const *texts)
{
	json_t *labels = json_object();
	for (; texts && *texts; texts++)
		label_set(labels, *texts);
	return labels;
}

bool label_held(const json_t *labels, const char *wanted)
{
	const char *value = strchr(wanted, '=');
	char *name = name_in(wanted);
	const char *has = json_string_value(json_object_get(labels, name));
	free(name);
	return has && (!value || !strcmp(has, value + 1));
}

bool label_want(json_t **wanted, const char *text)
{
	json_t *all = json_array();
	char *list = must_strdup(text), *rest;
	for (char *word = strtok_r(list, ", \t\r", &rest); word;
	     word = strtok_r(NULL, ", \t\r", &rest))
		json_array_append_new(all, json_string(word + (*word == '@')));
	free(list);
	bool any = json_array_size(all);
	if (!*wanted)
		*wanted = json_array();
	json_array_append_new(*wanted, all);
	return any;
}

bool label_fits(const json_t *labels, const json_t *wanted)
{
	bool fits = !json_array_size(wanted);
	json_each (all, wanted) {
		bool held = true;
		json_each (label, all)
			held &= label_held(labels, json_string_value(label));
		fits |= held;
	}
	return fits;
}
