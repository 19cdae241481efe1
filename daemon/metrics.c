/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of all engines as text in the format of OpenMetrics. */
#include "daemon/metrics.h"

#include "base/json.h"
#include "base/workers.h"
#include "daemon/daemon.h"
#include "daemon/engine.h"
#include "paths.h"
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 2000 };

/* An engine, and what it has answered. */
struct part {
	struct gather *gather;
	const char *name;
	const json_t *row; /* as engine.list has it */
	json_t *stats;     /* NULL: it has not */
};

struct gather {
	struct work work; /* first */
	struct pt_letter written;
	uv_timer_t patience;
	struct daemon *daemon;
	json_t *list;
	struct part *parts;
	size_t count, open; /* those that have not answered */
	bool closed;        /* what is answered now comes too late */
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

struct family;
typedef void add_samples(struct buf *, const struct family *, const struct part *);

struct family {
	const char *name, *labels, *type, *unit, *help;
	add_samples *add;
	const char *member; /* of what is told */
};

static const char *ending(const struct family *f)
{
	return *f->type == 'c' ? "_total" : ""; /* a counter's */
}

static void begin(struct buf *b, const struct family *f, const struct part *part)
{
	buf_adds(b, "pipetool_");
	buf_adds(b, f->name);
	buf_adds(b, ending(f));
	buf_addc(b, '{');
	add_label(b, "engine", part->name);
}

static void end_number(struct buf *b, const json_t *value)
{
	if (json_is_real(value))
		buf_addf(b, "} %.9g\n", json_real_value(value));
	else
		buf_addf(b, "} %lld\n", (long long)json_integer_value(value));
}

static void end_ns(struct buf *b, long long ns)
{
	buf_addf(b, "} %lld.%09lld\n", ns / 1000000000, ns % 1000000000);
}

/* With the member of what is told. */
static void end(struct buf *b, const struct family *f, const json_t *object)
{
	if (strstr(f->member, "_ns"))
		end_ns(b, integer_of(object, f->member));
	else
		end_number(b, json_object_get(object, f->member));
}

static void add_state(struct buf *b, const struct family *f, const struct part *part)
{
	static const char *const states[] = {"running",  "stopped", "starting",
	                                     "draining", "failed",  "ending"};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		begin(b, f, part);
		add_label(b, "state", states[i]);
		buf_addf(b, "} %d\n", !strcmp(states[i], text_of(part->row, "state")));
	}
}

static void add_row(struct buf *b, const struct family *f, const struct part *part)
{
	begin(b, f, part);
	end(b, f, part->row);
}

static void add_engine(struct buf *b, const struct family *f, const struct part *part)
{
	if (!part->stats)
		return;
	begin(b, f, part);
	end(b, f, part->stats);
}

static void begin_block(struct buf *b, const struct family *f, const struct part *part,
                        const json_t *block)
{
	begin(b, f, part);
	add_label(b, "block", text_of(block, "name"));
}

static void add_blocks(struct buf *b, const struct family *f, const struct part *part)
{
	json_each (block, json_object_get(part->stats, "blocks")) {
		begin_block(b, f, part, block);
		end(b, f, block);
	}
}

static void add_reasons(struct buf *b, const struct family *f, const struct part *part)
{
	const char *why;
	json_t *n;
	json_each (block, json_object_get(part->stats, "blocks"))
		json_object_foreach (json_object_get(block, f->member), why, n) {
			begin_block(b, f, part, block);
			add_label(b, "reason", why);
			end_number(b, n);
		}
}

/* Sources alone wait. */
static void add_waits(struct buf *b, const struct family *f, const struct part *part)
{
	json_each (block, json_object_get(part->stats, "blocks")) {
		const json_t *names = json_object_get(block, f->member);
		if (!names)
			continue;
		begin_block(b, f, part, block);
		buf_addf(b, "} %d\n", json_array_size(names) > 0);
	}
}

static void add_links(struct buf *b, const struct family *f, const struct part *part)
{
	static const char *const labels[] = {"from", "to", "canal"};
	json_each (link, json_object_get(part->stats, "links")) {
		begin(b, f, part);
		for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
			add_label(b, labels[i], text_of(link, labels[i]));
		end(b, f, link);
	}
}

/* clang-format off */
static const struct family families[] = {
	{"engine_state", "engine, state", "gauge", NULL,
	 "1 for the state that the engine is in.", add_state, NULL},
	{"engine_failed_blocks", "engine", "gauge", NULL,
	 "Blocks that have failed.", add_row, "failed_blocks"},
	{"engine_uptime_seconds", "engine", "gauge", "seconds",
	 "Since the engine was started.", add_engine, "uptime_s"},
	{"engine_cpu_seconds", "engine", "counter", "seconds",
	 "What the engine's thread has computed.", add_engine, "cpu_ns"},
	{"engine_memory_bytes", "engine", "gauge", "bytes",
	 "What the messages take that the engine has.", add_engine, "memory"},
	{"block_in", "engine, block", "counter", NULL,
	 "Messages that came in, or were made.", add_blocks, "in"},
	{"block_out", "engine, block", "counter", NULL,
	 "Messages that went out, or were delivered.", add_blocks, "out"},
	{"block_errors", "engine, block", "counter", NULL,
	 "Faults, whether a message was lost by them or not.", add_blocks, "errors"},
	{"block_filtered", "engine, block, reason", "counter", NULL,
	 "Messages that were left out, as the graph says.", add_reasons, "filtered"},
	{"block_dropped", "engine, block, reason", "counter", NULL,
	 "Messages that were lost.", add_reasons, "dropped"},
	{"block_held", "engine, block", "gauge", NULL,
	 "Messages that are in the block now.", add_blocks, "held"},
	{"block_waits", "engine, block", "gauge", NULL,
	 "Of sources: 1 while a full sink or a closed valve holds it back.", add_waits, "waits_for"},
	{"block_cpu_seconds", "engine, block", "counter", "seconds",
	 "What the block has computed, from samples.", add_blocks, "cpu_ns"},
	{"link_messages", "engine, from, to, canal", "counter", NULL,
	 "Messages that went over the link.", add_links, "messages"},
	{"link_bytes", "engine, from, to, canal", "counter", "bytes",
	 "Their bytes.", add_links, "bytes"},
};
/* clang-format on */

static void head(struct buf *b, const char *name, const char *type, const char *unit,
                 const char *help)
{
	buf_addf(b, "# TYPE pipetool_%s %s\n", name, type);
	if (unit)
		buf_addf(b, "# UNIT pipetool_%s %s\n", name, unit);
	buf_addf(b, "# HELP pipetool_%s %s\n", name, help);
}

/* All samples of a family stand together. */
static void write_text(struct buf *b, const struct part *parts, size_t count)
{
	head(b, "build_info", "gauge", NULL, "The daemon that tells all this.");
	buf_adds(b, "pipetool_build_info{version=\"" PIPETOOL_VERSION "\"} 1\n");
	for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
		const struct family *family = &families[f];
		head(b, family->name, family->type, family->unit, family->help);
		for (size_t i = 0; i < count; i++)
			family->add(b, family, &parts[i]);
	}
	buf_adds(b, "# EOF\n");
}

void metrics_list(metrics_each *each, void *arg)
{
	char name[64];
	each(arg, "pipetool_build_info", "version", "The daemon that tells all this.");
	for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
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
	free(g->parts);
	json_decref(g->list);
	buf_free(&g->text);
	uv_close((uv_handle_t *)&g->patience, closed);
}

/* [worker] */
static void write_work(struct work *work)
{
	struct gather *g = (struct gather *)work;
	write_text(&g->text, g->parts, g->count);
	for (size_t i = 0; i < g->count; i++)
		json_decref(g->parts[i].stats);
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
	g->daemon->loads++;
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
		part->stats = json_incref(result);
	one_less(part->gather);
}

static void out_of_patience(uv_timer_t *timer)
{
	close_gather(timer->data);
}

/* An engine without a thread is not given one for this. */
static void ask(struct gather *g, struct part *part, json_t *row)
{
	*part = (struct part){.gather = g, .name = text_of(row, "engine"), .row = row};
	struct engine *engine = engines_at(g->daemon->engines, part->name);
	if (!engine || engine->phase != READY || engine->is_over)
		return;
	g->open++;
	ask_put(ask_new(PT_VERB_STATS), engine, answered, part);
}

void metrics_gather(struct daemon *d, metrics_done *done, void *arg)
{
	struct gather *g = must_calloc(1, sizeof *g);
	g->work = (struct work){.run = write_work, .must = true};
	g->written.read = written;
	g->daemon = d;
	g->done = done;
	g->arg = arg;
	g->list = engines_list(d->engines);
	g->count = json_array_size(g->list);
	g->parts = must_calloc(g->count + 1, sizeof *g->parts);
	uv_timer_init(&d->loop, &g->patience);
	g->patience.data = g;
	uv_timer_start(&g->patience, out_of_patience, PATIENCE_MS, 0);
	g->open = 1;
	for (size_t i = 0; i < g->count; i++)
		ask(g, &g->parts[i], json_array_get(g->list, i));
	one_less(g);
}
