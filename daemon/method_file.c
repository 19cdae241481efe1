/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.text and engine.follow: what `ptctl save` asks for. */
#include "base/json.h"
#include "base/name.h"
#include "daemon/boot.h"
#include "daemon/call.h"
#include "daemon/daemon.h"
#include "daemon/pipe_file.h"
#include "daemon/retell.h"
#include <stdlib.h>
#include <string.h>

static char *path_of(const struct call *call, const struct engine *engine)
{
	const char *has = engines_file(engine);
	char *folder = daemon_engines_folder(call->daemon);
	char *path =
		has ? must_strdup(has) : must_printf("%s/%s.pipe", folder, call->params.engine);
	free(folder);
	return path;
}

static void engine_text(void *arg)
{
	struct call *call = arg;
	struct engine *engine = call_engine(call);
	if (!engine)
		return;
	json_t *state = engines_state(call->daemon->engines, call->params.engine);
	const json_t *graph = json_array_get(json_object_get(state, "engines"), 0);
	char *path = path_of(call, engine);
	char *folder = must_printf("%.*s", (int)(strrchr(path, '/') - path), path);
	struct lang_env env = pipe_file_env();
	struct buf text = BUF_INIT;
	env.directory = folder;
	env.out = boot_out(call->daemon->boot);
	retell(&text, call->params.text, &env,
	       (struct diff_side){.blocks = json_object_get(graph, "blocks"),
	                          .links = json_object_get(graph, "links")});
	json_t *result = json_pack("{s:s%}", "text", text.data, text.length);
	if (name_is_engine(call->params.engine))
		json_object_set_new(result, "file", json_string(path));
	free(folder);
	free(path);
	buf_free(&text);
	json_decref(state);
	call_answer(call, result);
}

static void engine_follow(void *arg)
{
	struct call *call = arg;
	struct engine *engine = call_engine(call);
	if (!engine)
		return;
	char *path = path_of(call, engine);
	boot_adopt(call->daemon->boot, call->params.engine, path, call_done, call);
	free(path);
}

/* clang-format off */
static const struct pt_param text_params[] = {
	CALL_ENGINE,
	{"text", "A text in the pipe language that is there: its lines that make what the graph "
	 "has still stay as they are, with their comments.",
	 PT_STRING(struct call, params.text), .fallback = "None"},
	{0}
};

static const struct pt_param follow_params[] = {
	CALL_ENGINE,
	{0}
};

const struct rpc_method file_methods[] = {
	{
		.name = "engine.text",
		.summary = "An engine's graph in the pipe language, and the file that would be its "
		           "own",
		.help = "Keys and passphrases stand in it. Relative paths in `text` are taken as "
		        "in that file, which is in the folder of engines.",
		.result = "{text, file?}",
		.role = "admin",
		.params = text_params,
		.run = engine_text,
	}, {
		.name = "engine.follow",
		.summary = "Makes an engine that of its file in the folder of engines",
		.help = "The file NAME.pipe is read, and the graph is made as it says. From then "
		        "on the engine is what the file says, at each reload and each start of the "
		        "daemon; what was kept of it otherwise, its revisions too, does not "
		        "outlast the daemon. It goes on meanwhile, and is not started by this.",
		.result = "{}",
		.role = "admin",
		.params = follow_params,
		.run = engine_follow,
	},
	{0}
};
/* clang-format on */
