/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts the parts together, and takes them apart in order. */
#include "daemon/daemon.h"

#include "base/memory.h"
#include "base/error.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/named_fd.h"
#include "base/workers.h"
#include "daemon/blocks.h"
#include "daemon/boot.h"
#include "daemon/catalog.h"
#include "daemon/console.h"
#include "daemon/ending.h"
#include "daemon/engines.h"
#include "daemon/events.h"
#include "daemon/http.h"
#include "daemon/journal.h"
#include "daemon/store.h"
#include "daemon/journald.h"
#include "daemon/loaded.h"
#include "daemon/notify.h"
#include "daemon/pipe_folder.h"
#include "daemon/places.h"
#include "daemon/pull.h"
#include "daemon/renew.h"
#include "daemon/server.h"
#include "daemon/status.h"
#include "daemon/watchdog.h"
#include "msg/json.h"
#include "net/watch.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	BEGIN_MS = 5000, /* for engines to be there, before whoever connects is served */
	LOST_TOLD_MS = 1000,
	SOCKETS = 2,
	DESCRIPTORS = 32,
};

/* ---- configuration ---- */

static void log_faults(const char *path, const struct pt_error *err)
{
	static const struct log_about about = {.event = CATALOG_BAD_CONFIGURATION};
	for (size_t i = 0; i < err->count; i++) {
		const struct pt_fault *fault = &err->faults[i];
		log_about(&about, LOG_LEVEL_ERROR, "%s: %s%s%s", path, fault->message,
		          fault->hint ? "; " : "", fault->hint ? fault->hint : "");
	}
}

static int read_conf(struct daemon *d, struct conf *conf)
{
	const char *given = d->options->config;
	char *usual = places_config(d->options);
	const char *path = given ? given : usual;
	struct pt_error err = PT_ERROR_INIT;
	int code = conf_read(path, !given, conf, &err);
	if (!code)
		places_fill(d->options, conf);
	log_faults(path, &err);
	free(usual);
	pt_error_clear(&err);
	return code;
}

static const char *engines_folder(const struct daemon *d)
{
	return d->options->engines ? d->options->engines : d->conf.engines;
}

char *daemon_engines_folder(const struct daemon *d)
{
	char *path = realpath(engines_folder(d), NULL);
	return path ? path : must_strdup(engines_folder(d));
}

static size_t load_blocks(const struct daemon *d)
{
	return blocks_scan(d->options->blocks ? d->options->blocks : d->conf.blocks, &d->conf);
}

static void set_log_level(const struct daemon *d)
{
	int said = d->options->log_level;
	log_set_level((enum log_level)(said >= 0 ? said : d->conf.log_level));
}

/* ---- what the engines tell ---- */

static void on_output(void *arg, const char *engine, const char *block, enum pt_canal canal,
                      const char *text, size_t length)
{
	struct daemon *d = arg;
	if (!engines_is_owned(d->engines, engine))
		console_write(d->console, engine, block, text, length);
	server_output(d->server, engine, block, canal_name(canal), text, length);
}

static void on_output_ended(void *arg)
{
	struct daemon *d = arg;
	console_push(d->console);
}

static void on_output_lost(void *arg, const char *engine, uint64_t texts)
{
	struct daemon *d = arg;
	server_lost(d->server, engine, texts);
	d->lost += texts;
	if (d->lost_told_ms && uv_now(&d->loop) - d->lost_told_ms < LOST_TOLD_MS)
		return;
	const struct log_about about = {.engine = engine, .event = CATALOG_TEXT_DROPPED};
	log_about(&about, LOG_LEVEL_WARNING,
	          "engine %s prints faster than it can be told; %" PRIu64 " texts were dropped",
	          engine, d->lost);
	d->lost_told_ms = uv_now(&d->loop);
	d->lost = 0;
}

static void on_report(void *arg, const char *engine, const char *block, int error,
                      const char *words)
{
	struct daemon *d = arg;
	if (block)
		events_tell(d->events, error ? "block.error" : "block.note", engine, block, NULL,
		            json_pack("{s:s}", "message", words));
	const struct log_about about = {.engine = engine,
	                                .block = block,
	                                .revision = engines_revision(d->engines, engine),
	                                .event = error ? CATALOG_BLOCK_FAULT : NULL};
	log_about(&about, error ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "engine %s%s%s: %s", engine,
	          block ? ", block " : "", block ? block : "", words);
}

static void on_block_state(void *arg, const char *engine, const char *block, const char *state)
{
	const struct daemon *d = arg;
	events_tell_state(d->events, engine, block, state);
}

static void on_event(void *arg, const char *name, const char *engine, const json_t *about,
                     json_t *data)
{
	struct daemon *d = arg;
	events_tell(d->events, name, engine, NULL, about, data);
}

static void on_reread(void *arg, const char *engine, engines_done *done, void *done_arg)
{
	struct daemon *d = arg;
	boot_reread(d->boot, engine, done, done_arg);
}

static void on_network(void *arg)
{
	struct daemon *d = arg;
	engines_retry_soon(d->engines);
}

/* ---- engines that come to be: at the beginning, and after a reload ---- */

static void tell_ready(struct daemon *d)
{
	if (!d->ready && !d->ending) {
		uv_timer_stop(&d->deadline);
		server_begin(d->server);
		notify_ready(d->notify);
		pull_begin(d->pull);
	}
	d->ready = true;
}

static void one_beginning_less(struct daemon *d)
{
	if (--d->beginnings)
		return;
	store_sweep(d->store);
	tell_ready(d);
}

static void on_settled(void *arg)
{
	struct daemon *d = arg;
	if (d->beginnings)
		one_beginning_less(d);
}

static void on_restored(void *arg, int code, json_t *result, struct pt_error *err)
{
	one_beginning_less(arg);
}

/* Some file or device does not answer: whoever has connected meanwhile shall not wait for it. */
static void on_slow_start(uv_timer_t *timer)
{
	log_warning("some engine is still being started");
	tell_ready(timer->data);
}

static void await_beginnings(struct daemon *d, unsigned beginnings)
{
	d->ready = false;
	d->beginnings = beginnings;
	uv_timer_start(&d->deadline, on_slow_start, BEGIN_MS, 0);
}

static void tell_if_late(const char *key, const char *before, const char *now)
{
	if (strcmp(before ? before : "", now ? now : ""))
		log_warning("'%s' is read at the start only: its new value takes a restart", key);
}

static void reload(struct daemon *d)
{
	struct conf conf = {0};
	if (d->ready) {
		notify_reloading(d->notify);
		await_beginnings(d, 1);
	}
	d->bad_conf = read_conf(d, &conf) != 0;
	if (d->bad_conf) {
		log_error("the configuration stays as it was");
	} else {
		tell_if_late("socket", d->conf.socket, conf.socket);
		tell_if_late("viewer_socket", d->conf.viewer_socket, conf.viewer_socket);
		tell_if_late("listen", d->conf.http_listen, conf.http_listen);
		tell_if_late("state", d->conf.state, conf.state);
		conf_clear(&d->conf);
		d->conf = conf;
		set_log_level(d);
		server_configure(d->server, &d->conf);
		engines_configure(d->engines, &d->conf);
		log_info("the configuration was read again");
	}
	server_look_after(d->server);
	json_t *types = renew_types();
	load_blocks(d);
	renew_engines(d->engines, types);
	boot_scan(d->boot, engines_folder(d));
	pull_configure(d->pull, &d->conf);
	engines_retry_soon(d->engines);
	engines_reopen(d->engines);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;
	if (number != SIGHUP)
		ending_begin(d, number == SIGINT ? "SIGINT" : "SIGTERM");
	else if (!d->ending)
		reload(d);
}

/* ---- the beginning ---- */

/* The types come first. A file of blocks.d outdoes what was loaded under the same names. */
static int on_found(void *arg, const char *name, const json_t *records, struct pt_error *err)
{
	struct daemon *d = arg;
	const struct func_limits limits = blocks_limits(&d->conf);
	if (strcmp(name, LOADED_JOURNAL))
		return engines_restore(d->engines, name, records, err);
	loaded_restore(d->loaded, records, &limits);
	load_blocks(d);
	return 0;
}

static void on_lost(void *arg, const char *name, const char *why, bool aside)
{
	struct daemon *d = arg;
	if (strcmp(name, LOADED_JOURNAL))
		engines_lost(d->engines, name, why, aside);
	else
		log_error("block types that were loaded are lost: %s", why);
}

static void start_engines(struct daemon *d)
{
	await_beginnings(d, 2);
	load_blocks(d);
	if (d->journal)
		journal_scan(d->journal, on_found, on_lost, d);
	engines_when_restored(d->engines, on_restored, d);
	boot_scan(d->boot, engines_folder(d));
	uv_update_time(&d->loop); /* files were read meanwhile */
	if (!d->ready)
		uv_timer_start(&d->deadline, on_slow_start, BEGIN_MS, 0);
}

/* What it may do itself it does not pass on to the programs that it runs; before there are threads,
   each of which would have to. */
static void keep_rights(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* Whatever is opened at the beginning finds room then, libuv's pipes, too, without which it
   aborts. */
static int check_descriptors(void)
{
	int fds[DESCRIPTORS], count = 0;
	while (count < DESCRIPTORS && (fds[count] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (count == DESCRIPTORS)
		return 0;
	log_error("there are %d free file descriptors, and the daemon wants %d to begin with: "
	          "raise the limit (ulimit -n, LimitNOFILE= of the unit)",
	          count, DESCRIPTORS);
	return -EMFILE;
}

static int open_control(const struct daemon *d, struct control_socket *socket, struct pt_error *err)
{
	const char *variable = getenv("PIPETOOL_SOCKET"), *said = d->options->socket;
	char *path = NULL;
	if (!said)
		said = variable && *variable ? variable : d->conf.socket;
	int code = said ? 0 : socket_default_path(&path, err);
	if (!code)
		code = socket_open(said ? said : path, false, socket, err);
	free(path);
	return code;
}

/* Those of systemd come before what the configuration says, but after what the command line
   does. */
static int open_sockets(const struct daemon *d, struct control_socket sockets[SOCKETS],
                        size_t *count)
{
	struct pt_error err = PT_ERROR_INIT;
	struct control_socket control, viewers;
	int code = 0;
	socket_take_passed(&control, &viewers);
	if (d->options->socket && control.fd >= 0)
		socket_close(&control);
	if (control.fd < 0)
		code = open_control(d, &control, &err);
	if (!code && viewers.fd < 0 && d->conf.viewer_socket)
		code = socket_open(d->conf.viewer_socket, true, &viewers, &err);
	if (code && control.fd >= 0)
		socket_close(&control);
	if (!code && control.path)
		log_info("it listens on %s", control.path);
	sockets[0] = control;
	sockets[1] = viewers;
	*count = viewers.fd < 0 ? 1 : 2;
	for (size_t i = 0; i < err.count; i++)
		log_error("%s%s%s", err.faults[i].message, err.faults[i].hint ? "; " : "",
		          err.faults[i].hint ? err.faults[i].hint : "");
	pt_error_clear(&err);
	return code;
}

static void watch_signals(struct daemon *d)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		uv_signal_start(&d->signals[i], on_signal, numbers[i]);
	}
}

static void open_loop(struct daemon *d)
{
	enum { TURN_NS = 1000000 };
	if (uv_loop_init(&d->loop) || mailbox_init(&d->mailbox, &d->loop, TURN_NS))
		out_of_memory();
	uv_timer_init(&d->loop, &d->deadline);
	d->deadline.data = d;
	d->started_ms = uv_now(&d->loop);
}

static void tell_status(void *arg, struct buf *out)
{
	status_tell(arg, out);
}

static char *state_folder(const struct daemon *d)
{
	if (d->options->state)
		return must_strdup(d->options->state);
	return d->conf.state ? must_strdup(d->conf.state) : places_state(d->options);
}

static int connect_within(void *arg)
{
	struct daemon *d = arg;
	return server_join(d->server, false, false);
}

static void open_parts(struct daemon *d, const struct control_socket *sockets, size_t count)
{
	const struct engines_events events = {.output = on_output,
	                                      .output_ended = on_output_ended,
	                                      .output_lost = on_output_lost,
	                                      .report = on_report,
	                                      .block_state = on_block_state,
	                                      .event = on_event,
	                                      .reread = on_reread,
	                                      .arg = d};
	d->console = console_new(STDOUT_FILENO, &d->mailbox);
	d->events = events_new(d);
	d->engines = engines_new(&d->loop, &d->mailbox, &events);
	engines_configure(d->engines, &d->conf);
	engines_keep(d->engines, d->journal);
	engines_store_in(d->engines, d->store);
	d->loaded = loaded_new(d->journal);
	d->server = server_new(d, &d->loop, sockets, count, &d->conf);
	char *state = state_folder(d);
	engines_place(d->engines, state);
	d->boot = boot_new(d->engines, state, on_settled, d);
	free(state);
	d->pull = pull_new(&d->mailbox, d->journal ? journal_folder(d->journal) : NULL,
	                   connect_within, d);
	pull_configure(d->pull, &d->conf);
	d->notify = notify_new(&d->loop, tell_status, d);
	d->net = net_watch_new(&d->loop, on_network, d);
	d->watchdog = watchdog_new(&d->loop, d->engines, watchdog_period_ms());
}

/* A folder that nobody asked for may be out of reach: then nothing is kept. */
static int open_journal(struct daemon *d)
{
	struct pt_error err = PT_ERROR_INIT;
	bool asked = d->options->state || d->conf.state || getenv("STATE_DIRECTORY");
	char *folder = state_folder(d);
	int code = journal_open(folder, &d->mailbox, &d->journal, &err);
	free(folder);
	if (code && asked)
		log_error("%s", pt_error_text(&err, ""));
	else if (code)
		log_warning(
			"%s; engines will not outlast this daemon (--state names another folder)",
			pt_error_text(&err, ""));
	pt_error_clear(&err);
	return asked ? code : 0;
}

/* Without these nothing would come on. */
static int begin_threads(struct daemon *d)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = workers_begin(&err);
	if (!code)
		code = store_new(&d->store, &err);
	if (code)
		log_error("%s", pt_error_text(&err, error_words(code)));
	pt_error_clear(&err);
	return code ? code : open_journal(d);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void close_loop(struct daemon *d)
{
	mailbox_close(&d->mailbox);
	uv_walk(&d->loop, close_handle, NULL);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	uv_loop_close(&d->loop);
	mailbox_fini(&d->mailbox);
	conf_clear(&d->conf);
}

/* A console that nobody reads would hold up the end: then it is left to the process's. */
static void close_parts(struct daemon *d)
{
	notify_free(d->notify);
	watchdog_free(d->watchdog);
	net_watch_free(d->net);
	boot_free(d->boot);
	pull_free(d->pull);
	server_free(d->server);
	engines_free(d->engines);
	events_free(d->events);
	loaded_free(d->loaded);
	if (console_idle(d->console))
		console_free(d->console);
}

/* Signals are watched before there is a socket: who can connect can also end the daemon cleanly. */
int daemon_run(const struct options *options)
{
	struct daemon d = {.options = options};
	struct control_socket sockets[SOCKETS];
	size_t socket_count;
	bool to_journal = journald_is(STDERR_FILENO);
	if (to_journal)
		log_set_taker(journald_take);
	log_set_times(options->log_times < 0 ? !to_journal : options->log_times);
	fds_raise_limit();
	keep_rights();
	if (check_descriptors() || read_conf(&d, &d.conf))
		return EXIT_FAILURE;
	set_log_level(&d);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like any other */
	json_object_seed(0);
	open_loop(&d);
	watch_signals(&d);
	ending_watch(&d);
	int code = begin_threads(&d);
	if (!code)
		code = open_sockets(&d, sockets, &socket_count);
	if (!code) {
		open_parts(&d, sockets, socket_count);
		code = http_open(&d);
		if (!code) {
			start_engines(&d);
			uv_run(&d.loop, UV_RUN_DEFAULT);
		}
		close_parts(&d);
		log_info("ended");
	}
	store_free(d.store);
	journal_close(d.journal);
	close_loop(&d);
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
}

int daemon_check(const struct options *options)
{
	struct daemon d = {.options = options};
	if (check_descriptors())
		return EXIT_FAILURE;
	bool good = !read_conf(&d, &d.conf);
	if (!good) {
		conf_default(&d.conf);
		places_fill(options, &d.conf);
	}
	access_free(access_new(&d.conf)); /* warns of whom there is not */
	named_fd_add_any();
	good &= !load_blocks(&d);
	const struct pt_engine_limits limits = engines_limits(&d.conf);
	char *state = state_folder(&d);
	good &= !pipe_folder_check(engines_folder(&d), state, &limits);
	free(state);
	good &= pull_check(&d.conf, &limits);
	conf_clear(&d.conf);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
