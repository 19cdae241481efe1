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
#include "ctl/fleet_wave.h"
#include "ctl/out.h"
#include "fleet/wave.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No answer is waited for longer than a third of the lease, or than usual. */
enum { ANSWERS = 3 };

struct apply {
	struct fleet *fleet;
	struct plan **changing; /* in the inventory's order */
	size_t count;
	size_t *waves, wave_count;
	struct gate *gate;
	double soak_s, confirm_s;
	bool revert_all, failed;
	char *comment, *wave; /* without the wave, and with it */
	struct plan_change change;
};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;
static int signalled[2]; /* a pipe: whatever thread a signal comes to, it ends a rest */

/* A second one does not wait: then leases are what takes the wave back. */
static void on_signal(int number)
{
	int before = errno;
	if (interrupted)
		_exit(EXIT_INTERRUPTED);
	interrupted = 1; /* before a rest ends */
	if (write(signalled[1], "", 1) < 1)
		_exit(EXIT_INTERRUPTED);
	errno = before;
}

static int catch_signals(struct pt_error *err)
{
	if (pipe2(signalled, O_CLOEXEC | O_NONBLOCK))
		return pt_fail(err, -errno, NULL, "no pipe: %s", error_words(errno));
	ctl_catch(on_signal);
	return 0;
}

static bool rest(void *arg, double until_s)
{
	struct pollfd came = {signalled[0], POLLIN, 0};
	double left_s;
	do {
		left_s = until_s - clock_s();
		int ms = left_s <= 0 ? 0 : left_s < 1000 ? (int)(left_s * 1000) + 1 : 1000000;
		if (poll(&came, 1, ms) > 0)
			return false;
	} while (left_s > 0);
	return true;
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
		if (!plan_failed(&h->plan) || h->plan.missing != missing)
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
		missing += a->fleet->hosts[i].plan.missing;
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
		if (h->plan.count && !h->told)
			a->changing[a->count++] = &h->plan;
	}
}

/* ---- a wave ---- */

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void each(void *arg, struct plan **plans, size_t count, plan_act *act)
{
	struct apply *a = arg;
	fleet_each(a->fleet, plans, count, act);
}

static struct wave wave_of(struct apply *a, size_t from, size_t count)
{
	return (struct wave){.plans = a->changing + from,
	                     .count = count,
	                     .piece = jobs_count(a->fleet->jobs),
	                     .soak_s = a->soak_s,
	                     .confirm_s = a->confirm_s,
	                     .each = each,
	                     .rest = rest,
	                     .arg = a};
}

static void show_done(const struct apply *a, const struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_step *s = &p->steps[i];
		struct buf line = BUF_INIT;
		buf_addf(&line, "%s: %s: ", p->host, s->engine);
		if (s->what == PLAN_CHANGE)
			change_summary(&line, s->made, s->plan, out_columns());
		else
			buf_adds(&line, s->what == PLAN_CREATE ? "made, and started" : "destroyed");
		if (s->fate == PLAN_OPEN)
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
	    a->changing[from]->host);
}

static size_t not_begun(const struct apply *a)
{
	size_t count = 0;
	for (size_t i = 0; i < a->count; i++)
		count += a->changing[i]->steps[0].fate == PLAN_PLANNED &&
		         !plan_failed(a->changing[i]);
	return count;
}

/* Why it goes back, the first of the reasons, is written into the hosts' logs. */
static void go_back(struct apply *a, const struct wave *wave, size_t number, size_t from)
{
	char *why = wave_reason(wave, interrupted ? "interrupted" : "not confirmed");
	char *comment = must_printf("%s, taken back: %s", a->wave, why);
	size_t first = a->revert_all ? 0 : from, until = from + wave->count;
	struct wave back = wave_of(a, first, until - first);
	a->change.taken_back = comment;
	wave_take_back(&back);
	for (size_t i = first; i < until; i++)
		if (plan_failed(a->changing[i]))
			fleet_tell_refused(fleet_host_of(a->changing[i]));
	say(a, "%swave %zu of %zu%s: taken back%s; %zu hosts were not begun", out_colour(OUT_RED),
	    number + 1, a->wave_count, out_colour(OUT_PLAIN),
	    a->revert_all && from ? ", and those before it" : "", not_begun(a));
	a->failed = true;
	a->fleet->status = interrupted ? EXIT_INTERRUPTED : EXIT_REFUSED;
	free(comment);
	free(why);
}

static void run_wave(struct apply *a, size_t number, size_t from)
{
	struct wave wave = wave_of(a, from, a->waves[number] - from);
	begin_wave(a, number, from);
	wave_do(&wave);
	for (size_t i = 0; i < wave.count; i++)
		show_done(a, wave.plans[i]);
	if (wave_soak(&wave) && wave_confirm(&wave))
		say(a, "%swave %zu of %zu%s: confirmed", out_colour(OUT_GREEN), number + 1,
		    a->wave_count, out_colour(OUT_PLAIN));
	else
		go_back(a, &wave, number, from);
}

/* ---- all of it ---- */

/* Only what runs is compared with what it was before. */
static bool changes_what_runs(const struct apply *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (plan_changes_what_runs(a->changing[i]))
			return true;
	return false;
}

static void run_waves(struct apply *a, double planned_s)
{
	struct fleet *f = a->fleet;
	double most_s = a->confirm_s / ANSWERS;
	most_s = most_s > f->ctl->patience_s ? most_s : f->ctl->patience_s;
	for (size_t i = 0; i < f->count; i++)
		f->hosts[i].ctl.timeout_s = least(f->ctl->timeout_s, most_s);
	if (changes_what_runs(a))
		rest(a, planned_s + least(a->soak_s, WAVE_BEFORE_S));
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
		changed += h->plan.count && h->plan.steps[0].fate == PLAN_KEPT;
		right += !h->plan.count && !h->told;
		h->result = json_pack("{s:o}", "engines", plan_json(&h->plan));
		if (a->fleet->ctl->json && !h->told)
			fleet_print(h);
	}
	size_t left = not_begun(a);
	char *rest = left ? must_printf(", %zu were not begun", left) : NULL;
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
	a->soak_s = seconds_of(ctl, "soak", WAVE_SOAK_S);
	a->confirm_s = seconds_of(ctl, "confirm", WAVE_CONFIRM_S);
	a->revert_all = revert && !strcmp(revert, "all");
	int code = gate_read(gate ? gate : GATE_USUAL, &a->gate, err);
	a->change = (struct plan_change){.gate = a->gate, .confirm_s = a->confirm_s};
	const char *missing = ctl_text(ctl, "max_missing");
	size_t *totals = NULL, count;
	if (!code) /* wrong ones before anybody is asked */
		code = waves_read(waves ? waves : WAVES_USUAL, 1, &totals, &count, err);
	if (!code && missing)
		code = waves_share("max-missing", missing, 1, &count, err);
	free(totals);
	return code;
}

static int apply(struct apply *a, struct pt_error *err)
{
	const struct ctl *ctl = a->fleet->ctl;
	const char *waves = ctl_text(ctl, "waves");
	fleet_set_change(a->fleet, &a->change);
	double planned_s = clock_s();
	fleet_each_host(a->fleet, plan_make);
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
	if ((code = catch_signals(err)))
		return code;
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
