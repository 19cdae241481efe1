/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl run. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/thread.h"
#include "ctl/account.h"
#include "ctl/attach.h"
#include "ctl/hand_over.h"
#include "ctl/out.h"
#include "ctl/pipe.h"
#include "ctl/private.h"
#include "ctl/progress.h"
#include "ctl/received.h"
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct running {
	struct ctl *ctl;
	struct pipe_text pipe;
	struct hand_over files;
	struct private_daemon daemon;
	struct attachment output;
	struct progress progress;
	bool created, started, terminal;
	double limit_s;    /* how long it may run */
	double end_s;      /* when that is over, on the clock */
	bool late, unread; /* stopped for that; standard output has no reader any more */
	bool failed;       /* some block did not do what it should */
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
	if (!ctl_call(r->ctl, "engine.show", ctl_engine(r->ctl), &shown, NULL) &&
	    !ctl_call(r->ctl, "engine.stats", ctl_engine(r->ctl), &stats, NULL))
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
		free(r->ctl->engine);
		r->ctl->engine = must_printf("run-%d-%d", (int)getpid(), n);
		json_t *params = ctl_engine(r->ctl);
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

static void tell_notes(struct ctl *ctl)
{
	struct buf notes = BUF_INIT;
	print_notes(ctl, &notes, NULL);
	fputs(notes.data ? notes.data : "", stderr);
	buf_free(&notes);
}

static int prepare(struct running *r, struct pt_error *err)
{
	int code = pipe_gather(&r->pipe, r->ctl, err);
	if (!code && ctl_flag(r->ctl, "private"))
		code = private_begin(&r->daemon, r->ctl, err);
	if (!code)
		code = pipe_parse(&r->pipe, r->ctl, NULL, "give the graph that is to be run", err);
	if (!code)
		code = hand_over(&r->files, &r->pipe, r->ctl, err);
	if (!code)
		code = create(r, err);
	if (!code)
		code = attach_open(&r->output, r->ctl, err);
	if (!code)
		code = ctl_open(r->ctl, &r->waiter, err);
	private_hide(&r->daemon);
	if (!code) {
		code = ctl_call(r->ctl, "engine.start", ctl_engine(r->ctl), NULL, err);
		if (code)
			pipe_locate(&r->pipe, err);
		r->started = !code;
	}
	if (!code)
		tell_notes(r->ctl);
	return code;
}

/* What else may be done where there is no daemon to talk to. */
static void hint_at_private(const struct running *r, struct pt_error *err)
{
	if (r->ctl->client || r->ctl->host || ctl_flag(r->ctl, "private") || !err->count)
		return;
	int code = -err->faults[err->count - 1].code;
	if (code != ENOENT && code != ECONNREFUSED && code != EACCES && code != EPERM)
		return;
	const char *hint = err->faults[err->count - 1].hint;
	char *before = must_strdup(hint ? hint : "");
	pt_hint(err, "%s%s'ptctl run --private' starts one for just this", before,
	        *before ? "; " : "");
	free(before);
}

/* ---- waiting ---- */

static void *wait_for_end(void *arg)
{
	struct running *r = arg;
	json_t *params = ctl_engine(r->ctl);
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
	if (ctl_call(r->ctl, "engine.stop", ctl_engine(r->ctl), NULL, &err)) {
		clear_line(r);
		ctl_refused(r->ctl, &err);
	}
}

static bool is_done(struct running *r, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = r->done, .events = POLLIN},
	                       {.fd = pt_client_fd(r->output.client), .events = POLLIN},
	                       {.fd = STDOUT_FILENO}};
	poll(fds, 3, timeout_ms);
	r->unread = fds[2].revents & (POLLERR | POLLHUP);
	return fds[0].revents;
}

/* Why it is to be stopped now. */
static bool is_over(struct running *r)
{
	r->late = clock_s() >= r->end_s;
	if (r->late) {
		clear_line(r);
		fprintf(stderr, "ptctl: stopped, as the time is up (--timeout %g)\n", r->limit_s);
	}
	return r->late || r->unread || interrupts;
}

static int step_ms(const struct running *r, bool stopping)
{
	enum { STEP_MS = 250 };
	double left_ms = (r->end_s - clock_s()) * 1e3;
	if (stopping || left_ms > STEP_MS)
		return STEP_MS;
	return left_ms > 0 ? (int)left_ms + 1 : 0;
}

static int watch(struct running *r, struct pt_error *err)
{
	const double step_s = 0.25;
	double next_s = clock_s() + step_s;
	bool stopping = false;
	int code = 0;
	while (!code && !is_done(r, step_ms(r, stopping))) {
		if (!stopping && is_over(r)) {
			stopping = true;
			stop_now(r);
		}
		if (interrupts > 1 || r->unread)
			break;
		code = follow_wait(r->output.client, 0, err);
		if (r->terminal && clock_s() >= next_s) {
			show_progress(r);
			next_s = clock_s() + step_s;
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
	r->end_s = clock_s() + r->limit_s;
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

/* What queues hold, each to its end. */
static int print_queue(struct running *r, const char *block, struct pt_error *err)
{
	enum { AT_ONCE = 1024 };
	size_t got = 1;
	json_t *result;
	int code = 0;
	while (got && !code) {
		json_t *params = ctl_engine(r->ctl);
		json_object_set_new(params, "block", json_string(block));
		json_object_set_new(params, "max", json_integer(AT_ONCE));
		code = ctl_call(r->ctl, "block.recv", params, &result, err);
		if (code)
			break;
		struct buf out = BUF_INIT;
		got = json_array_size(json_object_get(result, "messages"));
		json_each (item, json_object_get(result, "messages"))
			if (!code)
				code = received_print(&out, item, r->ctl->json, err);
		json_decref(result);
		out_buf(&out);
	}
	return code;
}

/* What other blocks hold cannot be received: they refuse. */
static void print_queues(struct running *r, const json_t *stats)
{
	json_each (block, json_object_get(stats, "blocks")) {
		struct pt_error err = PT_ERROR_INIT;
		double held = json_number_value(json_object_get(block, "held"));
		int code = held > 0 ? print_queue(r, text_of(block, "name"), &err) : 0;
		if (code && code != -PT_ESTATE)
			fprintf(stderr, "ptctl: %s\n", pt_error_text(&err, error_words(code)));
		pt_error_clear(&err);
	}
}

static void tell_block(const char *block, const char *what, const char *error)
{
	struct buf line = BUF_INIT;
	out_first_line(&line, error);
	fprintf(stderr, "ptctl: block '%s'%s: %s\n", block, what,
	        line.length ? line.data : "no reason given");
	buf_free(&line);
}

static void tell_failures(struct running *r, const json_t *stats)
{
	json_each (block, json_object_get(stats, "blocks")) {
		bool failed = !strcmp(text_of(block, "state"), "failed");
		const char *error = text_of(block, "last_error");
		if (failed || *error)
			tell_block(text_of(block, "name"), failed ? " failed" : "", error);
		r->failed |= failed;
	}
}

static int ask_stats(struct running *r, json_t **stats, struct pt_error *err)
{
	return ctl_call(r->ctl, "engine.stats", ctl_engine(r->ctl), stats, err);
}

/* What became of everything. */
static int account(struct running *r, struct pt_error *err)
{
	struct buf line = BUF_INIT;
	json_t *stats;
	int code = ask_stats(r, &stats, err);
	if (!code && !r->unread) {
		print_queues(r, stats);
		json_decref(stats);
		code = ask_stats(r, &stats, err);
	}
	if (code)
		return code;
	if (r->ctl->json && !r->unread)
		out_json(stats);
	tell_failures(r, stats);
	account_line(stats, &line);
	fprintf(stderr, "%s\n", line.data);
	r->failed |= account_has_losses(stats, json_object_get(r->ctl->values, "allow_drops"));
	buf_free(&line);
	json_decref(stats);
	return 0;
}

static int finish(struct running *r, int code, struct pt_error *err)
{
	struct pt_error unheard = PT_ERROR_INIT;
	clear_line(r);
	if (!code && !r->unread)
		attach_catch_up(&r->output, r->ctl->timeout_s, &unheard);
	if (!code)
		code = account(r, err);
	if (r->created && ctl_call(r->ctl, "engine.destroy", ctl_engine(r->ctl), NULL, &unheard) &&
	    !code)
		code = unheard.faults[0].code;
	pt_error_clear(&unheard);
	return code;
}

/* Nobody reads what is printed: nothing may be left running. */
static void abandon(void *arg)
{
	struct running *r = arg;
	r->unread = true;
	if (r->waiting)
		stop_now(r);
	end_waiting(r, false);
	if (r->created)
		finish(r, 0, NULL);
	private_end(&r->daemon, r->ctl);
}

static int status_of(const struct running *r)
{
	if (interrupts)
		return EXIT_INTERRUPTED;
	return r->late ? EXIT_TIMEOUT : r->failed ? EXIT_REFUSED : EXIT_DONE;
}

/* --timeout is for the whole of it, and not for each request. */
static double take_limit(struct ctl *ctl)
{
	double limit_s = json_object_get(ctl->values, "timeout") ? ctl->timeout_s : INFINITY;
	ctl->timeout_s = ctl->patience_s;
	return limit_s;
}

int verb_run(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct running r = {.ctl = ctl, .terminal = isatty(STDERR_FILENO) && !ctl->json};
	r.limit_s = take_limit(ctl);
	r.output = (struct attachment){.json = ctl->json, .before = clear_line, .arg = &r};
	progress_init(&r.progress, clock_s());
	ctl->carries = true;
	ctl_catch(interrupted);
	out_set_last(abandon, &r);
	int code = account_check(json_object_get(ctl->values, "allow_drops"), &err);
	if (!code)
		code = prepare(&r, &err);
	hint_at_private(&r, &err);
	if (!code)
		code = wait_until_done(&r, &err);
	code = finish(&r, code, &err);
	int status = code ? ctl_refused(ctl, &err) : status_of(&r);
	out_set_last(NULL, NULL);
	attach_close(&r.output);
	pt_client_close(r.waiter);
	hand_over_end(&r.files, ctl, r.started);
	pipe_fini(&r.pipe);
	private_end(&r.daemon, ctl);
	return status;
}
