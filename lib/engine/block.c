/* SPDX-License-Identifier: BSD-2-Clause */
/* A block's life. */
#include "engine/block.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/deliver.h"
#include "engine/engine.h"
#include "engine/carry.h"
#include "type/param.h"
#include "type/reason.h"
#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct pt_block *block_new(struct pt_engine *e, const char *name, const struct pt_type *type,
                           json_t *params)
{
	struct pt_block *b = must_calloc(1, sizeof *b);
	b->engine = e;
	b->type = type;
	b->name = must_strdup(name);
	b->params = json_incref(params);
	b->state = must_calloc(1, type->size);
	b->batch = VECTOR_MAX;
	for (int canal = PT_LOW; canal <= PT_TRIGGER; canal++)
		b->passes[canal] = deliver_passes(type, (enum pt_canal)canal);
	return b;
}

int block_init(struct pt_block *b, const struct param_env *env, struct pt_error *err)
{
	int rc = param_read(b->type->params, b->params, b->state, env, err);
	return rc || !b->type->init ? rc : b->type->init(b, err);
}

struct opening {
	const struct pt_block *block;
	struct pt_func *func;
};

static int open_for_function(void *arg, const char *path, struct pt_error *err)
{
	const struct opening *o = arg;
	const struct pt_file file = {(char *)(uintptr_t)path, func_handed(o->func)};
	return pt_open_file(o->block, NULL, &file, O_RDONLY | O_CLOEXEC, 0, err);
}

int block_open_functions(struct pt_block *b, void *state, struct pt_error *err)
{
	int rc = 0;
	for (const struct pt_param *row = b->type->params; row && row->name; row++) {
		if (row->kind != PT_KIND_TRANSFORM && row->kind != PT_KIND_PREDICATE)
			continue;
		struct pt_func *f = *(struct pt_func **)((uint8_t *)state + row->offset);
		struct opening opening = {b, f};
		const struct func_site site = {b->engine->secret, open_for_function, &opening};
		size_t before = err ? err->count : 0;
		int one = f ? func_open(f, &site, err) : 0;
		error_prefix(err, before, row->name);
		rc = rc ? rc : one;
	}
	return rc;
}

int block_open(struct pt_block *b, struct pt_error *err)
{
	b->opened = true;
	int rc = block_open_functions(b, b->state, err);
	if (!rc && b->type->open)
		rc = b->type->open(b, err);
	return rc;
}

int block_close(struct pt_block *b, struct pt_error *err)
{
	if (!b->opened)
		return 0;
	b->opened = false;
	return b->type->close ? b->type->close(b, err) : 0;
}

void block_free(struct pt_block *b, const struct param_env *env)
{
	if (!b)
		return;
	assert(!b->started && !b->opened && !b->handle_count && !b->listed);
	engine_forget(b);
	if (b->type->fini)
		b->type->fini(b);
	carry_clear(b);
	param_release(b->type->params, b->state, env);
	for (int canal = PT_LOW; canal <= PT_TRIGGER; canal++)
		free(b->exits[canal]);
	free(b->entries);
	json_decref(b->params);
	carry_free(b->carried);
	free(b->timers);
	free(b->gathered);
	free(b->handles);
	free(b->last_error);
	free(b->note);
	free(b->name);
	free(b->state);
	free(b);
}

bool block_is_source(const struct pt_block *b)
{
	return b->type->role == PT_SOURCE;
}

const char *block_state_word(const struct pt_block *b)
{
	if (b->failed)
		return "failed";
	if (!b->started)
		return "stopped";
	return b->exhausted ? "exhausted" : "running";
}

static void begin_functions(struct pt_block *b)
{
	for (const struct pt_param *row = b->type->params; row && row->name; row++)
		if (row->kind == PT_KIND_TRANSFORM || row->kind == PT_KIND_PREDICATE)
			func_begin(*(struct pt_func **)((char *)b->state + row->offset));
}

void block_start(struct pt_block *b)
{
	b->failed = b->exhausted = b->ready = b->later = b->paused = b->retry_due = false;
	b->busy = false;
	b->told_no_more = false;
	flow_set_full(b, false);
	flow_set_enough(b, false);
	free(b->note);
	b->note = NULL;
	b->batch = VECTOR_MAX;
	b->started = true;
	b->engine->flow.stale = true;
	flow_note(b);
	begin_functions(b);
	carry_close(b->carried, true);
	carry_start(b);
	if (b->type->start)
		b->type->start(b);
	b->goes_on = false;
	carry_tell_damage(b);
	carry_tell_unasked(b);
	carry_free(b->carried);
	b->carried = NULL;
	block_tell_state(b);
	pt_carry_changed(b);
}

void block_reopen(struct pt_block *b)
{
	if (b->started && !b->away && b->type->reopen)
		b->type->reopen(b);
}

static void on_closed(uv_handle_t *handle)
{
	struct pt_block *b = handle->data;
	if (--b->handles_closing == 0 && b->handles_closed)
		b->handles_closed(b, b->handles_arg);
}

void block_stop(struct pt_block *b, void (*then)(struct pt_block *, void *arg), void *arg)
{
	if (b->started && b->type->stop)
		b->type->stop(b);
	b->started = b->ready = b->later = false;
	cut_exact(b, false);
	b->engine->flow.stale = true;
	flow_set_full(b, false);
	flow_note(b);
	for (unsigned i = 0; i < b->timer_count; i++)
		timers_stop(&b->engine->timers, b->timers[i]);
	b->timer_count = 0;
	b->handles_closed = then;
	b->handles_arg = arg;
	b->handles_closing = b->handle_count;
	for (unsigned i = 0; i < b->handle_count; i++)
		uv_close(b->handles[i], on_closed);
	bool none = b->handle_count == 0;
	b->handle_count = 0;
	if (none && then)
		then(b, arg);
}

void block_take_over(struct pt_block *fresh, struct pt_block *old,
                     void (*then)(struct pt_block *, void *arg), void *arg)
{
	bool told = old->type == fresh->type && fresh->type->take_over;
	size_t carried = carry_over(fresh, old);
	block_stop(old, then, arg);
	block_settle_counts(old);
	fresh->count = old->count;
	if (!told) {
		block_count_drop(fresh, "replaced", fresh->count.held - carried);
		fresh->count.held = carried;
	}
	free(fresh->last_error);
	fresh->last_error = old->last_error;
	old->last_error = NULL;
}

/* The last two places are for what has no place of its own. */
static struct gone *place_for(struct gone *places, const char *why, bool said)
{
	struct gone *l = places;
	for (; l < places + GONE_MAX - 2 && l->why; l++)
		if (l->said == said && !strcmp(l->why, why))
			return l;
	bool filtered = said || reason_is_filtered(why), crowded = l == places + GONE_MAX - 2;
	if (crowded)
		l += filtered;
	*l = (struct gone){crowded ? "other" : why, l->count, filtered, said};
	return l;
}

void block_count_gone(struct pt_block *b, const char *why, uint64_t count, bool said)
{
	if (count)
		place_for(b->count.gone, why, said)->count += count;
}

void block_count_drop(struct pt_block *b, const char *why, uint64_t count)
{
	block_count_gone(b, why, count, false);
}

uint64_t block_sum(const struct pt_block *b, bool filtered)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < GONE_MAX; i++)
		if (b->count.gone[i].filtered == filtered)
			sum += b->count.gone[i].count;
	return sum;
}

void block_settle_counts(struct pt_block *b)
{
	if (!atomic_load_explicit(&b->undone, memory_order_relaxed))
		return;
	uint64_t undone = atomic_exchange(&b->undone, 0);
	block_count_out(b, -undone);
	block_count_drop(b, atomic_load(&b->undone_why), undone);
}
