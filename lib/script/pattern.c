/* SPDX-License-Identifier: BSD-2-Clause */
/* A pattern becomes a row of nodes; backtracking goes no deeper than it has repetitions. */
#include "script/pattern.h"

#include <assert.h>
#include <string.h>

#define REPEATS_MAX 200 /* bounds the stack */
#define STEPS       512

enum kind { SINGLE, OPEN, POSITION, CLOSE, BALANCE, FRONTIER, BACK, TAIL, MATCHED };
enum repeat { ONCE, MAYBE, MANY, SOME, FEW };

/* The bytes of each class, as the ones that are below 128: bit n of the first word is byte n. */
static const struct class
{
	char letter;
	uint64_t bits[2];
} classes[] = {
	{'a', {0, 0x07fffffe07fffffe}},
	{'c', {0x00000000ffffffff, 0x8000000000000000}},
	{'d', {0x03ff000000000000, 0}},
	{'g', {0xfffffffe00000000, 0x7fffffffffffffff}},
	{'l', {0, 0x07fffffe00000000}},
	{'p', {0xfc00fffe00000000, 0x78000001f8000001}},
	{'s', {0x0000000100003e00, 0}},
	{'u', {0, 0x0000000007fffffe}},
	{'w', {0x03ff000000000000, 0x07fffffe07fffffe}},
	{'x', {0x03ff000000000000, 0x0000007e0000007e}},
	{'z', {1, 0}}, /* of Lua 5.1, and still taken */
};

static void add_byte(uint64_t *bits, uint8_t c)
{
	bits[c / 64] |= UINT64_C(1) << c % 64;
}

static bool has(const struct pattern_node *n, char c)
{
	uint8_t byte = (uint8_t)c;
	return n->bits[byte / 64] >> byte % 64 & 1;
}

static void invert(uint64_t *bits)
{
	for (int i = 0; i < 4; i++)
		bits[i] = ~bits[i];
}

/* What stands behind a '%': a class, its opposite in upper case, or a byte that means itself. */
static void add_class(uint64_t *bits, char letter)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		const struct class *c = &classes[i];
		bool opposite = letter == c->letter - 'a' + 'A';
		if (letter != c->letter && !opposite)
			continue;
		uint64_t found[4] = {c->bits[0], c->bits[1], 0, 0};
		if (opposite)
			invert(found);
		for (int w = 0; w < 4; w++)
			bits[w] |= found[w];
		return;
	}
	add_byte(bits, (uint8_t)letter);
}

struct parser {
	const char *at, *end;
	struct pattern *pattern;
	struct pattern_node *next;
	uint8_t open[PATTERN_CAPTURES]; /* indices of captures that wait for their ')' */
	unsigned opened, repeats;
	uint32_t closed; /* bit for each capture that may be referred to */
	uint32_t positions;
};

static struct pattern_node *add(struct parser *p, enum kind kind)
{
	struct pattern_node *n = p->next++;
	*n = (struct pattern_node){.kind = kind};
	return n;
}

/* The ']' of the set whose first byte behind '[' or '[^' is `at`: the first byte is never it. */
static const char *set_end(const char *at, const char *end)
{
	do {
		if (at == end)
			return NULL;
		if (*at++ == '%' && at < end)
			at++;
	} while (at < end && *at != ']');
	return at < end ? at : NULL;
}

static const char *parse_set(struct parser *p, uint64_t *bits)
{
	bool inverted = p->at < p->end && *p->at == '^';
	const char *at = p->at + inverted, *close = set_end(at, p->end);
	if (!close)
		return "malformed pattern: a '[' without its ']'";
	for (; at < close; at++) {
		if (*at == '%') {
			add_class(bits, *++at);
		} else if (close - at > 2 && at[1] == '-') {
			for (int c = (uint8_t)at[0]; c <= (uint8_t)at[2]; c++)
				add_byte(bits, (uint8_t)c);
			at += 2;
		} else {
			add_byte(bits, (uint8_t)*at);
		}
	}
	if (inverted)
		invert(bits);
	p->at = close + 1;
	return NULL;
}

static const char *parse_open(struct parser *p)
{
	bool position = p->at < p->end && *p->at == ')';
	unsigned index = p->pattern->captures++;
	if (index == PATTERN_CAPTURES)
		return "too many captures in a pattern";
	add(p, position ? POSITION : OPEN)->a = (uint8_t)index;
	if (position) {
		p->at++;
		p->closed |= UINT32_C(1) << index;
		p->positions |= UINT32_C(1) << index;
	} else {
		p->open[p->opened++] = (uint8_t)index;
	}
	return NULL;
}

static const char *parse_close(struct parser *p)
{
	if (!p->opened)
		return "malformed pattern: a ')' without its '('";
	uint8_t index = p->open[--p->opened];
	add(p, CLOSE)->a = index;
	p->closed |= UINT32_C(1) << index;
	return NULL;
}

static const char *parse_reference(struct parser *p, char digit)
{
	int index = digit - '1';
	if (index < 0 || !(p->closed >> index & 1))
		return "malformed pattern: % and a digit refer to no capture that is complete";
	bool position = p->positions >> index & 1; /* has no bytes that could come again */
	add(p, position ? SINGLE : BACK)->a = (uint8_t)index;
	return NULL;
}

static void parse_repeat(struct parser *p, struct pattern_node *n)
{
	const char *found = p->at < p->end && *p->at ? strchr("?*+-", *p->at) : NULL;
	if (!found)
		return;
	static const uint8_t repeats[] = {['?'] = MAYBE, ['*'] = MANY, ['+'] = SOME, ['-'] = FEW};
	n->repeat = repeats[(uint8_t)*found];
	p->at++;
	p->repeats++;
}

static const char *parse_escape(struct parser *p)
{
	if (p->at == p->end)
		return "malformed pattern: it ends with '%'";
	char c = *p->at++;
	if (c == 'b') {
		if (p->end - p->at < 2)
			return "malformed pattern: %b needs two bytes behind it";
		struct pattern_node *n = add(p, BALANCE);
		n->a = (uint8_t)*p->at++;
		n->b = (uint8_t)*p->at++;
		return NULL;
	}
	if (c == 'f') {
		if (p->at == p->end || *p->at++ != '[')
			return "malformed pattern: %f needs a '[' behind it";
		return parse_set(p, add(p, FRONTIER)->bits);
	}
	if (c >= '0' && c <= '9')
		return parse_reference(p, c);
	struct pattern_node *n = add(p, SINGLE);
	add_class(n->bits, c);
	parse_repeat(p, n);
	return NULL;
}

static const char *parse_item(struct parser *p)
{
	char c = *p->at++;
	switch (c) {
	case '(': return parse_open(p);
	case ')': return parse_close(p);
	case '%': return parse_escape(p);
	case '$':
		if (p->at == p->end) {
			add(p, TAIL);
			return NULL;
		}
	}
	struct pattern_node *n = add(p, SINGLE);
	const char *wrong = NULL;
	if (c == '.')
		invert(n->bits);
	else if (c == '[')
		wrong = parse_set(p, n->bits);
	else
		add_byte(n->bits, (uint8_t)c);
	parse_repeat(p, n);
	return wrong;
}

const char *pattern_parse(struct pattern *pattern, struct pattern_node *nodes, const char *text,
                          size_t length, bool anchors)
{
	*pattern = (struct pattern){.nodes = nodes, .anchored = anchors && length && *text == '^'};
	struct parser p = {
		.at = text + pattern->anchored,
		.end = text + length,
		.pattern = pattern,
		.next = nodes,
	};
	const char *wrong = NULL;
	while (!wrong && p.at < p.end)
		wrong = parse_item(&p);
	if (wrong)
		return wrong;
	if (p.opened)
		return "malformed pattern: a '(' without its ')'";
	if (p.repeats > REPEATS_MAX)
		return "too many repetitions in a pattern";
	add(&p, MATCHED);
	return NULL;
}

bool pattern_is_plain(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] && strchr("^$*+?.([%-", text[i]))
			return false;
	return true;
}

static void spend(struct pattern_match *m, size_t steps)
{
	m->steps += steps;
	if (m->steps < STEPS)
		return;
	unsigned spent = m->steps;
	m->steps = 0;
	m->charge(m->arg, spent);
}

static const char *balance(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	if (s == m->end || (uint8_t)*s != n->a)
		return NULL;
	size_t depth = 1;
	const char *found = NULL;
	const char *at = s + 1;
	for (; at < m->end && !found; at++) {
		if ((uint8_t)*at == n->b) {
			if (!--depth)
				found = at + 1;
		} else if ((uint8_t)*at == n->a) {
			depth++;
		}
	}
	spend(m, (size_t)(at - s));
	return found;
}

static const char *again(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	ptrdiff_t length = m->captures[n->a].length;
	if (m->end - s < length || memcmp(m->captures[n->a].start, s, (size_t)length))
		return NULL;
	spend(m, (size_t)length / 16);
	return s + length;
}

static bool at_frontier(const struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	char before = s == m->subject ? '\0' : s[-1], behind = s == m->end ? '\0' : *s;
	return !has(n, before) && has(n, behind);
}

static const char *run(struct pattern_match *, const struct pattern_node *, const char *);

static const char *greedy(struct pattern_match *m, const struct pattern_node *n, const char *s,
                          size_t least)
{
	size_t count = 0, room = (size_t)(m->end - s);
	while (count < room && has(n, s[count]))
		count++;
	spend(m, count);
	for (; count >= least; count--) {
		const char *end = run(m, n + 1, s + count);
		if (end || !count)
			return end;
	}
	return NULL;
}

static const char *frugal(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	for (;; s++) {
		const char *end = run(m, n + 1, s);
		if (end)
			return end;
		if (s == m->end || !has(n, *s))
			return NULL;
	}
}

static const char *maybe(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	const char *end = NULL;
	if (s < m->end && has(n, *s))
		end = run(m, n + 1, s + 1);
	return end ? end : run(m, n + 1, s);
}

static const char *repeated(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	switch (n->repeat) {
	case MAYBE: return maybe(m, n, s);
	case MANY: return greedy(m, n, s, 0);
	case SOME: return greedy(m, n, s, 1);
	default: return frugal(m, n, s);
	}
}

/* A capture needs no undoing: whoever reads it has come by its nodes on the same way. */
static void mark(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	if (n->kind == CLOSE) {
		m->captures[n->a].length = s - m->captures[n->a].start;
		return;
	}
	m->captures[n->a].start = s;
	m->captures[n->a].length = PATTERN_POSITION;
}

static const char *run(struct pattern_match *m, const struct pattern_node *n, const char *s)
{
	for (;; n++) {
		spend(m, 1);
		switch (n->kind) {
		case SINGLE:
			if (n->repeat != ONCE)
				return repeated(m, n, s);
			if (s == m->end || !has(n, *s))
				return NULL;
			s++;
			break;
		case BALANCE:
			if (!(s = balance(m, n, s)))
				return NULL;
			break;
		case BACK:
			if (!(s = again(m, n, s)))
				return NULL;
			break;
		case FRONTIER:
			if (!at_frontier(m, n, s))
				return NULL;
			break;
		case TAIL:
			if (s != m->end)
				return NULL;
			break;
		case MATCHED: return s;
		default: mark(m, n, s);
		}
	}
}

const char *pattern_match(struct pattern_match *m, const struct pattern *pattern, const char *at)
{
	return run(m, pattern->nodes, at);
}
