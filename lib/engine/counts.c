/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters as bytes, and back on top of others. */
#include "engine/counts.h"

#include "base/buf.h"
#include "engine/carry.h"
#include "engine/engine.h"
#include "type/reason.h"
#include <stdlib.h>
#include <string.h>

#define KEY   "counts"
#define SMALL ((size_t)16 * 1024) /* all are told each time */

/* Behind it the names of block and type, and each `gone` with its word; */
struct block_record {
	uint64_t entered, made, out, held, sent[3], triggers, triggers_too_deep, errors;
	uint32_t gone, unused;
};

struct gone_record {
	uint64_t count, said;
};

/* and the names of both blocks. */
struct link_record {
	uint64_t messages, bytes;
	uint32_t canal, unused;
};

struct head {
	uint32_t blocks, links;
};

/* ---- there ---- */

static void add_text(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text) + 1);
}

/* What is left to the next daemon is held until then. */
static uint64_t left_of(const struct pt_block *b)
{
	uint64_t left = 0;
	for (unsigned i = 0; i < GONE_MAX; i++)
		if (b->count.gone[i].count && !strcmp(b->count.gone[i].why, "left"))
			left += b->count.gone[i].count;
	return left;
}

static bool is_told(const struct gone *l)
{
	return l->count && strcmp(l->why, "left") != 0;
}

/* All that changes as they do. */
static uint64_t sum_of(const struct counters *c)
{
	uint64_t sum = c->held;
	const uint64_t grow[] = {c->entered, c->made,    c->out,      c->sent[0],
	                         c->sent[1], c->sent[2], c->triggers, c->triggers_too_deep,
	                         c->errors};
	for (unsigned i = 0; i < sizeof grow / sizeof *grow; i++)
		sum = sum * UINT64_C(0x9e3779b97f4a7c15) + grow[i];
	return sum;
}

static void add_block(struct buf *out, const struct pt_block *b)
{
	const struct counters *c = &b->count;
	struct block_record r = {
		.entered = c->entered,
		.made = c->made,
		.out = c->out,
		.held = c->held + left_of(b),
		.sent = {c->sent[0], c->sent[1], c->sent[2]},
		.triggers = c->triggers,
		.triggers_too_deep = c->triggers_too_deep,
		.errors = c->errors,
	};
	for (unsigned i = 0; i < GONE_MAX; i++)
		r.gone += is_told(&c->gone[i]);
	buf_add(out, &r, sizeof r);
	add_text(out, b->name);
	add_text(out, b->type->name);
	for (unsigned i = 0; i < GONE_MAX; i++) {
		if (!is_told(&c->gone[i]))
			continue;
		const struct gone_record gone = {c->gone[i].count, c->gone[i].said};
		buf_add(out, &gone, sizeof gone);
		add_text(out, c->gone[i].why);
	}
}

static void add_link(struct buf *out, const struct graph_link *l)
{
	const struct link_record r = {l->alive->messages, l->alive->bytes, l->canal, 0};
	buf_add(out, &r, sizeof r);
	add_text(out, l->from->name);
	add_text(out, l->to->name);
}

/* True: it is to be told. */
static bool look_at_block(struct pt_block *b, bool all)
{
	block_settle_counts(b);
	uint64_t sum = sum_of(&b->count);
	bool changed = sum != b->counts_told;
	if (all)
		b->counts_told = sum;
	return all || changed;
}

static bool look_at_link(struct link *l, bool all)
{
	bool changed = l->told != l->messages;
	if (all)
		l->told = l->messages;
	return all || changed;
}

/* Those that are others than when all were told, or all. */
static void add_counts_of(const struct pt_engine *e, struct buf *out, bool all)
{
	struct head head = {0, 0};
	buf_clear(out);
	buf_add(out, &head, sizeof head);
	for (unsigned i = 0; i < e->graph->count; i++)
		if (look_at_block(e->graph->blocks[i]->alive, all)) {
			add_block(out, e->graph->blocks[i]->alive);
			head.blocks++;
		}
	for (unsigned i = 0; i < e->graph->link_count; i++)
		if (look_at_link(e->graph->links[i].alive, all)) {
			add_link(out, &e->graph->links[i]);
			head.links++;
		}
	memcpy(out->data, &head, sizeof head);
}

static void tell_all(struct pt_engine *e, struct buf *out)
{
	const struct head none = {0, 0};
	add_counts_of(e, out, true);
	e->cuts.counts_size = out->length;
	carry_tell_bytes(e, COUNTS, KEY, out->data, out->length);
	if (e->cuts.counts_since)
		carry_tell_bytes(e, COUNTS_SINCE, KEY, &none, sizeof none);
}

static void tell_since(struct pt_engine *e, const struct buf *out)
{
	e->cuts.counts_since = true;
	carry_tell_bytes(e, COUNTS_SINCE, KEY, out->data, out->length);
}

void counts_tell(struct pt_engine *e)
{
	struct buf out = BUF_INIT;
	bool few = e->cuts.counts_size <= SMALL;
	if (!e->hooks.carry)
		return;
	if (!few)
		add_counts_of(e, &out, false);
	if (few || out.length > e->cuts.counts_size / 2)
		tell_all(e, &out);
	else
		tell_since(e, &out);
	buf_free(&out);
}

void counts_forget(struct pt_engine *e)
{
	carry_tell_gone(e, COUNTS, KEY);
	if (e->cuts.counts_since)
		carry_tell_gone(e, COUNTS_SINCE, KEY);
	e->cuts.counts_size = 0;
	e->cuts.counts_since = false;
}

/* ---- and back ---- */

struct reader {
	const char *at, *end;
};

static bool read_bytes(struct reader *r, void *to, size_t size)
{
	if ((size_t)(r->end - r->at) < size)
		return false;
	memcpy(to, r->at, size);
	r->at += size;
	return true;
}

/* NULL: it does not end. */
static const char *read_text(struct reader *r)
{
	const char *text = r->at, *end = memchr(text, 0, (size_t)(r->end - text));
	if (end)
		r->at = end + 1;
	return end ? text : NULL;
}

/* That lasts as long as the engine. */
static const char *word_of(struct pt_engine *e, const char *word)
{
	for (const struct reason *r = reasons; r->word; r++)
		if (!strcmp(r->word, word))
			return r->word;
	struct resume *r = &e->resume;
	for (size_t i = 0; i < r->word_count; i++)
		if (!strcmp(r->words[i], word))
			return r->words[i];
	r->words = must_realloc(r->words, r->word_count + 1, sizeof *r->words);
	return r->words[r->word_count++] = must_strdup(word);
}

static bool take_gone(struct pt_engine *e, struct pt_block *b, uint32_t count, struct reader *r)
{
	struct gone_record gone;
	for (uint32_t i = 0; i < count; i++) {
		bool whole = read_bytes(r, &gone, sizeof gone);
		const char *word = whole ? read_text(r) : NULL;
		if (!word)
			return false;
		if (b)
			block_count_gone(b, word_of(e, word), gone.count, gone.said != 0);
	}
	return true;
}

static void add_counts(struct pt_block *b, const struct block_record *before)
{
	struct counters *c = &b->count;
	uint64_t missing = before->held > c->made ? before->held - c->made : 0;
	c->made += before->made + missing - before->held;
	c->entered += before->entered;
	c->triggers += before->triggers;
	c->triggers_too_deep += before->triggers_too_deep;
	c->errors += before->errors;
	for (unsigned i = 0; i < 3; i++)
		c->sent[i] += before->sent[i];
	block_count_out(b, before->out);
	if (b->type->settle) /* what it held was delivered before the cut was committed */
		block_count_out(b, missing);
	else
		block_count_drop(b, "restart", missing);
}

static struct pt_block *block_of(const struct pt_engine *e, const char *name)
{
	const struct graph_block *found = graph_find(e->graph, name);
	return found ? found->alive : NULL;
}

/* What has changed since is taken first, and is newer. */
static bool is_first(bool *taken)
{
	bool first = !*taken;
	*taken = true;
	return first;
}

static bool take_block(struct pt_engine *e, struct reader *r)
{
	struct block_record before;
	bool whole = read_bytes(r, &before, sizeof before);
	const char *name = whole ? read_text(r) : NULL, *type = name ? read_text(r) : NULL;
	if (!type)
		return false;
	struct pt_block *b = block_of(e, name);
	if (b && (strcmp(b->type->name, type) != 0 || !is_first(&b->counts_taken)))
		b = NULL;
	if (b)
		add_counts(b, &before);
	return take_gone(e, b, before.gone, r);
}

static struct link *link_of(const struct pt_engine *e, const char *from, const char *to,
                            uint32_t canal)
{
	const struct graph_link ends = {.from = graph_find(e->graph, from),
	                                .to = graph_find(e->graph, to),
	                                .canal = (enum pt_canal)canal};
	const struct graph_link *found = NULL;
	if (ends.from && ends.to && canal <= PT_TRIGGER)
		found = graph_find_link(e->graph, &ends);
	return found ? found->alive : NULL;
}

static bool take_link(const struct pt_engine *e, struct reader *r)
{
	struct link_record before;
	bool whole = read_bytes(r, &before, sizeof before);
	const char *from = whole ? read_text(r) : NULL, *to = from ? read_text(r) : NULL;
	if (!to)
		return false;
	struct link *l = link_of(e, from, to, before.canal);
	if (l && is_first(&l->taken)) {
		l->messages += before.messages;
		l->bytes += before.bytes;
	}
	return true;
}

/* What went over links that are no more. */
static void settle(const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *b = e->graph->blocks[i]->alive;
		b->count.entered_before = b->count.entered;
		b->counts_taken = false;
	}
	for (unsigned i = 0; i < e->graph->link_count; i++) {
		struct link *l = e->graph->links[i].alive;
		l->taken = false;
		l->before = l->from->count.sent[l->canal] - l->messages;
		if (l->canal != PT_TRIGGER)
			l->to->count.entered_before -= l->messages;
	}
}

static void take_all(struct pt_engine *e, struct reader *r)
{
	struct head head = {0, 0};
	bool whole = read_bytes(r, &head, sizeof head);
	for (uint32_t i = 0; whole && i < head.blocks; i++)
		whole = take_block(e, r);
	for (uint32_t i = 0; whole && i < head.links; i++)
		whole = take_link(e, r);
}

static void keep(struct pt_carry **to, struct pt_carry *found)
{
	if (found)
		*to = found;
}

/* What is told next is of another graph, or of none before. */
void counts_keep(struct pt_engine *e)
{
	keep(&e->resume.counts, carry_take(e, COUNTS, KEY));
	keep(&e->resume.counts_since, carry_take(e, COUNTS_SINCE, KEY));
	e->cuts.counts_since |= e->resume.counts_since != NULL;
	e->cuts.counts_size = 0;
}

static void take_carried(struct pt_engine *e, const struct pt_carry *carry)
{
	size_t count;
	const struct carry_item *items = carry ? carry_items(carry, &count) : NULL;
	for (size_t i = 0; items && i < count; i++) {
		const char *bytes = (const char *)items[i].bytes;
		if (bytes && !strcmp(items[i].key, KEY))
			take_all(e, &(struct reader){bytes, bytes + items[i].length});
	}
}

void counts_take(struct pt_engine *e)
{
	take_carried(e, e->resume.counts_since);
	take_carried(e, e->resume.counts);
	if (e->resume.counts || e->resume.counts_since)
		settle(e);
	counts_let_go(e);
}

void counts_let_go(struct pt_engine *e)
{
	carry_free(e->resume.counts);
	carry_free(e->resume.counts_since);
	e->resume.counts = e->resume.counts_since = NULL;
}
