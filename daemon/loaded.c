/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts in the order in which they were loaded, but for those of which nothing is in use. */
#include "daemon/loaded.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "custom/type.h"
#include <stdlib.h>
#include <string.h>

struct loaded {
	struct journal *journal;
	struct journal_file *file; /* NULL: there is none yet */
	json_t *texts;             /* [{name, text, types: [name]}] */
	/* What is being kept: */
	uint64_t ticket;
	json_t *before;    /* the texts, should it not be */
	loaded_done *done; /* NULL: nothing is */
	void *arg;
};

static void settled(void *owner)
{
	struct loaded *l = owner;
	loaded_done *done = l->done;
	if (!done || l->ticket > journal_settled_until(l->file))
		return;
	int failed = journal_failed(l->file);
	json_decref(failed ? l->texts : l->before);
	if (failed)
		l->texts = l->before;
	l->done = NULL;
	done(l->arg, failed);
}

struct loaded *loaded_new(struct journal *journal)
{
	struct loaded *l = must_calloc(1, sizeof *l);
	l->journal = journal;
	l->texts = json_array();
	return l;
}

void loaded_free(struct loaded *l)
{
	journal_file_free(l->file);
	json_decref(l->texts);
	free(l);
}

/* ---- what replaces what ---- */

static bool has(const json_t *names, const char *name)
{
	json_each (item, names)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

static void supersede(struct loaded *l, const json_t *names)
{
	for (size_t i = json_array_size(l->texts); i-- > 0;) {
		json_t *types = json_object_get(json_array_get(l->texts, i), "types");
		for (size_t n = json_array_size(types); n-- > 0;)
			if (has(names, json_string_value(json_array_get(types, n))))
				json_array_remove(types, n);
		if (!json_array_size(types))
			json_array_remove(l->texts, i);
	}
}

static void take(struct loaded *l, const char *name, const char *text,
                 const struct pt_type *const *types)
{
	json_t *names = json_array();
	for (; *types; types++)
		json_array_append_new(names, json_string((*types)->name));
	supersede(l, names);
	json_array_append_new(
		l->texts, json_pack("{s:s, s:s, s:o}", "name", name, "text", text, "types", names));
}

/* ---- keeping ---- */

void loaded_restore(struct loaded *l, const json_t *records, const struct func_limits *limits)
{
	l->file = journal_file_new(l->journal, LOADED_JOURNAL, true, settled, l);
	json_each (record, records) {
		const struct pt_type *const *types = NULL;
		struct pt_error err = PT_ERROR_INIT;
		const char *name = json_string_value(json_object_get(record, "name"));
		const char *text = json_string_value(json_object_get(record, "text"));
		if (!name || !text)
			continue;
		int code = custom_type_load(name, text, strlen(text), limits, &types, &err);
		if (code)
			log_error("%s, which was loaded and kept, cannot be loaded again: %s", name,
			          pt_error_text(&err, error_words(code)));
		if (types)
			take(l, name, text, types);
		else
			json_array_append(l->texts, record);
		pt_error_clear(&err);
	}
}

/* With all of its types. */
static bool is_there(const struct loaded *l, const char *name, const char *text,
                     const struct pt_type *const *types)
{
	size_t count = 0;
	while (types[count])
		count++;
	json_each (record, l->texts)
		if (!strcmp(json_string_value(json_object_get(record, "name")), name) &&
		    !strcmp(json_string_value(json_object_get(record, "text")), text) &&
		    json_array_size(json_object_get(record, "types")) == count)
			return true;
	return false;
}

void loaded_add(struct loaded *l, const char *name, const char *text,
                const struct pt_type *const *types, loaded_done *done, void *arg)
{
	json_t *before = is_there(l, name, text, types) ? NULL : json_deep_copy(l->texts);
	if (before)
		take(l, name, text, types);
	if (!before || !l->journal) {
		json_decref(before);
		done(arg, 0);
		return;
	}
	if (!l->file)
		l->file = journal_file_new(l->journal, LOADED_JOURNAL, false, settled, l);
	l->before = before;
	l->done = done;
	l->arg = arg;
	l->ticket = journal_rewrite(l->file, l->texts);
}
