/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread for each job: one that hangs (a dead file server) keeps nobody else's from running. */
#include "engine/engine.h"

#include <stdlib.h>

#define JOB_STACK (1024 * 1024)

static void on_done(struct letter *letter)
{
	struct job *job = (struct job *)letter;
	uv_thread_join(&job->thread);
	job->engine->jobs--;
	job->done(job);
}

static void run(void *arg)
{
	struct job *job = arg;
	job->work(job);
	mailbox_post(&job->engine->mailbox, &job->letter);
}

void job_run(struct pt_engine *e, struct job *job, void (*work)(struct job *),
             void (*done)(struct job *))
{
	job->engine = e;
	job->work = work;
	job->done = done;
	job->letter.read = on_done;
	e->jobs++;
	const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
	                                     .stack_size = JOB_STACK};
	if (uv_thread_create_ex(&job->thread, &options, run, job))
		abort();
}
