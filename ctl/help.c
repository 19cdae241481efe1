/* SPDX-License-Identifier: BSD-2-Clause */
/* The help of ptctl itself, out of the tables. */
#include "ctl/help.h"

#include "ctl/manual.h"
#include "ctl/out.h"
#include "type/help.h"
#include "type/reason.h"
#include <string.h>

static const char *const groups[] = {"The graph", "Running it", "Looking", "Feeding it",
                                     "The rest"};

static void add_group(struct buf *b, enum verb_group group)
{
	struct table t = table_init(3, 0);
	t.headless = true;
	buf_addf(b, "%s:\n", groups[group]);
	for (const struct verb *v = verbs; v->name; v++) {
		if (v->group != group)
			continue;
		table_add(&t, "");
		table_addf(&t, "%-9s", v->name);
		table_add(&t, v->summary);
	}
	table_print(&t, b);
}

static void add_topics(struct buf *b)
{
	struct buf topics = BUF_INIT;
	buf_adds(&topics, "'ptctl help VERB' tells of a verb, 'ptctl help TYPE' of a block type, "
	                  "'ptctl types' lists those; 'ptctl help METHOD' tells of a method, as "
	                  "engine.change. And there are");
	for (const struct manual_topic *t = manual_topics; t->name; t++)
		buf_addf(&topics, "%s 'ptctl help %s'",
		         t == manual_topics ? ""
		         : t[1].name        ? ","
		                            : " and",
		         t->name);
	buf_adds(&topics, ".");
	help_paragraph(b, topics.data, 0);
	buf_free(&topics);
}

void help_overview(struct buf *b)
{
	buf_adds(b, "ptctl [-s SOCKET] [-H HOST] [-j] VERB …\n\n");
	for (enum verb_group g = VERB_GRAPH; g <= VERB_REST; g++)
		add_group(b, g);
	buf_adds(b, "\nFor every verb:\n");
	help_params(b, verb_globals, "  ");
	buf_addc(b, '\n');
	add_topics(b);
}

void help_operation(struct buf *b, const struct native_op *op)
{
	struct buf text = BUF_INIT;
	bool transforms = op->kind == PT_KIND_TRANSFORM;
	buf_addf(b, "%s — %s\n\n", op->name,
	         transforms ? "a function that transforms" : "a function that chooses");
	buf_addf(b, "  %s(\"%s\")\n\n", transforms ? "TransformDrain" : "FilterDrain", op->usage);
	buf_addf(&text, "It %s: %s. 'ptctl help functions' lists all.",
	         transforms ? "makes of a message" : "is true of", op->doc);
	help_paragraph(b, text.data, 0);
	buf_free(&text);
}

static bool has_rows(const struct verb *verb)
{
	return verb->params && verb->params->name;
}

void help_verb(struct buf *b, const struct verb *verb)
{
	const struct argv argv = verb_argv(verb);
	struct buf line = BUF_INIT;
	buf_addf(&line, "ptctl %s — %s", verb->name, verb->summary);
	help_paragraph(b, line.data, 0);
	buf_clear(&line);
	argv_usage(&line, &argv);
	buf_addc(b, '\n');
	help_paragraph(b, line.data, 2);
	buf_addc(b, '\n');
	buf_free(&line);
	if (verb->help) {
		help_prose(b, verb->help);
		buf_addc(b, '\n');
	}
	if (has_rows(verb)) {
		buf_adds(b, "Arguments and options:\n");
		help_params(b, verb->params, "  ");
		buf_addc(b, '\n');
	}
	help_paragraph(
		b, "-s, -j, --timeout, --fd and --help go with every verb: see 'ptctl help'.", 0);
}

void help_reasons(struct buf *b)
{
	static const char *const heads[] = {"REASON", "KIND", "A MESSAGE DID NOT GO ON, BECAUSE",
	                                    NULL};
	struct table t = table_init(3, 0);
	table_heads(&t, heads);
	for (const struct reason *r = reasons; r->word; r++) {
		table_add(&t, r->word);
		table_add(&t, r->filtered ? "filtered" : "dropped");
		table_add(&t, r->doc);
	}
	table_print(&t, b);
	buf_addc(b, '\n');
	help_paragraph(b,
	               "What is filtered was left out as the graph was told to; what is dropped is "
	               "lost.",
	               0);
}
