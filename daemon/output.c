/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts gather in a parcel while the control loop is at something else. */
#include "daemon/output.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

enum { PARCEL = 16 * 1024 };

/* In a parcel, before the block's name and the text. */
struct label {
	uint32_t text_length;
	uint16_t block_length;
	uint16_t canal;
};

struct parcel {
	struct pt_letter letter;
	struct output *output;
	struct buf bytes;
};

struct report {
	struct pt_letter letter;
	struct output *output;
	int error;
	char *block, *words;
};

void output_init(struct output *o, const char *engine, struct mailbox *mailbox,
                 const struct engines_events *events)
{
	*o = (struct output){.engine = engine, .mailbox = mailbox, .events = events};
	if (uv_mutex_init(&o->mutex))
		out_of_memory();
}

void output_fini(struct output *o)
{
	uv_mutex_destroy(&o->mutex);
}

/* ---- the control loop ---- */

static void unpack(struct parcel *parcel)
{
	struct output *o = parcel->output;
	const char *at = parcel->bytes.data, *end = at + parcel->bytes.length;
	while (at < end) {
		struct label label;
		memcpy(&label, at, sizeof label);
		const char *block = at + sizeof label, *text = block + label.block_length;
		o->events->output(o->events->arg, o->engine, block, (enum pt_canal)label.canal,
		                  text, label.text_length);
		at = text + label.text_length;
	}
}

static uint64_t take_lost(struct output *o, size_t length)
{
	uint64_t lost;
	uv_mutex_lock(&o->mutex);
	o->waiting -= length;
	bound_opens(&o->bound, o->waiting, ENGINES_OUTPUT_MAX, &lost);
	uv_mutex_unlock(&o->mutex);
	return lost;
}

static void arrived(struct pt_letter *letter)
{
	struct parcel *parcel = (struct parcel *)letter;
	struct output *o = parcel->output;
	uv_mutex_lock(&o->mutex);
	if (o->open == parcel)
		o->open = NULL;
	uv_mutex_unlock(&o->mutex);
	unpack(parcel);
	uint64_t lost = take_lost(o, parcel->bytes.length);
	if (lost)
		o->events->output_lost(o->events->arg, o->engine, lost);
	o->events->output_ended(o->events->arg);
	buf_free(&parcel->bytes);
	free(parcel);
}

static void report_free(struct report *report)
{
	free(report->block);
	free(report->words);
	free(report);
}

static void reported(struct pt_letter *letter)
{
	struct report *report = (struct report *)letter;
	const struct engines_events *events = report->output->events;
	events->report(events->arg, report->output->engine, report->block, report->error,
	               report->words);
	report_free(report);
}

static void state_told(struct pt_letter *letter)
{
	struct report *report = (struct report *)letter;
	const struct engines_events *events = report->output->events;
	if (events->block_state)
		events->block_state(events->arg, report->output->engine, report->block,
		                    report->words);
	report_free(report);
}

/* ---- the engine's thread ---- */

/* The parcel to add to; *fresh: it must be posted. */
static struct parcel *open_parcel(struct output *o, bool *fresh)
{
	*fresh = !o->open || o->open->bytes.length > PARCEL;
	if (*fresh) {
		o->open = must_calloc(1, sizeof *o->open);
		o->open->letter.read = arrived;
		o->open->output = o;
	}
	return o->open;
}

void output_text(void *arg, const char *block, enum pt_canal canal, const char *text, size_t length)
{
	struct output *o = arg;
	struct label label = {(uint32_t)length, (uint16_t)(strlen(block) + 1), (uint16_t)canal};
	size_t all = sizeof label + label.block_length + length;
	struct parcel *parcel = NULL;
	bool fresh = false;
	uv_mutex_lock(&o->mutex);
	if (bound_takes(&o->bound, o->waiting, all, ENGINES_OUTPUT_MAX)) {
		parcel = open_parcel(o, &fresh);
		o->waiting += all;
		buf_add(&parcel->bytes, &label, sizeof label);
		buf_add(&parcel->bytes, block, label.block_length);
		buf_add(&parcel->bytes, text, length);
	}
	uv_mutex_unlock(&o->mutex);
	if (fresh)
		mailbox_post(o->mailbox, &parcel->letter);
}

static void post(struct output *o, void (*read)(struct pt_letter *), const char *block, int error,
                 const char *words)
{
	struct report *report = must_calloc(1, sizeof *report);
	report->letter.read = read;
	report->output = o;
	report->error = error;
	report->block = block ? must_strdup(block) : NULL;
	report->words = must_strdup(words ? words : "");
	mailbox_post(o->mailbox, &report->letter);
}

void output_report(void *arg, const char *block, int error, const char *words)
{
	post(arg, reported, block, error, words);
}

void output_state(void *arg, const char *block, const char *state)
{
	post(arg, state_told, block, 0, state);
}
