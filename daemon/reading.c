/* SPDX-License-Identifier: BSD-2-Clause */
/* Short lines are read where they came; long ones by a worker, which also frees what they gave. */
#include "daemon/reading.h"

#include "base/buf.h"
#include "base/workers.h"
#include "daemon/check.h"
#include "daemon/daemon.h"
#include "type/param.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT = 64 * 1024 }; /* bytes: about a millisecond */

struct reading {
	struct work work;
	struct pt_letter letter;
	struct call *call;
	char *line;
	size_t length;
	reading_done *done;
	int code;
	struct pt_error err;
};

static int read_line(struct call *call, const char *line, size_t length, struct pt_error *err)
{
	struct rpc_request *r = &call->request;
	int code = rpc_read(line, length, method_tables, r, err);
	if (code)
		check_refused(line, length, err);
	else
		code = param_read(r->method->params, r->params, call, NULL, err);
	return code;
}

static void has_read(struct pt_letter *letter)
{
	struct reading *r = (struct reading *)((char *)letter - offsetof(struct reading, letter));
	r->call->daemon->loads--;
	r->done(r->call, r->code, &r->err);
	free(r);
}

/* [worker] */
static void read_work(struct work *work)
{
	struct reading *r = (struct reading *)work;
	r->code = read_line(r->call, r->line, r->length, &r->err);
	free(r->line);
	mailbox_post(&r->call->daemon->mailbox, &r->letter);
}

void reading_begin(struct call *call, const char *line, size_t length, reading_done *done)
{
	if (length <= SHORT) {
		struct pt_error err = PT_ERROR_INIT;
		int code = read_line(call, line, length, &err);
		done(call, code, &err);
		return;
	}
	struct reading *r = must_calloc(1, sizeof *r);
	*r = (struct reading){.work = {.run = read_work, .must = true},
	                      .letter = {.read = has_read},
	                      .call = call,
	                      .line = must_realloc(NULL, 1, length + 1),
	                      .length = length,
	                      .done = done};
	memcpy(r->line, line, length);
	call->is_long = true;
	call->daemon->loads++;
	workers_add(&r->work);
}

/* ---- its end ---- */

/* [worker] */
static void free_aside(struct work *work)
{
	call_free((struct call *)((char *)work - offsetof(struct call, freeing)));
	malloc_trim(0); /* millions of small pieces, which would stay */
}

void reading_forget(struct call *call)
{
	if (!call->is_long) {
		call_free(call);
		return;
	}
	call->freeing = (struct work){.run = free_aside, .must = true};
	workers_add(&call->freeing);
}
