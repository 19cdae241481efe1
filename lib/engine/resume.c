/* SPDX-License-Identifier: BSD-2-Clause */
/* Tries of a checkpoint, and the first second behind it. */
#include "engine/resume.h"

#include "base/buf.h"
#include "base/moment.h"
#include "engine/counts.h"
#include "engine/engine.h"
#include <pipetool/engine.h>
#include <stdlib.h>

#define SECOND_NS     1000000000u
#define CAREFUL_TRIES 2
#define RESUME_TRIES  3

void pt_engine_resume(struct pt_engine *e, const struct pt_resumed *from)
{
	struct resume *r = &e->resume;
	cut_resume(e, from->cut);
	r->time_ns = from->time_ns;
	r->tries = from->tries;
	free(r->why);
	r->why = must_strdup(from->why);
}

void resume_start(struct pt_engine *e)
{
	struct resume *r = &e->resume;
	r->poisoned = r->time_ns && r->tries >= RESUME_TRIES;
}

bool pt_poisoned(const struct pt_block *b)
{
	return b->engine->resume.poisoned;
}

void pt_waited(struct pt_block *b, uint64_t count)
{
	b->engine->resume.waited += count;
}

/* ---- tries ---- */

static void set_tries(struct pt_engine *e, unsigned tries)
{
	struct resume *r = &e->resume;
	if (r->tries != tries && e->hooks.tries)
		e->hooks.tries(e->hooks.arg, tries);
	r->tries = tries;
	r->tried = tries > 0;
}

void resume_try(struct pt_engine *e)
{
	if (!e->resume.tried)
		set_tries(e, e->resume.tries + 1);
}

void resume_cut_begins(struct pt_engine *e)
{
	e->resume.messages_begun = e->flow.messages;
}

void resume_committed(struct pt_engine *e)
{
	struct resume *r = &e->resume;
	if (r->watches && r->messages_begun > r->messages)
		set_tries(e, 0);
	r->messages = r->messages_begun;
}

void resume_settle(struct pt_engine *e)
{
	struct resume *r = &e->resume;
	if (!r->watches || r->second.place)
		return;
	set_tries(e, 0);
	r->watches = r->careful = false;
}

/* ---- going on ---- */

static json_t *tell(const struct resume *r, int64_t now_ns)
{
	char now[MOMENT_MAX];
	moment_print(now_ns, now);
	return json_pack("{s:s, s:f, s:I, s:s}", "time", now, "gap_s",
	                 (double)(now_ns - r->time_ns) / 1e9, "waited", (json_int_t)r->waited,
	                 "why", r->why);
}

void resume_started(struct pt_engine *e)
{
	struct resume *r = &e->resume;
	if (!r->time_ns)
		return;
	counts_take(e);
	json_decref(r->shown);
	r->shown = tell(r, moment_now());
	r->time_ns = 0;
	r->careful = r->tries >= CAREFUL_TRIES;
	if (r->poisoned)
		set_tries(e, 0);
	r->poisoned = r->tried = false;
	r->messages = r->messages_begun = e->flow.messages;
	r->watches = true;
	timers_set(&e->timers, &r->second, engine_now(e) + SECOND_NS);
	if (e->hooks.resumed)
		e->hooks.resumed(e->hooks.arg, json_incref(r->shown));
}

void resume_failed(struct pt_engine *e)
{
	struct resume *r = &e->resume;
	r->time_ns = 0;
	r->poisoned = false;
	counts_let_go(e);
}

void resume_fini(struct pt_engine *e)
{
	timers_stop(&e->timers, &e->resume.second);
	counts_let_go(e);
	json_decref(e->resume.shown);
	free(e->resume.why);
	for (size_t i = 0; i < e->resume.word_count; i++)
		free(e->resume.words[i]);
	free(e->resume.words);
}
