/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a block's type and arguments. */
#include "lang/call.h"

#include "base/buf.h"
#include "base/name.h"
#include "base/near.h"
#include "lang/literal.h"
#include "lang/path.h"
#include <stdlib.h>
#include <string.h>

/* A call while it is being read. */
struct reader {
	struct lex *lex;
	struct complaints *complaints;
	const struct lang_env *env;
	struct constants *constants;
	struct call *call;
	const struct pt_param *rows; /* NULL: not known */
	struct literal_places places;
	size_t positional; /* arguments without a name so far */
	bool named;        /* one with a name has come */
};

static const struct pt_param no_rows[] = {{0}};

static void try_near(void *near, const char *name)
{
	near_try(near, name);
}

bool call_is_type(const struct lang_env *env, const char *name, const char **nearest)
{
	struct near near = near_init(name);
	if (env->types)
		env->types(env->arg, try_near, &near);
	*nearest = near_best(&near);
	if (*nearest && !strcmp(*nearest, name))
		return true;
	return env->params && env->params(env->arg, name);
}

static void look_up_type(struct reader *r)
{
	const char *nearest, *type = r->call->type;
	if (!r->env->params)
		return;
	r->rows = r->env->params(r->env->arg, type);
	if (r->rows)
		return;
	if (call_is_type(r->env, type, &nearest)) {
		r->rows = no_rows;
		return;
	}
	struct near near = near_found(nearest);
	complain(r->complaints, r->call->place, "no block type '%s'%s", type,
	         near_say(&near, "; see 'ptctl types'"));
}

static const struct pt_param *find_row(const struct pt_param *rows, const char *key)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, key))
			return rows;
	return NULL;
}

static void complain_of_key(struct reader *r, struct lang_place place, const char *key)
{
	struct near near = near_init(key);
	struct buf names = BUF_INIT;
	for (const struct pt_param *row = r->rows; row->name; row++) {
		near_try(&near, row->name);
		buf_addf(&names, "%s%s", names.length ? ", " : "", row->name);
	}
	near_try(&near, "name");
	if (near_best(&near))
		complain(r->complaints, place, "%s has no parameter '%s'%s", r->call->type, key,
		         near_say(&near, ""));
	else
		complain(r->complaints, place, "%s has no parameter '%s'; it has %s", r->call->type,
		         key, names.length ? names.data : "none");
	buf_free(&names);
}

static void set_place(struct reader *r, struct lang_place place, const char *before,
                      const char *key)
{
	buf_clear(&r->places.path);
	buf_adds(&r->places.path, before);
	buf_adds(&r->places.path, key);
	literal_place(&r->places, place);
}

static void take_name(struct reader *r, struct lang_place place, const json_t *value)
{
	const char *name = json_string_value(value);
	if (json_is_null(value))
		return;
	if (!name)
		complain(r->complaints, place, "a block's name is text");
	else if (!name_is_block(name))
		complain(
			r->complaints, place,
			"a name has letters, digits and _, no digit first, and at most 64 of them");
	else if (r->call->name)
		complain(r->complaints, place, "'name' stands here twice");
	else
		r->call->name = must_strdup(name);
}

/* Reads the value of the parameter `key`, and keeps it unless it is wrong. */
static int read_argument(struct reader *r, struct lang_place place, const char *key,
                         const struct pt_param *row)
{
	json_t *value, *params = r->call->params;
	struct lang_place value_place = r->lex->token.place;
	bool is_name = !row && !strcmp(key, "name");
	set_place(r, value_place, is_name ? "" : "params.", key);
	int code = literal_read(r->lex, r->complaints, &r->places, r->constants, &value);
	if (code)
		return code;
	path_resolve(row, &value, r->env->directory, r->env->out);
	if (is_name)
		take_name(r, value_place, value);
	else if (r->rows && !row)
		complain_of_key(r, place, key);
	else if (json_object_get(params, key))
		complain(r->complaints, place, "'%s' is given twice", key);
	else
		json_object_set(params, key, value);
	json_decref(value);
	return 0;
}

static int read_named(struct reader *r)
{
	char *key = lex_word(r->lex);
	struct lang_place place = r->lex->token.place;
	lex_advance(r->lex);
	lex_advance(r->lex);
	r->named = true;
	int code = read_argument(r, place, key, r->rows ? find_row(r->rows, key) : NULL);
	free(key);
	return code;
}

static const struct pt_param *next_row(struct reader *r)
{
	const struct pt_param *row = r->rows;
	for (size_t i = 0; i < r->positional && row->name; i++)
		row++;
	r->positional++;
	return row;
}

/* An argument that has no parameter. */
static int skip_argument(struct reader *r)
{
	const char *type = r->call->type;
	struct lang_place place = r->lex->token.place;
	json_t *value;
	int code = literal_read(r->lex, r->complaints, NULL, r->constants, &value);
	if (code)
		return code;
	json_decref(value);
	if (!r->rows && !r->env->params)
		complain(r->complaints, place, "this argument needs its name here: %s(name=value)",
		         type);
	else if (r->named)
		complain(r->complaints, place,
		         "an argument without a name cannot stand behind one with a name");
	else if (r->rows)
		complain(r->complaints, place, "%s takes %s; see 'ptctl help %s'", type,
		         r->rows->name ? "no further argument" : "no argument but name", type);
	return 0;
}

static int read_positional(struct reader *r)
{
	const struct pt_param *row = r->rows && !r->named ? next_row(r) : NULL;
	if (!row || !row->name)
		return skip_argument(r);
	return read_argument(r, r->lex->token.place, row->name, row);
}

static int read_arguments(struct reader *r)
{
	struct token bracket = r->lex->token;
	lex_advance(r->lex);
	while (!lex_is(r->lex, ')')) {
		if (r->lex->token.kind == TOKEN_END || lex_is_statement(r->lex))
			return complain(r->complaints, bracket.place, "this '(' is never closed");
		bool named = r->lex->token.kind == TOKEN_NAME && lex_next_is(r->lex, '=');
		int code = named ? read_named(r) : read_positional(r);
		if (code)
			return code;
		if (r->lex->token.kind == TOKEN_END || lex_is_statement(r->lex))
			continue;
		if (lex_is(r->lex, ','))
			lex_advance(r->lex);
		else if (!lex_is(r->lex, ')'))
			return complain_unexpected(r->complaints, r->lex, "',' or ')'");
	}
	lex_advance(r->lex);
	return 0;
}

int call_read(struct lex *lex, struct complaints *complaints, const struct lang_env *env,
              struct constants *constants, struct call *call)
{
	*call = (struct call){.type = lex_word(lex),
	                      .params = json_object(),
	                      .places = json_object(),
	                      .place = lex->token.place};
	struct reader r = {.lex = lex,
	                   .complaints = complaints,
	                   .env = env,
	                   .constants = constants,
	                   .call = call,
	                   .places = {call->places, BUF_INIT}};
	set_place(&r, call->place, "", "type");
	look_up_type(&r);
	lex_advance(lex);
	set_place(&r, lex->token.place, "", "params");
	int code =
		lex_is(lex, '(') ? read_arguments(&r) : complain_unexpected(complaints, lex, "'('");
	buf_free(&r.places.path);
	return code;
}

void call_fini(struct call *call)
{
	free(call->type);
	free(call->name);
	json_decref(call->params);
	json_decref(call->places);
}
