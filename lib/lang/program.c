/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts names to blocks, and operations in order. */
#include "lang/program.h"

#include "base/near.h"
#include "lang/place.h"
#include "type/type.h"
#include <stdlib.h>
#include <string.h>

static struct program_item *add(struct program *p, struct lang_place place)
{
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->items = must_realloc(p->items, p->room, sizeof *p->items);
	}
	p->items[p->count] = (struct program_item){
		.op = json_object(),
		.places = json_object(),
		.place = place,
		.from = {.block = PROGRAM_BY_NAME},
		.to = {.block = PROGRAM_BY_NAME},
	};
	return &p->items[p->count++];
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text ? json_string(text) : json_null());
}

size_t program_add_block(struct program *p, const struct call *call, const char *name,
                         struct lang_place name_place)
{
	struct program_item *item = add(p, call->place);
	json_object_update(item->places, call->places);
	if (name || !json_object_get(item->places, "name"))
		place_set(item->places, "name", name ? name_place : call->place);
	set_text(item->op, "op", "add");
	set_text(item->op, "name", name ? name : call->name);
	set_text(item->op, "type", call->type);
	json_object_set(item->op, "params", call->params);
	return p->count - 1;
}

static struct program_end copy_end(const struct program_end *end)
{
	struct program_end copy = *end;
	copy.name = end->name ? must_strdup(end->name) : NULL;
	return copy;
}

void program_add_link(struct program *p, const struct program_end *from,
                      const struct program_end *to, const char *canal, struct lang_place place)
{
	struct program_item *item = add(p, place);
	item->is_link = true;
	item->from = copy_end(from);
	item->to = copy_end(to);
	place_set(item->places, "from", from->place);
	place_set(item->places, "to", to->place);
	set_text(item->op, "op", "link");
	set_text(item->op, "from", NULL);
	set_text(item->op, "to", NULL);
	set_text(item->op, "canal", canal);
}

/* What is known while the program is being finished. */
struct finish {
	struct program *program;
	struct complaints *complaints;
	const struct lang_env *env;
	const struct constants *constants;
	json_t *made; /* name → item that makes it */
	json_t *used; /* names that links say */
	json_t *next; /* stem → number to try next */
};

static const char *name_of(const struct program_item *item)
{
	return json_string_value(json_object_get(item->op, "name"));
}

static void collect(struct finish *f)
{
	for (size_t i = 0; i < f->program->count; i++) {
		struct program_item *item = &f->program->items[i];
		if (item->from.name)
			json_object_set_new(f->used, item->from.name, json_true());
		if (item->to.name)
			json_object_set_new(f->used, item->to.name, json_true());
		const char *name = name_of(item);
		if (!name)
			continue;
		json_t *before = json_object_get(f->made, name);
		struct lang_place constant = constants_place(f->constants, name);
		if (constant.line) {
			complain(f->complaints, place_get(item->places, "name"),
			         "the name '%s' is taken: a constant gets it on line %u", name,
			         constant.line);
		} else if (before) {
			size_t first = (size_t)json_integer_value(before);
			struct lang_place place =
				place_get(f->program->items[first].places, "name");
			complain(f->complaints, place_get(item->places, "name"),
			         "the name '%s' is taken: a block gets it on line %u", name,
			         place.line);
		} else {
			json_object_set_new(f->made, name, json_integer((json_int_t)i));
		}
	}
}

static bool is_taken(const struct finish *f, const char *name)
{
	return json_object_get(f->made, name) || json_object_get(f->used, name) ||
	       (f->env->exists && f->env->exists(f->env->arg, name));
}

static void make_name(struct finish *f, size_t index)
{
	json_t *op = f->program->items[index].op;
	char *stem = type_snake_name(json_string_value(json_object_get(op, "type")));
	json_int_t number = json_integer_value(json_object_get(f->next, stem));
	char *name = NULL;
	do {
		free(name);
		name = must_printf("%.48s%lld", stem, (long long)++number);
	} while (is_taken(f, name));
	json_object_set_new(f->next, stem, json_integer(number));
	json_object_set_new(f->made, name, json_integer((json_int_t)index));
	set_text(op, "name", name);
	free(name);
	free(stem);
}

static void try_near(void *near, const char *name)
{
	near_try(near, name);
}

static void complain_of_end(struct finish *f, const struct program_end *end)
{
	const char *key, *nearest;
	json_t *value;
	struct near near = near_init(end->name);
	json_object_foreach (f->made, key, value)
		near_try(&near, key);
	if (f->env->blocks)
		f->env->blocks(f->env->arg, try_near, &near);
	if (constants_has(f->constants, end->name))
		complain(f->complaints, end->place, "'%s' is a constant, and no block", end->name);
	else if (call_is_type(f->env, end->name, &nearest))
		complain(f->complaints, end->place,
		         "no block '%s'; to make one of that type, write %s()", end->name,
		         end->name);
	else if (near_best(&near))
		complain(f->complaints, end->place, "no block '%s'%s", end->name,
		         near_say(&near, ""));
	else
		complain(f->complaints, end->place, "no block '%s'; make it first: %s = Type(…)",
		         end->name, end->name);
}

/* The name that a link's end has, once all have one; the block that is made for it is found. */
static void find_end(struct finish *f, struct program_item *item, struct program_end *end,
                     const char *key)
{
	const char *name = end->name;
	if (end->block != PROGRAM_BY_NAME) {
		name = name_of(&f->program->items[end->block]);
	} else if (json_object_get(f->made, name)) {
		end->block = (size_t)json_integer_value(json_object_get(f->made, name));
	} else if (f->env->exists && !f->env->exists(f->env->arg, name)) {
		complain_of_end(f, end);
		return;
	}
	set_text(item->op, key, name);
}

static void emit(struct program *p, size_t index, struct lang_program *out)
{
	struct program_item *item = &p->items[index];
	if (item->emitted)
		return;
	item->emitted = true;
	if (item->from.block != PROGRAM_BY_NAME)
		emit(p, item->from.block, out);
	if (item->to.block != PROGRAM_BY_NAME)
		emit(p, item->to.block, out);
	out->places[json_array_size(out->ops)] = item->place;
	json_array_append(out->ops, item->op);
	json_array_append(out->argument_places, item->places);
}

int program_finish(struct program *p, struct complaints *complaints, const struct lang_env *env,
                   const struct constants *constants, struct lang_program *out)
{
	struct finish f = {
		p, complaints, env, constants, json_object(), json_object(), json_object()};
	collect(&f);
	for (size_t i = 0; i < p->count; i++)
		if (!p->items[i].is_link && !name_of(&p->items[i]))
			make_name(&f, i);
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].is_link) {
			find_end(&f, &p->items[i], &p->items[i].from, "from");
			find_end(&f, &p->items[i], &p->items[i].to, "to");
		}
	json_decref(f.made);
	json_decref(f.used);
	json_decref(f.next);
	if (complaints->count)
		return -PT_EPARSE;
	out->ops = json_array();
	out->argument_places = json_array();
	out->places = must_calloc(p->count, sizeof *out->places);
	for (size_t i = 0; i < p->count; i++)
		emit(p, i, out);
	return 0;
}

void program_fini(struct program *p)
{
	for (size_t i = 0; i < p->count; i++) {
		json_decref(p->items[i].op);
		json_decref(p->items[i].places);
		free(p->items[i].from.name);
		free(p->items[i].to.name);
	}
	free(p->items);
}
