/* SPDX-License-Identifier: BSD-2-Clause */
/* How a step begins, is refused and ends. */
#include "engine/step.h"

#include "base/buf.h"
#include "base/error.h"
#include "engine/request.h"
#include <assert.h>
#include <stdlib.h>

void step_begin(struct step *s, struct pt_engine *e, struct pt_request *r)
{
	assert(!e->current);
	s->engine = e;
	s->request = r;
	e->current = &s->job;
}

void step_end(struct step *s)
{
	s->engine->current = NULL;
}

void step_answer(struct step *s, json_t *result)
{
	request_answer(s->request, s->code, result, &s->err);
	pt_error_clear(&s->err);
}

bool step_is_refused(struct step *s)
{
	if (s->job.refused && s->engine->ending)
		s->code = request_fail_ending(s->engine, &s->err);
	else if (s->job.refused)
		s->code = pt_fail(&s->err, -PT_ELIMIT, NULL,
		                  "no thread is free for it: others wait for files or devices that "
		                  "do not answer, or the limit of processes is reached (ulimit -u, "
		                  "TasksMax= of the unit); try again");
	return s->job.refused;
}

void step_block_failed(struct step *s, int code, size_t from, const char *name, const char *path)
{
	char *words = must_printf("block '%s'", name);
	if (s->err.count == from)
		pt_fail(&s->err, code, NULL, "%s", error_words(code));
	error_introduce(&s->err, from, words);
	if (path)
		error_prefix(&s->err, from, path);
	if (!s->code)
		s->code = code;
	free(words);
}
