/* SPDX-License-Identifier: BSD-2-Clause */
/* The engines stop, the peers read their last answers, and the loop ends: all of it in bounded
   time. */
#include "daemon/ending.h"

#include "base/log.h"
#include "daemon/catalog.h"
#include "daemon/console.h"
#include "daemon/daemon.h"
#include "daemon/engines.h"
#include "daemon/http.h"
#include "daemon/notify.h"
#include "daemon/pull.h"
#include "daemon/server.h"
#include <stdlib.h>
#include <unistd.h>

enum {
	END_MS = 10000,     /* for the engines to stop */
	FAREWELL_MS = 1000, /* then for the peers to read their answers */
	TWICE_MS = 500,     /* twice in so short a time is once: a parent with threads has ended */
};

static void give_up(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	if (!d->engines_ended) {
		static const struct log_about about = {.event = CATALOG_ENGINES_NOT_STOPPED};
		log_about(&about, LOG_LEVEL_ERROR,
		          "the engines have not stopped in %d s; what they hold is lost",
		          END_MS / 1000);
		_exit(EXIT_FAILURE);
	}
	if (d->loads) {
		log_error("a worker has not ended; the daemon ends without what it makes");
		_exit(EXIT_FAILURE);
	}
	uv_stop(&d->loop); /* some peer does not read its answer */
}

static void look_for_end(uv_prepare_t *prepare)
{
	struct daemon *d = prepare->data;
	if (d->engines_ended && !d->loads && pull_is_over(d->pull) && !server_is_busy(d->server) &&
	    console_idle(d->console))
		uv_stop(&d->loop);
}

static void engines_gone(void *arg, int code, json_t *result, struct pt_error *err)
{
	struct daemon *d = arg;
	d->engines_ended = true;
	uv_timer_start(&d->deadline, give_up, FAREWELL_MS, 0);
}

void ending_begin(struct daemon *d, const char *why)
{
	if (d->ending && uv_now(&d->loop) - d->ending_since_ms < TWICE_MS)
		return;
	if (d->ending) {
		log_error("%s again: ended at once; what the engines hold is lost", why);
		_exit(EXIT_FAILURE);
	}
	d->ending = true;
	d->ending_since_ms = uv_now(&d->loop);
	notify_stopping(d->notify);
	size_t count = engines_count(d->engines);
	log_info("%s: stopping %zu engine%s", why, count, count == 1 ? "" : "s");
	http_free(d->http);
	d->http = NULL;
	pull_end(d->pull);
	server_retire(d->server);
	uv_timer_start(&d->deadline, give_up, END_MS, 0);
	uv_prepare_start(&d->ending_turn, look_for_end);
	engines_end(d->engines, engines_gone, d);
}

static void on_other_end(uv_poll_t *poll, int status, int events)
{
	uv_poll_stop(poll);
	ending_begin(poll->data, "--ends-with");
}

/* It may have ended before: that is an event, too. */
void ending_watch(struct daemon *d)
{
	uv_prepare_init(&d->loop, &d->ending_turn);
	d->ending_turn.data = d;
	if (d->options->ends_with < 0)
		return;
	if (uv_poll_init(&d->loop, &d->ends_with, (int)d->options->ends_with)) {
		log_error("--ends-with: this descriptor cannot be watched");
		return;
	}
	d->ends_with.data = d;
	uv_poll_start(&d->ends_with, UV_READABLE | UV_DISCONNECT, on_other_end);
}
