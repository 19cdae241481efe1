/* SPDX-License-Identifier: BSD-2-Clause */
/* A timer, and what was seen of each engine when it fired before. */
#include "daemon/watchdog.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/catalog.h"
#include "daemon/engines.h"
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { LOOKS = 4 }; /* in a period */

struct seen {
	char *name;
	uint64_t pulse;
	uint64_t since_ms; /* it has been that */
	bool hangs;        /* and was named */
};

struct watchdog {
	uv_timer_t timer;
	struct engines *engines;
	uint64_t period_ms, now_ms;
	struct seen *seen; /* in the order of the names, as engines_pulses tells them */
	size_t count;
	struct seen *before; /* of the look before, while looking */
	size_t before_count, before_at;
	bool all_live;
};

static struct seen *find_before(struct watchdog *w, const char *name)
{
	while (w->before_at < w->before_count) {
		struct seen *seen = &w->before[w->before_at];
		int order = strcmp(seen->name, name);
		if (order >= 0)
			return order ? NULL : seen;
		w->before_at++;
	}
	return NULL;
}

static void judge(struct watchdog *w, struct seen *seen)
{
	const struct log_about about = {.engine = seen->name, .event = CATALOG_ENGINE_HUNG};
	uint64_t still_ms = w->now_ms - seen->since_ms;
	if (still_ms)
		w->all_live = false;
	if (seen->hangs || still_ms < w->period_ms / 2)
		return;
	seen->hangs = true;
	log_about(&about, LOG_LEVEL_ERROR,
	          "engine %s hangs: its thread has not answered for %.1f s; the service is "
	          "restarted if that goes on",
	          seen->name, (double)still_ms / 1000);
}

static void revive(const struct watchdog *w, const struct seen *before)
{
	const struct log_about about = {.engine = before->name};
	if (before->hangs)
		log_about(&about, LOG_LEVEL_WARNING, "engine %s goes on, after %.1f s",
		          before->name, (double)(w->now_ms - before->since_ms) / 1000);
}

static void look(void *arg, const char *name, uint64_t pulse)
{
	struct watchdog *w = arg;
	struct seen *before = find_before(w, name), *seen = &w->seen[w->count++];
	*seen = (struct seen){must_strdup(name), pulse, w->now_ms, false};
	if (before && before->pulse == pulse) {
		seen->since_ms = before->since_ms;
		seen->hangs = before->hangs;
	} else if (before) {
		revive(w, before);
	}
	judge(w, seen);
}

static void forget(struct seen *seen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(seen[i].name);
	free(seen);
}

static void on_time(uv_timer_t *timer)
{
	struct watchdog *w = timer->data;
	w->before = w->seen;
	w->before_count = w->count;
	w->before_at = 0;
	w->now_ms = uv_now(timer->loop);
	w->seen = must_calloc(engines_count(w->engines), sizeof *w->seen);
	w->count = 0;
	w->all_live = true;
	engines_pulses(w->engines, look, w);
	forget(w->before, w->before_count);
	if (w->all_live)
		sd_notify(0, "WATCHDOG=1");
}

size_t watchdog_hung(const struct watchdog *w, struct buf *names)
{
	size_t hung = 0;
	for (size_t i = 0; w && i < w->count; i++)
		if (w->seen[i].hangs)
			buf_addf(names, "%s%s", hung++ ? ", " : "", w->seen[i].name);
	return hung;
}

uint64_t watchdog_period_ms(void)
{
	uint64_t period_us;
	return sd_watchdog_enabled(0, &period_us) > 0 ? period_us / 1000 : 0;
}

struct watchdog *watchdog_new(uv_loop_t *loop, struct engines *engines, uint64_t period_ms)
{
	if (!period_ms)
		return NULL;
	uint64_t each_ms = period_ms / LOOKS ? period_ms / LOOKS : 1;
	struct watchdog *w = must_calloc(1, sizeof *w);
	w->engines = engines;
	w->period_ms = period_ms;
	uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, on_time, each_ms, each_ms);
	return w;
}

static void closed(uv_handle_t *handle)
{
	struct watchdog *w = handle->data;
	forget(w->seen, w->count);
	free(w);
}

void watchdog_free(struct watchdog *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->timer, closed);
}
