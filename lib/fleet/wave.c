/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts that are changed together. */
#include "fleet/wave.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

enum { RENEWALS = 6 };

static double least(double a, double b)
{
	return a < b ? a : b;
}

static bool any_failed(const struct wave *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (plan_failed(w->plans[i]))
			return true;
	return false;
}

static bool goes_on(const struct wave *w)
{
	return !any_failed(w) && w->rest(w->arg, 0);
}

/* Those that have been changed wait so long again. */
static void renew_if_due(struct wave *w, size_t count)
{
	if (clock_s() - w->renewed_s < w->confirm_s / RENEWALS)
		return;
	w->renewed_s = clock_s();
	w->each(w->arg, w->plans, count, plan_renew);
}

/* In pieces that are done at once, between which leases are renewed: of all hosts of the wave, or,
   where it is being changed, of those that have been. No more are changed where one has failed. */
static void each(struct wave *w, plan_act *act)
{
	for (size_t i = 0; i < w->count && (act != plan_do || goes_on(w)); i += w->piece) {
		size_t done = i + w->piece < w->count ? i + w->piece : w->count;
		w->each(w->arg, w->plans + i, done - i, act);
		renew_if_due(w, act == plan_do ? done : w->count);
	}
}

void wave_do(struct wave *w)
{
	w->renewed_s = clock_s();
	each(w, plan_do);
}

bool wave_soak(struct wave *w)
{
	double end_s = clock_s() + w->soak_s, pause_s = least(w->soak_s / 4, 1);
	pause_s = least(pause_s > 0.05 ? pause_s : 0.05, w->confirm_s / RENEWALS);
	while (goes_on(w) && clock_s() < end_s)
		if (w->rest(w->arg, least(clock_s() + pause_s, end_s)))
			each(w, plan_watch);
	if (goes_on(w))
		each(w, plan_judge);
	return goes_on(w);
}

bool wave_confirm(struct wave *w)
{
	each(w, plan_confirm);
	return !any_failed(w);
}

void wave_take_back(struct wave *w)
{
	w->each(w->arg, w->plans, w->count, plan_take_back);
}

char *wave_reason(const struct wave *w, const char *otherwise)
{
	for (size_t i = 0; i < w->count; i++)
		if (plan_failed(w->plans[i]))
			return must_printf("%s: %s", w->plans[i]->host,
			                   pt_error_text(&w->plans[i]->err, "failed"));
	return must_strdup(otherwise);
}
