/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that applies a folder. */
#include "daemon/pull.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/moment.h"
#include "base/thread.h"
#include "daemon/catalog.h"
#include "daemon/conf.h"
#include "daemon/pull_inside.h"
#include "daemon/pull_read.h"
#include "daemon/pull_watch.h"
#include "daemon/revisions.h"
#include "fleet/label.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* So long nothing changes in a folder before it counts as whole, where no list says so; so soon it
   is looked at again while it does; and after so long is tried again what was refused. */
enum { QUIET_MS = 1000, SOON_MS = 100, AGAIN_MS = 60000 };

/* ---- status: [any thread] ---- */

json_t *pull_status(struct pull *p)
{
	pthread_mutex_lock(&p->lock);
	json_t *status = json_deep_copy(p->status);
	pthread_mutex_unlock(&p->lock);
	return status;
}

static int keep(const struct pull *p, const json_t *status)
{
	char *text = p->file ? json_dumps(status, JSON_INDENT(1)) : NULL;
	int code = text ? io_replace(p->file, 0600, text, strlen(text)) : 0;
	if (code)
		log_error("%s: %s", p->file, error_words(code));
	free(text);
	return code;
}

static void put(json_t *status, const char *name, json_t *value)
{
	if (json_is_null(value))
		json_object_del(status, name);
	else
		json_object_set(status, name, value);
}

int pull_set(struct pull *p, json_t *more)
{
	const char *name;
	json_t *value, *before = pull_status(p), *now;
	pthread_mutex_lock(&p->lock);
	json_object_foreach (more, name, value)
		put(p->status, name, value);
	now = json_deep_copy(p->status);
	pthread_mutex_unlock(&p->lock);
	int code = json_equal(before, now) ? 0 : keep(p, now);
	json_decref(before);
	json_decref(now);
	json_decref(more);
	return code;
}

static bool is_now(const json_t *status, const char *name, const char *text)
{
	return !strcmp(text_of(status, name), text ? text : "");
}

bool pull_set_state(struct pull *p, const char *state, const char *hash, const char *why)
{
	json_t *now = pull_status(p), *words = why ? json_text(why) : json_null();
	bool same = is_now(now, "state", state) && is_now(now, "hash", hash) &&
	            is_now(now, "why", json_string_value(words));
	json_decref(now);
	if (!same)
		pull_set(p, json_pack("{s:s, s:s?, s:O, s:o}", "state", state, "hash", hash, "why",
		                      words, "since", revisions_time_json(moment_now())));
	json_decref(words);
	return !same;
}

static void add_below(struct buf *words, const char *hint)
{
	for (const char *line = hint, *end; line && *line; line = end + (*end != '\0')) {
		end = line + strcspn(line, "\n");
		buf_addf(words, "\n        %.*s", (int)(end - line), line);
	}
}

void pull_refuse(struct pull *p, const char *from, const char *hash, const struct pt_error *err)
{
	static const struct log_about about = {.event = CATALOG_FLEET};
	struct buf why = BUF_INIT, words = BUF_INIT;
	for (size_t i = 0; i < err->count; i++) {
		const struct pt_fault *fault = &err->faults[i];
		buf_addf(&why, "%s%s", i ? "; " : "", fault->message);
		buf_addf(&words, "\n    %s", fault->message);
		add_below(&words, fault->hint);
	}
	if (pull_set_state(p, "refused", hash, why.length ? why.data : "refused"))
		log_about(&about, LOG_LEVEL_ERROR,
		          "fleet: %s is not applied, and nothing is changed:%s", from, words.data);
	buf_free(&why);
	buf_free(&words);
}

json_t *pull_info(struct pull *p)
{
	pthread_mutex_lock(&p->lock);
	bool any = json_object_get(p->settings, "from");
	json_t *info = any ? json_deep_copy(p->status) : NULL;
	pthread_mutex_unlock(&p->lock);
	json_object_del(info, "open");
	return info;
}

char *pull_flaw(struct pull *p)
{
	json_t *info = pull_info(p);
	const char *state = text_of(info, "state");
	bool bad = !strcmp(state, "refused") || !strcmp(state, "taken back");
	char *words =
		bad ? must_printf("the folder %s of the fleet is %s", text_of(info, "from"), state)
		    : NULL;
	json_decref(info);
	return words;
}

/* ---- waiting: [thread of pull] ---- */

enum rest { REST_TIME, REST_CHANGED, REST_CALLED };

bool pull_ends(struct pull *p)
{
	pthread_mutex_lock(&p->lock);
	bool ends = p->ends;
	pthread_mutex_unlock(&p->lock);
	return ends;
}

static bool is_called(struct pull *p)
{
	pthread_mutex_lock(&p->lock);
	bool called = p->ends || p->called;
	pthread_mutex_unlock(&p->lock);
	return called;
}

static int left_ms(double until_s)
{
	double left_s = until_s - clock_s();
	return left_s <= 0 ? 0 : left_s < 1000000 ? (int)(left_s * 1000) + 1 : 1000000000;
}

/* Until something is told, or the time is over. */
static void wait_once(struct pull *p, int fd, int ms)
{
	struct pollfd fds[] = {{p->wake, POLLIN, 0}, {fd, POLLIN, 0}};
	uint64_t count;
	if (poll(fds, 2, ms) > 0 && fds[0].revents && read(p->wake, &count, sizeof count) < 0)
		return; /* another took it */
}

bool pull_rest(void *arg, double until_s)
{
	struct pull *p = arg;
	for (int ms; !pull_ends(p) && (ms = left_ms(until_s));)
		wait_once(p, -1, ms);
	return !pull_ends(p);
}

/* ms < 0: for ever. */
static enum rest rest(struct pull *p, struct pull_watch *watch, int ms)
{
	double until_s = clock_s() + ms / 1e3;
	for (int left = ms; !is_called(p); left = ms < 0 ? ms : left_ms(until_s)) {
		if (watch && pull_watch_told(watch))
			return REST_CHANGED;
		if (!left)
			return REST_TIME;
		wait_once(p, watch ? pull_watch_fd(watch) : -1, left);
	}
	return REST_CALLED;
}

/* ---- connecting ---- */

static void joined(struct pt_letter *letter)
{
	struct pull *p = (struct pull *)((char *)letter - offsetof(struct pull, join));
	int fd = p->connect(p->arg);
	pthread_mutex_lock(&p->lock);
	p->fd = fd;
	p->has_joined = true;
	pthread_cond_signal(&p->answered);
	pthread_mutex_unlock(&p->lock);
}

int pull_connect(struct pull *p, struct pt_error *err)
{
	if (p->client)
		return 0;
	pthread_mutex_lock(&p->lock);
	p->has_joined = false;
	if (!p->ends)
		mailbox_post(p->mailbox, &p->join);
	while (!p->ends && !p->has_joined)
		pthread_cond_wait(&p->answered, &p->lock);
	int fd = p->ends ? -EPIPE : p->fd;
	pthread_mutex_unlock(&p->lock);
	if (fd < 0)
		return pt_fail(err, fd == -PT_ELIMIT ? fd : -EPIPE, NULL,
		               fd == -PT_ELIMIT ? "there are as many connections as there may be"
		                                : "the daemon is ending");
	return pt_client_open_fds(fd, fd, &p->client);
}

void pull_hang_up(struct pull *p)
{
	if (!p->client)
		return;
	pthread_mutex_lock(&p->lock);
	p->fd = -1;
	pt_client_close(p->client);
	pthread_mutex_unlock(&p->lock);
	p->client = NULL;
}

/* ---- a folder ---- */

/* Until all of it is there: as it says itself, or because nothing changes. -ECANCELED: it is to be
   begun anew. */
static int settle(struct pull *p, const json_t *settings, struct pull_watch *watch,
                  struct folder *folder, struct pt_error *err)
{
	char *last = NULL;
	for (;;) {
		bool whole;
		enum rest rested;
		int code = pull_read(text_of(settings, "from"),
		                     json_string_value(json_object_get(settings, "key")), folder,
		                     &whole, err);
		const char *now = code ? pt_error_text(err, "") : folder->hash;
		if (whole || (last && !strcmp(last, now))) {
			free(last);
			return code;
		}
		free(last);
		last = must_strdup(now);
		folder_free(folder);
		pt_error_clear(err);
		if ((rested = rest(p, watch, QUIET_MS)) == REST_TIME)
			continue;
		free(last);
		last = NULL;
		if (rested == REST_CALLED || rest(p, NULL, SOON_MS) == REST_CALLED)
			return -ECANCELED;
	}
}

/* What was asked for is still to be done. */
static void call_again(struct pull *p, bool called)
{
	pthread_mutex_lock(&p->lock);
	p->called |= called;
	pthread_mutex_unlock(&p->lock);
}

static int look(struct pull *p, const json_t *settings, struct pull_watch *watch, bool called)
{
	struct folder folder;
	struct pt_error err = PT_ERROR_INIT;
	bool again = true;
	int code = settle(p, settings, watch, &folder, &err);
	bool whole = !code;
	if (code == -ECANCELED) {
		call_again(p, called);
		return 0;
	}
	if (!code)
		code = folder_check(&folder, "this host", json_object_get(settings, "labels"),
		                    &err);
	if (code)
		pull_refuse(p, text_of(settings, "from"), whole ? folder.hash : NULL, &err);
	else
		again = pull_apply(p, settings, &folder, called);
	folder_free(&folder);
	pt_error_clear(&err);
	return again ? AGAIN_MS : -1;
}

static json_t *take_settings(struct pull *p, bool *called)
{
	pthread_mutex_lock(&p->lock);
	json_t *settings = json_deep_copy(p->settings);
	*called = p->called;
	p->called = false;
	pthread_mutex_unlock(&p->lock);
	return settings;
}

/* Of a folder that is another, nothing is known. */
static void be_of(struct pull *p, const char *from)
{
	json_t *status = pull_status(p);
	if (strcmp(text_of(status, "from"), from))
		pull_set(p, json_pack("{s:s, s:s, s:n, s:n, s:n, s:n, s:o}", "from", from, "state",
		                      "reading", "hash", "applied", "why", "since", "engines",
		                      json_array()));
	json_decref(status);
}

static void go_round(struct pull *p)
{
	bool called;
	json_t *settings = take_settings(p, &called);
	const char *from = json_string_value(json_object_get(settings, "from"));
	struct pull_watch *watch = NULL;
	int ms = -1;
	if (from) {
		be_of(p, from);
		watch = pull_watch_new(from);
		ms = look(p, settings, watch, called);
	}
	pull_hang_up(p);
	rest(p, watch, ms);
	pull_watch_free(watch);
	json_decref(settings);
}

/* What the daemon before has left. Was it ended while it watched, the folder may be why. */
static void begin_where_it_was(struct pull *p)
{
	struct buf text = BUF_INIT;
	if (!p->file || io_read_file(p->file, 0, 16 * 1024 * 1024, &text))
		return;
	json_t *kept = json_loads(text.data, 0, NULL);
	const char *open = text_of(kept, "open");
	pthread_mutex_lock(&p->lock);
	json_object_update(p->status, kept);
	pthread_mutex_unlock(&p->lock);
	if (*open) {
		pull_recover(p, open);
		if (!strcmp(text_of(kept, "state"), "watching"))
			pull_set_state(p, "taken back", text_of(kept, "hash"),
			               "the daemon ended while it was watched");
		pull_set(p, json_pack("{s:n}", "open"));
	}
	json_decref(kept);
	buf_free(&text);
}

static void ended(struct pt_letter *letter)
{
	struct pull *p = (struct pull *)((char *)letter - offsetof(struct pull, over));
	p->is_over = true;
}

static void *run(void *arg)
{
	struct pull *p = arg;
	begin_where_it_was(p);
	while (!pull_ends(p))
		go_round(p);
	pull_hang_up(p);
	mailbox_post(p->mailbox, &p->over);
	return NULL;
}

/* ---- for the control loop ---- */

struct pull *pull_new(struct mailbox *mailbox, const char *folder, int (*connect)(void *arg),
                      void *arg)
{
	struct pull *p = must_calloc(1, sizeof *p);
	p->mailbox = mailbox;
	p->connect = connect;
	p->arg = arg;
	p->file = folder ? must_printf("%s/fleet.json", folder) : NULL;
	p->is_over = true;
	p->join.read = joined;
	p->over.read = ended;
	p->wake = p->fd = -1;
	p->settings = json_object();
	p->status = json_pack("{s:s, s:[]}", "state", "reading", "engines");
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->answered, NULL);
	return p;
}

static void wake(struct pull *p)
{
	const uint64_t one = 1;
	if (write(p->wake, &one, sizeof one) < 0)
		return; /* it is awake */
}

/* Something may be open of a [fleet] that was there. */
static bool has_work(const struct pull *p)
{
	return json_object_get(p->settings, "from") || (p->file && !access(p->file, F_OK));
}

/* A host without [fleet] has no thread for it. */
static void start(struct pull *p)
{
	struct pt_error err = PT_ERROR_INIT;
	if (!p->begun || p->has_thread || p->ends || !has_work(p))
		return;
	if (p->wake < 0 && (p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		pt_fail(&err, -errno, NULL, "no descriptor: %s", error_words(errno));
	else if (!thread_start("the thread of [fleet]", 0, run, p, &p->thread, &err))
		p->is_over = false, p->has_thread = true;
	for (size_t i = 0; i < err.count; i++)
		log_error("fleet: %s is not looked at: %s", text_of(p->settings, "from"),
		          err.faults[i].message);
	pt_error_clear(&err);
}

void pull_configure(struct pull *p, const struct conf *conf)
{
	json_t *labels = label_set_all(conf->fleet_labels);
	json_t *settings =
		json_pack("{s:s*, s:s*, s:o, s:s, s:f, s:b}", "from", conf->fleet_from, "key",
	                  conf->fleet_key, "labels", labels, "gate", conf->fleet_gate, "soak_s",
	                  conf->fleet_soak_s, "prune", conf->fleet_prune);
	pthread_mutex_lock(&p->lock);
	json_decref(p->settings);
	p->settings = settings;
	p->called = p->begun;
	pthread_mutex_unlock(&p->lock);
	wake(p);
	start(p);
}

void pull_begin(struct pull *p)
{
	p->begun = true;
	start(p);
}

void pull_end(struct pull *p)
{
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	if (p->fd >= 0)
		shutdown(p->fd, SHUT_RDWR);
	pthread_cond_signal(&p->answered);
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

bool pull_is_over(const struct pull *p)
{
	return p->is_over;
}

void pull_free(struct pull *p)
{
	if (!p->is_over)
		return;
	if (p->has_thread)
		pthread_join(p->thread, NULL);
	if (p->wake >= 0)
		close(p->wake);
	if (p->fd >= 0)
		close(p->fd);
	pthread_cond_destroy(&p->answered);
	pthread_mutex_destroy(&p->lock);
	json_decref(p->settings);
	json_decref(p->status);
	free(p->file);
	free(p);
}
