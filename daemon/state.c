/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of engines without asking them: rows, states, and whether they are as their
   files. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/name.h"
#include <stdlib.h>
#include <string.h>

static const char *const states[] = {
	[PT_STOPPED] = "stopped", [PT_RUNNING] = "running", [PT_DRAINING] = "draining"};

static const char *state_word(const struct engine *engine, enum pt_engine_state state)
{
	if (engine->phase >= REMOVING)
		return "ending";
	if (state != PT_STOPPED)
		return states[state];
	if (engine->failed)
		return "failed";
	bool begins = engine->phase == MAKING ? engine->start : engine->starts || engine->boots;
	return begins ? "starting" : states[state];
}

/* ---- files ---- */

static bool differs(const struct engine *engine)
{
	const struct revision *last = history_last(&engine->past.history);
	return engine->file_why || !last || !engine->file_blocks ||
	       !json_equal(engine->file_blocks, last->blocks) ||
	       !json_equal(engine->file_links, last->links);
}

void engine_follow_file(struct engine *engine, uint64_t revision)
{
	const struct history *h = &engine->past.history;
	const struct revision *at = revision ? history_find(h, revision) : history_last(h);
	json_decref(engine->file_blocks);
	json_decref(engine->file_links);
	engine->file_blocks = engine->file_links = NULL;
	if (at)
		history_graph(h, at, &engine->file_blocks, &engine->file_links);
	free(engine->file_why);
	engine->file_why = NULL;
}

void engines_follow_file(struct engine *engine, const json_t *result)
{
	const json_t *revision = json_object_get(result, "revision");
	engine_follow_file(engine, (uint64_t)json_integer_value(revision));
}

bool engines_file_wrong(struct engine *engine, const char *path, const char *why)
{
	bool is_new = !engine->file_why || strcmp(engine->file_why, why);
	if (!engine->file)
		engine->file = must_strdup(path);
	free(engine->file_why);
	engine->file_why = must_strdup(why);
	if (is_new)
		engine_tell_state(engine);
	return is_new;
}

void engines_file_gone(struct engine *engine)
{
	if (engine->from_file || !engine->file)
		return;
	free(engine->file);
	free(engine->file_why);
	engine->file = engine->file_why = NULL;
	engine_tell_state(engine);
}

const char *engines_file(const struct engine *engine)
{
	return engine->from_file ? engine->file : NULL;
}

/* ---- rows ---- */

static void add_state(const struct engine *engine, enum pt_engine_state state, json_t *row)
{
	const char *why = engine->why ? engine->why : engine->file_why;
	if (!why && !name_is_engine(engine->name))
		why = ENGINE_NAME_HAS_DOT;
	json_object_set_new(row, "state", json_string(state_word(engine, state)));
	if (why)
		json_object_set_new(row, "why", json_string(why));
	if (!engine->file)
		return;
	json_object_set_new(row, "file", json_string(engine->file));
	json_object_set_new(row, "differs", json_boolean(differs(engine)));
}

static json_t *row(const struct engine *engine)
{
	const struct pt_engine_glance glance = engine_glance(engine);
	json_t *row = json_object();
	json_object_set_new(row, "engine", json_string(engine->name));
	add_state(engine, glance.state, row);
	json_object_set_new(row, "revision", json_integer((json_int_t)glance.revision));
	json_object_set_new(row, "blocks", json_integer((json_int_t)glance.blocks));
	json_object_set_new(row, "links", json_integer((json_int_t)glance.links));
	json_object_set_new(row, "messages", json_integer((json_int_t)glance.messages));
	if (glance.failed)
		json_object_set_new(row, "failed_blocks", json_integer((json_int_t)glance.failed));
	json_object_set_new(row, "kept",
	                    json_string(engine->from_file   ? "file"
	                                : engine->past.file ? "yes"
	                                                    : "no"));
	if (engine->phase == READY && engine->confirm_due_ms)
		json_object_set_new(row, "unconfirmed", json_true());
	return row;
}

/* What a client is making is there when its request is answered, or it is being started. */
static bool is_there(const struct engine *engine)
{
	return engine->phase == READY ||
	       (engine->phase == MAKING && (engine->start || engine->restored));
}

/* It is listed until it is gone, and its name is free. */
bool engine_is_listed(const struct engine *engine)
{
	return is_there(engine) || (engine->phase >= REMOVING && engine->told);
}

const char *engine_word(const struct engine *engine)
{
	return state_word(engine, engine_glance(engine).state);
}

json_t *engines_list(struct engines *all)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < all->count; i++)
		if (engine_is_listed(all->items[i]))
			json_array_append_new(rows, row(all->items[i]));
	return rows;
}

json_t *engines_left(struct engines *all)
{
	json_t *rows = json_array();
	struct revisions_wait wait;
	for (size_t i = 0; i < all->count; i++) {
		const struct engine *engine = all->items[i];
		if (engine->phase == LEAVING && revisions_waits(&engine->past, &wait))
			json_array_append_new(
				rows, json_pack("{s:s, s:f, s:O*}", "engine", engine->name,
			                        "left_s", (double)wait.left_ns / 1e9, "comment",
			                        json_object_get(engine->past.leaving, "comment")));
	}
	return rows;
}

/* ---- states ---- */

json_t *engine_state(const struct engine *engine)
{
	const struct revision *last = history_last(&engine->past.history);
	json_t *row = json_object();
	json_object_set_new(row, "engine", json_string(engine->name));
	add_state(engine, engine->state, row);
	json_object_set_new(row, "revision", json_integer((json_int_t)last->number));
	json_object_set(row, "blocks", last->blocks);
	json_object_set(row, "links", last->links);
	return row;
}

json_t *engines_state(struct engines *all, const char *name)
{
	json_t *rows = json_array(), *state = json_object();
	for (size_t i = 0; i < all->count; i++) {
		const struct engine *engine = all->items[i];
		if (engine->phase == READY && (!name || !strcmp(engine->name, name)))
			json_array_append_new(rows, engine_state(engine));
	}
	json_object_set_new(state, "engines", rows);
	return state;
}

void engine_tell_state(const struct engine *engine)
{
	if (engine->phase != READY)
		return;
	json_t *data = json_object();
	add_state(engine, engine->state, data);
	engine_tell(engine, "engine.state", NULL, data);
}

struct engine *engines_find_listed(struct engines *all, const char *name, struct pt_error *err)
{
	struct engine *found = engines_at(all, name);
	return found && is_there(found) ? found : engines_find(all, name, err);
}

void engines_add_state(const struct engines *all, const char *name, json_t *shown)
{
	const struct engine *engine = engines_at(all, name);
	if (engine)
		add_state(engine, engine_glance(engine).state, shown);
}
