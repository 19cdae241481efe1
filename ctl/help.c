/* SPDX-License-Identifier: BSD-2-Clause */
/* The help of ptctl itself, out of the tables. */
#include "ctl/help.h"

#include "ctl/argv.h"
#include "ctl/out.h"
#include "type/help.h"
#include "type/reason.h"

void help_overview(struct buf *b)
{
	struct table t = table_init(3, 0);
	t.headless = true;
	buf_adds(b, "ptctl [-s SOCKET] [-j] [--timeout SECONDS] VERB …\n\n");
	for (const struct verb *const *v = verbs; *v; v++) {
		table_add(&t, "");
		table_add(&t, (*v)->name);
		table_add(&t, (*v)->summary);
	}
	struct buf rows = BUF_INIT;
	table_print(&t, &rows);
	buf_add(b, rows.data, rows.length);
	buf_free(&rows);
	buf_adds(b, "\nFor every verb:\n");
	help_params(b, verb_globals, "  ");
	buf_adds(b, "\n'ptctl help VERB' tells of a verb, 'ptctl help TYPE' of a block type, "
	            "'ptctl types' lists those.\n");
}

static bool has_rows(const struct verb *verb)
{
	return verb->params && verb->params->name;
}

void help_verb(struct buf *b, const struct verb *verb)
{
	buf_addf(b, "ptctl %s — %s\n\n  ", verb->name, verb->summary);
	argv_usage(b, verb);
	buf_adds(b, "\n\n");
	if (verb->help) {
		help_prose(b, verb->help);
		buf_addc(b, '\n');
	}
	if (has_rows(verb)) {
		buf_adds(b, "Arguments and options:\n");
		help_params(b, verb->params, "  ");
		buf_addc(b, '\n');
	}
	buf_adds(b, "-s, -j, --timeout, --fd and --help go with every verb: see 'ptctl help'.\n");
}

void help_reasons(struct buf *b)
{
	struct table t = table_init(3, 0);
	struct buf rows = BUF_INIT;
	table_add(&t, "REASON");
	table_add(&t, "KIND");
	table_add(&t, "A MESSAGE DID NOT GO ON, BECAUSE");
	for (const struct reason *r = reasons; r->word; r++) {
		table_add(&t, r->word);
		table_add(&t, r->filtered ? "filtered" : "dropped");
		table_add(&t, r->doc);
	}
	table_print(&t, &rows);
	buf_add(b, rows.data, rows.length);
	buf_free(&rows);
	buf_adds(b, "\nWhat is filtered was left out as the graph was told to; what is dropped is "
	            "lost.\n");
}
