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
	const char *end; /* of its last word */
	bool gone;       /* something that it makes is another now, or not there */
};

struct telling {
	const char *old;
	struct lang_program program;
	struct group *groups;
	size_t count;
	json_t *names; /* {name: true} that it says itself: what has another cannot be linked elsewhere */
	struct diff_side graph;
	json_t *blocks, *links; /* that are still to be told */
	struct buf out;
	size_t comment; /* where the comment begins that stands directly above; SIZE_MAX: none does */
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

static struct group *group_of(struct telling *t, size_t op)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->program.places[op].line <= t->groups[i].last)
			return &t->groups[i];
	return NULL;
}

/* ---- what has become of them ---- */

static bool is_op(const json_t *op, const char *word)
{
	return !strcmp(text_of(op, "op"), word);
}

static bool is_same(const json_t *a, const json_t *b, const char *member)
{
	return !strcmp(text_of(a, member), text_of(b, member));
}

static bool is_same_link(const json_t *a, const json_t *b)
{
	return is_same(a, b, "from") && is_same(a, b, "to") && is_same(a, b, "canal");
}

static bool is_end(const json_t *link, const char *name)
{
	return !strcmp(text_of(link, "from"), name) || !strcmp(text_of(link, "to"), name);
}

/* Whether what the plan does is to what that operation of the old text has made. */
static bool undoes(const json_t *change, const json_t *op)
{
	const char *name = text_of(change, "name");
	if (is_op(change, "unlink"))
		return is_op(op, "link") && is_same_link(change, op);
	if (is_op(op, "link"))
		return is_op(change, "remove") && is_end(op, name);
	return !is_op(change, "add") && !is_op(change, "link") &&
	       !strcmp(text_of(op, "name"), name);
}

static void mark_gone(struct telling *t, const json_t *plan)
{
	for (size_t i = 0; i < json_array_size(t->program.ops); i++)
		json_each (change, plan)
			if (undoes(change, json_array_get(t->program.ops, i)))
				group_of(t, i)->gone = true;
}

static void take_out(json_t *list, size_t at)
{
	if (at < json_array_size(list))
		json_array_remove(list, at);
}

static size_t place_of_block(const json_t *list, const json_t *op)
{
	size_t i = 0;
	while (i < json_array_size(list) && !is_same(json_array_get(list, i), op, "name"))
		i++;
	return i;
}

static size_t place_of_link(const json_t *list, const json_t *op)
{
	size_t i = 0;
	while (i < json_array_size(list) && !is_same_link(json_array_get(list, i), op))
		i++;
	return i;
}

/* What stays need not be told. */
static void leave_out_what_stays(struct telling *t)
{
	json_decref(t->blocks);
	json_decref(t->links);
	t->blocks = json_copy(json_of(t->graph.blocks));
	t->links = json_copy(json_of(t->graph.links));
	for (size_t i = 0; i < json_array_size(t->program.ops); i++) {
		const json_t *op = json_array_get(t->program.ops, i);
		if (group_of(t, i)->gone)
			continue;
		if (is_op(op, "add"))
			take_out(t->blocks, place_of_block(t->blocks, op));
		else
			take_out(t->links, place_of_link(t->links, op));
	}
}

/* Whether a link that is still to be told leads from or to it. */
static bool is_linked(const struct telling *t, const char *name)
{
	json_each (link, t->links)
		if (is_end(link, name))
			return true;
	return false;
}

/* What stays and got its name from where it stands is told anew if others are to name it. */
static bool mark_nameless(struct telling *t)
{
	bool some = false;
	for (size_t i = 0; i < json_array_size(t->program.ops); i++) {
		const json_t *op = json_array_get(t->program.ops, i);
		const char *name = text_of(op, "name");
		struct group *group = group_of(t, i);
		if (group->gone || !is_op(op, "add") || json_object_get(t->names, name) ||
		    !is_linked(t, name))
			continue;
		group->gone = some = true;
	}
	return some;
}

/* ---- telling ---- */

static void print(struct buf *out, const json_t *blocks, const json_t *links)
{
	json_t *graph = json_pack("{s:O*, s:O*}", "blocks", blocks, "links", links);
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
static json_t *take_still(struct telling *t, const struct group *group, const char *word)
{
	bool blocks = !strcmp(word, "add");
	json_t *list = blocks ? t->blocks : t->links, *still = json_array();
	for (size_t i = 0; i < json_array_size(t->program.ops); i++) {
		const json_t *op = json_array_get(t->program.ops, i);
		size_t at = blocks ? place_of_block(list, op) : place_of_link(list, op);
		if (!is_op(op, word) || group_of(t, i) != group || at == json_array_size(list))
			continue;
		json_array_append(still, json_array_get(list, at));
		json_array_remove(list, at);
	}
	return still;
}

/* What it made, as it is now. A comment above what is there no more goes with it, but for that which
   begins the text. */
static void tell_group(struct telling *t, const struct group *group)
{
	json_t *blocks = take_still(t, group, "add"), *links = take_still(t, group, "link");
	print(&t->out, blocks, links);
	if (json_array_size(blocks) + json_array_size(links))
		add_trailing_comment(t, group);
	else if (t->comment && t->comment != SIZE_MAX)
		t->out.length = t->comment;
	t->comment = SIZE_MAX;
	json_decref(blocks);
	json_decref(links);
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
	print(&t->out, t->blocks, t->links);
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
	print(&t->out, t->graph.blocks, t->graph.links);
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
	json_decref(t.blocks);
	json_decref(t.links);
	json_decref(t.names);
}
