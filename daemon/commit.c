/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that leave a trace: recorded, undone, and taken back. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/diff.h"
#include <inttypes.h>
#include <stdlib.h>

/* ---- asking for a change ---- */

static int refuse_hollow(const struct engine *engine, struct pt_error *err)
{
	pt_fail(err, -PT_ESTATE, "$.engine", "engine '%s' has not the graph that is kept of it: %s",
	        engine->name, engine->why ? engine->why : "it could not be made");
	pt_hint(err, "mend that and start it (ptctl start %s), or give it up (ptctl destroy %s)",
	        engine->name, engine->name);
	return -PT_ESTATE;
}

int engines_may_change(const struct engine *engine, struct pt_error *err)
{
	if (engine->hollow && !engine->from_file)
		return refuse_hollow(engine, err);
	struct revisions_wait wait = {0};
	bool waits = revisions_waits(&engine->past, &wait);
	if (!waits && !engine->confirming)
		return 0;
	if (waits)
		pt_fail(err, -PT_ESTATE, "$.engine",
		        "revision %" PRIu64 " of engine '%s' waits to be confirmed, and would take "
		        "this change with it",
		        history_last(&engine->past.history)->number, engine->name);
	else
		pt_fail(err, -PT_ESTATE, "$.engine",
		        "a change of engine '%s' that is to be confirmed is being made",
		        engine->name);
	pt_hint(err, "confirm it (ptctl confirm %s) or take it back (ptctl %s %s) first",
	        engine->name, wait.else_ == WAIT_GONE ? "destroy" : "undo", engine->name);
	return -PT_ESTATE;
}

static void tell_changed(const struct engine *engine)
{
	static const char *const members[] = {"comment", "undoes", "confirm", "ops"};
	const json_t *about = history_last(&engine->past.history)->about;
	json_t *data = json_object();
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		json_object_set(data, members[i], json_object_get(about, members[i]));
	if (engine->phase == READY)
		engine_tell(engine, "engine.changed", about, data);
	else
		json_decref(data);
}

/* ---- recording ---- */

static void add_unkept(struct engine *engine, struct ask *ask)
{
	ask->unkept = true;
	ask->record = journal_asked(engine->past.file);
	TAILQ_INSERT_TAIL(&engine->unkept, ask, entry_unkept);
}

static struct ask *take_unkept(struct engine *engine)
{
	struct ask *ask = TAILQ_FIRST(&engine->unkept);
	TAILQ_REMOVE(&engine->unkept, ask, entry_unkept);
	ask->unkept = false;
	return ask;
}

static void record(struct ask *ask)
{
	struct engine *engine = ask->engine;
	lodgers_changed(&engine->past, &ask->author, &ask->request.made);
	revisions_add(&engine->past, &ask->author, &ask->request.made);
	if (engine->past.file && engine->phase == READY)
		add_unkept(engine, ask);
	engine->confirm_due_ms = 0;
	engine->going_back = false; /* that was it, or it is overtaken */
	confirm_arm(engine);
	tell_changed(engine);
	failing_changed(engine);
	lodgers_go(engine);
}

/* ---- what could not be kept ---- */

static void lose(struct engine *engine, int lost)
{
	while (!TAILQ_EMPTY(&engine->unkept))
		take_unkept(engine)->lost = lost;
}

/* All changes that were made until now went with it. */
static void taken_back(struct engine *engine, int code)
{
	const struct log_about about = engine_about(engine);
	if (code)
		log_about(&about, LOG_LEVEL_ERROR,
		          "engine %s: what could not be kept cannot be taken back", engine->name);
	else
		revisions_go_back(&engine->past, (uint64_t)engine->taking_back->request.revision);
	engine->taking_back = NULL;
	engine->past.quiet = false;
	lose(engine, code ? NOT_KEPT : TAKEN_BACK);
	if (engine->phase == READY)
		revisions_write(&engine->past);
	engine->confirm_due_ms = 0;
	confirm_arm(engine);
	if (!code && engine->phase == READY)
		engine_tell(engine, "engine.taken_back", history_last(&engine->past.history)->about,
		            NULL);
	ask_go_on(engine);
	ask_release(engine);
}

static const struct revision *before(const struct history *h, uint64_t number)
{
	const struct revision *found = NULL;
	for (size_t i = 0; i < h->count && h->items[i].number < number; i++)
		found = &h->items[i];
	return found;
}

static void ignore(void *arg, int code, json_t *result, struct pt_error *err)
{
}

static void take_back(struct engine *engine)
{
	const struct ask *first = TAILQ_FIRST(&engine->unkept);
	const struct revision *target = before(&engine->past.history, first->request.made.revision);
	if (!target || engine->phase != READY) {
		lose(engine, NOT_KEPT);
		return;
	}
	struct ask *back = engine->taking_back = ask_new(PT_VERB_CHANGE);
	engine->past.quiet = true;
	ask_set_graph(back, &engine->past.history, target);
	back->request.anew = back->request.exact = true;
	back->request.revision = (int64_t)target->number;
	ask_at_once(back, engine, ignore, NULL);
}

void commit_settled(struct engine *engine)
{
	if (!engine->past.file || engine->taking_back)
		return;
	uint64_t settled = journal_settled_until(engine->past.file);
	if (journal_failed(engine->past.file)) {
		/* All that was asked is done: a rewrite among it would have kept it after all. */
		if (!TAILQ_EMPTY(&engine->unkept) && settled == journal_asked(engine->past.file))
			take_back(engine);
		return;
	}
	while (!TAILQ_EMPTY(&engine->unkept) && TAILQ_FIRST(&engine->unkept)->record <= settled)
		take_unkept(engine);
}

/* ---- what the engine tells ---- */

void commit_changed(struct ask *ask)
{
	if (ask->authored)
		record(ask);
	else if (ask == ask->engine->taking_back)
		taken_back(ask->engine, 0);
}

/* Where nothing differed, and where it was refused, nothing was told before. */
void commit_answered(struct ask *ask)
{
	struct engine *engine = ask->engine;
	if (ask->confirms) {
		engine->confirming = false;
		lodgers_go(engine);
	}
	if (ask == engine->taking_back)
		taken_back(engine, ask->request.code);
}

/* ---- undo ---- */

static const struct revision *find_revision(const struct engine *engine, uint64_t number,
                                            struct pt_error *err)
{
	const struct history *h = &engine->past.history;
	const struct revision *found = history_find(h, number);
	if (!found)
		pt_fail(err, -PT_EPARAM, "$.revision",
		        "engine '%s' has no revision %" PRIu64 ": it has %" PRIu64 " to %" PRIu64,
		        engine->name, number, h->items[0].number, history_last(h)->number);
	return found;
}

static const struct revision *undo_target(const struct engine *engine, const uint64_t *number,
                                          struct pt_error *err)
{
	if (number)
		return find_revision(engine, *number, err);
	const struct revision *found = history_before(&engine->past.history);
	if (!found)
		pt_fail(err, -PT_ESTATE, "$.engine", "there is nothing to undo in engine '%s'",
		        engine->name);
	return found;
}

int engines_undo(const struct engine *engine, const uint64_t *number, struct ask *ask,
                 struct pt_error *err)
{
	struct pt_request *r = &ask->request;
	const struct revision *target = undo_target(engine, number, err);
	if (!target)
		return err->faults[0].code;
	ask->author.undo = true;
	ask->author.undoes = target->number;
	r->verb = PT_VERB_CHANGE;
	r->anew = r->exact = true; /* its text, to the letter */
	ask_set_graph(ask, &engine->past.history, target);
	if (!number && r->if_revision < 0)
		r->if_revision = (int64_t)history_last(&engine->past.history)->number;
	return 0;
}

/* ---- what differs ---- */

static int tell_diff(struct diff_side from, struct diff_side to, json_t **result,
                     struct pt_error *err)
{
	json_t *ops;
	int code = diff_ops(from, to, &ops, err);
	if (code)
		return code;
	json_t *was = diff_was(ops, from.ops ? from.ops : from.blocks);
	*result = json_pack("{s:o, s:o*}", "ops", ops, "was", was);
	return 0;
}

/* From one revision, or what a file has, to another. NULL: before there was any. */
static int tell_between(const struct history *h, const struct revision *from,
                        const json_t *file_ops, const struct revision *to, json_t **result,
                        struct pt_error *err)
{
	json_t *blocks = NULL, *links = NULL, *to_blocks, *to_links;
	if (from)
		history_graph(h, from, &blocks, &links);
	history_graph(h, to, &to_blocks, &to_links);
	int code = tell_diff((struct diff_side){blocks, links, file_ops},
	                     (struct diff_side){to_blocks, to_links, NULL}, result, err);
	json_decref(blocks);
	json_decref(links);
	json_decref(to_blocks);
	json_decref(to_links);
	return code;
}

int engines_diff(const struct engine *engine, const uint64_t *revision, const uint64_t *to,
                 const json_t *file_ops, json_t **result, struct pt_error *err)
{
	const struct history *h = &engine->past.history;
	const struct revision *last = history_last(h);
	const struct revision *found = revision ? find_revision(engine, *revision, err) : NULL;
	const struct revision *other = to ? find_revision(engine, *to, err) : NULL;
	if ((revision && !found) || (to && !other))
		return err->faults[0].code;
	if (file_ops || !revision)
		return tell_between(h, !file_ops && h->count > 1 ? last - 1 : NULL, file_ops, last,
		                    result, err);
	return tell_between(h, other ? found : last, NULL, other ? other : found, result, err);
}

static void add_past(json_t *list, const char *name, const json_t *items)
{
	json_each (item, items) {
		json_t *named = json_pack("{s:s}", "engine", name);
		json_object_update(named, item);
		json_array_append_new(list, named);
	}
}

int engines_add_log(const struct engine *engine, const uint64_t *revision, json_t *log,
                    struct pt_error *err)
{
	if (revision && !find_revision(engine, *revision, err))
		return err->faults[0].code;
	json_t *revisions = history_log(&engine->past.history, revision);
	add_past(json_object_get(log, "revisions"), engine->name, revisions);
	if (!revision)
		add_past(json_object_get(log, "states"), engine->name, engine->past.states);
	json_decref(revisions);
	return 0;
}
