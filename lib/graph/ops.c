/* SPDX-License-Identifier: BSD-2-Clause */
/* Each operation is a row with its function. */
#include "graph/ops.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/name.h"
#include "base/near.h"
#include "msg/json.h"
#include "type/param.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static bool has_all(const json_t *item, const char *third)
{
	return json_object_size(item) == 3 && json_object_get(item, third);
}

/* What a request gives is the row itself, where it says no more and no less. Takes `params`. */
static json_t *block_row(json_t *item, json_t *name, json_t *type, json_t *params)
{
	bool is_row = has_all(item, "name") && json_object_get(item, "params") == params;
	json_t *row =
		is_row ? json_incref(item)
		       : json_pack("{s:O, s:O, s:O}", "name", name, "type", type, "params", params);
	json_decref(params);
	return row;
}

static json_t *link_row(json_t *item, enum pt_canal canal)
{
	return has_all(item, "canal") && json_object_get(item, "from")
	               ? json_incref(item)
	               : json_pack("{s:O, s:O, s:s}", "from", json_object_get(item, "from"), "to",
	                           json_object_get(item, "to"), "canal", canal_name(canal));
}

/* ---- operations ---- */

struct op {
	struct graph *graph;
	const json_t *json;
	const char *list; /* where it stands: ops, blocks or links */
	int index;
	unsigned limit;
	struct pt_error *err;
};

static const char *text(const struct op *op, const char *member)
{
	const char *given = json_string_value(json_object_get(op->json, member));
	return given ? given : "";
}

/* "ops[3].from". Yours to free. */
static char *path_of(const struct op *op, const char *member)
{
	return must_printf("%s[%d]%s%s", op->list, op->index, member ? "." : "",
	                   member ? member : "");
}

static int fail(const struct op *op, int code, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(const struct op *op, int code, const char *member, const char *fmt, ...)
{
	char *path = path_of(op, member);
	va_list args;
	va_start(args, fmt);
	error_vfail(op->err, code, path, fmt, args);
	va_end(args);
	free(path);
	return code;
}

static int get(const struct op *op, const char *member, struct graph_block **block)
{
	const char *name = text(op, member);
	*block = graph_find(op->graph, name);
	if (*block)
		return 0;
	struct near near = near_init(name);
	bool is_told = op->err->count < ERROR_FAULTS_MAX;
	for (unsigned i = 0; is_told && i < op->graph->count; i++)
		if (!op->graph->blocks[i]->gone)
			near_try(&near, op->graph->blocks[i]->name);
	return fail(op, -PT_ENOBLOCK, member, "no block '%s' here%s", name, near_say(&near, ""));
}

/* Stands in for what could not be read, so that links to it are no second fault. */
static const struct pt_type unknown_type = {.name = "?", .ports = 63};

static int read_type(const struct op *op, const struct pt_type **type, json_t **params)
{
	size_t before = op->err->count;
	char *path = path_of(op, "type");
	*type = type_get(text(op, "type"), path, op->err);
	free(path);
	if (!*type) {
		*type = &unknown_type;
		*params = NULL;
		return -PT_ENOTYPE;
	}
	*params = json_object_get(op->json, "params");
	int rc = param_check((*type)->params, *params, op->err);
	path = path_of(op, "params");
	error_prefix(op->err, before, path);
	free(path);
	return rc;
}

static json_t *given(json_t *params)
{
	return params ? json_incref(params) : json_object();
}

static int op_add(const struct op *op)
{
	const char *name = text(op, "name");
	const struct pt_type *type;
	json_t *params;
	int rc = read_type(op, &type, &params);
	if (!name_is_block(name))
		return fail(
			op, -PT_EPARAM, "name",
			"'%s' is no name: a letter or '_', then letters, digits, '_', at most 64",
			name);
	if (graph_find(op->graph, name))
		return fail(op, -PT_EEXISTS, "name", "there is a block '%s' already", name);
	if (op->graph->count - op->graph->gone_count >= op->limit)
		return fail(op, -PT_ELIMIT, NULL,
		            "an engine has at most %u blocks: the limit is reached", op->limit);
	json_t *item = (json_t *)(uintptr_t)op->json;
	graph_add(op->graph, type,
	          block_row(item, json_object_get(item, "name"), json_object_get(item, "type"),
	                    given(params)));
	return rc;
}

static int op_remove(const struct op *op)
{
	struct graph_block *b;
	int rc = get(op, "name", &b);
	if (rc)
		return rc;
	graph_remove(op->graph, b);
	return 0;
}

static int missing_port(const struct op *op, const struct graph_block *b, unsigned port,
                        const char *member)
{
	char *missing = graph_port_words(port), *has = graph_port_words(b->type->ports);
	fail(op, -PT_EBADLINK, member, "'%s' has no %s: a %s has %s", b->name,
	     missing + strlen("a "), b->type->name, has);
	pt_hint(op->err, "ptctl help %s", b->type->name);
	free(missing);
	free(has);
	return -PT_EBADLINK;
}

static int read_ends(const struct op *op, struct graph_link *link)
{
	int from = get(op, "from", &link->from), to = get(op, "to", &link->to);
	const char *canal = text(op, "canal");
	link->canal = PT_LOW;
	link->list = op->list;
	link->op = op->index;
	if (*canal && canal_parse(canal, &link->canal))
		return fail(op, -PT_EPARAM, "canal", "a canal is 'low', 'high' or 'trigger'");
	return from ? from : to;
}

static int op_link(const struct op *op)
{
	struct graph_link link = {.alive = NULL};
	int rc = read_ends(op, &link);
	if (rc)
		return rc;
	if (!(link.from->type->ports & graph_exit_port(link.canal)))
		rc = missing_port(op, link.from, graph_exit_port(link.canal), "from");
	if (!(link.to->type->ports & graph_entry_port(link.canal)))
		rc = missing_port(op, link.to, graph_entry_port(link.canal), "to");
	if (rc == 0 && !graph_find_link(op->graph, &link)) {
		link.row = link_row((json_t *)(uintptr_t)op->json, link.canal);
		graph_add_link(op->graph, link);
	}
	return rc;
}

static int op_unlink(const struct op *op)
{
	struct graph_link link = {.alive = NULL};
	int rc = read_ends(op, &link);
	if (rc)
		return rc;
	struct graph_link *found = graph_find_link(op->graph, &link);
	if (!found)
		return fail(op, -PT_EBADLINK, NULL, "there is no link %s%s%s", link.from->name,
		            graph_link_sign(link.canal), link.to->name);
	graph_remove_link(op->graph, found);
	return 0;
}

/* Of a table that takes the place of another: each port that a link needs. */
static int check_kept_ports(const struct op *op, const struct graph_block *b,
                            const struct pt_type *type, const char *member)
{
	int rc = 0;
	unsigned taken_away = b->type->ports & ~type->ports;
	for (unsigned i = 0; taken_away && i < op->graph->link_count; i++) {
		const struct graph_link *l = &op->graph->links[i];
		if (graph_link_is_gone(l))
			continue;
		unsigned missing = (l->from == b ? graph_exit_port(l->canal) : 0) |
		                   (l->to == b ? graph_entry_port(l->canal) : 0);
		missing &= ~type->ports;
		if (missing) {
			char *words = graph_port_words(missing);
			rc = fail(op, -PT_EBADLINK, member, "a %s has no %s, which %s%s%s needs",
			          type->name, words + strlen("a "), l->from->name,
			          graph_link_sign(l->canal), l->to->name);
			pt_hint(op->err, "unlink it in the same change");
			free(words);
		}
	}
	return rc;
}

static int op_set(const struct op *op)
{
	struct graph_block *b;
	int rc = get(op, "name", &b);
	if (rc)
		return rc;
	json_t *merged = json_copy(b->params);
	json_object_update(merged, json_object_get(op->json, "params"));
	param_unset_others(b->type->params, merged, json_object_get(op->json, "params"));
	size_t before = op->err->count;
	rc = param_check(b->type->params, merged, op->err);
	char *path = path_of(op, "params");
	error_prefix(op->err, before, path);
	free(path);
	rc = rc ? rc : check_kept_ports(op, b, type_variant(b->type, merged), "params");
	if (rc) {
		json_decref(merged);
		return rc;
	}
	graph_set_row(b, b->type,
	              block_row(NULL, json_object_get(b->row, "name"), b->type_json, merged));
	return 0;
}

static int op_replace(const struct op *op)
{
	struct graph_block *b;
	const struct pt_type *type;
	json_t *params;
	int rc = get(op, "name", &b), type_rc = read_type(op, &type, &params);
	if (rc || type_rc)
		return rc ? rc : type_rc;
	rc = check_kept_ports(op, b, type_variant(type, params), "type");
	if (rc)
		return rc;
	graph_set_row(b, type,
	              block_row(NULL, json_object_get(b->row, "name"),
	                        json_object_get(op->json, "type"), given(params)));
	return 0;
}

/* One of ops, which says which it is. */
static int op_any(const struct op *op)
{
	static const struct {
		const char *name;
		int (*run)(const struct op *);
	} table[] = {
		{"add", op_add},       {"remove", op_remove}, {"link", op_link},
		{"unlink", op_unlink}, {"set", op_set},       {"replace", op_replace},
	};
	const char *word = text(op, "op");
	for (size_t row = 0; row < sizeof table / sizeof *table; row++)
		if (!strcmp(table[row].name, word))
			return table[row].run(op);
	return fail(op, -PT_EPARAM, "op", "no operation '%s'", word);
}

static int run_all(struct op op, const char *list, const json_t *items,
                   int (*run)(const struct op *))
{
	size_t count = json_array_size(items), i = 0;
	int first = 0;
	graph_begin(op.graph);
	op.list = list;
	for (; i < count && op.err->count < ERROR_FAULTS_MAX; i++) {
		op.json = json_array_get(items, i);
		op.index = (int)i;
		int rc = run(&op);
		first = first ? first : rc;
	}
	graph_end(op.graph);
	if (i == count)
		return first;
	op.index = (int)i;
	int rc = fail(&op, -PT_EPARAM, NULL,
	              "%zu %s from here on are not looked at: there are faults enough", count - i,
	              list);
	return first ? first : rc;
}

int graph_change(struct graph *g, const json_t *ops, unsigned limit, struct pt_error *err)
{
	return run_all((struct op){.graph = g, .limit = limit, .err = err}, "ops", ops, op_any);
}

int graph_build(struct graph *g, const json_t *blocks, const json_t *links, unsigned limit,
                struct pt_error *err)
{
	const struct op op = {.graph = g, .limit = limit, .err = err};
	int rc = run_all(op, "blocks", blocks, op_add);
	int link_rc = run_all(op, "links", links, op_link);
	return rc ? rc : link_rc;
}
