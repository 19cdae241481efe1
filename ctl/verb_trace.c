/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl trace. */
#include "base/error.h"
#include "base/json.h"
#include "ctl/follow.h"
#include "ctl/out.h"
#include "ctl/tapped.h"
#include <errno.h>
#include <string.h>

enum { DEPTH_MAX = 40 };

const struct pt_param trace_rows[] = {
	{"engine[.block]", "What leaves the engine's sources, or this block.", PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{"count", "So many messages; 1 unless said.", PT_KIND_INT, .flags = PT_OPTION | PT_SENT,
         .min = 1, .max = 100000, .letter = 'n'},
	{"filter", "Only packets that this capture filter matches: 'tcp port 443'.", PT_KIND_STRING,
         .flags = PT_OPTION | PT_SENT, .letter = 'f'},
	{"follow", "Go on until what a block holds has been released, too.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"write",
         "Write pcapng to this file instead, in which each link is an interface; - is standard "
         "output.",
         PT_KIND_PATH, .flags = PT_OPTION, .letter = 'w'},
	VERB_READY,
	{NULL},
};

struct tracing {
	struct ctl *ctl;
	bool over, complete;
	size_t left[DEPTH_MAX + 1]; /* blocks to come below the last at each depth */
	unsigned depth;
};

/* ---- lines ---- */

static bool is(const json_t *step, const char *member, const char *word)
{
	return !strcmp(text_of(step, member), word);
}

static void add_list(struct buf *b, const json_t *names)
{
	const char *between = " ";
	json_each (name, names) {
		buf_adds(b, between);
		buf_adds(b, json_string_value(name));
		between = ", ";
	}
}

/* "> t1: changed ip.src, ip.dst", "> f1: filtered (closed)". */
static void add_step(struct buf *b, const json_t *step, unsigned depth)
{
	bool bad = is(step, "did", "dropped") || is(step, "did", "error");
	const char *why = text_of(step, "why");
	buf_addf(b, "%*s%s %s: %s%s", 2 * (int)depth + 2, "",
	         out_canal_sign(text_of(step, "canal")), text_of(step, "block"),
	         bad ? out_colour(OUT_RED) : "", text_of(step, "did"));
	add_list(b, json_object_get(step, "changed"));
	if (*why) {
		buf_adds(b, is(step, "did", "error") ? ": " : " (");
		out_first_line(b, why);
		buf_adds(b, is(step, "did", "error") ? "" : ")");
	}
	buf_addf(b, "%s\n", bad ? out_colour(OUT_PLAIN) : "");
}

/* Depth first: how deep a step stands follows from how many were to come. */
static void place_step(struct tracing *t, struct buf *b, const json_t *step)
{
	size_t below = json_array_size(json_object_get(step, "to"));
	bool came = !is(step, "canal", "trigger") && !is(step, "did", "released");
	while (came && t->depth && !t->left[t->depth])
		t->depth--;
	if (came && t->depth)
		t->left[t->depth]--;
	add_step(b, step, t->depth);
	if (below && t->depth < DEPTH_MAX)
		t->left[++t->depth] = below;
}

static void print(struct tracing *t, const json_t *params)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "%lld ", integer_of(params, "id"));
	tapped_line(&b, json_object_get(params, "message"));
	t->depth = 0;
	json_each (step, json_object_get(params, "steps"))
		place_step(t, &b, step);
	out_buf(&b);
}

static void told(void *arg, const char *method, json_t *params)
{
	struct tracing *t = arg;
	if (t->over)
		return;
	t->over = json_is_true(json_object_get(params, "ended"));
	t->complete = t->over && json_object_get(params, "id");
	if (t->ctl->json)
		out_json(params);
	else if (json_object_get(params, "id"))
		print(t, params);
}

/* ---- its end ---- */

static int gone(const struct ctl *ctl, struct pt_error *err)
{
	return pt_fail(err, -PT_ESTATE, NULL, "'%s' is gone; not all messages had come to rest yet",
	               ctl_text(ctl, "engine[.block]"));
}

/* Whether what is traced is still there: then all have come to rest. */
static int check_there(struct ctl *ctl, struct pt_error *err)
{
	json_t *shown = NULL;
	int code = ctl_call(ctl, "engine.show", ctl_engine(ctl), &shown, err);
	bool is_there = !code && (!ctl->block ||
	                          item_of(json_object_get(shown, "blocks"), "name", ctl->block));
	json_decref(shown);
	if (is_there)
		return 0;
	pt_error_clear(err);
	if (code && code != -PT_ENOENGINE && code != -PT_ESTATE)
		return pt_fail(err, -EPIPE, NULL, "cut off: the daemon has closed the connection");
	return gone(ctl, err);
}

static json_t *request(const struct ctl *ctl)
{
	json_t *params = ctl_params(ctl);
	json_object_set_new(params, "follow", json_boolean(ctl_flag(ctl, "follow")));
	return params;
}

static int print_lines(struct ctl *ctl, struct pt_error *err)
{
	struct tracing t = {.ctl = ctl};
	struct pt_client *client = NULL;
	int code = follow_open(ctl, "block.trace", request(ctl), told, &t, &client, NULL, err);
	if (!code)
		code = follow_messages(ctl, client, &t.over, err);
	pt_client_close(client);
	return code || t.complete ? code : gone(ctl, err);
}

static int write_file(struct ctl *ctl, const char *path, struct pt_error *err)
{
	int64_t any = -1;
	int code = ctl_connect(ctl, err); /* for check_there */
	if (!code)
		code = tapped_write(ctl, "block.trace", request(ctl), path, &any, err);
	return code || tapped_interrupted() ? code : check_there(ctl, err);
}

int verb_trace(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	const char *path = ctl_text(ctl, "write");
	int code = ctl_split_any(ctl, &err);
	if (!code)
		code = path ? write_file(ctl, path, &err) : print_lines(ctl, &err);
	if (code)
		return ctl_refused(ctl, &err);
	return tapped_interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}
