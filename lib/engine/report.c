/* SPDX-License-Identifier: BSD-2-Clause */
/* What blocks tell of themselves: errors, failures, news. */
#include "base/buf.h"
#include "engine/engine.h"
#include "engine/revive.h"
#include <stdlib.h>
#include <string.h>

#define REPORT_EVERY_NS 1000000000u

static void tell(struct pt_block *b, int code, const char *words, bool always)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	uint64_t now = pt_now(b);
	if (!always && b->reported_ns && now - b->reported_ns < REPORT_EVERY_NS) {
		b->unreported++;
		return;
	}
	b->reported_ns = now;
	struct buf line = BUF_INIT;
	size_t first = strcspn(words, "\n"); /* a traceback may follow, which is told once */
	bool again = b->last_error && !strcmp(b->last_error, words);
	buf_add(&line, words, first);
	if (b->unreported)
		buf_addf(&line, " (and %llu more before)", (unsigned long long)b->unreported);
	buf_adds(&line, again ? "" : words + first);
	b->unreported = 0;
	if (hooks->report)
		hooks->report(hooks->arg, b->name, code, line.data);
	buf_free(&line);
}

/* Why a block has failed stays what it says, whatever it tells behind that. */
static void vreport(struct pt_block *b, int code, bool always, const char *fmt, va_list args)
{
	struct buf buf = BUF_INIT;
	buf_vaddf(&buf, fmt, args);
	char *words = buf_steal(&buf), *other = words;
	b->count.errors++;
	tell(b, code, words, always);
	if (always || !b->failed) {
		other = b->last_error;
		b->last_error = words;
	}
	free(other);
}

void block_tell_state(struct pt_block *b)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	const char *is = block_state_word(b), *was = b->told_state ? b->told_state : "running";
	if (!b->listed || !b->started || !strcmp(is, was))
		return;
	b->told_state = is;
	if (hooks->block_state)
		hooks->block_state(hooks->arg, b->name, is);
}

void pt_report(struct pt_block *b, int code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vreport(b, code, false, fmt, args);
	va_end(args);
}

void pt_failed(struct pt_block *b, int code, const char *fmt, ...)
{
	va_list args;
	b->failed = true;
	b->retry_s = 0;
	b->retry_by_ns = 0;
	free(b->note);
	b->note = NULL;
	flow_note(b);
	engine_publish(b->engine); /* who is told may look */
	va_start(args, fmt);
	vreport(b, code, true, fmt, args);
	va_end(args);
	pt_exhausted(b);
}

static void vnote(struct pt_block *b, const char *fmt, va_list args)
{
	const struct pt_engine_hooks *hooks = &b->engine->hooks;
	struct buf words = BUF_INIT;
	buf_vaddf(&words, fmt, args);
	free(b->note);
	b->note = buf_steal(&words);
	if (hooks->report)
		hooks->report(hooks->arg, b->name, 0, b->note);
}

void pt_note(struct pt_block *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vnote(b, fmt, args);
	va_end(args);
}

void pt_mended(struct pt_block *b, const char *fmt, ...)
{
	va_list args;
	free(b->last_error);
	b->last_error = NULL;
	b->failed = b->exhausted = false;
	flow_note(b);
	block_tell_state(b);
	va_start(args, fmt);
	vnote(b, fmt, args);
	va_end(args);
}

void pt_waits(struct pt_block *b)
{
	b->exhausted = false;
	flow_note(b);
	block_tell_state(b);
}

void pt_retry(struct pt_block *b, double after_s)
{
	b->retry_s = after_s;
	flow_note(b);
	if (after_s <= 0)
		return;
	pt_waits(b);
	revive_wait(b);
}

void pt_retry_by(struct pt_block *b, uint64_t time_ns)
{
	b->retry_by_ns = time_ns;
}
