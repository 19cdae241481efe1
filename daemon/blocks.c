/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading what is in the folders, and saying what cannot be. */
#include "daemon/blocks.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/file.h"
#include "paths.h"
#include "custom/type.h"
#include "type/plugin.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LUA_MAX ((size_t)1024 * 1024)

struct func_limits blocks_limits(const struct conf *conf)
{
	return (struct func_limits){(uint64_t)(conf->script_time_s * 1e9), conf->script_memory};
}

/* What is in memory stays there. Told once for each change. */
static void tell_changed(const char *path)
{
	static json_t *seen; /* {path: time of the last change} */
	struct stat st;
	if (!seen)
		seen = json_object();
	if (stat(path, &st))
		return;
	json_int_t time = (json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	const json_t *before = json_object_get(seen, path);
	if (before && json_integer_value(before) != time)
		log_warning("%s has changed: a shared object is loaded once, so its new code "
		            "takes a restart of the daemon",
		            path);
	json_object_set_new(seen, path, json_integer(time));
}

static bool open_plugin(void *arg, const char *path)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = plugin_open(path, &err);
	if (!rc)
		tell_changed(path);
	for (size_t i = 0; i < err.count; i++)
		log_error("%s: %s", path, err.faults[i].message);
	pt_error_clear(&err);
	return !rc;
}

/* Faults begin with the file's name and line. */
static void log_lua(const char *path, const struct pt_error *err)
{
	int folder = (int)(strrchr(path, '/') - path);
	for (size_t i = 0; i < err->count; i++)
		log_error("%.*s/%s", folder, path, err->faults[i].message);
}

static bool load_lua(void *arg, const char *path)
{
	const struct conf *conf = arg;
	const struct func_limits limits = blocks_limits(conf);
	struct pt_error err = PT_ERROR_INIT;
	char *text = NULL;
	int rc = file_read(path, LUA_MAX, &text, &err);
	if (rc) {
		log_error("%s: %s", path, pt_error_text(&err, error_words(rc)));
	} else {
		rc = custom_type_load(path, text, strlen(text), &limits, NULL, &err);
		log_lua(path, &err);
	}
	free(text);
	pt_error_clear(&err);
	return !rc;
}

size_t blocks_scan(const char *folder, const struct conf *conf)
{
	size_t bad = 0;
	file_each(PIPETOOL_PLUGIN_DIR, ".so", open_plugin, NULL, &bad);
	file_each(folder, ".so", open_plugin, NULL, &bad);
	file_each(folder, ".lua", load_lua, (void *)(uintptr_t)conf, &bad);
	return bad;
}
