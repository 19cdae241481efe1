/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's own graph is applied again: only blocks of other types differ. */
#include "daemon/renew.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "daemon/engine.h"
#include "type/type.h"
#include <stdint.h>
#include <stdlib.h>

static int add_type(void *types, const struct pt_type *type)
{
	json_object_set_new(types, type->name, json_integer((json_int_t)(intptr_t)type));
	return 0;
}

json_t *renew_types(void)
{
	json_t *types = json_object();
	type_each(add_type, types);
	return types;
}

/* The first of its types that is another now; NULL: none is. */
static const char *old_type(const struct engine *engine, const json_t *before)
{
	const struct revision *last = history_last(&engine->past.history);
	json_each (block, last->blocks) {
		const char *name = json_string_value(json_object_get(block, "type"));
		const json_t *was = json_object_get(before, name);
		if (was && json_integer_value(was) != (json_int_t)(intptr_t)type_find(name))
			return name;
	}
	return NULL;
}

static void renewed(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct engine *engine = arg;
	const struct log_about about = engine_about(engine);
	if (!code)
		log_about(&about, LOG_LEVEL_INFO,
		          "engine %s: its blocks run the code that was loaded", engine->name);
	else
		log_about(&about, LOG_LEVEL_ERROR,
		          "engine %s goes on with the old code of its blocks: %s", engine->name,
		          pt_error_text(err, error_words(code)));
}

static void renew(struct engine *engine, const char *type)
{
	struct pt_error err = PT_ERROR_INIT;
	const struct log_about about = engine_about(engine);
	if (engines_may_change(engine, &err)) {
		log_about(&about, LOG_LEVEL_WARNING,
		          "engine %s goes on with the old code of %s: %s", engine->name, type,
		          err.faults[0].message);
		pt_error_clear(&err);
		return;
	}
	const struct revision *last = history_last(&engine->past.history);
	char *comment = must_printf("%s was loaded anew", type);
	struct ask *ask = ask_new(PT_VERB_CHANGE);
	ask_set_author(ask, &(struct author){.uid = -1, .pid = -1, .comment = comment});
	ask_set_graph(ask, &engine->past.history, last);
	ask->request.anew = ask->request.exact = true;
	ask_put(ask, engine, renewed, engine);
	free(comment);
}

static void tell_old(const struct engine *engine, const char *type)
{
	const struct log_about about = engine_about(engine);
	log_about(&about, LOG_LEVEL_WARNING,
	          "engine %s goes on with the old code of %s, since it is not of a file: "
	          "'ptctl export %s | ptctl apply %s -f -' replaces it",
	          engine->name, type, engine->name, engine->name);
}

void renew_engines(struct engines *all, json_t *before)
{
	for (size_t i = 0; i < all->count; i++) {
		struct engine *engine = all->items[i];
		const char *type = engine->phase == READY ? old_type(engine, before) : NULL;
		if (type && engine->from_file)
			renew(engine, type);
		else if (type)
			tell_old(engine, type);
	}
	json_decref(before);
}
