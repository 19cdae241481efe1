/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of a program. */
#include "type/argv.h"

#include "base/error.h"
#include "base/near.h"
#include "type/help.h"
#include "type/param.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const struct argv *argv;
	int count, at;
	char *const *words;
	json_t *values;
	struct pt_error *err;
};

static bool takes_value(const struct pt_param *row)
{
	return row->kind != PT_KIND_BOOL;
}

/* ---- names ---- */

/* "if-revision" for the row "if_revision". */
static bool is_option(const struct pt_param *row, const char *name, size_t length)
{
	if (!(row->flags & PT_OPTION) || strlen(row->name) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] != (row->name[i] == '_' ? '-' : row->name[i]))
			return false;
	return true;
}

static const struct pt_param *by_name(const struct pt_param *rows, const char *name, size_t length)
{
	for (; rows && rows->name; rows++)
		if (is_option(rows, name, length))
			return rows;
	return NULL;
}

static const struct pt_param *by_letter(const struct pt_param *rows, char letter)
{
	for (; rows && rows->name; rows++)
		if (rows->letter == letter)
			return rows;
	return NULL;
}

const struct pt_param *argv_option(const struct argv *a, const char *name, size_t length)
{
	const struct pt_param *row = by_name(a->own, name, length);
	return row ? row : by_name(a->all, name, length);
}

const struct pt_param *argv_letter(const struct argv *a, char letter)
{
	const struct pt_param *row = by_letter(a->own, letter);
	return row ? row : by_letter(a->all, letter);
}

char *argv_typed(const struct pt_param *row)
{
	char *name = must_printf("--%s", row->name);
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	return name;
}

static char *capitals(const struct pt_param *row)
{
	char *name = must_strdup(row->name);
	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return name;
}

static void try_names(struct near *near, const struct pt_param *rows, char *names[], size_t *count)
{
	for (; rows && rows->name; rows++)
		if (rows->flags & PT_OPTION) {
			names[*count] = argv_typed(rows);
			near_try(near, names[(*count)++]);
		}
}

static int unknown_option(const struct reading *r, const char *word)
{
	char *names[64], *typed = must_printf("%.*s", (int)strcspn(word, "="), word);
	size_t count = 0;
	struct near near = near_init(typed);
	try_names(&near, r->argv->own, names, &count);
	try_names(&near, r->argv->all, names, &count);
	int code = pt_fail(r->err, -PT_EREQUEST, NULL, "unknown option '%s'%s", typed,
	                   near_say(&near, ""));
	if (!near_best(&near))
		pt_hint(r->err, "'%s%s%s --help' lists them%s", r->argv->program,
		        r->argv->verb ? " " : "", r->argv->verb ? r->argv->verb : "",
		        argv_argument(r->argv, 0) ? "; arguments that begin with '-' go behind '--'"
		                                  : "");
	while (count)
		free(names[--count]);
	free(typed);
	return code;
}

/* ---- values ---- */

static json_t *value_of(const struct pt_param *row, const char *text)
{
	double seconds;
	char *end;
	errno = 0;
	switch (row->kind) {
	case PT_KIND_INT: {
		long long n = strtoll(text, &end, 10);
		bool good = *text && !isspace((unsigned char)*text) && !*end && !errno;
		return good ? json_integer(n) : json_string(text);
	}
	case PT_KIND_SECONDS:
		if (!param_parse_seconds(text, &seconds))
			return json_real(seconds);
		return json_string(text);
	default: return json_string(text);
	}
}

/* Wrong usage, told with the name as it is typed. */
static int check(const struct reading *r, const struct pt_param *row, const json_t *value)
{
	struct pt_error faults = PT_ERROR_INIT;
	struct pt_param typed = *row;
	char *name = row->flags & PT_OPTION ? argv_typed(row) : capitals(row);
	typed.name = name;
	int code = param_check_value(&typed, value, &faults);
	if (code)
		code = pt_fail(r->err, -PT_EREQUEST, row->name, "%s", pt_error_text(&faults, "?"));
	pt_error_clear(&faults);
	free(name);
	return code;
}

static int not_text(const struct reading *r, const struct pt_param *row)
{
	return pt_fail(r->err, -PT_EREQUEST, row->name,
	               "an argument is not UTF-8; pass such bytes on standard input");
}

static int store_many(const struct reading *r, const struct pt_param *row, json_t *value)
{
	if (!json_object_get(r->values, row->name))
		json_object_set_new(r->values, row->name, json_array());
	json_array_append_new(json_object_get(r->values, row->name), value);
	return row->kind == PT_KIND_CHOICE ? check(r, row, value) : 0;
}

/* "one,two". */
static int store_choices(const struct reading *r, const struct pt_param *row, const char *text)
{
	int code = 0;
	for (size_t length; text && !code; text = text[length] ? text + length + 1 : NULL) {
		length = strcspn(text, ",");
		json_t *word = json_stringn(text, length);
		code = word ? store_many(r, row, word) : not_text(r, row);
	}
	return code;
}

static int store(const struct reading *r, const struct pt_param *row, const char *text)
{
	if (row->flags & PT_MANY && row->kind == PT_KIND_CHOICE)
		return store_choices(r, row, text);
	json_t *value = text ? value_of(row, text) : json_true();
	if (!value)
		return not_text(r, row);
	if (row->flags & PT_MANY)
		return store_many(r, row, value);
	int code = row->flags & PT_MAYBE ? 0 : check(r, row, value);
	json_object_set_new(r->values, row->name, value);
	return code;
}

static int option(struct reading *r, const struct pt_param *row, const char *joined)
{
	char *name = argv_typed(row);
	int code = 0;
	if (joined && !takes_value(row) && !(row->flags & PT_MAYBE))
		code = pt_fail(r->err, -PT_EREQUEST, row->name, "'%s' takes no value", name);
	else if (joined && (*joined || row->kind != PT_KIND_PATH))
		code = store(r, row, joined);
	else if (!takes_value(row))
		code = store(r, row, NULL);
	else if (!joined && r->at < r->count)
		code = store(r, row, r->words[r->at++]);
	else
		code = pt_fail(r->err, -PT_EREQUEST, row->name, "'%s' needs a value", name);
	free(name);
	return code;
}

static int long_option(struct reading *r, const char *word)
{
	size_t length = strcspn(word + 2, "=");
	const struct pt_param *row = argv_option(r->argv, word + 2, length);
	if (!row)
		return unknown_option(r, word);
	return option(r, row, word[2 + length] ? word + 3 + length : NULL);
}

static int letters(struct reading *r, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		char typed[] = {'-', *c, 0};
		const struct pt_param *row = argv_letter(r->argv, *c);
		if (!row)
			return unknown_option(r, isprint((unsigned char)*c) ? typed : word);
		if (takes_value(row))
			return option(r, row, c[1] ? c + 1 : NULL);
		int code = store(r, row, NULL);
		if (code)
			return code;
	}
	return 0;
}

static bool looks_like_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* ---- arguments ---- */

static int read_option(struct reading *r, const char *word)
{
	return word[1] == '-' ? long_option(r, word) : letters(r, word);
}

int argv_options(const struct argv *a, int count, char *const *words, json_t *values,
                 struct pt_error *err)
{
	struct reading r = {a, count, 0, words, values, err};
	while (r.at < count && looks_like_option(words[r.at])) {
		const char *word = words[r.at++];
		if (!strcmp(word, "--"))
			break;
		int code = read_option(&r, word);
		if (code)
			return code;
	}
	return r.at;
}

/* The next positional row; one with PT_MANY stays the next. */
static const struct pt_param *next_row(const struct pt_param **rows)
{
	const struct pt_param *row = *rows;
	while (row && row->name && row->flags & PT_OPTION)
		row++;
	if (!row || !row->name)
		return NULL;
	*rows = row->flags & PT_MANY ? row : row + 1;
	return row;
}

const struct pt_param *argv_argument(const struct argv *a, int n)
{
	const struct pt_param *rows = a->own, *row = next_row(&rows);
	while (row && n--)
		row = next_row(&rows);
	return row;
}

/* Wrong usage, told with the right one. */
static int misused(const struct reading *r, const char *path, const char *what, const char *how)
{
	struct buf usage = BUF_INIT;
	argv_usage(&usage, r->argv);
	pt_fail(r->err, -PT_EREQUEST, path, "%s is %s: %s", what, how, usage.data);
	buf_free(&usage);
	return -PT_EREQUEST;
}

static int too_many(const struct reading *r, const char *word)
{
	char *quoted = must_printf("'%s'", word);
	int code = misused(r, NULL, quoted, "one argument too many");
	free(quoted);
	return code;
}

static int too_few(const struct reading *r, const struct pt_param *row)
{
	char *name = capitals(row);
	int code = misused(r, row->name, name, "missing");
	free(name);
	return code;
}

int argv_read(const struct argv *a, int count, char *const *words, json_t *values,
              struct pt_error *err)
{
	struct reading r = {a, count, 0, words, values, err};
	const struct pt_param *rows = a->own;
	bool only_arguments = false;
	while (r.at < count) {
		const char *word = words[r.at++];
		bool option = !only_arguments && looks_like_option(word);
		const struct pt_param *row = NULL;
		int code = 0;
		if (option && !strcmp(word, "--"))
			only_arguments = true;
		else if (option)
			code = read_option(&r, word);
		else if ((row = next_row(&rows)))
			code = store(&r, row, word);
		else
			code = too_many(&r, word);
		if (code)
			return code;
	}
	if (json_object_get(values, "help"))
		return 0;
	for (const struct pt_param *row = a->own; row && row->name; row++)
		if (row->flags & PT_REQUIRED && !json_object_get(values, row->name))
			return too_few(&r, row);
	return 0;
}

/* ---- usage ---- */

static void add_argument(struct buf *b, const struct pt_param *row)
{
	char *name = capitals(row);
	const char *more = row->flags & PT_MANY ? "…" : "";
	buf_addf(b, row->flags & PT_REQUIRED ? " %s%s" : " [%s%s]", name, more);
	free(name);
}

static void add_option(struct buf *b, const struct pt_param *row)
{
	char *name = argv_typed(row);
	const char *value = help_value_word(row), *space = *value ? " " : "";
	if (row->letter)
		buf_addf(b, " [-%c%s%s]", row->letter, space, value);
	else
		buf_addf(b, " [%s%s%s]", name, space, value);
	free(name);
}

void argv_usage(struct buf *b, const struct argv *a)
{
	buf_addf(b, "%s%s%s", a->program, a->verb ? " " : "", a->verb ? a->verb : "");
	for (const struct pt_param *row = a->own; row && row->name; row++)
		if (!(row->flags & PT_OPTION))
			add_argument(b, row);
	for (const struct pt_param *row = a->own; row && row->name; row++)
		if (row->flags & PT_OPTION)
			add_option(b, row);
}
