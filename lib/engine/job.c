/* SPDX-License-Identifier: BSD-2-Clause */
/* What may block goes to the workers of the process, and comes back as a letter. */
#include "engine/engine.h"

/* So long may a job wait for a worker before it is refused. */
#define PATIENCE_NS 10000000000u

static void on_done(struct pt_letter *letter)
{
	struct job *job = (struct job *)letter;
	struct pt_engine *e = job->engine;
	e->jobs--;
	if (job == e->tried) {
		e->tried = NULL;
		timers_stop(&e->timers, &e->patience);
	}
	job->done(job);
}

static void run(struct work *work)
{
	struct job *job = (struct job *)((char *)work - offsetof(struct job, worker));
	job->work(job);
	mailbox_post(&job->engine->mailbox, &job->letter);
}

static void add(struct pt_engine *e, struct job *job, void (*work)(struct job *),
                void (*done)(struct job *), bool must)
{
	job->engine = e;
	job->work = work;
	job->done = done;
	job->refused = false;
	job->letter.read = on_done;
	job->worker = (struct work){.run = run, .must = must};
	e->jobs++;
	workers_add(&job->worker);
}

void job_run(struct pt_engine *e, struct job *job, void (*work)(struct job *),
             void (*done)(struct job *))
{
	add(e, job, work, done, true);
}

void job_try(struct pt_engine *e, struct job *job, void (*work)(struct job *),
             void (*done)(struct job *))
{
	e->tried = job;
	timers_set(&e->timers, &e->patience, engine_now(e) + PATIENCE_NS);
	add(e, job, work, done, false);
}

void job_settle(struct pt_engine *e)
{
	struct job *job = e->tried;
	bool late = !e->patience.place;
	if (!job || !(late || e->ending) || !workers_take_back(&job->worker))
		return;
	job->refused = true;
	on_done(&job->letter);
}
