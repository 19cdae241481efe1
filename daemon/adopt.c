/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine that was kept becomes its file's: what is kept of it goes first. */
#include "daemon/engine.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/name.h"
#include <stdlib.h>

static void tell(struct engine *engine, int code, struct pt_error *err)
{
	struct waiter waiter = engine->adopting;
	engine->adopting = (struct waiter){0};
	waiter.done(waiter.arg, code, NULL, err);
	pt_error_clear(err);
}

static void be_of_file(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	free(engine->file);
	free(engine->file_why);
	engine->file = engine->file_next;
	engine->file_next = engine->file_why = NULL;
	engine->from_file = true;
	tell(engine, 0, &err);
	engine_tell_state(engine);
}

static void stay_kept(struct engine *engine, int code, struct pt_error *err)
{
	free(engine->file_next);
	engine->file_next = NULL;
	tell(engine, code, err);
}

/* Where it is being destroyed, or the daemon ends: its file, which is there already, is what the
   next daemon finds. */
void adopt_settled(struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	struct revisions *past = &engine->past;
	if (!engine->adopting.done || journal_settled_until(past->file) < engine->adopting_ticket)
		return;
	int why = journal_failed(past->file);
	if (engine->phase != READY) {
		stay_kept(engine, pt_fail(&err, -PT_ESTATE, NULL, "engine '%s' ends", engine->name),
		          &err);
	} else if (why) {
		past->quiet = false;
		revisions_write(past);
		stay_kept(engine,
		          pt_fail(&err, -PT_EIO, NULL,
		                  "engine '%s' does not become its file's: its journal cannot be "
		                  "removed: %s",
		                  engine->name, error_words(why)),
		          &err);
	} else {
		journal_file_free(past->file);
		past->file = NULL;
		past->quiet = false;
		be_of_file(engine);
	}
}

static int check(struct engine *engine, struct pt_error *err)
{
	if (!name_is_engine(engine->name))
		return pt_fail(err, -PT_ESTATE, "$.engine", "engine '%s': %s", engine->name,
		               ENGINE_NAME_HAS_DOT);
	if (engine->owned)
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "engine '%s' ends with the connection that has made it",
		               engine->name);
	if (engine->adopting.done)
		return pt_fail(err, -PT_ESTATE, "$.engine",
		               "engine '%s' is just becoming its file's", engine->name);
	int code = engines_must_be_read(engine, err);
	return code ? code : engines_may_change(engine, err);
}

void engines_adopt(struct engine *engine, const char *path, engines_done *done, void *arg)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = engine->from_file ? 0 : check(engine, &err);
	if (code || engine->from_file) {
		done(arg, code, NULL, &err);
		pt_error_clear(&err);
		return;
	}
	engine->adopting = (struct waiter){NULL, done, arg};
	engine->file_next = must_strdup(path);
	if (!engine->past.file) {
		be_of_file(engine);
		return;
	}
	engine->past.quiet = true;
	engine->adopting_ticket = journal_remove(engine->past.file);
}
