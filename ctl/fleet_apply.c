/* SPDX-License-Identifier: BSD-2-Clause */
/* ptctl fleet apply: a plan for all hosts, and waves of them, each of which is confirmed when its
   gate holds, or else taken back. */
#include "ctl/fleet_apply.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "ctl/change.h"
#include "ctl/fleet_comment.h"
#include "ctl/fleet_show.h"
#include "ctl/fleet_step.h"
#include "ctl/fleet_wave.h"
#include "ctl/out.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIRM_S 60.0
#define SOAK_S    10.0
#define BEFORE_S  10.0 /* so long at most is counted before the first change */

/* A lease is renewed when a sixth of it is over; no answer is waited for longer than a third, or
   than usual. */
enum { RENEWALS = 6, ANSWERS = 3 };

struct apply {
	struct fleet *fleet;
	struct fleet_host **changing; /* in the inventory's order */
	size_t count;
	size_t *waves, wave_count;
	struct gate *gate;
	double soak_s, confirm_s;
	bool revert_all, failed;
	char *comment, *wave; /* without the wave, and with it */
	struct fleet_change change;
	double renewed_s; /* by clock_s */
};

static volatile sig_atomic_t interrupted;

/* A second one does not wait: then leases are what takes the wave back. */
static void on_signal(int number)
{
	if (interrupted)
		_exit(EXIT_INTERRUPTED);
	interrupted = 1;
}

static double seconds_of(const struct ctl *ctl, const char *name, double otherwise)
{
	const json_t *given = json_object_get(ctl->values, name);
	return given ? json_number_value(given) : otherwise;
}

static void say(const struct apply *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct apply *a, const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&line, fmt, args);
	va_end(args);
	buf_addc(&line, '\n');
	if (a->fleet->ctl->json)
		buf_free(&line);
	else
		out_buf(&line);
}

/* ---- the plan ---- */

static bool tell_faults(struct apply *a, bool missing)
{
	bool any = false;
	for (size_t i = 0; i < a->fleet->count; i++) {
		struct fleet_host *h = &a->fleet->hosts[i];
		if (!fleet_failed(h) || h->missing != missing)
			continue;
		fleet_tell_refused(h);
		any = true;
	}
	return any;
}

/* Who could not be asked is left out, if there are not too many. */
static int check_missing(struct apply *a, struct pt_error *err)
{
	const char *share = ctl_text(a->fleet->ctl, "max_missing");
	size_t missing = 0, most = a->fleet->count;
	for (size_t i = 0; i < a->fleet->count; i++)
		missing += a->fleet->hosts[i].missing;
	int code = share ? waves_share("max-missing", share, a->fleet->count, &most, err) : 0;
	if (!code && missing > most)
		code = pt_fail(err, -ECONNREFUSED, "max_missing",
		               "nothing is changed: %zu of %zu hosts could not be asked, and "
		               "'--max-missing %s' allows %zu",
		               missing, a->fleet->count, share, most);
	return code;
}

static void take_changing(struct apply *a)
{
	a->changing = must_calloc(a->fleet->count + 1, sizeof *a->changing);
	for (size_t i = 0; i < a->fleet->count; i++) {
		struct fleet_host *h = &a->fleet->hosts[i];
		if (h->count && !h->told)
			a->changing[a->count++] = h;
	}
}

/* ---- a wave ---- */

/* Those that have been changed wait so long again. */
static void renew_if_due(struct apply *a, struct fleet_host **hosts, size_t count)
{
	if (clock_s() - a->renewed_s < a->confirm_s / RENEWALS)
		return;
	a->renewed_s = clock_s();
	fleet_each(a->fleet, hosts, count, fleet_renew);
}

/* In pieces that are done at once, between which leases are renewed: of all hosts of the wave, or,
   where it is being changed, of those that have been. */
static void each(struct apply *a, struct fleet_host **hosts, size_t count, fleet_act *act)
{
	size_t piece = jobs_count(a->fleet->jobs);
	for (size_t i = 0; i < count; i += piece) {
		size_t done = i + piece < count ? i + piece : count;
		fleet_each(a->fleet, hosts + i, done - i, act);
		renew_if_due(a, hosts, act == fleet_do ? done : count);
	}
}

static bool any_failed(struct fleet_host **hosts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fleet_failed(hosts[i]))
			return true;
	return false;
}

/* Until then, or until a signal comes. */
static void rest_until(double time_s)
{
	double left_s;
	while (!interrupted && (left_s = time_s - clock_s()) > 0)
		poll(NULL, 0, left_s < 1000 ? (int)(left_s * 1000) + 1 : 1000000);
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* Whether it holds. */
static bool soak(struct apply *a, struct fleet_host **hosts, size_t count)
{
	double end_s = clock_s() + a->soak_s, pause_s = least(a->soak_s / 4, 1);
	pause_s = least(pause_s > 0.05 ? pause_s : 0.05, a->confirm_s / RENEWALS);
	while (!any_failed(hosts, count) && !interrupted && clock_s() < end_s) {
		rest_until(least(clock_s() + pause_s, end_s));
		each(a, hosts, count, fleet_watch);
	}
	if (!any_failed(hosts, count) && !interrupted)
		each(a, hosts, count, fleet_judge);
	return !any_failed(hosts, count) && !interrupted;
}

static void show_done(const struct apply *a, const struct fleet_host *h)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct fleet_step *s = &h->steps[i];
		struct buf line = BUF_INIT;
		buf_addf(&line, "%s: %s: ", h->host->name, s->engine);
		if (s->what == FLEET_CHANGE)
			change_summary(&line, s->made, s->plan, out_columns());
		else
			buf_adds(&line,
			         s->what == FLEET_CREATE ? "made, and started" : "destroyed");
		if (s->fate == FLEET_OPEN)
			say(a, "%s", line.data);
		buf_free(&line);
	}
}

static void begin_wave(struct apply *a, size_t wave, size_t from)
{
	size_t count = a->waves[wave] - from;
	free(a->wave);
	a->change.comment = a->wave = fleet_comment_wave(a->comment, wave + 1, a->wave_count);
	say(a, "%swave %zu of %zu%s: %zu host%s from '%s' on", out_colour(OUT_BOLD), wave + 1,
	    a->wave_count, out_colour(OUT_PLAIN), count, count == 1 ? "" : "s",
	    a->changing[from]->host->name);
	a->renewed_s = clock_s();
}

/* Why the hosts of a wave go back, to be written into their logs: the first of the reasons. */
static char *reason(struct fleet_host **hosts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fleet_failed(hosts[i]))
			return must_printf("%s: %s", hosts[i]->host->name,
			                   pt_error_text(&hosts[i]->err, "failed"));
	return must_strdup(interrupted ? "interrupted" : "not confirmed");
}

static void go_back(struct apply *a, size_t from, size_t count, size_t wave)
{
	char *why = reason(a->changing + from, count);
	char *comment = must_printf("%s, taken back: %s", a->wave, why);
	size_t first = a->revert_all ? 0 : from;
	a->change.taken_back = comment;
	fleet_each(a->fleet, a->changing + first, from + count - first, fleet_take_back);
	for (size_t i = first; i < from + count; i++)
		if (fleet_failed(a->changing[i]))
			fleet_tell_refused(a->changing[i]);
	say(a, "%swave %zu of %zu%s: taken back%s; %zu hosts were not begun", out_colour(OUT_RED),
	    wave + 1, a->wave_count, out_colour(OUT_PLAIN),
	    a->revert_all && from ? ", and those before it" : "", a->count - from - count);
	a->failed = true;
	a->fleet->status = interrupted ? EXIT_INTERRUPTED : EXIT_REFUSED;
	free(comment);
	free(why);
}

static void run_wave(struct apply *a, size_t wave, size_t from)
{
	struct fleet_host **hosts = a->changing + from;
	size_t count = a->waves[wave] - from;
	begin_wave(a, wave, from);
	each(a, hosts, count, fleet_do);
	for (size_t i = 0; i < count; i++)
		show_done(a, hosts[i]);
	bool holds = soak(a, hosts, count);
	if (holds)
		each(a, hosts, count, fleet_confirm);
	if (holds && !any_failed(hosts, count))
		say(a, "%swave %zu of %zu%s: confirmed", out_colour(OUT_GREEN), wave + 1,
		    a->wave_count, out_colour(OUT_PLAIN));
	else
		go_back(a, from, count, wave);
}

/* ---- all of it ---- */

/* Only what runs is compared with what it was before. */
static bool changes_what_runs(const struct apply *a)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t s = 0; s < a->changing[i]->count; s++) {
			const struct fleet_step *step = &a->changing[i]->steps[s];
			if (step->what == FLEET_CHANGE && !step->stopped)
				return true;
		}
	return false;
}

static void run_waves(struct apply *a, double planned_s)
{
	struct fleet *f = a->fleet;
	ctl_catch(on_signal);
	double most_s = a->confirm_s / ANSWERS;
	most_s = most_s > f->ctl->patience_s ? most_s : f->ctl->patience_s;
	for (size_t i = 0; i < f->count; i++)
		f->hosts[i].ctl.timeout_s = least(f->ctl->timeout_s, most_s);
	if (changes_what_runs(a))
		rest_until(planned_s + least(a->soak_s, BEFORE_S));
	for (size_t wave = 0, from = 0; wave < a->wave_count && !a->failed && !interrupted;
	     from = a->waves[wave++])
		run_wave(a, wave, from);
	if (interrupted)
		fleet_raise(f, EXIT_INTERRUPTED);
}

static void show_result(struct apply *a)
{
	size_t changed = 0, right = 0;
	for (size_t i = 0; i < a->fleet->count; i++) {
		struct fleet_host *h = &a->fleet->hosts[i];
		changed += h->count && h->steps[0].fate == FLEET_KEPT;
		right += !h->count && !h->told;
		h->result = json_pack("{s:o}", "engines", fleet_steps_json(h));
		if (a->fleet->ctl->json && !h->told)
			fleet_print(h);
	}
	char *rest = interrupted ? must_printf(", %zu were not begun", a->count - changed) : NULL;
	if (!a->failed)
		say(a, "%zu hosts were changed, %zu were as they should be%s", changed, right,
		    rest ? rest : "");
	free(rest);
}

static int read_options(struct apply *a, struct pt_error *err)
{
	const struct ctl *ctl = a->fleet->ctl;
	const char *gate = ctl_text(ctl, "gate"), *revert = ctl_text(ctl, "revert"),
		   *waves = ctl_text(ctl, "waves");
	a->soak_s = seconds_of(ctl, "soak", SOAK_S);
	a->confirm_s = seconds_of(ctl, "confirm", CONFIRM_S);
	a->revert_all = revert && !strcmp(revert, "all");
	int code = gate_read(gate ? gate : GATE_USUAL, &a->gate, err);
	a->change = (struct fleet_change){.gate = a->gate, .confirm_s = a->confirm_s};
	size_t *totals = NULL, count;
	if (!code) /* wrong ones before anybody is asked */
		code = waves_read(waves ? waves : WAVES_USUAL, 1, &totals, &count, err);
	free(totals);
	return code;
}

static int apply(struct apply *a, struct pt_error *err)
{
	const struct ctl *ctl = a->fleet->ctl;
	const char *waves = ctl_text(ctl, "waves");
	a->fleet->change = &a->change;
	double planned_s = clock_s();
	fleet_each_host(a->fleet, fleet_plan);
	tell_faults(a, true);
	if (tell_faults(a, false))
		return 0;
	int code = check_missing(a, err);
	if (code)
		return code;
	take_changing(a);
	code = waves_read(waves ? waves : WAVES_USUAL, a->count, &a->waves, &a->wave_count, err);
	if (code)
		return code;
	if (ctl_flag(ctl, "dry_run")) {
		for (size_t i = 0; i < a->fleet->count; i++)
			if (!a->fleet->hosts[i].told)
				fleet_show_plan(&a->fleet->hosts[i]);
		return 0;
	}
	run_waves(a, planned_s);
	show_result(a);
	return 0;
}

int fleet_apply(struct fleet *fleet)
{
	struct pt_error err = PT_ERROR_INIT;
	struct apply a = {.fleet = fleet};
	int code = read_options(&a, &err);
	if (!code) {
		a.comment = fleet_comment(fleet->path);
		code = apply(&a, &err);
	}
	if (code)
		fleet_raise(fleet, ctl_refused(fleet->ctl, &err));
	gate_free(a.gate);
	free(a.comment);
	free(a.wave);
	free(a.changing);
	free(a.waves);
	return fleet->status;
}
