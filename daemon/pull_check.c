/* SPDX-License-Identifier: BSD-2-Clause */
/* --check of the folder of [fleet]. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/check.h"
#include "daemon/conf.h"
#include "daemon/pipe_text.h"
#include "daemon/pull.h"
#include "daemon/pull_read.h"
#include "fleet/label.h"

static int check_file(const struct folder_file *f, const struct pt_engine_limits *limits,
                      struct pt_error *err)
{
	size_t before = err->count;
	struct lang_program *program = pipe_text_read(f->text, NULL, err);
	int code = program ? check_graph(f->engine, program->ops, limits, err)
	                   : err->faults[before].code;
	if (program) {
		error_prefix(err, before, "$");
		pipe_text_locate(program, err);
	}
	error_introduce(err, before, f->name);
	pipe_text_free(program);
	return code;
}

bool pull_check(const struct conf *conf, const struct pt_engine_limits *limits)
{
	struct folder folder;
	struct pt_error err = PT_ERROR_INIT;
	bool whole;
	if (!conf->fleet_from)
		return true;
	json_t *labels = label_set_all(conf->fleet_labels);
	int code = pull_read(conf->fleet_from, conf->fleet_key, &folder, &whole, &err);
	if (!code)
		code = folder_check(&folder, "this host", labels, &err);
	for (size_t i = 0; !code && i < folder.count; i++)
		if (folder_is_for(&folder.files[i], labels))
			check_file(&folder.files[i], limits, &err);
	bool good = !err.count;
	for (size_t i = 0; i < err.count; i++)
		log_error("fleet: %s: %s%s%s", conf->fleet_from, err.faults[i].message,
		          err.faults[i].hint ? "\n" : "",
		          err.faults[i].hint ? err.faults[i].hint : "");
	folder_free(&folder);
	json_decref(labels);
	pt_error_clear(&err);
	return good;
}
