/* SPDX-License-Identifier: BSD-2-Clause */
/* Events are notifications; blocks are compared with what they were a second ago. */
#include "daemon/events.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/moment.h"
#include "daemon/daemon.h"
#include "daemon/engines.h"
#include "daemon/revisions.h"
#include "daemon/server.h"
#include "rpc/call.h"
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000 };

struct events {
	struct daemon *daemon;
	uv_timer_t timer; /* runs while somebody is subscribed */
	json_t *seen;  /* {engine: {block: its row in the last stats}}; null: not looked at yet */
	json_t *asked; /* {engine: true} of those that have not answered yet */
};

void events_tell(struct events *e, const char *name, const char *engine, const char *block,
                 const json_t *about, json_t *data)
{
	static const char *const members[] = {"revision", "uid", "pid"};
	if (!server_has_subscribers(e->daemon->server)) {
		json_decref(data);
		return;
	}
	if (!strcmp(name, "engine.created"))
		json_object_set_new(e->seen, engine, json_object());
	else if (!strcmp(name, "engine.destroyed"))
		json_object_del(e->seen, engine);
	json_t *params = json_object();
	struct buf line = BUF_INIT;
	json_object_set_new(params, "name", json_string(name));
	json_object_set_new(params, "time", revisions_time_json(moment_now()));
	json_object_set_new(params, "engine", json_string(engine));
	if (block)
		json_object_set_new(params, "block", json_string(block));
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		json_t *value = json_object_get(about, members[i]);
		if (value && !json_is_null(value))
			json_object_set(params, members[i], value);
	}
	json_object_set_new(params, "data", data ? data : json_object());
	rpc_write_notification(&line, "event", params);
	server_event(e->daemon->server, engine, &line);
	buf_free(&line);
	json_decref(params);
}

/* ---- blocks ---- */

static json_t *new_drops(const json_t *was, const json_t *is)
{
	const char *why;
	json_t *count, *more = json_object();
	json_object_foreach (json_object_get(is, "dropped"), why, count) {
		json_int_t before =
			json_integer_value(json_object_get(json_object_get(was, "dropped"), why));
		if (json_integer_value(count) > before)
			json_object_set_new(more, why,
			                    json_integer(json_integer_value(count) - before));
	}
	return more;
}

/* What a subscriber has not been told of is not there yet: the next look tells. */
void events_tell_state(struct events *e, const char *engine, const char *block, const char *state)
{
	json_t *rows = json_object_get(e->seen, engine), *row = json_object_get(rows, block);
	if (!rows)
		return;
	if (row)
		json_object_set_new(row, "state", json_string(state));
	else if (json_is_object(rows))
		json_object_set_new(rows, block, json_pack("{s:s}", "state", state));
	events_tell(e, "block.state", engine, block, NULL, json_pack("{s:s}", "state", state));
}

/* A block that was not there a second ago is taken to be as its engine is; in an engine that was
   not looked at before, all of it lies in the past. */
static void compare(struct events *e, const char *engine, const char *state, bool is_known,
                    const json_t *was, const json_t *is)
{
	const char *block = json_string_value(json_object_get(is, "name"));
	const char *now = json_string_value(json_object_get(is, "state"));
	const char *before = was ? json_string_value(json_object_get(was, "state")) : state;
	bool drains = !was && !strcmp(state, "draining") && !strcmp(now, "running");
	if (is_known && strcmp(now, before) && !drains)
		events_tell(e, "block.state", engine, block, NULL,
		            json_pack("{s:s}", "state", now));
	json_t *drops = is_known ? new_drops(was, is) : NULL;
	if (json_object_size(drops))
		events_tell(e, "block.dropped", engine, block, NULL,
		            json_pack("{s:O}", "dropped", drops));
	json_decref(drops);
}

struct look {
	struct events *events;
	char *engine;
};

static void looked(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct look *look = arg;
	struct events *e = look->events;
	const json_t *before = json_object_get(e->seen, look->engine);
	bool is_known = json_is_object(before);
	const char *state = json_string_value(json_object_get(result, "state"));
	json_t *rows = json_object();
	json_object_del(e->asked, look->engine);
	json_each (row, json_object_get(result, "blocks")) {
		const char *name = json_string_value(json_object_get(row, "name"));
		compare(e, look->engine, state, is_known, json_object_get(before, name), row);
		json_object_set(rows, name, row);
	}
	if (!code)
		json_object_set(e->seen, look->engine, rows);
	json_decref(rows);
	free(look->engine);
	free(look);
}

static void look_at(void *arg, struct engine *engine)
{
	struct events *e = arg;
	if (json_object_get(e->asked, engine_name(engine)))
		return;
	struct look *look = must_calloc(1, sizeof *look);
	look->events = e;
	look->engine = must_strdup(engine_name(engine));
	json_object_set_new(e->asked, look->engine, json_true());
	ask_put(ask_new(PT_VERB_STATS), engine, looked, look);
}

static void know(void *arg, struct engine *engine)
{
	struct events *e = arg;
	json_object_set_new(e->seen, engine_name(engine), json_null());
}

static void on_timer(uv_timer_t *timer)
{
	struct events *e = timer->data;
	if (!server_has_subscribers(e->daemon->server)) {
		uv_timer_stop(timer);
		json_object_clear(e->seen);
	} else {
		engines_each(e->daemon->engines, look_at, e);
	}
}

void events_begin(struct events *e)
{
	if (uv_is_active((uv_handle_t *)&e->timer))
		return;
	engines_each(e->daemon->engines, know, e);
	uv_timer_start(&e->timer, on_timer, 0, LOOK_MS);
}

/* ---- life ---- */

struct events *events_new(struct daemon *daemon)
{
	struct events *e = must_calloc(1, sizeof *e);
	e->daemon = daemon;
	e->seen = json_object();
	e->asked = json_object();
	uv_timer_init(&daemon->loop, &e->timer);
	e->timer.data = e;
	return e;
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void events_free(struct events *e)
{
	json_decref(e->seen);
	json_decref(e->asked);
	uv_close((uv_handle_t *)&e->timer, closed);
}
