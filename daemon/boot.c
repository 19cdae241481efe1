/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the engines like their files: what a file says now against what was made of it. */
#include "daemon/boot.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/call.h"
#include "daemon/catalog.h"
#include "daemon/engines.h"
#include "daemon/pipe_file.h"
#include "daemon/pipe_folder.h"
#include <stdlib.h>
#include <string.h>

struct file {
	struct file *next;
	struct boot *boot;
	char *name, *path; /* name: without folder and suffix */
	char *wanted;      /* the text, which can be understood; NULL: there is none */
	char *tried;       /* the text that an engine was made of, or could not be; NULL: none */
	struct lang_program program; /* of `tried` */
	bool alive;                  /* there is an engine of it */
	bool refused;                /* and the file says otherwise, or there is none */
	bool unread;                 /* what it says now could not be understood */
	bool busy;                   /* an answer is awaited */
	bool there;
	bool adopts;         /* `begun` waits for its graph alone */
	engines_done *begun; /* somebody wants to know how its start went; NULL: nobody */
	void *begun_arg;
};

struct boot {
	struct engines *engines;
	char *out; /* see pipe_file_understand */
	struct file *files;
	unsigned busy; /* answers that are awaited, and a scan */
	size_t bad;    /* files of the last scan that cannot be engines' */
	void (*settled)(void *arg);
	void *arg;
};

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

/* Of this file, and not of another maker. */
static struct engine *engine_of(const struct file *file)
{
	struct engine *engine =
		file->alive ? engines_find(file->boot->engines, file->name, NULL) : NULL;
	return engine && engines_file(engine) ? engine : NULL;
}

/* ---- what is wrong ---- */

static void tell_begun(struct file *file, int code, struct pt_error *err)
{
	engines_done *begun = file->begun;
	file->begun = NULL;
	file->adopts = false;
	if (begun)
		begun(file->begun_arg, code, NULL, err);
}

/* The engine's why says it; the log does, unless it has said so before. */
static void fault_told(struct file *file, const struct pipe_fault *fault, bool again)
{
	struct engine *engine = engine_of(file);
	const struct log_about about = {.engine = file->name, .event = CATALOG_ENGINE_MISSING};
	file->refused = true;
	if (engine && (engines_has_failed(engine) || engines_is_hollow(engine))) {
		if (engines_fail(engine, fault->why.data, engines_is_hollow(engine)) || again)
			engines_log_failure(engine, fault->words.data);
	} else if (engine) {
		if (engines_file_wrong(engine, file->path, fault->why.data) || again)
			log_about(&about, LOG_LEVEL_ERROR,
			          "engine %s stays as it was, and not as its file: %s", file->name,
			          fault->words.data);
	} else {
		struct engine *other = engines_find(file->boot->engines, file->name, NULL);
		if (other)
			engines_file_wrong(other, file->path, fault->why.data);
		log_about(&about, LOG_LEVEL_ERROR, "engine %s, from %s, does not run: %s",
		          file->name, file->path, fault->words.data);
	}
}

static void forget_fault(struct file *file)
{
	struct engine *other = engines_find(file->boot->engines, file->name, NULL);
	if (other && file->refused)
		engines_file_gone(other);
}

static void engine_faults_told(struct file *file, int code, struct pt_error *err, bool again)
{
	struct pipe_fault fault = PIPE_FAULT_INIT;
	if (err && !err->count)
		pt_fail(err, code, NULL, "%s", error_words(code));
	call_root_paths(err);
	pipe_file_locate(file->path, &file->program, err, &fault);
	fault_told(file, &fault, again);
	if (file->begun) {
		struct pt_error located = PT_ERROR_INIT;
		pt_fail(&located, code, "$.engine", "%s", fault.why.data);
		tell_begun(file, code, &located);
		pt_error_clear(&located);
	}
	pipe_fault_free(&fault);
}

/* ---- making ---- */

static void tell_runs(const struct file *file, struct engine *engine)
{
	const struct log_about about = {.engine = file->name,
	                                .revision =
	                                        engines_revision(file->boot->engines, file->name)};
	if (engine)
		log_about(&about, LOG_LEVEL_INFO, "engine %s runs, from %s", file->name,
		          file->path);
}

static void made(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->alive = true;
	file->alive = engine_of(file) != NULL;
	file->refused = false;
	if (code)
		engine_faults_told(file, code, err, true);
	else
		tell_runs(file, engine_of(file));
	awaited(file);
}

/* The file has been told of: the engine is there, and says why it has no blocks. */
static void made_hollow(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->alive = true;
	file->alive = engine_of(file) != NULL;
}

static void make_of(struct file *file, json_t *ops, const char *why, engines_done *done)
{
	const struct pt_request graph = {.ops = ops};
	char *comment = must_printf("from %s", file->path);
	const struct engine_wish wish = {
		.name = file->name,
		.graph = &graph,
		.start = true,
		.file = file->path,
		.why = why,
		.author = {.uid = -1, .pid = -1, .comment = comment},
	};
	engines_make(file->boot->engines, &wish, done, file);
	free(comment);
}

static void destroyed(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	file->alive = false;
	forget_tried(file);
	awaited(file);
}

static void destroy(struct file *file, struct engine *engine)
{
	const struct log_about about = {.engine = file->name};
	char *why = must_printf("its file is gone: %s", file->path);
	log_about(&about, LOG_LEVEL_INFO, "engine %s is destroyed: %s", file->name, why);
	await(file);
	engines_destroy(engine, why, destroyed, file);
	free(why);
}

/* The program of what is wanted takes the place of what was tried. */
static int read_wanted(struct file *file)
{
	struct pipe_fault fault = PIPE_FAULT_INIT;
	struct lang_program program;
	int code =
		pipe_file_understand(file->path, file->boot->out, file->wanted, &program, &fault);
	if (code) { /* understood when it was read, and a type is gone since */
		fault_told(file, &fault, true);
	} else {
		forget_tried(file);
		file->program = program;
		file->tried = must_strdup(file->wanted);
	}
	pipe_fault_free(&fault);
	return code;
}

static void make(struct file *file)
{
	if (read_wanted(file)) {
		file_free(file);
		return;
	}
	await(file);
	make_of(file, file->program.ops, NULL, made);
}

/* ---- starting ---- */

static void begun(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	if (code)
		engine_faults_told(file, code, err, false);
	else
		tell_runs(file, engine_of(file));
	tell_begun(file, code, err);
	awaited(file);
}

static void applied(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	struct engine *engine = engine_of(file);
	file->refused = false;
	if (code) {
		engine_faults_told(file, code, err, !file->begun);
	} else if (engine) {
		log_info("engine %s is now as %s has it", file->name, file->path);
		engines_follow_file(engine, result);
		if (!file->adopts && (engines_has_failed(engine) || file->begun)) {
			engines_filled(engine);
			engines_begin(engine, begun, file);
			return;
		}
	}
	tell_begun(file, code, err);
	awaited(file);
}

/* Only what differs is touched: the engine goes on. */
static int apply(struct file *file, struct engine *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = engines_may_change(engine, &err);
	if (code) {
		log_error("%s: %s", file->path, err.faults[0].message);
		tell_begun(file, code, &err);
		pt_error_clear(&err);
		return code;
	}
	if ((code = read_wanted(file)))
		return code;
	await(file);
	char *comment = must_printf("from %s", file->path);
	struct ask *ask = ask_new(PT_VERB_CHANGE);
	ask_set_author(ask, &(struct author){.uid = -1, .pid = -1, .comment = comment});
	ask->request.ops = json_incref(file->program.ops);
	ask->request.anew = true;
	ask_put(ask, engine, applied, file);
	free(comment);
	return 0;
}

static bool is_as_tried(const struct file *file)
{
	return file->wanted && file->tried && !strcmp(file->wanted, file->tried);
}

static void go_on(struct file *file)
{
	if (file->busy || is_as_tried(file))
		return;
	struct engine *engine = engine_of(file);
	if (engine && file->wanted) {
		apply(file, engine);
	} else if (engine && !file->there) {
		destroy(file, engine);
	} else if (!engine) {
		file->alive = false;
		forget_tried(file);
		if (file->wanted)
			make(file);
		else {
			forget_fault(file);
			file_free(file);
		}
	}
}

/* What has failed may do otherwise now, though the file is the same: its faults may lie
   elsewhere. */
static void try_again(struct file *file)
{
	struct engine *engine = engine_of(file);
	if (file->busy)
		return;
	if (!file->unread && (file->refused || (engine && engines_is_hollow(engine)))) {
		forget_tried(file);
	} else if (engine && engines_has_failed(engine) && is_as_tried(file)) {
		await(file);
		engines_begin(engine, begun, file);
	}
}

/* ---- reading the folder ---- */

static struct file **place_of(struct boot *boot, const char *name)
{
	struct file **at = &boot->files;
	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	return at;
}

static struct file *file_of(struct boot *boot, const char *name, const char *path)
{
	struct file **at = place_of(boot, name), *file = *at;
	if (file)
		return file;
	file = must_calloc(1, sizeof *file);
	file->boot = boot;
	file->name = must_strdup(name);
	file->path = must_strdup(path);
	return *at = file;
}

/* What is there stays, if there is something. */
static void take_fault(struct file *file, const struct pipe_fault *fault)
{
	if (!engine_of(file) && !file->busy)
		make_of(file, NULL, fault->why.data, made_hollow);
	fault_told(file, fault, true);
}

static bool take_file(void *arg, const char *path, const char *name)
{
	struct file *file = file_of(arg, name, path);
	struct pipe_fault fault = PIPE_FAULT_INIT;
	struct lang_program program;
	char *text = NULL;
	int code = pipe_folder_read(path, file->boot->out, &text, &program, &fault);
	file->there = true;
	file->unread = code != 0;
	if (code) {
		take_fault(file, &fault);
	} else {
		lang_program_free(&program);
		free(file->wanted);
		file->wanted = text;
	}
	pipe_fault_free(&fault);
	return true;
}

static void forget_wanted(struct file *file)
{
	free(file->wanted);
	file->wanted = NULL;
}

void boot_scan(struct boot *boot, const char *folder)
{
	begin_work(boot);
	for (struct file *file = boot->files; file; file = file->next)
		file->there = false;
	int code = pipe_folder_each(folder, take_file, boot, &boot->bad);
	for (struct file *next, *file = boot->files; file; file = next) {
		next = file->next;
		if (!file->there && !code)
			forget_wanted(file);
		try_again(file);
		go_on(file);
	}
	end_work(boot);
}

void boot_reread(struct boot *boot, const char *name, engines_done *done, void *arg)
{
	struct file *file = *place_of(boot, name);
	struct engine *engine = file ? engine_of(file) : NULL;
	struct pipe_fault fault = PIPE_FAULT_INIT;
	struct lang_program program;
	char *text = NULL;
	struct pt_error err = PT_ERROR_INIT;
	int code = -PT_ESTATE;
	if (!engine || file->busy || file->begun) {
		pt_fail(&err, code, "$.engine", "the file of engine '%s' is being read", name);
	} else if ((code = pipe_folder_read(file->path, file->boot->out, &text, &program,
	                                    &fault))) {
		pt_fail(&err, code, "$.engine", "%s", fault.why.data);
		fault_told(file, &fault, false);
	} else {
		lang_program_free(&program);
		forget_wanted(file);
		forget_tried(file);
		file->wanted = text;
		file->begun = done;
		file->begun_arg = arg;
		code = apply(file, engine);
		if (code)
			pt_fail(&err, code, "$.engine", "%s cannot be used", file->path);
		if (code)
			file->begun = NULL;
	}
	if (code)
		done(arg, code, NULL, &err);
	pipe_fault_free(&fault);
	pt_error_clear(&err);
}

/* ---- an engine that was another's ---- */

/* Else it is as after a scan. */
static void adopted(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct file *file = arg;
	struct boot *boot = file->boot;
	struct engine *engine = engines_find(boot->engines, file->name, NULL);
	file->busy = false;
	if (!code) {
		file->alive = true;
		file->refused = false;
		forget_tried(file);
		code = engine ? apply(file, engine) : -PT_ESTATE;
	}
	if (code)
		tell_begun(file, code, err);
	end_work(boot);
}

void boot_adopt(struct boot *boot, const char *name, const char *path, engines_done *done,
                void *arg)
{
	struct pt_error err = PT_ERROR_INIT;
	struct pipe_fault fault = PIPE_FAULT_INIT;
	struct lang_program program;
	char *text = NULL;
	struct file *file = *place_of(boot, name);
	int code = 0;
	if (file && (file->busy || file->begun))
		code = pt_fail(&err, -PT_ESTATE, "$.engine",
		               "the file of engine '%s' is being read", name);
	else if (pipe_folder_read(path, boot->out, &text, &program, &fault))
		code = pt_fail(&err, -PT_ESTATE, "$.engine", "%s", fault.why.data);
	if (code) {
		done(arg, code, NULL, &err);
	} else {
		lang_program_free(&program);
		file = file_of(boot, name, path);
		forget_wanted(file);
		file->wanted = text;
		file->there = file->adopts = true;
		file->unread = false;
		file->begun = done;
		file->begun_arg = arg;
		await(file);
		engines_adopt(engines_find(boot->engines, name, NULL), path, adopted, file);
	}
	pipe_fault_free(&fault);
	pt_error_clear(&err);
}

const char *boot_out(const struct boot *boot)
{
	return boot->out;
}

size_t boot_bad(const struct boot *boot)
{
	size_t bad = boot->bad;
	for (const struct file *file = boot->files; file; file = file->next)
		bad += file->refused && !engine_of(file);
	return bad;
}

int boot_read(const struct boot *boot, const char *path, struct lang_program *program,
              struct pipe_fault *fault)
{
	char *text = NULL;
	int code = pipe_folder_read(path, boot->out, &text, program, fault);
	free(text);
	return code;
}

struct boot *boot_new(struct engines *engines, const char *out, void (*settled)(void *arg),
                      void *arg)
{
	struct boot *boot = must_calloc(1, sizeof *boot);
	boot->engines = engines;
	boot->out = must_strdup(out);
	boot->settled = settled;
	boot->arg = arg;
	return boot;
}

void boot_free(struct boot *boot)
{
	while (boot->files)
		file_free(boot->files);
	free(boot->out);
	free(boot);
}
