/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: words to values, by the rows of a table. */
#include "ctl/argv.h"

#include "base/error.h"
#include "base/near.h"
#include "type/help.h"
#include "type/param.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const struct pt_param *rows; /* of the verb; NULL before it */
	const char *verb;
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

const struct pt_param *argv_option(const struct verb *verb, const char *name, size_t length)
{
	const struct pt_param *row = verb ? by_name(verb->params, name, length) : NULL;
	return row ? row : by_name(verb_globals, name, length);
}

const struct pt_param *argv_letter(const struct verb *verb, char letter)
{
	const struct pt_param *row = verb ? by_letter(verb->params, letter) : NULL;
	return row ? row : by_letter(verb_globals, letter);
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
	try_names(&near, r->rows, names, &count);
	try_names(&near, verb_globals, names, &count);
	int code = pt_fail(r->err, -PT_EREQUEST, NULL, "unknown option '%s'%s", typed,
	                   near_say(&near, ""));
	if (!near_best(&near) && r->verb)
		pt_hint(r->err,
		        "'ptctl help %s' lists its options; arguments that begin with '-' go "
		        "behind '--'",
		        r->verb);
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

static int store(const struct reading *r, const struct pt_param *row, const char *text)
{
	json_t *value = text ? value_of(row, text) : json_true();
	if (!value)
		return pt_fail(r->err, -PT_EREQUEST, row->name,
		               "an argument is not UTF-8; pass such bytes on standard input");
	if (row->flags & PT_MANY) {
		if (!json_object_get(r->values, row->name))
			json_object_set_new(r->values, row->name, json_array());
		json_array_append_new(json_object_get(r->values, row->name), value);
		return 0;
	}
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
	else if (joined)
		code = store(r, row, joined);
	else if (!takes_value(row))
		code = store(r, row, NULL);
	else if (r->at < r->count)
		code = store(r, row, r->words[r->at++]);
	else
		code = pt_fail(r->err, -PT_EREQUEST, row->name, "'%s' needs a value", name);
	free(name);
	return code;
}

static int long_option(struct reading *r, const char *word)
{
	size_t length = strcspn(word + 2, "=");
	const struct pt_param *row = by_name(r->rows, word + 2, length);
	if (!row)
		row = by_name(verb_globals, word + 2, length);
	if (!row)
		return unknown_option(r, word);
	return option(r, row, word[2 + length] ? word + 3 + length : NULL);
}

static int letters(struct reading *r, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		char typed[] = {'-', *c, 0};
		const struct pt_param *row = by_letter(r->rows, *c);
		if (!row)
			row = by_letter(verb_globals, *c);
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

int argv_globals(int count, char *const *words, json_t *values, struct pt_error *err)
{
	struct reading r = {.count = count, .words = words, .values = values, .err = err};
	while (r.at < count && looks_like_option(words[r.at])) {
		const char *word = words[r.at++];
		if (!strcmp(word, "--"))
			break;
		int code = word[1] == '-' ? long_option(&r, word) : letters(&r, word);
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

const struct pt_param *argv_argument(const struct verb *verb, int n)
{
	const struct pt_param *rows = verb->params, *row = next_row(&rows);
	while (row && n--)
		row = next_row(&rows);
	return row;
}

static int too_many(const struct reading *r, const char *word)
{
	struct buf usage = BUF_INIT;
	argv_usage(&usage, verb_find(r->verb));
	pt_fail(r->err, -PT_EREQUEST, NULL, "'%s' is one argument too many: %s", word, usage.data);
	buf_free(&usage);
	return -PT_EREQUEST;
}

static int too_few(const struct verb *verb, const struct pt_param *row, struct pt_error *err)
{
	struct buf usage = BUF_INIT;
	char *name = capitals(row);
	argv_usage(&usage, verb);
	pt_fail(err, -PT_EREQUEST, row->name, "%s is missing: %s", name, usage.data);
	buf_free(&usage);
	free(name);
	return -PT_EREQUEST;
}

int argv_read(const struct verb *verb, int count, char *const *words, json_t *values,
              struct pt_error *err)
{
	struct reading r = {verb->params, verb->name, count, 0, words, values, err};
	const struct pt_param *rows = verb->params;
	bool only_arguments = false;
	while (r.at < count) {
		const char *word = words[r.at++];
		int code;
		if (!only_arguments && !strcmp(word, "--")) {
			only_arguments = true;
			continue;
		}
		if (!only_arguments && looks_like_option(word)) {
			code = word[1] == '-' ? long_option(&r, word) : letters(&r, word);
		} else {
			const struct pt_param *row = next_row(&rows);
			code = row ? store(&r, row, word) : too_many(&r, word);
		}
		if (code)
			return code;
	}
	if (json_object_get(values, "help"))
		return 0;
	for (const struct pt_param *row = verb->params; row && row->name; row++)
		if (row->flags & PT_REQUIRED && !json_object_get(values, row->name))
			return too_few(verb, row, err);
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

void argv_usage(struct buf *b, const struct verb *verb)
{
	buf_addf(b, "ptctl %s", verb->name);
	for (const struct pt_param *row = verb->params; row && row->name; row++)
		if (!(row->flags & PT_OPTION))
			add_argument(b, row);
	for (const struct pt_param *row = verb->params; row && row->name; row++)
		if (row->flags & PT_OPTION)
			add_option(b, row);
}
