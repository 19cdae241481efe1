/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads statements: blocks with a name, and chains of links. */
#include "lang/lang.h"

#include "base/json.h"
#include "base/name.h"
#include "base/utf8.h"
#include "lang/literal.h"
#include "lang/number.h"
#include "lang/place.h"
#include "lang/program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	char *text;
	struct lex lex;
	struct complaints complaints;
	const struct lang_env *env;
	struct constants constants;
	struct program program;
};

static const struct lang_env no_env;

/* Copies the text, without a byte order mark, and stands on its first word. */
static int begin(struct parser *p, const char *text, size_t length, const struct lang_env *env)
{
	size_t skip = utf8_mark(text, length);
	struct buf copy = BUF_INIT;
	buf_reserve(&copy, 0);
	buf_add(&copy, text + skip, length - skip);
	size_t copied = copy.length;
	*p = (struct parser){.env = env ? env : &no_env,
	                     .constants = constants_init(env ? env->constants : NULL),
	                     .text = buf_steal(&copy)};
	int code = complain_of_bytes(&p->complaints, p->text, copied);
	if (!code)
		lex_init(&p->lex, p->text, copied);
	return code;
}

/* Tells the complaints and frees everything but the text. */
static int end(struct parser *p, struct pt_error *err)
{
	bool all_read = !p->complaints.count;
	program_fini(&p->program);
	int code = complaints_report(&p->complaints, p->text, err);
	if (all_read)
		code = constants_check(&p->constants, err);
	constants_fini(&p->constants);
	return code;
}

static int expected(struct parser *p, const char *wanted)
{
	return complain_unexpected(&p->complaints, &p->lex, wanted);
}

static bool at_end_of_statement(const struct parser *p)
{
	return p->lex.token.kind == TOKEN_END || p->lex.token.kind == TOKEN_NEWLINE ||
	       lex_is(&p->lex, ';');
}

/* What stands in other languages for a link. */
static int refuse_foreign(struct parser *p)
{
	static const char *const signs[] = {"-->", "->", "=>", "|>", "||", "|",
	                                    "&&",  "&",  "→",  "~>", "+",  NULL};
	for (const char *const *s = signs; *s; s++)
		if (!strncmp(p->lex.token.text, *s, strlen(*s)))
			return complain(&p->complaints, p->lex.token.place,
			                "'%s' is no operator; a link is written '>': a > b", *s);
	return 0;
}

static bool is_constant(const struct parser *p)
{
	const struct lex *l = &p->lex;
	bool is = l->token.kind == TOKEN_STRING || l->token.kind == TOKEN_NUMBER ||
	          (l->token.kind == TOKEN_MARK && strchr("[{(-+", *l->token.text));
	if (l->token.kind != TOKEN_NAME || lex_next_is(l, '('))
		return is;
	char *word = lex_word(l);
	is = literal_is_word(word) || constants_has(&p->constants, word) || !strcmp(word, "lambda");
	free(word);
	return is;
}

/* NAME = value, from the value on */
static int constant(struct parser *p, const char *name, struct lang_place place)
{
	json_t *value;
	int code = literal_read(&p->lex, &p->complaints, NULL, &p->constants, &value);
	if (code)
		return code;
	constants_add(&p->constants, &p->complaints, name, place, value);
	return 0;
}

/* NAME = Type(arguments), or NAME = value where that may stand. */
static int definition(struct parser *p, size_t *block)
{
	struct lang_place place = p->lex.token.place;
	char *name = lex_word(&p->lex);
	struct call call = {0};
	int code;
	if (!name_is_block(name))
		complain(&p->complaints, place, "a name has at most 64 characters");
	lex_advance(&p->lex);
	code = refuse_foreign(p);
	lex_advance(&p->lex);
	lex_pass_newlines(&p->lex);
	if (!code && !block && is_constant(p)) {
		code = constant(p, name, place);
		free(name);
		return code;
	}
	if (code)
		;
	else if (p->lex.token.kind != TOKEN_NAME)
		code = expected(p,
		                block ? "a block, as Drain()," : "a block, as Drain(), or a value");
	else if (!lex_next_is(&p->lex, '('))
		code = complain(&p->complaints, p->lex.token.place,
		                "a block is made by its type with brackets: %s = %.*s()", name,
		                (int)p->lex.token.length, p->lex.token.text);
	else
		code = call_read(&p->lex, &p->complaints, p->env, &p->constants, &call);
	if (!code && call.name && strcmp(call.name, name) != 0)
		complain(&p->complaints, call.place, "the block has two names, '%s' and '%s'", name,
		         call.name);
	size_t made = program_add_block(&p->program, &call, name, place);
	if (block)
		*block = made;
	else if (!code && p->lex.token.kind == TOKEN_LINK)
		code = complain(&p->complaints, p->lex.token.place,
		                "a name is for one block; link it in a statement of its own: "
		                "%s %.*s …",
		                name, (int)p->lex.token.length, p->lex.token.text);
	call_fini(&call);
	free(name);
	return code;
}

/* NAME or Type(arguments), or behind an operator both: NAME = Type(arguments) */
static int operand(struct parser *p, struct program_end *operand)
{
	struct lang_place place = p->lex.token.place;
	size_t block;
	if (p->lex.token.kind == TOKEN_NAME && lex_next_is(&p->lex, '=')) {
		int code = definition(p, &block);
		*operand = (struct program_end){block, NULL, place};
		return code;
	}
	if (lex_is(&p->lex, '('))
		return complain(&p->complaints, place,
		                "brackets stand behind a type only; write a block that has a name "
		                "as a statement of its own");
	if (p->lex.token.kind != TOKEN_NAME)
		return expected(p, "a block");
	if (!lex_next_is(&p->lex, '(')) {
		*operand = (struct program_end){PROGRAM_BY_NAME, lex_word(&p->lex), place};
		lex_advance(&p->lex);
		return 0;
	}
	struct call call;
	int code = call_read(&p->lex, &p->complaints, p->env, &p->constants, &call);
	if (!code)
		*operand = (struct program_end){program_add_block(&p->program, &call, NULL, place),
		                                NULL, place};
	call_fini(&call);
	return code;
}

static void join(struct parser *p, const struct program_end *a, const struct program_end *b,
                 const struct token *operator)
{
	const struct lex_link *l = operator->link;
	if (l->forth)
		program_add_link(&p->program, a, b, l->canal, operator->place);
	if (l->back)
		program_add_link(&p->program, b, a, l->canal, operator->place);
}

/* A block, or blocks with operators between them. */
static int chain(struct parser *p)
{
	struct program_end left, right;
	bool linked = false;
	int code = operand(p, &left);
	if (code)
		return code;
	while (!code && p->lex.token.kind == TOKEN_LINK) {
		struct token operator= p->lex.token;
		lex_advance(&p->lex);
		lex_pass_newlines(&p->lex);
		code = operand(p, &right);
		if (code)
			break;
		join(p, &left, &right, &operator);
		linked = true;
		free(left.name);
		left = right;
	}
	if (!code && !linked && left.name && at_end_of_statement(p))
		code = complain(&p->complaints, left.place,
		                "'%s' alone does nothing; link it: %s > …", left.name, left.name);
	free(left.name);
	return code;
}

static int statement(struct parser *p)
{
	int code;
	if (p->lex.token.kind == TOKEN_LINK)
		code = complain(
			&p->complaints, p->lex.token.place,
			"a block is expected before this; a line goes on below if it ends with "
			"an operator");
	else if (p->lex.token.kind == TOKEN_NAME && lex_next_is(&p->lex, '='))
		code = definition(p, NULL);
	else
		code = chain(p);
	if (!code && lex_is(&p->lex, '.'))
		code = complain(
			&p->complaints, p->lex.token.place,
			"there are no methods here; 'ptctl start', 'ptctl send' and so on do "
			"their work");
	if (!code && !at_end_of_statement(p))
		code = refuse_foreign(p);
	if (!code && !at_end_of_statement(p))
		code = expected(p, "an operator or the end of the statement");
	return code;
}

/* To where the next statement seems to begin. */
static void recover(struct parser *p)
{
	while (p->lex.token.kind != TOKEN_END && p->lex.token.kind != TOKEN_NEWLINE &&
	       !lex_is(&p->lex, ';') && !lex_is_statement(&p->lex))
		lex_advance(&p->lex);
	p->lex.open = 0;
}

static void statements(struct parser *p)
{
	while (p->lex.token.kind != TOKEN_END && p->complaints.count < COMPLAINTS_MAX) {
		if (at_end_of_statement(p))
			lex_advance(&p->lex);
		else if (statement(p))
			recover(p);
	}
}

int lang_parse(const char *text, size_t length, const struct lang_env *env,
               struct lang_program *program, struct pt_error *err)
{
	struct parser p;
	*program = (struct lang_program){0};
	if (!begin(&p, text, length, env)) {
		statements(&p);
		program_finish(&p.program, &p.complaints, p.env, &p.constants, program);
	}
	int code = end(&p, err);
	if (code)
		free(p.text);
	else
		program->text = p.text;
	return code;
}

bool lang_is_graph(const struct lang_program *p)
{
	const size_t length = strlen(LANG_EMPTY);
	if (json_array_size(p->ops))
		return true;
	for (const char *at = p->text; at && (at = strstr(at, LANG_EMPTY)); at += length)
		if ((at == p->text || at[-1] == '\n') && strchr("\r\n", at[length]))
			return true;
	return false;
}

void lang_program_free(struct lang_program *program)
{
	json_decref(program->ops);
	json_decref(program->argument_places);
	free(program->places);
	free(program->text);
	*program = (struct lang_program){0};
}

static json_t *links_of(const json_t *ops)
{
	json_t *links = json_array();
	json_each (op, ops) {
		json_object_del(op, "op");
		json_array_append(links, op);
	}
	return links;
}

static void refuse_blocks(struct parser *p)
{
	for (size_t i = 0; i < p->program.count; i++)
		if (!p->program.items[i].is_link)
			complain(&p->complaints, p->program.items[i].place,
			         "only links between blocks that are there stand here, as a > b");
}

int lang_parse_links(const char *text, size_t length, json_t **links, struct pt_error *err)
{
	struct parser p;
	struct lang_program program = {0};
	if (!begin(&p, text, length, NULL)) {
		statements(&p);
		refuse_blocks(&p);
		program_finish(&p.program, &p.complaints, p.env, &p.constants, &program);
	}
	int code = end(&p, err);
	if (!code)
		*links = links_of(program.ops);
	free(p.text);
	lang_program_free(&program);
	return code;
}

static int only_block(struct parser *p, struct call *call)
{
	lex_pass_newlines(&p->lex);
	if (p->lex.token.kind != TOKEN_NAME)
		return expected(p, "a block, as Drain(),");
	int code = call_read(&p->lex, &p->complaints, p->env, &p->constants, call);
	if (!code && call->name)
		code = complain(&p->complaints, place_get(call->places, "name"),
		                "the block keeps the name that it has");
	lex_pass_newlines(&p->lex);
	if (!code && p->lex.token.kind != TOKEN_END)
		code = expected(p, "the end");
	return code;
}

int lang_parse_block(const char *text, size_t length, const struct lang_env *env, json_t **block,
                     struct pt_error *err)
{
	struct parser p;
	struct call call = {0};
	if (!begin(&p, text, length, env))
		only_block(&p, &call);
	int code = end(&p, err);
	if (!code) {
		*block = json_object();
		json_object_set_new(*block, "type", json_string(call.type));
		json_object_set(*block, "params", call.params);
	}
	call_fini(&call);
	free(p.text);
	return code;
}

static bool is_word(const struct token *t)
{
	static const char *const words[] = {"True", "False", "None", "true", "false", "null"};
	if (t->kind == TOKEN_NAME)
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (t->length == strlen(words[i]) && !memcmp(t->text, words[i], t->length))
				return true;
	return false;
}

/* Whether what stands there means to be a literal; 64MiB, 10.0.0.1 and -x are bare words. */
static bool is_literal(struct lex l)
{
	const char *wrong;
	json_t *number;
	if (l.token.kind == TOKEN_STRING || l.token.wrong)
		return true;
	if (lex_is(&l, '[') || lex_is(&l, '{') || lex_is(&l, '('))
		return true;
	if (lex_is(&l, '+') || lex_is(&l, '-'))
		lex_advance(&l);
	if (l.token.kind == TOKEN_NUMBER) {
		int code = number_read(l.token.text, l.token.length, false, &number, &wrong);
		if (code == -EINVAL)
			return false;
		if (!code)
			json_decref(number);
	} else if (!is_word(&l.token)) {
		return false;
	}
	lex_advance(&l);
	lex_pass_newlines(&l);
	return l.token.kind == TOKEN_END;
}

static void only_literal(struct parser *p, json_t **value)
{
	if (literal_read(&p->lex, &p->complaints, NULL, NULL, value))
		return;
	lex_pass_newlines(&p->lex);
	if (p->lex.token.kind != TOKEN_END)
		expected(p, "the end");
}

int lang_parse_value(const char *text, size_t length, json_t **value, struct pt_error *err)
{
	struct parser p;
	json_t *found = NULL;
	if (!begin(&p, text, length, NULL)) {
		if (is_literal(p.lex))
			only_literal(&p, &found);
		else
			found = json_string(p.text);
	}
	int code = end(&p, err);
	if (code)
		json_decref(found);
	else
		*value = found;
	free(p.text);
	return code;
}
