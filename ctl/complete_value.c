/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of parameters, by their kinds. */
#include "base/buf.h"
#include "base/json.h"
#include "ctl/complete.h"
#include "script/native.h"
#include "type/param.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct value {
	struct completion *c;
	char *before;      /* the word up to the value, or to what is in quotes */
	const char *quote; /* that begins it: none where one is open, or none is needed */
	const char *close; /* that ends it */
	bool open;         /* the word goes on behind the value */
};

static void add(struct value *v, const char *what, const char *text)
{
	candidate_add(v->c, v->open, what, "%s%s%s%s", v->before, v->quote, text, v->close);
}

/* What has an argument is left for the user to finish. */
static void add_operation(struct value *v, const struct native_op *op)
{
	if (!op->read) {
		add(v, op->doc, op->name);
		return;
	}
	size_t length = strcspn(op->usage, "({'");
	length += op->usage[length] != '\'';
	candidate_add(v->c, true, op->doc, "%s%s%.*s", v->before, v->quote, (int)length, op->usage);
}

static void add_operations(struct value *v, enum pt_kind kind)
{
	for (const struct native_op *op = native_ops; op->name; op++)
		if (op->kind == kind)
			add_operation(v, op);
}

static bool is_folder(const char *folder, const char *name)
{
	struct stat about;
	char *path = must_printf("%s%s", folder, name);
	bool is = !stat(path, &about) && S_ISDIR(about.st_mode);
	free(path);
	return is;
}

/* Files beside what is typed of the path, which is all that follows `before`. */
static void add_files(struct value *v)
{
	size_t begin = strlen(v->before) + strlen(v->quote);
	const char *typed = strlen(v->c->word) > begin ? v->c->word + begin : "";
	const char *slash = strrchr(typed, '/');
	char *folder = must_printf("%.*s", slash ? (int)(slash + 1 - typed) : 0, typed);
	DIR *dir = opendir(*folder ? folder : ".");
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		bool deeper = is_folder(folder, entry->d_name);
		candidate_add(v->c, v->open || deeper, "", "%s%s%s%s%s", v->before, v->quote,
		              folder, entry->d_name, deeper ? "/" : v->close);
	}
	if (dir)
		closedir(dir);
	free(folder);
}

static void add_choices(struct value *v, const json_t *choices)
{
	json_each (choice, choices)
		if (json_is_string(choice))
			add(v, "", json_string_value(choice));
}

/* The default as a literal. */
static void add_default(struct value *v, const json_t *fallback)
{
	if (json_is_string(fallback)) {
		add(v, "default", json_string_value(fallback));
		return;
	}
	char *text = json_dumps(fallback, JSON_ENCODE_ANY);
	if (text && json_is_null(fallback))
		strcpy(text, "None");
	if (text)
		candidate_add(v->c, v->open, "default", "%s%s", v->before, text);
	free(text);
}

static void by_kind(struct value *v, const json_t *param, bool in_quotes)
{
	const char *name = json_string_value(json_object_get(param, "kind"));
	const json_t *fallback = json_object_get(param, "default");
	enum pt_kind kind = PT_KIND_JSON;
	if (name)
		param_kind_parse(name, &kind);
	switch (kind) {
	case PT_KIND_BOOL:
		if (!in_quotes) {
			candidate_add(v->c, v->open, "", "%sTrue", v->before);
			candidate_add(v->c, v->open, "", "%sFalse", v->before);
		}
		return;
	case PT_KIND_OBJECT:
	case PT_KIND_CHOICE: add_choices(v, json_object_get(param, "choices")); return;
	case PT_KIND_PATH:
	case PT_KIND_FILE:
	case PT_KIND_FILES: add_files(v); return;
	case PT_KIND_TRANSFORM:
	case PT_KIND_PREDICATE: add_operations(v, kind); return;
	case PT_KIND_STRINGS: add_choices(v, json_object_get(param, "choices")); /* fall through */
	default:
		if (fallback && (!in_quotes || json_is_string(fallback)))
			add_default(v, fallback);
	}
}

void complete_value(struct completion *c, size_t at, const json_t *param, bool bare, char inside)
{
	char quote[] = {inside ? inside : c->quote == '"' ? '\'' : '"', 0};
	struct value v = {
		.c = c,
		.before = must_printf("%.*s", (int)at, c->word),
		.quote = bare || inside ? "" : quote,
		.close = bare ? "" : quote,
		.open = !bare,
	};
	by_kind(&v, param, inside);
	free(v.before);
}
