/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl run. */
#include "base/error.h"
#include "base/thread.h"
#include "ctl/attach.h"
#include "ctl/hand_over.h"
#include "ctl/out.h"
#include "ctl/pipe.h"
#include "ctl/private.h"
#include "ctl/progress.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int run(struct ctl *);

static const struct pt_param rows[] = {
	PIPE_ARGUMENTS(),
	PIPE_FILE,
	PIPE_DEFINE,
	{.name = "private",
         .doc = "Start a daemon for just this, so that none need be running.",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION},
	{NULL},
};

const struct verb verb_run = {
	.name = "run",
	.summary = "run a graph until its sources are exhausted",
	.help = "Makes an engine for just this, starts it, prints what its console sinks print, "
		"waits "
		"until every source is exhausted and every sink flushed, and destroys it. Ctrl-C "
		"stops "
		"it cleanly, and when ptctl is gone, however that came, so is the engine. On a "
		"terminal a line shows how far it is. The exit status is 1 if a "
		"block "
		"failed. Capture files are opened by ptctl and handed to the daemon, so they are "
		"read and written with your own rights (with rotate, and with -H, with the "
		"daemon's; but /dev/stdin, /dev/stdout and the like are always ptctl's own).\n"
		"\n"
		"  ptctl run --private 'RdpcapSource(\"in.pcap\") > WrpcapSink(\"out.pcapng\")'",
	.params = rows,
	.run = run,
};

struct running {
	struct ctl *ctl;
	char engine[64];
	struct pipe_text pipe;
	struct hand_over files;
	struct private_daemon daemon;
	struct attachment output;
	struct progress progress;
	bool created, started, terminal;
	/* The thread that waits for the end, on a connection of its own. */
	struct pt_client *waiter;
	pthread_t thread;
	bool waiting; /* the thread runs */
	int done;     /* an eventfd: readable once it has ended */
	int code;
	struct pt_error err;
};

static volatile sig_atomic_t interrupts;

/* The first Ctrl-C stops cleanly, the second does not wait for that, the third ends at once. */
static void interrupted(int signal)
{
	if (++interrupts > 2)
		_exit(EXIT_INTERRUPTED);
}

static double clock_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_t *engine_params(const struct running *r)
{
	json_t *params = json_object();
	json_object_set_new(params, "engine", json_string(r->engine));
	return params;
}

/* ---- the line on the terminal ---- */

static void clear_line(void *arg)
{
	struct running *r = arg;
	if (r->progress.shown)
		fprintf(stderr, "\r\033[K");
	r->progress.shown = false;
}

static void ask_progress(struct running *r)
{
	json_t *shown = NULL, *stats = NULL;
	if (!ctl_call(r->ctl, "engine.show", engine_params(r), &shown, NULL) &&
	    !ctl_call(r->ctl, "engine.stats", engine_params(r), &stats, NULL))
		progress_update(&r->progress, shown, stats, clock_s());
	json_decref(shown);
	json_decref(stats);
}

static void show_progress(struct running *r)
{
	struct buf line = BUF_INIT;
	ask_progress(r);
	progress_line(&r->progress, clock_s(), &line);
	fprintf(stderr, "\r%s\033[K", line.data);
	r->progress.shown = true;
	buf_free(&line);
}

/* ---- making ---- */

static int create(struct running *r, struct pt_error *err)
{
	int code;
	for (int n = 1;; n++) {
		snprintf(r->engine, sizeof r->engine, "run-%d-%d", (int)getpid(), n);
		json_t *params = engine_params(r);
		pipe_graph(&r->pipe, params);
		json_object_set_new(params, "owned", json_true());
		code = ctl_call_with_fds(r->ctl, "engine.create", params, NULL, err);
		if (code != -PT_EEXISTS || n == 100)
			break;
		pt_error_clear(err);
	}
	if (code)
		pipe_locate(&r->pipe, err);
	r->created = !code;
	return code;
}

static int prepare(struct running *r, struct pt_error *err)
{
	struct world world = {0};
	int code = pipe_gather(&r->pipe, r->ctl, err);
	if (!code && !r->pipe.text.length)
		code = pt_fail(err, -PT_EREQUEST, NULL, "PIPE is missing: what is to be run?");
	if (!code && ctl_flag(r->ctl, "private"))
		code = private_begin(&r->daemon, r->ctl, err);
	if (!code)
		code = world_init(&world, r->ctl, NULL, err);
	if (!code)
		code = pipe_parse(&r->pipe, &world, err);
	if (!code)
		code = hand_over(&r->files, &r->pipe, &world, r->ctl, err);
	world_fini(&world);
	if (!code)
		code = create(r, err);
	if (!code)
		code = attach_open(&r->output, r->ctl, r->engine, NULL, err);
	if (!code)
		code = ctl_open(r->ctl, &r->waiter, err);
	private_hide(&r->daemon);
	if (!code) {
		code = ctl_call(r->ctl, "engine.start", engine_params(r), NULL, err);
		if (code)
			pipe_locate(&r->pipe, err);
		r->started = !code;
	}
	return code;
}

/* ---- waiting ---- */

static void *wait_for_end(void *arg)
{
	struct running *r = arg;
	json_t *params = engine_params(r);
	json_object_set_new(params, "wait", json_true());
	r->code = pt_client_call(r->waiter, "engine.stop", params, NULL, 0, -1, NULL, &r->err);
	json_decref(params);
	eventfd_write(r->done, 1);
	return NULL;
}

/* Ctrl-C: without `wait`, the engine stops at once, and the thread's call with it. */
static void stop_now(struct running *r)
{
	struct pt_error err = PT_ERROR_INIT;
	if (ctl_call(r->ctl, "engine.stop", engine_params(r), NULL, &err)) {
		clear_line(r);
		ctl_refused(r->ctl, &err);
	}
}

static bool is_done(const struct running *r, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = r->done, .events = POLLIN},
	                       {.fd = pt_client_fd(r->output.client), .events = POLLIN}};
	poll(fds, 2, timeout_ms);
	return fds[0].revents;
}

static int watch(struct running *r, struct pt_error *err)
{
	enum { STEP_MS = 250 };
	double next_s = clock_s() + STEP_MS / 1e3;
	bool stopping = false;
	int code = 0;
	while (!code && !is_done(r, STEP_MS)) {
		code = attach_wait(&r->output, 0, err);
		if (interrupts && !stopping) {
			stopping = true;
			stop_now(r);
		}
		if (interrupts > 1)
			break;
		if (r->terminal && clock_s() >= next_s) {
			show_progress(r);
			next_s = clock_s() + STEP_MS / 1e3;
		}
	}
	return code;
}

/* Signals are for the thread that looks for them. */
static int begin_waiting(struct running *r, struct pt_error *err)
{
	r->done = eventfd(0, EFD_CLOEXEC);
	int code = r->done < 0 ? pt_fail(err, -errno, NULL, "no descriptor: %s", error_words(errno))
	                       : thread_start("what waits for the end", 0, wait_for_end, r,
	                                      &r->thread, err);
	r->waiting = !code;
	return code;
}

static void end_waiting(struct running *r, bool at_once)
{
	if (!r->waiting)
		return;
	if (at_once)
		shutdown(pt_client_fd(r->waiter), SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->done);
	r->waiting = false;
}

static int wait_until_done(struct running *r, struct pt_error *err)
{
	int code = begin_waiting(r, err);
	if (code)
		return code;
	code = watch(r, err);
	end_waiting(r, code || interrupts > 1);
	if (!code && r->code && !interrupts) {
		code = r->code;
		error_move(err, &r->err);
	}
	pt_error_clear(&r->err);
	return code;
}

/* ---- the end ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static void warn(const char *block, const char *error)
{
	struct buf line = BUF_INIT;
	out_first_line(&line, error);
	fprintf(stderr, "ptctl: block '%s': %s\n", block, line.data ? line.data : "");
	buf_free(&line);
}

static int find_failures(struct running *r, struct pt_error *err)
{
	json_t *shown, *block;
	size_t i;
	int code = ctl_call(r->ctl, "engine.show", engine_params(r), &shown, err);
	if (code)
		return code;
	json_array_foreach (json_object_get(shown, "blocks"), i, block) {
		const char *error = text_of(block, "last_error");
		if (!strcmp(text_of(block, "state"), "failed"))
			code = pt_fail(err, -PT_EIO, NULL, "block '%s' failed: %s",
			               text_of(block, "name"), *error ? error : "no reason given");
		else if (*error)
			warn(text_of(block, "name"), error);
	}
	json_decref(shown);
	return code;
}

static void show_total(struct running *r)
{
	struct buf line = BUF_INIT;
	if (!r->terminal || r->ctl->json)
		return;
	ask_progress(r);
	progress_total(&r->progress, clock_s(), &line);
	fprintf(stderr, "%s%s\n", interrupts ? "stopped: " : "", line.data);
	buf_free(&line);
}

static int finish(struct running *r, int code, struct pt_error *err)
{
	struct pt_error unheard = PT_ERROR_INIT;
	clear_line(r);
	if (!code) {
		attach_catch_up(&r->output, r->ctl->timeout_s, &unheard);
		show_total(r);
		code = find_failures(r, err);
	}
	if (r->created && ctl_call(r->ctl, "engine.destroy", engine_params(r), NULL, &unheard) &&
	    !code)
		code = unheard.faults[0].code;
	pt_error_clear(&unheard);
	return code;
}

/* Nobody reads what is printed: nothing may be left running. */
static void abandon(void *arg)
{
	struct running *r = arg;
	end_waiting(r, true);
	if (r->created)
		ctl_call(r->ctl, "engine.destroy", engine_params(r), NULL, NULL);
	private_end(&r->daemon, r->ctl);
}

static int run(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct running r = {.ctl = ctl, .terminal = isatty(STDERR_FILENO) && !ctl->json};
	r.output = (struct attachment){.json = ctl->json, .before = clear_line, .arg = &r};
	progress_init(&r.progress, clock_s());
	ctl->carries = true;
	ctl_catch(interrupted);
	out_set_last(abandon, &r);
	int code = prepare(&r, &err);
	if (!code)
		code = wait_until_done(&r, &err);
	code = finish(&r, code, &err);
	int status = code ? ctl_refused(ctl, &err) : interrupts ? EXIT_INTERRUPTED : EXIT_DONE;
	out_set_last(NULL, NULL);
	attach_close(&r.output);
	pt_client_close(r.waiter);
	hand_over_end(&r.files, ctl, r.started);
	pipe_fini(&r.pipe);
	private_end(&r.daemon, ctl);
	return status;
}
