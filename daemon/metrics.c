/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of all engines as text in the format of OpenMetrics. */
#include "daemon/metrics.h"

#include "base/clock.h"
#include "base/workers.h"
#include "daemon/daemon.h"
#include "daemon/engine.h"
#include "engine/ledger.h"
#include "msg/json.h"
#include "msg/pool.h"
#include "paths.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_MS = 2000,
	ASKED_AT_ONCE = 64, /* engines; then others have their turn */
	FAMILIES_MAX = 24,
};

/* An engine, and what it has written: the samples of one family after those of the other. */
struct part {
	struct gather *gather;
	char *name;
	const char *state;
	uint64_t failed_blocks;
	struct buf samples; /* its thread's, until it is told */
	size_t ends[FAMILIES_MAX];
	bool told;
};

struct gather {
	struct work work; /* first */
	struct pt_letter written, again;
	uv_timer_t patience;
	struct daemon *daemon;
	struct part *parts;
	size_t count, asked, open; /* those that have not answered, and one until all are asked */
	bool closed;               /* what is answered now comes too late */
	bool told;
	struct buf text;
	metrics_done *done;
	void *arg;
};

/* ---- the text ---- */

static void add_text(struct buf *b, const char *text)
{
	for (size_t plain; *text; text += plain) {
		plain = strcspn(text, "\n\"\\");
		buf_add(b, text, plain);
		if (!text[plain])
			break;
		buf_addc(b, '\\');
		buf_addc(b, text[plain] == '\n' ? 'n' : text[plain]);
		plain++;
	}
}

static void add_label(struct buf *b, const char *name, const char *value)
{
	buf_adds(b, b->data[b->length - 1] == '{' ? "" : ",");
	buf_adds(b, name);
	buf_adds(b, "=\"");
	add_text(b, value);
	buf_addc(b, '"');
}

/* What is counted of engines, blocks and links. */
enum number {
	NONE,
	UPTIME_NS,
	CPU_NS,
	MEMORY,
	IN,
	OUT,
	ERRORS,
	HELD,
	FILTERED,
	DROPPED,
	MESSAGES,
	BYTES,
};

struct family;
/* Of an engine, on its thread. */
typedef void add_samples(struct buf *, const struct family *, const struct pt_engine *);

struct family {
	const char *name, *labels, *type, *unit, *help;
	add_samples *add; /* NULL: of what the daemon knows */
	enum number number;
};

static const char *ending(const struct family *f)
{
	return *f->type == 'c' ? "_total" : ""; /* a counter's */
}

static void begin(struct buf *b, const struct family *f, const char *engine)
{
	buf_adds(b, "pipetool_");
	buf_adds(b, f->name);
	buf_adds(b, ending(f));
	buf_addc(b, '{');
	add_label(b, "engine", engine);
}

static void end(struct buf *b, enum number number, uint64_t value)
{
	if (number == UPTIME_NS || number == CPU_NS)
		buf_addf(b, "} %" PRIu64 ".%09" PRIu64 "\n", value / 1000000000,
		         value % 1000000000);
	else
		buf_addf(b, "} %" PRIu64 "\n", value);
}

static uint64_t of_engine(const struct pt_engine *e, enum number number)
{
	switch (number) {
	case UPTIME_NS: return ledger_uptime_ns(e);
	case CPU_NS: return clock_of_ns(CLOCK_THREAD_CPUTIME_ID);
	default: return pool_bytes(e->pool);
	}
}

static uint64_t of_block(const struct pt_block *b, enum number number)
{
	switch (number) {
	case IN: return ledger_in(b);
	case OUT: return b->count.out;
	case ERRORS: return b->count.errors;
	case HELD: return b->count.held;
	default: return b->count.cpu_ns;
	}
}

static void add_engine(struct buf *b, const struct family *f, const struct pt_engine *e)
{
	begin(b, f, e->name);
	end(b, f->number, of_engine(e, f->number));
}

static void begin_block(struct buf *b, const struct family *f, const struct pt_block *block)
{
	begin(b, f, block->engine->name);
	add_label(b, "block", block->name);
}

static void add_blocks(struct buf *b, const struct family *f, const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		begin_block(b, f, e->graph->blocks[i]->alive);
		end(b, f->number, of_block(e->graph->blocks[i]->alive, f->number));
	}
}

static void add_reasons(struct buf *b, const struct family *f, const struct pt_block *block)
{
	const struct gone *gone = block->count.gone;
	for (unsigned i = 0; i < GONE_MAX; i++) {
		uint64_t count = 0;
		bool known = !gone[i].count || gone[i].filtered != (f->number == FILTERED);
		for (unsigned j = 0; j < GONE_MAX && !known; j++)
			if (gone[j].count && gone[j].filtered == gone[i].filtered &&
			    !strcmp(gone[j].why, gone[i].why)) {
				known = j < i; /* it may be there twice, see leavings_to_json */
				count += gone[j].count;
			}
		if (known)
			continue;
		begin_block(b, f, block);
		add_label(b, "reason", gone[i].why);
		end(b, f->number, count);
	}
}

static void add_gone(struct buf *b, const struct family *f, const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++)
		add_reasons(b, f, e->graph->blocks[i]->alive);
}

static void note_obstacle(void *any, const struct pt_block *b)
{
	*(bool *)any = true;
}

/* Sources alone wait. */
static void add_waits(struct buf *b, const struct family *f, const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->count; i++) {
		struct pt_block *block = e->graph->blocks[i]->alive;
		bool waits = false;
		if (!block_is_source(block))
			continue;
		flow_each_obstacle(block, note_obstacle, &waits);
		begin_block(b, f, block);
		end(b, NONE, waits);
	}
}

static void add_links(struct buf *b, const struct family *f, const struct pt_engine *e)
{
	for (unsigned i = 0; i < e->graph->link_count; i++) {
		const struct link *link = e->graph->links[i].alive;
		begin(b, f, e->name);
		add_label(b, "from", link->from->name);
		add_label(b, "to", link->to->name);
		add_label(b, "canal", canal_name(link->canal));
		end(b, f->number, f->number == BYTES ? link->bytes : link->messages);
	}
}

/* clang-format off */
static const struct family families[] = {
	{"engine_state", "engine, state", "gauge", NULL,
	 "1 for the state that the engine is in.", NULL, NONE},
	{"engine_failed_blocks", "engine", "gauge", NULL,
	 "Blocks that have failed.", NULL, NONE},
	{"engine_uptime_seconds", "engine", "gauge", "seconds",
	 "Since the engine was started.", add_engine, UPTIME_NS},
	{"engine_cpu_seconds", "engine", "counter", "seconds",
	 "What the engine's thread has computed.", add_engine, CPU_NS},
	{"engine_memory_bytes", "engine", "gauge", "bytes",
	 "What the messages take that the engine has.", add_engine, MEMORY},
	{"block_in", "engine, block", "counter", NULL,
	 "Messages that came in, or were made.", add_blocks, IN},
	{"block_out", "engine, block", "counter", NULL,
	 "Messages that went out, or were delivered.", add_blocks, OUT},
	{"block_errors", "engine, block", "counter", NULL,
	 "Faults, whether a message was lost by them or not.", add_blocks, ERRORS},
	{"block_filtered", "engine, block, reason", "counter", NULL,
	 "Messages that were left out, as the graph says.", add_gone, FILTERED},
	{"block_dropped", "engine, block, reason", "counter", NULL,
	 "Messages that were lost.", add_gone, DROPPED},
	{"block_held", "engine, block", "gauge", NULL,
	 "Messages that are in the block now.", add_blocks, HELD},
	{"block_waits", "engine, block", "gauge", NULL,
	 "Of sources: 1 while a full sink or a closed valve holds it back.", add_waits, NONE},
	{"block_cpu_seconds", "engine, block", "counter", "seconds",
	 "What the block has computed, from samples.", add_blocks, CPU_NS},
	{"link_messages", "engine, from, to, canal", "counter", NULL,
	 "Messages that went over the link.", add_links, MESSAGES},
	{"link_bytes", "engine, from, to, canal", "counter", "bytes",
	 "Their bytes.", add_links, BYTES},
};
/* clang-format on */

#define FAMILIES (sizeof families / sizeof *families)
static_assert(FAMILIES <= FAMILIES_MAX, "an engine has room for the ends of all");

/* [engine's thread] */
static void write_samples(struct pt_engine *e, void *arg)
{
	struct part *part = arg;
	for (size_t f = 0; f < FAMILIES; f++) {
		if (families[f].add)
			families[f].add(&part->samples, &families[f], e);
		part->ends[f] = part->samples.length;
	}
}

static void head(struct buf *b, const char *name, const char *type, const char *unit,
                 const char *help)
{
	buf_addf(b, "# TYPE pipetool_%s %s\n", name, type);
	if (unit)
		buf_addf(b, "# UNIT pipetool_%s %s\n", name, unit);
	buf_addf(b, "# HELP pipetool_%s %s\n", name, help);
}

static void add_states(struct buf *b, const struct family *f, const struct part *part)
{
	static const char *const states[] = {"running",  "stopped", "starting",
	                                     "draining", "failed",  "ending"};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		begin(b, f, part->name);
		add_label(b, "state", states[i]);
		end(b, NONE, !strcmp(states[i], part->state));
	}
}

static void add_failed(struct buf *b, const struct family *f, const struct part *part)
{
	begin(b, f, part->name);
	end(b, NONE, part->failed_blocks);
}

static void add_part(struct buf *b, size_t f, const struct part *part)
{
	size_t begin = f ? part->ends[f - 1] : 0;
	if (f == 0)
		add_states(b, &families[f], part);
	else if (!families[f].add)
		add_failed(b, &families[f], part);
	else if (part->told)
		buf_add(b, part->samples.data + begin, part->ends[f] - begin);
}

/* All samples of a family stand together. */
static void write_text(struct buf *b, const struct part *parts, size_t count)
{
	head(b, "build_info", "gauge", NULL, "The daemon that tells all this.");
	buf_adds(b, "pipetool_build_info{version=\"" PIPETOOL_VERSION "\"} 1\n");
	for (size_t f = 0; f < FAMILIES; f++) {
		const struct family *family = &families[f];
		head(b, family->name, family->type, family->unit, family->help);
		for (size_t i = 0; i < count; i++)
			add_part(b, f, &parts[i]);
	}
	buf_adds(b, "# EOF\n");
}

void metrics_list(metrics_each *each, void *arg)
{
	char name[64];
	each(arg, "pipetool_build_info", "version", "The daemon that tells all this.");
	for (size_t f = 0; f < FAMILIES; f++) {
		snprintf(name, sizeof name, "pipetool_%s%s", families[f].name,
		         ending(&families[f]));
		each(arg, name, families[f].labels, families[f].help);
	}
}

/* ---- asking ---- */

static void closed(uv_handle_t *timer)
{
	free(timer->data);
}

static void gather_free(struct gather *g)
{
	for (size_t i = 0; i < g->count; i++) {
		free(g->parts[i].name);
		buf_free(&g->parts[i].samples);
	}
	free(g->parts);
	buf_free(&g->text);
	uv_close((uv_handle_t *)&g->patience, closed);
}

/* [worker] */
static void write_work(struct work *work)
{
	struct gather *g = (struct gather *)work;
	write_text(&g->text, g->parts, g->count);
	for (size_t i = 0; i < g->count; i++)
		if (g->parts[i].told) /* one that has not may be long in coming */
			buf_free(&g->parts[i].samples);
	mailbox_post(&g->daemon->mailbox, &g->written);
}

static void written(struct pt_letter *letter)
{
	struct gather *g = (struct gather *)((char *)letter - offsetof(struct gather, written));
	g->daemon->loads--;
	g->done(g->arg, &g->text);
	g->told = true;
	if (!g->open)
		gather_free(g);
}

static void close_gather(struct gather *g)
{
	g->closed = true;
	uv_timer_stop(&g->patience);
	workers_add(&g->work);
}

static void one_less(struct gather *g)
{
	g->open--;
	if (!g->open && !g->closed)
		close_gather(g);
	else if (!g->open && g->told)
		gather_free(g);
}

static void answered(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct part *part = arg;
	if (!part->gather->closed)
		part->told = !code;
	one_less(part->gather);
}

static void out_of_patience(uv_timer_t *timer)
{
	close_gather(timer->data);
}

/* An engine without a thread is not given one for this. */
static void ask(struct gather *g, struct part *part)
{
	struct engine *engine = engines_at(g->daemon->engines, part->name);
	if (!engine || engine->phase != READY || engine->is_over)
		return;
	struct ask *ask = ask_new(PT_VERB_LOOK);
	ask->request.look = write_samples;
	ask->request.look_arg = part;
	g->open++;
	ask_put(ask, engine, answered, part);
}

static void ask_some(struct pt_letter *letter)
{
	struct gather *g = (struct gather *)((char *)letter - offsetof(struct gather, again));
	for (size_t i = 0; i < ASKED_AT_ONCE && g->asked < g->count && !g->closed; i++)
		ask(g, &g->parts[g->asked++]);
	if (g->asked < g->count && !g->closed)
		mailbox_post(&g->daemon->mailbox, &g->again);
	else
		one_less(g);
}

/* They are asked by name, since some may go until it is their turn. */
static void list(struct gather *g, const struct engines *all)
{
	g->parts = must_calloc(all->count + 1, sizeof *g->parts);
	for (size_t i = 0; i < all->count; i++)
		if (engine_is_listed(all->items[i]))
			g->parts[g->count++] = (struct part){
				.gather = g,
				.name = must_strdup(all->items[i]->name),
				.state = engine_word(all->items[i]),
				.failed_blocks = engine_glance(all->items[i]).failed,
			};
}

void metrics_gather(struct daemon *d, metrics_done *done, void *arg)
{
	struct gather *g = must_calloc(1, sizeof *g);
	g->work = (struct work){.run = write_work, .must = true};
	g->written.read = written;
	g->again.read = ask_some;
	g->daemon = d;
	g->done = done;
	g->arg = arg;
	g->open = 1;
	d->loads++;
	uv_timer_init(&d->loop, &g->patience);
	g->patience.data = g;
	uv_timer_start(&g->patience, out_of_patience, PATIENCE_MS, 0);
	list(g, d->engines);
	ask_some(&g->again);
}
