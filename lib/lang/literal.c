/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads values: lists, dictionaries, words; what is in quotes and numbers are read elsewhere. */
#include "lang/literal.h"

#include "lang/number.h"
#include "lang/place.h"
#include "lang/quoted.h"
#include <stdlib.h>
#include <string.h>

/* What is being read: once, and how deep it is. */
struct reading {
	struct lex *lex;
	struct complaints *complaints;
	struct literal_places *places;
	struct constants *constants;
	unsigned depth;
};

static int read_value(struct reading *, json_t **value);

void literal_place(struct literal_places *p, struct lang_place place)
{
	if (p)
		place_set(p->object, p->path.data, place);
}

static int unexpected(struct reading *r, const char *wanted)
{
	return complain_unexpected(r->complaints, r->lex, wanted);
}

static int unclosed(struct reading *r, const struct token *bracket)
{
	return complain(r->complaints, bracket->place, "this '%c' is never closed", *bracket->text);
}

/* After an element: past a comma, or at `close`. */
static int pass_comma(struct reading *r, const struct token *bracket, char close)
{
	if (r->lex->token.kind == TOKEN_END)
		return unclosed(r, bracket);
	if (lex_is(r->lex, ',')) {
		lex_advance(r->lex);
		return 0;
	}
	char wanted[] = "',' or 'x'";
	wanted[8] = close;
	return lex_is(r->lex, close) ? 0 : unexpected(r, wanted);
}

static size_t enter_item(struct reading *r, size_t index)
{
	if (!r->places)
		return 0;
	size_t outer = r->places->path.length;
	buf_addf(&r->places->path, "[%zu]", index);
	return outer;
}

static size_t enter_member(struct reading *r, const char *key)
{
	if (!r->places)
		return 0;
	size_t outer = r->places->path.length;
	buf_addf(&r->places->path, ".%s", key);
	return outer;
}

static void leave(struct reading *r, size_t outer)
{
	if (!r->places)
		return;
	r->places->path.length = outer;
	r->places->path.data[outer] = 0;
}

/* A list, or with ')' a tuple; (1) is 1, (1,) is [1]. */
static int read_list(struct reading *r, char close, json_t **value)
{
	struct token bracket = r->lex->token;
	json_t *list = json_array();
	bool comma = false;
	lex_advance(r->lex);
	while (!lex_is(r->lex, close)) {
		json_t *item;
		size_t outer = enter_item(r, json_array_size(list));
		int code = r->lex->token.kind == TOKEN_END ? unclosed(r, &bracket)
		                                           : read_value(r, &item);
		leave(r, outer);
		if (!code) {
			json_array_append_new(list, item);
			comma = lex_is(r->lex, ',');
			code = pass_comma(r, &bracket, close);
		}
		if (code) {
			json_decref(list);
			return code;
		}
	}
	lex_advance(r->lex);
	*value = list;
	if (close == ')' && json_array_size(list) == 1 && !comma) {
		*value = json_incref(json_array_get(list, 0));
		json_decref(list);
	}
	return 0;
}

static int read_quoted_key(struct reading *r, char **key)
{
	struct token t = r->lex->token;
	json_t *text;
	int code = quoted_read(r->lex, r->complaints, &text);
	if (code)
		return code;
	if (json_is_string(text))
		*key = must_strdup(json_string_value(text));
	else
		code = complain(r->complaints, t.place, "a key is text, not bytes");
	json_decref(text);
	return code;
}

/* "size": of Python, size= and ["size"]= of Lua; past the sign. */
static int read_key(struct reading *r, const json_t *object, char **key)
{
	struct lang_place place = r->lex->token.place;
	bool bracket = lex_is(r->lex, '['), lua = bracket;
	int code = 0;
	if (bracket)
		lex_advance(r->lex);
	if (r->lex->token.kind == TOKEN_STRING) {
		code = read_quoted_key(r, key);
	} else if (r->lex->token.kind == TOKEN_NAME && !bracket) {
		*key = lex_word(r->lex);
		lua = true;
		lex_advance(r->lex);
	} else {
		code = unexpected(r, "a key in quotes");
	}
	if (!code && bracket && !lex_is(r->lex, ']'))
		code = unexpected(r, "']'");
	if (!code && bracket)
		lex_advance(r->lex);
	if (!code && json_object_get(object, *key))
		code = complain(r->complaints, place, "the key stands here twice");
	if (!code && !lex_is(r->lex, lua ? '=' : ':'))
		code = unexpected(r, lua ? "'='" : "':'");
	if (!code)
		lex_advance(r->lex);
	return code;
}

static int read_member(struct reading *r, json_t *object)
{
	char *key = NULL;
	json_t *value;
	int code = read_key(r, object, &key);
	if (code) {
		free(key);
		return code;
	}
	size_t outer = enter_member(r, key);
	code = read_value(r, &value);
	if (!code)
		json_object_set_new(object, key, value);
	leave(r, outer);
	free(key);
	return code;
}

static int read_dictionary(struct reading *r, json_t **value)
{
	struct token bracket = r->lex->token;
	json_t *object = json_object();
	lex_advance(r->lex);
	while (!lex_is(r->lex, '}')) {
		int code = r->lex->token.kind == TOKEN_END ? unclosed(r, &bracket)
		                                           : read_member(r, object);
		if (!code)
			code = pass_comma(r, &bracket, '}');
		if (code) {
			json_decref(object);
			return code;
		}
	}
	lex_advance(r->lex);
	*value = object;
	return 0;
}

static int read_number(struct reading *r, bool negative, json_t **value)
{
	const struct token *t = &r->lex->token;
	const char *wrong;
	if (t->kind != TOKEN_NUMBER)
		return unexpected(r, "a number");
	if (number_read(t->text, t->length, negative, value, &wrong))
		return complain(r->complaints, t->place, "%s", wrong);
	lex_advance(r->lex);
	return 0;
}

static json_t *value_of_word(const char *word)
{
	static const struct {
		const char *word;
		json_type type;
	} words[] = {{"True", JSON_TRUE}, {"False", JSON_FALSE}, {"None", JSON_NULL},
	             {"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i].word))
			return words[i].type == JSON_NULL
			               ? json_null()
			               : json_boolean(words[i].type == JSON_TRUE);
	return NULL;
}

bool literal_is_word(const char *word)
{
	return value_of_word(word);
}

static int read_word(struct reading *r, json_t **value)
{
	char *word = lex_word(r->lex);
	struct lang_place place = r->lex->token.place;
	const char *meant = r->constants ? constants_nearest(r->constants, word) : NULL;
	int code = 0;
	*value = value_of_word(word);
	if (!*value && r->constants)
		*value = constants_take(r->constants, word);
	if (*value)
		lex_advance(r->lex);
	else if (!strcmp(word, "lambda"))
		code = complain(r->complaints, place,
		                "a Python function cannot run here; write it in Lua, as text: "
		                "\"function(m) return m:reverse() end\"");
	else if (lex_next_is(r->lex, '('))
		code = complain(r->complaints, place,
		                "a value is expected here; make the block '%s' in a statement "
		                "of its own",
		                word);
	else if (meant)
		code = complain(r->complaints, place,
		                "'%s' is no value; did you mean '%s'? Text stands in quotes", word,
		                meant);
	else
		code = complain(r->complaints, place, "'%s' is no value; text stands in quotes",
		                word);
	free(word);
	return code;
}

static int read_mark(struct reading *r, json_t **value)
{
	switch (*r->lex->token.text) {
	case '[': return read_list(r, ']', value);
	case '(': return read_list(r, ')', value);
	case '{': return read_dictionary(r, value);
	case '-':
	case '+': {
		bool negative = lex_is(r->lex, '-');
		lex_advance(r->lex);
		return read_number(r, negative, value);
	}
	default: return unexpected(r, "a value");
	}
}

static int read_any(struct reading *r, json_t **value)
{
	switch (r->lex->token.kind) {
	case TOKEN_STRING: return quoted_read(r->lex, r->complaints, value);
	case TOKEN_NUMBER: return read_number(r, false, value);
	case TOKEN_NAME: return read_word(r, value);
	case TOKEN_MARK: return read_mark(r, value);
	default: return unexpected(r, "a value");
	}
}

static int read_value(struct reading *r, json_t **value)
{
	if (r->depth == LITERAL_DEPTH_MAX)
		return complain(r->complaints, r->lex->token.place,
		                "values within values are more than %d deep here",
		                LITERAL_DEPTH_MAX);
	literal_place(r->places, r->lex->token.place);
	r->depth++;
	int code = read_any(r, value);
	r->depth--;
	return code;
}

int literal_read(struct lex *lex, struct complaints *complaints, struct literal_places *places,
                 struct constants *constants, json_t **value)
{
	struct reading r = {lex, complaints, places, constants, 0};
	return read_value(&r, value);
}
