/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks without names are sought among those of the engine, with as many questions as there are
   such blocks: the daemon alone knows which parameters are the same. */
#include "ctl/may_exist.h"

#include "base/json.h"
#include "ctl/change.h"
#include <stdlib.h>
#include <string.h>

struct nameless {
	const json_t *op;
	size_t index;        /* of the operation */
	json_t *like;        /* names of the engine's blocks of this type, with these parameters */
	const char *found;   /* the one of them that it is; NULL: none is, so far */
	struct nameless *of; /* the first of those that it is linked to, over any of them */
};

struct search {
	struct ctl *ctl;
	const json_t *shown, *ops;
	struct nameless *items;
	size_t count;
	unsigned tries; /* that are left: there may be very many ways */
};

enum { TRIES_MAX = 100000 };

/* ---- what is the same ---- */

static json_t *as_replace(const json_t *op, const char *name)
{
	json_t *replace = json_copy(json_of(op));
	json_object_set_new(replace, "op", json_string("replace"));
	json_object_set_new(replace, "name", json_string(name));
	return replace;
}

/* What would have to be done if these took the place of what is there. Takes `ops`. */
static int plan_of(struct ctl *ctl, json_t *ops, json_t **result, struct pt_error *err)
{
	json_t *params = ctl_engine(ctl);
	json_object_set_new(params, "ops", ops);
	json_object_set_new(params, "dry_run", json_true());
	return ctl_call_with_fds(ctl, "engine.change", params, result, err);
}

/* Those with a name. */
static int check_same(struct ctl *ctl, json_t *ops, struct pt_error *err)
{
	json_t *result;
	int code = plan_of(ctl, ops, &result, err);
	if (code)
		return code;
	const char *name = text_of(json_array_get(json_object_get(result, "plan"), 0), "name");
	if (*name) {
		code = pt_fail(err, -PT_EEXISTS, NULL, "block '%s' is there, and is another", name);
		pt_hint(err, "'ptctl replace %s.%s' puts this one in its place", ctl->engine, name);
	}
	json_decref(result);
	return code;
}

/* A block that would be refused is like none. */
static json_t *find_like(const struct search *s, const json_t *op)
{
	json_t *ops = json_array(), *like = json_array(), *result;
	json_each (block, json_object_get(s->shown, "blocks"))
		if (!strcmp(text_of(block, "type"), text_of(op, "type")))
			json_array_append_new(ops, as_replace(op, text_of(block, "name")));
	if (json_array_size(ops) && !plan_of(s->ctl, json_incref(ops), &result, NULL)) {
		json_each (one, ops)
			if (!item_of(json_object_get(result, "plan"), "name", text_of(one, "name")))
				json_array_append(like, json_object_get(one, "name"));
		json_decref(result);
	}
	json_decref(ops);
	return like;
}

/* ---- which blocks have no name ---- */

static struct nameless *nameless_of(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(text_of(s->items[i].op, "name"), name))
			return &s->items[i];
	return NULL;
}

static struct nameless *first_of(struct nameless *n)
{
	while (n->of != n)
		n = n->of;
	return n;
}

/* The parser puts the place of the call there. */
static bool has_no_name(const struct pipe_text *pipe, size_t index)
{
	char *path = must_printf("$.ops[%zu].name", index);
	struct lang_place name = lang_locate(&pipe->program, path),
			  call = pipe->program.places[index];
	free(path);
	return name.line == call.line && name.column == call.column;
}

static void begin(struct search *s, const struct pipe_text *pipe)
{
	s->items = must_calloc(json_array_size(s->ops) + 1, sizeof *s->items);
	for (size_t i = 0; i < json_array_size(s->ops); i++) {
		const json_t *op = json_array_get(s->ops, i);
		if (json_object_get(op, "from") || !has_no_name(pipe, i))
			continue;
		struct nameless *n = &s->items[s->count++];
		*n = (struct nameless){.op = op, .index = i, .of = n, .like = find_like(s, op)};
	}
	json_each (link, json_of(s->ops)) {
		struct nameless *from = nameless_of(s, text_of(link, "from"));
		struct nameless *to = nameless_of(s, text_of(link, "to"));
		if (from && to)
			first_of(to)->of = first_of(from);
	}
}

static void end(struct search *s)
{
	for (size_t i = 0; i < s->count; i++)
		json_decref(s->items[i].like);
	free(s->items);
}

/* ---- finding them ---- */

static bool is_linked(const struct search *s, const char *from, const char *to, const json_t *link)
{
	json_t *wanted = json_pack("{s:s, s:s, s:O*}", "from", from, "to", to, "canal",
	                           json_object_get(link, "canal"));
	bool found = change_same(s->shown, wanted);
	json_decref(wanted);
	return found;
}

/* Its name in the engine; NULL: it is not known yet. */
static const char *name_in(const struct search *s, const json_t *link, const char *end)
{
	const char *name = text_of(link, end);
	const struct nameless *n = nameless_of(s, name);
	return n ? n->found : name;
}

/* Whether the engine has those of its links whose ends are known. */
static bool fits(const struct search *s, const struct nameless *n)
{
	const char *name = text_of(n->op, "name");
	json_each (link, json_of(s->ops)) {
		if (strcmp(text_of(link, "from"), name) && strcmp(text_of(link, "to"), name))
			continue;
		const char *from = name_in(s, link, "from"), *to = name_in(s, link, "to");
		if (from && to && !is_linked(s, from, to, link))
			return false;
	}
	return true;
}

static bool is_used(const struct search *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].found && !strcmp(s->items[i].found, name))
			return true;
	return item_of(s->ops, "name", name); /* by a block with that name */
}

/* Finds all from the i-th on that go with `first`. */
static bool find(struct search *s, const struct nameless *first, size_t i)
{
	while (i < s->count && first_of(&s->items[i]) != first)
		i++;
	if (i == s->count)
		return true;
	struct nameless *n = &s->items[i];
	json_each (like, n->like) {
		if (is_used(s, json_string_value(like)))
			continue;
		if (!s->tries || !s->tries--)
			return false;
		n->found = json_string_value(like);
		if (fits(s, n) && find(s, first, i + 1))
			return true;
		n->found = NULL;
	}
	return false;
}

/* One of the links that it could have, if it were one of those that are like it. */
static const char *half_found(const struct search *s, const struct nameless *n)
{
	const char *name = text_of(n->op, "name");
	json_each (like, n->like)
		json_each (link, json_of(s->ops)) {
			const char *from = text_of(link, "from"), *to = text_of(link, "to");
			const char *is = json_string_value(like);
			const struct nameless *other =
				nameless_of(s, strcmp(from, name) ? from : to);
			if ((strcmp(from, name) && strcmp(to, name)) || (other && other != n))
				continue;
			if (is_linked(s, strcmp(from, name) ? from : is, strcmp(to, name) ? to : is,
			              link))
				return is;
		}
	return NULL;
}

static int find_all(struct search *s, struct pt_error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		struct nameless *n = &s->items[i];
		if (first_of(n) == n && find(s, n, 0))
			continue;
		const char *like = first_of(n)->found ? NULL : half_found(s, n);
		if (!like && s->tries)
			continue;
		char *path = must_printf("$.ops[%zu]", n->index);
		int code = pt_fail(err, -PT_EEXISTS, path,
		                   "it cannot be told whether this %s() is there: '%s' is like it, "
		                   "but has not all of its links",
		                   text_of(n->op, "type"),
		                   like ? like : json_string_value(json_array_get(n->like, 0)));
		pt_hint(err, "give it a name, as NAME = %s(…)", text_of(n->op, "type"));
		free(path);
		return code;
	}
	return 0;
}

/* ---- what is missing ---- */

static void sort_op(const struct search *s, json_t *op, json_t *missing, json_t *same)
{
	const struct nameless *n = nameless_of(s, text_of(op, "name"));
	const char *from = name_in(s, op, "from"), *to = name_in(s, op, "to");
	json_t *item = json_copy(op);
	if (*text_of(op, "from")) {
		json_object_set_new(item, "from", json_string(from ? from : text_of(op, "from")));
		json_object_set_new(item, "to", json_string(to ? to : text_of(op, "to")));
	}
	if (n ? !n->found : !change_same(s->shown, item))
		json_array_append(missing, item);
	else if (!n && !*text_of(op, "from"))
		json_array_append_new(same, as_replace(op, text_of(op, "name")));
	json_decref(item);
}

int may_exist_add(struct ctl *ctl, const struct pipe_text *pipe, json_t **result,
                  struct pt_error *err)
{
	struct search s = {.ctl = ctl,
	                   .shown = pipe->world.engine,
	                   .ops = pipe->program.ops,
	                   .tries = TRIES_MAX};
	json_t *missing = json_array(), *same = json_array();
	begin(&s, pipe);
	int code = find_all(&s, err);
	if (!code)
		json_each (op, json_of(s.ops))
			sort_op(&s, op, missing, same);
	if (!code && json_array_size(same))
		code = check_same(ctl, json_incref(same), err);
	if (!code && json_array_size(missing))
		code = change_send(ctl, json_incref(missing), result, err);
	else if (!code)
		*result = change_none(json_object_get(s.shown, "revision"));
	end(&s);
	json_decref(same);
	json_decref(missing);
	return code;
}
