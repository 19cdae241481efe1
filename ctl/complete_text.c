/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipe text that is not finished: where the cursor stands in it, and what may follow there. */
#include "base/json.h"
#include "base/utf8.h"
#include "base/buf.h"
#include "ctl/complete.h"
#include "lang/lex.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64, DEPTH_MAX = 64 };

/* What was passed last, as far as it matters for what comes next. */
enum last { LAST_BEGIN, LAST_NAME, LAST_VALUE, LAST_CLOSE, LAST_EQUALS, LAST_COMMA, LAST_LINK };

struct scan {
	const char *text;
	enum last last;
	char name[NAME_MAX_LENGTH + 1]; /* the last one */
	unsigned depth;                 /* of brackets */
	char type[NAME_MAX_LENGTH + 1]; /* before the outermost bracket, if that is a call */
	char key[NAME_MAX_LENGTH + 1];  /* of the argument at hand */
	size_t position;                /* of an argument without one */
	json_t *keys;                   /* that were given */
	json_t *blocks;                 /* that are made in the text: {name: true} */
	size_t partial; /* where the name begins that the cursor is in, or the cursor */
	char quote;     /* that is open, if it is one alone */
	bool inside;    /* of what is in quotes */
	size_t content; /* behind it */
	bool comment;
};

/* ---- reading ---- */

/* Quotes that are open at the end. */
static void take_open_text(struct scan *s, const struct token *t)
{
	const char *at = t->text + strcspn(t->text, "'\"");
	size_t marks = at[1] == *at && at[2] == *at ? 3 : 1;
	s->inside = true;
	s->quote = marks == 1 ? *at : 0;
	s->content = (size_t)(at - s->text) + marks;
}

static void open_bracket(struct scan *s, char bracket)
{
	if (!s->depth++) {
		bool call = bracket == '(' && s->last == LAST_NAME;
		strcpy(s->type, call ? s->name : "");
		*s->key = '\0';
		s->position = 0;
		json_object_clear(s->keys);
	}
	s->last = LAST_COMMA;
}

static void take_mark(struct scan *s, char mark)
{
	if (strchr("([{", mark)) {
		open_bracket(s, mark);
	} else if (strchr(")]}", mark)) {
		s->depth -= s->depth > 0;
		s->last = LAST_CLOSE;
	} else if (mark == '=' && s->last == LAST_NAME && s->depth <= 1) {
		json_object_set_new(s->depth ? s->keys : s->blocks, s->name, json_true());
		strcpy(s->key, s->name);
		s->last = LAST_EQUALS;
	} else if (mark == ',' && s->depth == 1) {
		s->position += !*s->key;
		*s->key = '\0';
		s->last = LAST_COMMA;
	} else if (mark == ';' && !s->depth) {
		s->last = LAST_BEGIN;
	} else {
		s->last = LAST_VALUE;
	}
}

static void take_token(struct scan *s, const struct token *t)
{
	bool at_end = !t->text[t->length],
	     is_word = t->kind == TOKEN_NAME || t->kind == TOKEN_NUMBER;
	if (is_word && at_end) {
		s->partial = (size_t)(t->text - s->text);
	} else if (t->kind == TOKEN_NAME) {
		snprintf(s->name, sizeof s->name, "%.*s", (int)t->length, t->text);
		s->last = LAST_NAME;
	} else if (t->kind == TOKEN_MARK) {
		take_mark(s, *t->text);
	} else if (t->kind == TOKEN_NEWLINE) {
		s->last = LAST_BEGIN;
	} else if (t->kind == TOKEN_LINK || *t->text == '/') {
		s->last = LAST_LINK;
	} else {
		if (t->kind == TOKEN_BAD && t->wrong && at_end)
			take_open_text(s, t);
		s->last = LAST_VALUE;
	}
}

static void scan_text(struct scan *s)
{
	struct lex lex;
	const char *end = s->text, *newline;
	s->partial = strlen(s->text);
	for (lex_init(&lex, s->text, s->partial); lex.token.kind != TOKEN_END; lex_advance(&lex)) {
		take_token(s, &lex.token);
		end = lex.token.text + lex.token.length;
	}
	newline = strrchr(end, '\n');
	s->comment = strchr(newline ? newline : end, '#');
}

/* ---- what may follow ---- */

struct text {
	struct completion *c;
	struct scan scan;
	char *before; /* what stands before the name that the cursor is in */
};

static void add_types(struct text *t)
{
	const char *name;
	json_t *type;
	json_object_foreach (json_of(completion_types(t->c)), name, type)
		candidate_add(t->c, true, text_of(type, "summary"), "%s%s(", t->before, name);
}

static void add_blocks(struct text *t, const char *engine)
{
	json_t *shown = engine ? completion_engine(t->c, engine) : NULL;
	const char *name;
	json_t *made;
	json_each (block, json_object_get(shown, "blocks"))
		candidate_add(t->c, true, text_of(block, "type"), "%s%s", t->before,
		              text_of(block, "name"));
	json_object_foreach (t->scan.blocks, name, made)
		candidate_add(t->c, true, "block", "%s%s", t->before, name);
	json_decref(shown);
}

static void add_links(struct text *t)
{
	static const char *const links[][2] = {
		{">", "from the low exit to the low entry"},
		{">>", "from the high exit to the high entry"},
		{"^", "from the trigger exit to the trigger entry"},
		{"%", "low links both ways"},
		{"//", "high links both ways"},
	};
	size_t length = strlen(t->before);
	const char *space = length && isspace((unsigned char)t->before[length - 1]) ? "" : " ";
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		candidate_add(t->c, true, links[i][1], "%s%s%s ", t->before, space, links[i][0]);
}

/* The parameter that the argument at hand is for, or NULL. */
static const json_t *param_at_hand(struct text *t)
{
	const json_t *params = json_object_get(completion_type(t->c, t->scan.type), "params");
	if (!*t->scan.key)
		return json_array_get(params, t->scan.position);
	return item_of(params, "name", t->scan.key);
}

static void add_params(struct text *t)
{
	const json_t *params = json_object_get(completion_type(t->c, t->scan.type), "params");
	size_t i;
	json_t *param;
	json_array_foreach (params, i, param) {
		const char *name = text_of(param, "name");
		if (i >= t->scan.position && !json_object_get(t->scan.keys, name))
			candidate_add(t->c, true, text_of(param, "doc"), "%s%s=", t->before, name);
	}
	if (t->scan.position >= json_array_size(params))
		candidate_add(t->c, true, "", "%s)", t->before);
}

static void in_call(struct text *t)
{
	if (t->scan.last == LAST_EQUALS)
		complete_value(t->c, t->scan.partial, param_at_hand(t), false, 0);
	else if (t->scan.last == LAST_COMMA)
		add_params(t);
	else if (!t->c->word[t->scan.partial]) {
		candidate_add(t->c, true, "", "%s)", t->before);
		candidate_add(t->c, true, "", "%s, ", t->before);
	}
}

static void in_statement(struct text *t, const char *engine, enum text_part part)
{
	enum last last = t->scan.last;
	bool partial = t->c->word[t->scan.partial];
	if (last == LAST_CLOSE || last == LAST_NAME) {
		if (!partial && part != TEXT_BLOCK)
			add_links(t);
		return;
	}
	if (part != TEXT_LINKS)
		add_types(t);
	if (part != TEXT_BLOCK && last != LAST_EQUALS)
		add_blocks(t, engine);
}

void complete_text(struct completion *c, const char *engine, enum text_part part)
{
	if (utf8_valid(c->word, strlen(c->word)) != strlen(c->word))
		return;
	struct text t = {
		c, {.text = c->word, .keys = json_object(), .blocks = json_object()}, NULL};
	scan_text(&t.scan);
	t.before = must_printf("%.*s", (int)t.scan.partial, c->word);
	bool call = t.scan.depth == 1 && *t.scan.type;
	if (t.scan.quote && call)
		complete_value(c, t.scan.content, param_at_hand(&t), false, t.scan.quote);
	else if (!t.scan.inside && !t.scan.comment && call)
		in_call(&t);
	else if (!t.scan.inside && !t.scan.comment && !t.scan.depth)
		in_statement(&t, engine, part);
	free(t.before);
	json_decref(t.scan.keys);
	json_decref(t.scan.blocks);
}
