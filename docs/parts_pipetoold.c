/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of pipetoold: options, configuration, methods and kinds of error. */
#include "base/error.h"
#include "daemon/call.h"
#include "daemon/conf.h"
#include "daemon/metrics.h"
#include "daemon/options.h"
#include "docs/page.h"
#include "type/help.h"
#include "type/man.h"
#include "type/param.h"
#include <string.h>

static void options(struct buf *b)
{
	for (const struct pt_param *row = options_rows; row->name; row++)
		man_option(b, row, options_value_word(row), 0);
}

/* ---- configuration ---- */

/* As it is written in the file: lists without brackets and quotes. */
static void add_default(struct buf *b, const struct pt_param *row)
{
	json_t *value = param_default(row), *item;
	size_t i;
	if (json_is_null(value) || (json_is_array(value) && !json_array_size(value))) {
		buf_adds(b, "Default: none.");
	} else if (json_is_array(value)) {
		buf_adds(b, "Default: ");
		json_array_foreach (value, i, item) {
			buf_adds(b, i ? ", *" : "*");
			man_inline(b, json_string_value(item));
			buf_adds(b, "*");
		}
		buf_addc(b, '.');
	} else {
		buf_adds(b, "Default: *");
		man_inline(b, row->fallback);
		buf_adds(b, "*.");
	}
	json_decref(value);
}

static void add_key(struct buf *b, const struct pt_param *row)
{
	buf_adds(b, "*");
	man_inline(b, row->name);
	buf_addf(b, "* (%s)\n\t", param_kind_name(row->kind));
	man_inline(b, row->doc);
	for (const char *const *c = row->choices; c && *c; c++)
		buf_addf(b, "%s*%s*%s",
		         c == row->choices ? " One of "
		         : c[1]            ? ", "
		                           : " or ",
		         *c, c[1] ? "" : ".");
	struct buf range = BUF_INIT;
	param_range_doc(&range, row->min, row->max);
	man_inline(b, range.data ? range.data : "");
	buf_free(&range);
	buf_addc(b, ' ');
	add_default(b, row);
	buf_adds(b, "\n\n");
}

static void configuration(struct buf *b)
{
	for (const struct conf_section *s = conf_sections; s->name; s++) {
		buf_addf(b, "## [%s]\n\n", s->name);
		for (const struct pt_param *row = s->rows; row->name; row++)
			add_key(b, row);
	}
}

/* ---- methods ---- */

static void add_method(struct buf *b, const struct rpc_method *m)
{
	buf_addf(b, "## %s\n\n", m->name);
	man_sentence(b, m->summary);
	if (m->role)
		buf_addf(b, " For: _%s_.", m->role);
	buf_adds(b, "\n\n");
	if (m->help)
		man_prose(b, m->help, 0);
	man_params(b, m->params, 0);
	if (m->result) {
		buf_adds(b, "Result: ");
		man_inline(b, m->result);
		buf_adds(b, "\n\n");
	}
}

static void methods(struct buf *b)
{
	for (const struct rpc_method *const *table = method_tables; *table; table++)
		for (const struct rpc_method *m = *table; m->name; m++)
			add_method(b, m);
}

static void add_metric(void *arg, const char *name, const char *labels, const char *help)
{
	struct buf *b = arg;
	buf_adds(b, "*");
	man_inline(b, name);
	buf_adds(b, "* (");
	man_inline(b, labels);
	buf_adds(b, ")\n\t");
	man_inline(b, help);
	buf_adds(b, "\n\n");
}

static void metrics(struct buf *b)
{
	metrics_list(add_metric, b);
}

static void errors(struct buf *b)
{
	for (const struct error_kind *kind = error_kinds; kind->name; kind++)
		buf_addf(b, "*%s* (code %d)\n\t%s.\n\n", kind->name, kind->rpc, kind->sentence);
}

const struct page_part page_parts[] = {
	{"options", options}, {"configuration", configuration},
	{"methods", methods}, {"metrics", metrics},
	{"errors", errors},   {NULL},
};
