/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts text into words, and knows where each stands. */
#include "lang/lex.h"

#include "base/quote.h"
#include "base/utf8.h"
#include <assert.h>
#include <string.h>

static const struct lex_link links[] = {
	{">>", "high", true, false},   {"<<", "high", false, true}, {"//", "high", true, true},
	{">", "low", true, false},     {"<", "low", false, true},   {"%", "low", true, true},
	{"^", "trigger", true, false},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_length(const char *s)
{
	size_t n = 0;
	if (is_letter(*s))
		while (is_letter(s[n]) || is_digit(s[n]))
			n++;
	return n;
}

static struct lang_place place_after(struct lang_place p, const char *from, const char *to)
{
	for (; from < to; from++) {
		if (*from == '\n') {
			p.line++;
			p.column = 1;
		} else if ((*from & 0xc0) != 0x80) {
			p.column++;
		}
	}
	return p;
}

struct lang_place lex_place(const struct token *t, const char *at)
{
	return place_after(t->place, t->text, at);
}

static void skip(struct lex *l, size_t length)
{
	l->place = place_after(l->place, l->at, l->at + length);
	l->at += length;
}

/* A backslash that ends a line, with its newline; else 0. */
static size_t continuation(const char *s)
{
	if (*s != '\\')
		return 0;
	s++;
	return *s == '\n' ? 2 : *s == '\r' && s[1] == '\n' ? 3 : 0;
}

static void skip_space(struct lex *l)
{
	for (;;) {
		size_t n = continuation(l->at);
		if (*l->at == '#')
			n = strcspn(l->at, "\n");
		else if (*l->at == '\n' && l->open)
			n = 1;
		else if (!n)
			n = strspn(l->at, " \t\r\f\v");
		if (!n)
			return;
		if (*l->at == '\n')
			l->fresh = true;
		skip(l, n);
	}
}

/* The letters before a string's quote: r, b, br, u, f in either case; -1 if no string begins. */
static int prefix_length(const char *s)
{
	int n = 0;
	while (n < 2 && s[n] && strchr("rRbBuUfF", s[n]))
		n++;
	return s[n] == '\'' || s[n] == '"' ? n : -1;
}

static void string(struct lex *l, struct token *t, size_t prefix)
{
	const char *s = l->at + prefix;
	char quote = *s;
	size_t width = s[1] == quote && s[2] == quote ? 3 : 1;
	const char *close = width == 3 ? (quote == '"' ? "\"\"\"" : "'''") : (char[]){quote, 0};
	for (s += width; s < l->end; s++) {
		if (!strncmp(s, close, width)) {
			t->kind = TOKEN_STRING;
			t->length = (size_t)(s - l->at) + width;
			return;
		}
		if (*s == '\n' && width == 1)
			break;
		if (*s == '\\' && s + 1 < l->end)
			s += s[1] == '\r' && s[2] == '\n' ? 2 : 1;
	}
	t->length = (size_t)(s - l->at);
	t->wrong = width == 3 ? "this text in triple quotes never ends"
	                      : "this text has no closing quote on its line";
}

static size_t number_length(const char *s)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	size_t n = 0;
	while (is_digit(s[n]) || is_letter(s[n]) || s[n] == '.') {
		bool exponent = !hex && (s[n] == 'e' || s[n] == 'E');
		n++;
		if (exponent && (s[n] == '+' || s[n] == '-') && is_digit(s[n + 1]))
			n++;
	}
	return n;
}

static const struct lex_link *link_at(const char *s)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (!strncmp(s, links[i].text, strlen(links[i].text)))
			return &links[i];
	return NULL;
}

static void count_bracket(struct lex *l, char c)
{
	if (strchr("([{", c))
		l->open++;
	else if (strchr(")]}", c) && l->open)
		l->open--;
}

static void classify(struct lex *l, struct token *t)
{
	const char *s = l->at;
	int prefix = prefix_length(s);
	if (s >= l->end) {
		t->kind = TOKEN_END;
	} else if (*s == '\n') {
		t->kind = TOKEN_NEWLINE;
		t->length = 1;
	} else if (prefix >= 0) {
		string(l, t, (size_t)prefix);
	} else if ((t->length = name_length(s))) {
		t->kind = TOKEN_NAME;
	} else if (is_digit(*s) || (*s == '.' && is_digit(s[1]))) {
		t->kind = TOKEN_NUMBER;
		t->length = number_length(s);
	} else if ((t->link = link_at(s))) {
		t->kind = TOKEN_LINK;
		t->length = strlen(t->link->text);
	} else if (strchr("()[]{},:;=+-.", *s)) {
		t->kind = TOKEN_MARK;
		t->length = 1;
		count_bracket(l, *s);
	} else {
		uint32_t point;
		t->length = utf8_read(s, (size_t)(l->end - s), &point);
		assert(t->length);
	}
}

void lex_advance(struct lex *l)
{
	skip_space(l);
	struct token t = {.kind = TOKEN_BAD, .text = l->at, .place = l->place, .first = l->fresh};
	classify(l, &t);
	skip(l, t.length);
	l->fresh = t.kind == TOKEN_NEWLINE;
	l->token = t;
}

void lex_init(struct lex *l, const char *text, size_t length)
{
	*l = (struct lex){.at = text, .end = text + length, .place = {1, 1}, .fresh = true};
	lex_advance(l);
}

bool lex_is(const struct lex *l, char mark)
{
	return l->token.kind == TOKEN_MARK && *l->token.text == mark;
}

bool lex_next_is(const struct lex *l, char mark)
{
	struct lex ahead = *l;
	lex_advance(&ahead);
	return lex_is(&ahead, mark);
}

bool lex_is_statement(const struct lex *l)
{
	if (l->token.kind != TOKEN_NAME || !l->token.first)
		return false;
	struct lex ahead = *l;
	lex_advance(&ahead);
	if (!lex_is(&ahead, '='))
		return ahead.token.kind == TOKEN_LINK;
	lex_advance(&ahead);
	return ahead.token.kind == TOKEN_NAME && lex_next_is(&ahead, '(');
}

void lex_pass_newlines(struct lex *l)
{
	while (l->token.kind == TOKEN_NEWLINE)
		lex_advance(l);
}

char *lex_word(const struct lex *l)
{
	return must_printf("%.*s", (int)l->token.length, l->token.text);
}

char *lex_describe(const struct lex *l)
{
	const struct token *t = &l->token;
	if (t->kind == TOKEN_END)
		return must_strdup("the end of the text");
	if (t->kind == TOKEN_NEWLINE)
		return must_strdup("the end of the line");
	if (t->kind == TOKEN_STRING)
		return must_strdup("text in quotes");
	if (t->length > 64)
		return must_strdup("this");
	struct buf b = BUF_INIT;
	quote_text(&b, t->text, t->length);
	return buf_steal(&b);
}
