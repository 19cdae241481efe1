/* SPDX-License-Identifier: BSD-2-Clause */
/* Two looks make rates. */
#include "ctl/top.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "ctl/look.h"
#include "ctl/out.h"
#include <stdlib.h>
#include <string.h>

#define ANSWER_S 2.0 /* a round waits so long for those that do not answer */

const char *const top_keys[] = {"rate", "bytes", "drops", "held", "cpu", "name", NULL};

static void clear_row(struct top_row *r)
{
	free(r->name);
	free(r->state);
	free(r->waits_for);
	free(r->trouble);
	json_decref(r->waiting);
	*r = (struct top_row){0};
}

static void clear_rows(struct top *t)
{
	for (size_t i = 0; i < t->count; i++)
		clear_row(&t->rows[i]);
	free(t->rows);
	clear_row(&t->total);
	t->rows = NULL;
	t->count = t->all = t->running = t->failed = 0;
}

static void forget_unseen(struct top *t)
{
	for (size_t i = 0; i < t->past.room; i++) {
		struct top_past *p = t->past.slots[i].key ? t->past.slots[i].value : NULL;
		if (p && !p->seen) {
			map_remove(&t->past, p->name);
			free(p->name);
			free(p);
		} else if (p) {
			p->seen = false;
		}
	}
}

void top_fini(struct top *t)
{
	clear_rows(t);
	json_decref(t->before);
	json_decref(t->now);
	forget_unseen(t);
	forget_unseen(t); /* those that were seen, too */
	map_free(&t->past);
	free(t->engine);
}

void top_enter(struct top *t, const char *engine)
{
	free(t->engine);
	t->engine = engine ? must_strdup(engine) : NULL;
	t->filter[0] = '\0';
	top_arrange(t);
}

/* ---- the last minute ---- */

static struct top_past *past_of(struct top *t, const char *name)
{
	struct top_past *p = map_get(&t->past, name);
	if (p)
		return p;
	p = must_calloc(1, sizeof *p);
	p->name = must_strdup(name);
	map_set(&t->past, p->name, p);
	return p;
}

static void remember(struct top *t, const char *name, double rate)
{
	struct top_past *p = past_of(t, name);
	p->seen = true;
	if (rate < 0)
		return;
	unsigned at = (p->first + p->count) % TOP_SAMPLES;
	p->at_s[at] = t->now_s;
	p->rate[at] = rate;
	if (p->count < TOP_SAMPLES)
		p->count++;
	else
		p->first = (p->first + 1) % TOP_SAMPLES;
}

void top_minute(const struct top *t, double *rates, unsigned count)
{
	const struct top_past *p = map_get(&t->past, t->engine ? t->engine : "");
	unsigned *samples = must_calloc(count + 1, sizeof *samples);
	for (unsigned i = 0; i < count; i++)
		rates[i] = 0;
	for (unsigned i = 0; p && i < p->count; i++) {
		unsigned at = (p->first + i) % TOP_SAMPLES;
		double age = (t->now_s - p->at_s[at]) / TOP_MINUTE_S;
		if (age >= 1)
			continue;
		unsigned place = count - 1 - (unsigned)(age * count);
		rates[place] += p->rate[at];
		samples[place]++;
	}
	for (unsigned i = 0; i < count; i++)
		rates[i] = samples[i] ? rates[i] / samples[i] : -1;
	free(samples);
}

/* ---- rows ---- */

static double rate_of(const struct top *t, double now, double before, bool known)
{
	double seconds = t->now_s - t->before_s;
	if (!known || seconds <= 0)
		return -1;
	return now > before ? (now - before) / seconds : 0;
}

static double share_of(const struct top *t, const json_t *now, const json_t *before)
{
	double ns = rate_of(t, number_of(now, "cpu_ns"), number_of(before, "cpu_ns"), before);
	return ns < 0 ? -1 : ns / 1e7;
}

static bool is_source(const json_t *block)
{
	return json_object_get(block, "waits_for");
}

static bool is_data(const json_t *link)
{
	return strcmp(text_of(link, "canal"), "trigger") != 0;
}

/* Of what an engine answered, by the names of blocks: itself, and the bytes that came to it, or,
   of a source, that left it. */
struct numbers {
	json_t *blocks, *bytes;
};

static void add_bytes(json_t *bytes, const char *name, double more)
{
	json_object_set_new(bytes, name, json_real(number_of(bytes, name) + more));
}

/* A fan-out's copies count once: the first link of each exit. */
static void count_link(struct numbers *n, json_t *exits, const json_t *link)
{
	const char *from = text_of(link, "from"), *to = text_of(link, "to");
	char *exit = must_printf("%s %s", text_of(link, "canal"), from);
	double bytes = number_of(link, "bytes");
	if (is_source(json_object_get(n->blocks, from)) && !json_object_get(exits, exit))
		add_bytes(n->bytes, from, bytes);
	json_object_set_new(exits, exit, json_true());
	if (!is_source(json_object_get(n->blocks, to)))
		add_bytes(n->bytes, to, bytes);
	free(exit);
}

static struct numbers numbers_of(const json_t *stats)
{
	struct numbers n = {json_object(), json_object()};
	json_t *exits = json_object();
	json_each (block, json_object_get(stats, "blocks"))
		json_object_set(n.blocks, text_of(block, "name"), block);
	json_each (link, json_object_get(stats, "links"))
		if (is_data(link))
			count_link(&n, exits, link);
	json_decref(exits);
	return n;
}

static void forget_numbers(struct numbers *n)
{
	json_decref(n->blocks);
	json_decref(n->bytes);
}

static double bytes_of_sources(const struct numbers *n)
{
	const char *name;
	json_t *block;
	double bytes = 0;
	json_object_foreach (n->blocks, name, block)
		bytes += is_source(block) ? number_of(n->bytes, name) : 0;
	return bytes;
}

static void set_waiting(struct top_row *r, const json_t *names)
{
	struct buf text = BUF_INIT;
	r->waiting = json_array();
	json_each (name, names) {
		buf_adds(&text, text.length ? ", " : "");
		buf_adds(&text, json_string_value(name));
		json_array_append(r->waiting, name);
	}
	r->waits_for = buf_steal(&text);
}

/* Why it does not run, or what is wrong with its blocks. */
static char *trouble_of(const json_t *engine)
{
	struct buf b = BUF_INIT;
	if (*text_of(engine, "why"))
		out_first_line(&b, text_of(engine, "why"));
	json_each (block, json_object_get(engine, "blocks")) {
		struct buf words = BUF_INIT;
		look_trouble(&words, block);
		if (words.length)
			buf_addf(&b, "%s%s", b.length ? "; " : "", words.data);
		buf_free(&words);
	}
	return buf_steal(&b);
}

static struct top_row block_row(const struct top *t, double uptime_s, const struct numbers *now,
                                const struct numbers *before, const json_t *block)
{
	const char *name = text_of(block, "name");
	const json_t *was = json_object_get(before->blocks, name);
	struct top_row r = {
		.name = must_strdup(name),
		.state = must_strdup(text_of(block, "state")),
		.bad = look_is_failed(block) || number_of(block, "errors") > 0,
		.uptime_s = uptime_s,
		.in = rate_of(t, number_of(block, "in"), number_of(was, "in"), was),
		.out = rate_of(t, number_of(block, "out"), number_of(was, "out"), was),
		.bits = rate_of(t, 8 * number_of(now->bytes, name),
	                        8 * number_of(before->bytes, name), was),
		.filtered = sum_of(json_object_get(block, "filtered")),
		.dropped = sum_of(json_object_get(block, "dropped")),
		.held = number_of(block, "held"),
		.cpu = share_of(t, block, was),
	};
	struct buf trouble = BUF_INIT;
	look_trouble(&trouble, block);
	r.trouble = buf_steal(&trouble);
	set_waiting(&r, json_object_get(block, "waits_for"));
	return r;
}

/* Of the sources, each name once. */
static json_t *all_waiting(const json_t *stats)
{
	json_t *all = json_array();
	json_each (block, json_object_get(stats, "blocks"))
		json_each (name, json_object_get(block, "waits_for"))
			if (!json_has(all, name))
				json_array_append(all, name);
	return all;
}

static struct top_row engine_row(const struct top *t, const json_t *now, const json_t *before)
{
	const json_t *total = json_object_get(now, "total");
	const json_t *was = json_object_get(before, "total");
	json_t *waiting = all_waiting(now);
	struct numbers is = numbers_of(now), has_been = numbers_of(before);
	struct top_row r = {
		.name = must_strdup(text_of(now, "engine")),
		.state = must_strdup(text_of(now, "state")),
		.bad = look_is_failed(now) || integer_of(now, "failed_blocks") > 0,
		.uptime_s = number_of(now, "uptime_s"),
		.in = rate_of(t, number_of(total, "in"), number_of(was, "in"), was),
		.out = rate_of(t, number_of(total, "out"), number_of(was, "out"), was),
		.bits = rate_of(t, 8 * bytes_of_sources(&is), 8 * bytes_of_sources(&has_been), was),
		.filtered = number_of(total, "filtered"),
		.dropped = number_of(total, "dropped"),
		.cpu = share_of(t, now, before),
		.trouble = trouble_of(now),
	};
	json_each (block, json_object_get(now, "blocks")) {
		r.held += number_of(block, "held");
		r.bad |= number_of(block, "errors") > 0;
	}
	set_waiting(&r, waiting);
	json_decref(waiting);
	forget_numbers(&is);
	forget_numbers(&has_been);
	return r;
}

static bool has_part(const char *name, const char *part)
{
	return !*part || strcasestr(name, part);
}

static void add_row(struct top *t, struct top_row row)
{
	t->all++;
	if (!has_part(row.name, t->filter)) {
		clear_row(&row);
		return;
	}
	t->rows = must_realloc(t->rows, t->count + 1, sizeof *t->rows);
	t->rows[t->count++] = row;
}

/* ---- order ---- */

static double value_of(const struct top_row *r, enum top_key key)
{
	switch (key) {
	case TOP_RATE: return r->in;
	case TOP_BYTES: return r->bits;
	case TOP_DROPS: return r->dropped;
	case TOP_HELD: return r->held;
	case TOP_CPU: return r->cpu;
	case TOP_NAME: break;
	}
	return 0;
}

/* Large ones first, names from a to z; what is the same, by name. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct top *t = arg;
	double dx = value_of(x, t->key), dy = value_of(y, t->key);
	int order = dx > dy ? -1 : dx < dy ? 1 : 0;
	if (t->key == TOP_NAME)
		order = strcmp(x->name, y->name);
	if (t->turned)
		order = -order;
	return order ? order : strcmp(x->name, y->name);
}

void top_sort_by(struct top *t, enum top_key key)
{
	t->turned = t->key == key && !t->turned;
	t->key = key;
	top_arrange(t);
}

static void add_to_total(struct top_row *total, const struct top_row *r)
{
	double *const to[] = {&total->in, &total->out, &total->bits, &total->cpu};
	const double from[] = {r->in, r->out, r->bits, r->cpu};
	for (size_t i = 0; i < sizeof to / sizeof *to; i++)
		if (from[i] >= 0)
			*to[i] = (*to[i] < 0 ? 0 : *to[i]) + from[i];
	total->dropped += r->dropped;
	total->held += r->held;
}

static void add_blocks(struct top *t, const json_t *now, const json_t *before)
{
	struct numbers is = numbers_of(now), was = numbers_of(before);
	json_each (block, json_object_get(now, "blocks"))
		add_row(t, block_row(t, number_of(now, "uptime_s"), &is, &was, block));
	forget_numbers(&is);
	forget_numbers(&was);
}

void top_arrange(struct top *t)
{
	const char *name;
	json_t *now;
	clear_rows(t);
	t->total = (struct top_row){.in = -1, .out = -1, .bits = -1, .cpu = -1};
	json_object_foreach (json_of(t->now), name, now) {
		const json_t *before = json_object_get(t->before, name);
		struct top_row engine = engine_row(t, now, before);
		t->running += !strcmp(engine.state, "running");
		t->failed += !strcmp(engine.state, "failed");
		if (!t->engine || !strcmp(t->engine, name))
			add_to_total(&t->total, &engine);
		if (!t->engine) {
			add_row(t, engine);
			continue;
		}
		clear_row(&engine);
		if (!strcmp(t->engine, name))
			add_blocks(t, now, before);
	}
	if (t->count)
		qsort_r(t->rows, t->count, sizeof *t->rows, compare, t);
}

int top_look(struct top *t, struct pt_error *err)
{
	json_t *all = json_object(), *now;
	const char *name;
	double sum = -1;
	int code = look_ask(t->ctl, t->engine, ANSWER_S, all, err);
	if (code) {
		json_decref(all);
		return code;
	}
	json_decref(t->before);
	t->before = t->now;
	t->now = all;
	t->before_s = t->now_s;
	t->now_s = clock_s();
	json_object_foreach (all, name, now) {
		struct top_row row = engine_row(t, now, json_object_get(t->before, name));
		remember(t, name, row.in);
		if (row.in >= 0)
			sum = (sum < 0 ? 0 : sum) + row.in;
		clear_row(&row);
	}
	if (!t->engine) {
		remember(t, "", sum);
		forget_unseen(t);
	}
	top_arrange(t);
	return 0;
}
