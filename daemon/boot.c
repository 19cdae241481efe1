/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the engines like their files: what a file says now against what was made of it. */
#include "daemon/boot.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/name.h"
#include "daemon/call.h"
#include "daemon/catalog.h"
#include "daemon/check.h"
#include "daemon/engines.h"
#include "daemon/file.h"
#include "daemon/trial.h"
#include "lang/lang.h"
#include "paths.h"
#include "type/type.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".pipe"

enum { FILE_MAX = 1024 * 1024 };

struct file {
	struct file *next;
	struct boot *boot;
	char *name, *path; /* name: without folder and suffix */
	char *wanted;      /* the text; NULL: the file is gone */
	char *tried;       /* the text that an engine was made of, or could not be; NULL: none */
	struct lang_program program; /* of `tried` */
	bool alive;                  /* it could */
	bool failed;                 /* what was tried last did not become the engine's */
	bool busy;                   /* an answer is awaited */
	bool seen;
};

struct boot {
	struct engines *engines;
	struct file *files;
	unsigned busy; /* answers that are awaited, and a scan */
	size_t bad;    /* files of the last scan that cannot be understood */
	void (*settled)(void *arg);
	void *arg;
};

/* ---- what is wrong with a file ---- */

static void log_lines(const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		log_error("    %.*s", (int)(end - text), text);
	}
}

/* Of the language: the message tells the place, and the hint is the line with a caret. */
static void log_parse_faults(const char *path, const struct pt_error *err)
{
	for (size_t i = 0; i < err->count; i++) {
		log_error("%s: %s", path, err->faults[i].message);
		if (err->faults[i].hint)
			log_lines(err->faults[i].hint);
	}
}

/* Of what the text says: faults with paths into its operations. */
static void log_program_faults(const char *path, const struct lang_program *program,
                               const struct pt_error *err)
{
	for (size_t i = 0; i < err->count; i++) {
		const struct pt_fault *fault = &err->faults[i];
		struct lang_place place = {0, 0};
		struct buf below = BUF_INIT;
		if (fault->path)
			place = lang_locate(program, fault->path);
		if (place.line) {
			lang_caret(&below, program->text, place);
			log_error("%s: line %u, column %u: %s", path, place.line, place.column,
			          fault->message);
			log_lines(below.data);
		} else {
			log_error("%s: %s", path, fault->message);
		}
		if (fault->hint)
			log_lines(fault->hint);
		buf_free(&below);
	}
}

/* ---- reading ---- */

static const struct pt_param no_params[] = {{0}};

static const struct pt_param *params_of(void *arg, const char *name)
{
	const struct pt_type *type = type_find(name);
	if (!type)
		return NULL;
	return type->params ? type->params : no_params;
}

struct each {
	void (*each)(void *arg, const char *name);
	void *arg;
};

static int tell_type(void *arg, const struct pt_type *type)
{
	const struct each *each = arg;
	each->each(each->arg, type->name);
	return 0;
}

static void types_of(void *arg, void (*each)(void *each_arg, const char *name), void *each_arg)
{
	struct each it = {each, each_arg};
	type_each(tell_type, &it);
}

static bool nothing_exists(void *arg, const char *block)
{
	return false;
}

/* Parses and checks, and logs what is wrong. */
static int understand(const char *path, const char *folder, const char *text,
                      struct lang_program *program)
{
	struct pt_error err = PT_ERROR_INIT;
	const struct lang_env env = {.params = params_of,
	                             .types = types_of,
	                             .exists = nothing_exists,
	                             .directory = folder};
	int code = lang_parse(text, strlen(text), &env, program, &err);
	if (code) {
		log_parse_faults(path, &err);
	} else if ((code = check_blocks(program->ops, "$.ops", &err))) {
		log_program_faults(path, program, &err);
		lang_program_free(program);
	}
	pt_error_clear(&err);
	return code;
}

/* Of a file that cannot be read the text is NULL. */
typedef bool take(void *arg, const char *folder, const char *path, const char *name,
                  const char *text);

struct walk {
	take *each;
	void *arg;
};

/* Splits the path into folder and name, and reads the file. */
static bool open_file(void *arg, const char *path)
{
	const struct walk *walk = arg;
	char *folder = must_strdup(path), *slash = strrchr(folder, '/'), *name = slash + 1;
	char *text = NULL;
	*slash = '\0';
	name[strlen(name) - strlen(SUFFIX)] = '\0';
	bool good = name_is_engine(name);
	if (good) {
		file_read(path, FILE_MAX, &text);
		good = walk->each(walk->arg, folder, path, name, text);
	} else {
		log_error("%s: '%s' cannot be an engine's name", path, name);
	}
	free(text);
	free(folder);
	return good;
}

/* Calls `each` for every file, and tells how many were not good; as file_each. */
static int each_file(const char *folder, take *each, void *arg, size_t *bad)
{
	struct walk walk = {each, arg};
	*bad = 0;
	int code = file_each(folder, SUFFIX, open_file, &walk, bad);
	if (code == -ENOENT && !strcmp(folder, PIPETOOL_CONFIG_DIR "/engines.d"))
		return 0; /* nobody has asked for it */
	if (code == -ENOENT) {
		log_error("%s: no such folder", folder);
		++*bad;
	}
	return code;
}

static bool check_file(void *arg, const char *folder, const char *path, const char *name,
                       const char *text)
{
	const struct pt_engine_limits *limits = arg;
	struct pt_error err = PT_ERROR_INIT;
	struct lang_program program;
	if (!text || understand(path, folder, text, &program))
		return false;
	int code = trial_make(name, program.ops, limits, &err);
	call_root_paths(&err);
	log_program_faults(path, &program, &err);
	pt_error_clear(&err);
	lang_program_free(&program);
	return !code;
}

size_t boot_check(const char *folder, const struct pt_engine_limits *limits)
{
	size_t bad;
	each_file(folder, check_file, (void *)(uintptr_t)limits, &bad);
	return bad;
}

/* ---- making ---- */

static void go_on(struct file *file);

static void begin_work(struct boot *boot)
{
	boot->busy++;
}

static void end_work(struct boot *boot)
{
	if (!--boot->busy)
		boot->settled(boot->arg);
}

static void await(struct file *file)
{
	file->busy = true;
	begin_work(file->boot);
}

/* The last thing to be done with an answer. */
static void awaited(struct file *file)
{
	struct boot *boot = file->boot;
	file->busy = false;
	go_on(file);
	end_work(boot);
}

static void file_free(struct file *file)
{
	for (struct file **at = &file->boot->files; *at; at = &(*at)->next)
		if (*at == file) {
			*at = file->next;
			break;
		}
	if (file->tried)
		lang_program_free(&file->program);
	free(file->tried);
	free(file->wanted);
	free(file->name);
	free(file->path);
	free(file);
}

static void forget_tried(struct file *file)
{
	if (!file->tried)
		return;
	lang_program_free(&file->program);
	free(file->tried);
	file->tried = NULL;
}

static void made(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->alive = !code;
	file->failed = code != 0;
	if (code) {
		const struct log_about about = {.engine = file->name,
		                                .event = CATALOG_ENGINE_MISSING};
		call_root_paths(err);
		log_program_faults(file->path, &file->program, err);
		log_about(&about, LOG_LEVEL_ERROR, "engine %s, from %s, does not run", file->name,
		          file->path);
	} else {
		const struct log_about about = {.engine = file->name, .revision = 1};
		log_about(&about, LOG_LEVEL_INFO, "engine %s runs, from %s", file->name,
		          file->path);
	}
	awaited(file);
}

static void destroyed(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->alive = false;
	forget_tried(file);
	awaited(file);
}

/* The program of what is wanted takes the place of what was tried. */
static int read_wanted(struct file *file)
{
	struct lang_program program;
	char *folder = must_strdup(file->path);
	*strrchr(folder, '/') = '\0';
	int code = understand(file->path, folder, file->wanted, &program);
	free(folder);
	if (code) /* told; understood when it was read, and a type is gone since */
		return code;
	forget_tried(file);
	file->program = program;
	file->tried = must_strdup(file->wanted);
	return 0;
}

static void make(struct file *file)
{
	if (read_wanted(file)) {
		free(file->wanted);
		file->wanted = NULL;
		file_free(file);
		return;
	}
	await(file);
	char *comment = must_printf("from %s", file->path);
	const struct engine_wish wish = {
		.name = file->name,
		.ops = file->program.ops,
		.start = true,
		.from_file = true,
		.author = {.uid = -1, .pid = -1, .comment = comment},
	};
	engines_make(file->boot->engines, &wish, made, file);
	free(comment);
}

static void applied(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->failed = code != 0;
	if (code) {
		call_root_paths(err);
		log_program_faults(file->path, &file->program, err);
		log_error("engine %s stays as it was", file->name);
	} else {
		log_info("engine %s is now as %s has it", file->name, file->path);
	}
	awaited(file);
}

/* Only what differs is touched: the engine goes on. */
static void apply(struct file *file, struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	if (engines_may_change(engine, &err)) {
		log_error("%s: %s", file->path, err.faults[0].message);
		pt_error_clear(&err);
		return;
	}
	if (read_wanted(file))
		return;
	await(file);
	char *comment = must_printf("from %s", file->path);
	json_t *params = json_object();
	json_object_set(params, "ops", file->program.ops);
	const struct change_wish wish = {.verb = "apply",
	                                 .params = params,
	                                 .author = {.uid = -1, .pid = -1, .comment = comment}};
	engines_change(engine, &wish, applied, file);
	json_decref(params);
	free(comment);
}

/* What has failed may do otherwise now, though the file is the same: its faults may lie elsewhere. */
static void try_again(struct file *file)
{
	if (!file->failed || file->busy)
		return;
	file->failed = false;
	forget_tried(file);
}

static void go_on(struct file *file)
{
	if (file->busy || (file->wanted && file->tried && !strcmp(file->wanted, file->tried)))
		return;
	struct engine *engine =
		file->alive ? engines_find(file->boot->engines, file->name, NULL) : NULL;
	if (engine && file->wanted) {
		apply(file, engine);
		return;
	}
	if (engine) {
		await(file);
		engines_destroy(engine, destroyed, file);
		return;
	}
	file->alive = false;
	forget_tried(file);
	if (file->wanted)
		make(file);
	else
		file_free(file);
}

static struct file **place_of(struct boot *boot, const char *name)
{
	struct file **at = &boot->files;
	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static struct file *file_of(struct boot *boot, const char *name, const char *path)
{
	struct file **at = place_of(boot, name);
	if (*at)
		return *at;
	struct file *file = must_calloc(1, sizeof *file);
	file->boot = boot;
	file->name = must_strdup(name);
	file->path = must_strdup(path);
	return *at = file;
}

static bool take_file(void *arg, const char *folder, const char *path, const char *name,
                      const char *text)
{
	struct file *file = text ? file_of(arg, name, path) : *place_of(arg, name);
	struct lang_program program;
	if (file)
		file->seen = true;
	if (!text)
		return false; /* what is there stays */
	if (file->wanted && !strcmp(file->wanted, text))
		return true;
	if (understand(path, folder, text, &program))
		return false;
	lang_program_free(&program);
	free(file->wanted);
	file->wanted = must_strdup(text);
	return true;
}

void boot_scan(struct boot *boot, const char *folder)
{
	begin_work(boot);
	for (struct file *file = boot->files; file; file = file->next)
		file->seen = false;
	int code = each_file(folder, take_file, boot, &boot->bad);
	for (struct file *next, *file = boot->files; file; file = next) {
		next = file->next;
		if (!file->seen && !code) {
			free(file->wanted);
			file->wanted = NULL;
		}
		try_again(file);
		go_on(file);
	}
	end_work(boot);
}

size_t boot_bad(const struct boot *boot)
{
	size_t bad = boot->bad;
	for (const struct file *file = boot->files; file; file = file->next)
		bad += file->failed;
	return bad;
}

struct boot *boot_new(struct engines *engines, void (*settled)(void *arg), void *arg)
{
	struct boot *boot = must_calloc(1, sizeof *boot);
	boot->engines = engines;
	boot->settled = settled;
	boot->arg = arg;
	return boot;
}

void boot_free(struct boot *boot)
{
	while (boot->files)
		file_free(boot->files);
	free(boot);
}
