/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of ptctl: verbs, options and exit statuses. */
#include "base/error.h"
#include "ctl/ctl.h"
#include "docs/page.h"
#include "type/help.h"
#include "type/man.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void add_argument(struct buf *b, const struct pt_param *row)
{
	bool required = row->flags & PT_REQUIRED;
	struct buf name = BUF_INIT;
	for (const char *c = row->name; *c; c++)
		buf_addc(&name, (char)toupper((unsigned char)*c));
	buf_adds(b, required ? " _" : " [_");
	man_inline(b, name.data);
	buf_addf(b, "_%s%s", row->flags & PT_MANY ? "…" : "", required ? "" : "]");
	buf_free(&name);
}

static void add_option(struct buf *b, const struct pt_param *row)
{
	const char *value = help_value_word(row);
	if (row->letter)
		buf_addf(b, " [*-%c*", row->letter);
	else
		buf_adds(b, " [*--");
	for (const char *c = row->letter ? "" : row->name; *c; c++)
		buf_addc(b, *c == '_' ? '-' : *c);
	if (*value)
		buf_addf(b, "%s _%s_]", row->letter ? "" : "*", value);
	else
		buf_adds(b, row->letter ? "]" : "*]");
}

static void add_usage(struct buf *b, const struct verb *verb)
{
	buf_addf(b, "*%s*", verb->name);
	for (const struct pt_param *row = verb->params; row && row->name; row++)
		if (!(row->flags & PT_OPTION))
			add_argument(b, row);
	for (const struct pt_param *row = verb->params; row && row->name; row++)
		if (row->flags & PT_OPTION)
			add_option(b, row);
	buf_addc(b, '\n');
}

/* ---- verbs ---- */

static const struct pt_param change_options[] = {VERB_CHANGE_OPTIONS, {NULL}};

static bool is_change_option(const struct pt_param *row)
{
	for (const struct pt_param *option = change_options; option->name; option++)
		if (!strcmp(option->name, row->name) && !strcmp(option->doc, row->doc))
			return true;
	return false;
}

/* What all changes have in common is told once, elsewhere. */
static void add_params(struct buf *b, const struct verb *verb)
{
	bool change = false;
	for (const struct pt_param *row = verb->params; row && row->name; row++) {
		const struct pt_param one[] = {*row, {NULL}};
		bool common = is_change_option(row) && verb->run != verb_create;
		if (!common)
			man_verb_params(b, one, 1);
		change |= common;
	}
	if (change)
		buf_adds(b, "\tAnd the options of every change, see *CHANGES*.\n\n");
}

static void changes(struct buf *b)
{
	man_verb_params(b, change_options, 0);
}

static void verb_sections(struct buf *b)
{
	for (const struct verb *v = verbs; v->name; v++) {
		add_usage(b, v);
		buf_addc(b, '\t');
		man_sentence(b, v->summary);
		buf_adds(b, "\n\n");
		if (v->help)
			man_prose(b, v->help, 1);
		add_params(b, v);
	}
}

static void options(struct buf *b)
{
	man_verb_params(b, verb_globals, 0);
}

/* ---- exit statuses ---- */

static const struct {
	int status;
	const char *meaning;
} statuses[] = {
	{EXIT_DONE, "Done."},
	{EXIT_REFUSED, "Refused, or failed."},
	{EXIT_USAGE, "Wrong usage, or text that cannot be read."},
	{EXIT_NO_DAEMON, "There is no daemon to talk to."},
	{EXIT_TIMEOUT, "Timed out."},
	{5, "The engine has changed meanwhile."},
	{6, "Not found."},
	{7, "Not permitted."},
	{EXIT_DIFFERS, "With --dry-run --exit-code: something would be done."},
	{EXIT_INTERRUPTED, "Interrupted by Ctrl-C."},
};

enum { STATUSES = sizeof statuses / sizeof *statuses };

static void add_kinds(struct buf *b, int status)
{
	const char *before = " The daemon's errors of kind ";
	for (const struct error_kind *kind = error_kinds; kind->name; kind++) {
		if (kind->exit != status)
			continue;
		buf_addf(b, "%s_%s_", before, kind->name);
		before = ", ";
	}
	buf_adds(b, *before == ',' ? ".\n\n" : "\n\n");
}

/* A kind of error whose exit status nobody explains would be missing here. */
static void check_statuses(void)
{
	for (const struct error_kind *kind = error_kinds; kind->name; kind++) {
		int i = 0;
		while (i < STATUSES && statuses[i].status != kind->exit)
			i++;
		if (i == STATUSES)
			abort();
	}
}

static void exit_statuses(struct buf *b)
{
	check_statuses();
	for (int i = 0; i < STATUSES; i++) {
		buf_addf(b, "*%d*\n\t%s", statuses[i].status, statuses[i].meaning);
		add_kinds(b, statuses[i].status);
	}
}

const struct page_part page_parts[] = {
	{"verbs", verb_sections},
	{"options", options},
	{"changes", changes},
	{"exit_statuses", exit_statuses},
	{NULL},
};
