/* SPDX-License-Identifier: BSD-2-Clause */
/* Which lines of the old text stay is what the plan from its graph to the new one leaves alone. */
#include "daemon/retell.h"

#include "base/json.h"
#include "lang/lex.h"
#include <pipetool/error.h>
#include <stdlib.h>
#include <string.h>

/* Statements that share lines. */
struct group {
	unsigned first, last;
	const char *end;          /* of its last word */
	size_t first_op, ops_end; /* among these are what it makes */
	bool gone;                /* something that it makes is another now, or not there */
};

struct telling {
	const char *old;
	struct lang_program program;
	struct group *groups;
	size_t count;
	json_t *names; /* {name: true} that it says itself: only these can be linked elsewhere */
	struct diff_side graph;
	json_t *rest; /* {key: block or link} that is still to be told */
	struct buf out;
	size_t comment; /* where the comment directly above begins; SIZE_MAX: there is none */
};

/* ---- statements ---- */

static unsigned last_line(const struct token *token)
{
	unsigned line = token->place.line;
	for (size_t i = 0; i < token->length; i++)
		line += token->text[i] == '\n';
	return line;
}

static struct group *group_at(struct telling *t, unsigned line)
{
	if (t->count && t->groups[t->count - 1].last >= line)
		return &t->groups[t->count - 1];
	t->groups = must_realloc(t->groups, t->count + 1, sizeof *t->groups);
	t->groups[t->count] = (struct group){.first = line, .last = line};
	return &t->groups[t->count++];
}

/* A statement goes on behind an operator. */
static void find_groups(struct telling *t)
{
	struct lex lex;
	struct group *group = NULL;
	bool goes_on = false;
	lex_init(&lex, t->old, strlen(t->old));
	for (; lex.token.kind != TOKEN_END; lex_advance(&lex)) {
		if (lex.token.kind == TOKEN_NEWLINE) {
			group = goes_on ? group : NULL;
			continue;
		}
		if (!group)
			group = group_at(t, lex.token.place.line);
		group->last = last_line(&lex.token);
		group->end = lex.token.text + lex.token.length;
		if (lex.token.kind == TOKEN_NAME) {
			char *name = lex_word(&lex);
			json_object_set_new(t->names, name, json_true());
			free(name);
		}
		goes_on = lex.token.kind == TOKEN_LINK || lex_is(&lex, '=');
	}
}

static struct group *group_of(const struct telling *t, size_t op)
{
	size_t from = 0, to = t->count;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (t->groups[middle].last < t->program.places[op].line)
			from = middle + 1;
		else
			to = middle;
	}
	return &t->groups[from];
}

static void find_ops(struct telling *t)
{
	for (size_t i = 0; i < json_array_size(t->program.ops); i++) {
		struct group *group = group_of(t, i);
		group->first_op = group->ops_end ? group->first_op : i;
		group->ops_end = i + 1;
	}
}

/* ---- what has become of them ---- */

static bool is_op(const json_t *op, const char *word)
{
	return !strcmp(text_of(op, "op"), word);
}

/* Of a block, a link, or an operation on one; to be freed. No name has a space. */
static char *key_of(const json_t *row)
{
	const char *name = text_of(row, "name");
	return *name ? must_strdup(name)
	             : must_printf("%s %s %s", text_of(row, "from"), text_of(row, "to"),
	                           text_of(row, "canal"));
}

static void put(json_t *rows, const json_t *row)
{
	char *key = key_of(row);
	json_object_set(rows, key, json_of(row));
	free(key);
}

/* Borrowed; NULL: it is not among them. */
static json_t *find(const json_t *rows, const json_t *row)
{
	char *key = key_of(row);
	json_t *found = json_object_get(rows, key);
	free(key);
	return found;
}

static void take_out(json_t *rows, const json_t *row)
{
	char *key = key_of(row);
	json_object_del(rows, key);
	free(key);
}

static bool is_removed(const json_t *changes, const char *name)
{
	return is_op(json_object_get(changes, name), "remove");
}

/* Whether a change is to what that operation of the old text has made. */
static bool is_undone(const json_t *changes, const json_t *op)
{
	return find(changes, op) ||
	       (is_op(op, "link") && (is_removed(changes, text_of(op, "from")) ||
	                              is_removed(changes, text_of(op, "to"))));
}

static void mark_gone(struct telling *t, const json_t *plan)
{
	json_t *changes = json_object();
	json_each (change, plan)
		if (!is_op(change, "add") && !is_op(change, "link") &&
		    !is_removed(changes, text_of(change, "name")))
			put(changes, change);
	for (size_t i = 0; i < json_array_size(t->program.ops); i++)
		if (is_undone(changes, json_array_get(t->program.ops, i)))
			group_of(t, i)->gone = true;
	json_decref(changes);
}

/* What stays need not be told. */
static void leave_out_what_stays(struct telling *t)
{
	json_decref(t->rest);
	t->rest = json_object();
	json_each (block, t->graph.blocks)
		put(t->rest, block);
	json_each (link, t->graph.links)
		put(t->rest, link);
	for (size_t i = 0; i < json_array_size(t->program.ops); i++)
		if (!group_of(t, i)->gone)
			take_out(t->rest, json_array_get(t->program.ops, i));
}

/* {name: true} of blocks from or to which a link leads that is still to be told. */
static json_t *linked(const struct telling *t)
{
	const char *key;
	json_t *row, *names = json_object();
	json_object_foreach (t->rest, key, row) {
		if (json_object_get(row, "name"))
			continue;
		json_object_set_new(names, text_of(row, "from"), json_true());
		json_object_set_new(names, text_of(row, "to"), json_true());
	}
	return names;
}

/* What stays and got its name from where it stands is told anew if others are to name it. */
static bool mark_nameless(struct telling *t)
{
	bool some = false;
	json_t *named = linked(t);
	for (size_t i = 0; i < json_array_size(t->program.ops); i++) {
		const json_t *op = json_array_get(t->program.ops, i);
		const char *name = text_of(op, "name");
		struct group *group = group_of(t, i);
		if (group->gone || !is_op(op, "add") || json_object_get(t->names, name) ||
		    !json_object_get(named, name))
			continue;
		group->gone = some = true;
	}
	json_decref(named);
	return some;
}

/* ---- telling ---- */

static void print(struct buf *out, const json_t *rows)
{
	const char *key;
	json_t *row, *blocks = json_array(), *links = json_array();
	json_object_foreach (json_of(rows), key, row)
		json_array_append(json_object_get(row, "name") ? blocks : links, row);
	json_t *graph = json_pack("{s:o, s:o}", "blocks", blocks, "links", links);
	lang_print(out, graph);
	json_decref(graph);
}

/* Behind the last word of the group's last line. */
static void add_trailing_comment(struct telling *t, const struct group *group)
{
	const char *comment = group->end + strspn(group->end, " \t;");
	if (*comment != '#' || !t->out.length)
		return;
	t->out.length--;
	buf_addf(&t->out, "  %.*s\n", (int)strcspn(comment, "\n"), comment);
}

/* What of it there is still, which is told here and not again. */
static json_t *take_still(struct telling *t, const struct group *group)
{
	json_t *still = json_object();
	for (size_t i = group->first_op; i < group->ops_end; i++) {
		const json_t *op = json_array_get(t->program.ops, i);
		const json_t *row = group_of(t, i) == group ? find(t->rest, op) : NULL;
		if (!row)
			continue;
		put(still, row);
		take_out(t->rest, op);
	}
	return still;
}

/* What it made, as it is now. A comment above what is there no more goes with it, but for that
   which begins the text. */
static void tell_group(struct telling *t, const struct group *group)
{
	json_t *still = take_still(t, group);
	print(&t->out, still);
	if (json_object_size(still))
		add_trailing_comment(t, group);
	else if (t->comment && t->comment != SIZE_MAX)
		t->out.length = t->comment;
	t->comment = SIZE_MAX;
	json_decref(still);
}

static void tell_line(struct telling *t, const char *line, size_t length)
{
	bool is_comment = line[strspn(line, " \t")] == '#';
	if (!is_comment)
		t->comment = SIZE_MAX;
	else if (t->comment == SIZE_MAX)
		t->comment = t->out.length;
	buf_add(&t->out, line, length);
	buf_addc(&t->out, '\n');
}

static void tell_lines(struct telling *t)
{
	size_t at = 0;
	unsigned number = 1;
	t->comment = SIZE_MAX;
	for (const char *line = t->old; *line; number++) {
		size_t length = strcspn(line, "\n");
		while (at < t->count && t->groups[at].last < number)
			at++;
		const struct group *group = at < t->count ? &t->groups[at] : NULL;
		bool is_gone = group && group->gone && number >= group->first;
		if (is_gone && number == group->first)
			tell_group(t, group);
		else if (!is_gone)
			tell_line(t, line, length);
		line += length + (line[length] == '\n');
	}
	print(&t->out, t->rest);
}

/* ---- whether it is so ---- */

static bool leads_to(const struct lang_program *program, struct diff_side graph, json_t **plan)
{
	struct pt_error err = PT_ERROR_INIT;
	*plan = NULL;
	bool can = !diff_ops((struct diff_side){.ops = program->ops}, graph, plan, &err);
	pt_error_clear(&err);
	return can;
}

static bool is_right(const struct telling *t, const struct lang_env *env)
{
	struct pt_error err = PT_ERROR_INIT;
	struct lang_program program;
	json_t *plan = NULL;
	const char *text = t->out.data ? t->out.data : "";
	bool right = !lang_parse(text, t->out.length, env, &program, &err);
	if (right) {
		right = lang_is_graph(&program) && leads_to(&program, t->graph, &plan) &&
		        !json_array_size(plan);
		lang_program_free(&program);
	}
	json_decref(plan);
	pt_error_clear(&err);
	return right;
}

/* Only the lines that it begins with. */
static void tell_anew(struct telling *t)
{
	buf_clear(&t->out);
	const char *line = t->old ? t->old : "";
	while (*line == '#' && strncmp(line, LANG_EMPTY, strlen(LANG_EMPTY))) {
		size_t length = strcspn(line, "\n");
		buf_addf(&t->out, "%.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
	json_t *graph =
		json_pack("{s:O*, s:O*}", "blocks", t->graph.blocks, "links", t->graph.links);
	lang_print(&t->out, graph);
	json_decref(graph);
	if (!json_array_size(t->graph.blocks))
		buf_adds(&t->out, LANG_EMPTY "\n");
}

static bool keep(struct telling *t, const struct lang_env *env)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *plan;
	int code = lang_parse(t->old, strlen(t->old), env, &t->program, &err);
	pt_error_clear(&err);
	if (code)
		return false;
	find_groups(t);
	find_ops(t);
	bool can = leads_to(&t->program, t->graph, &plan);
	if (can) {
		mark_gone(t, plan);
		do
			leave_out_what_stays(t);
		while (mark_nameless(t));
		tell_lines(t);
	}
	json_decref(plan);
	lang_program_free(&t->program);
	free(t->groups);
	return can && is_right(t, env);
}

void retell(struct buf *out, const char *old, const struct lang_env *env, struct diff_side graph)
{
	struct telling t = {.old = old, .graph = graph, .names = json_object()};
	if (!old || !keep(&t, env))
		tell_anew(&t);
	buf_add(out, t.out.data, t.out.length);
	buf_free(&t.out);
	json_decref(t.rest);
	json_decref(t.names);
}
