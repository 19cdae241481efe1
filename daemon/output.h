/* SPDX-License-Identifier: BSD-2-Clause */
/* What one engine's blocks print and report, on its way from the engine's thread to the control
   loop: bounded, in order, and one message for many texts. */
#ifndef DAEMON_OUTPUT_H
#define DAEMON_OUTPUT_H

#include "daemon/bound.h"
#include "daemon/engines.h"
#include <stdint.h>

struct parcel;

struct output {
	const char *engine;
	struct mailbox *mailbox;
	const struct engines_events *events;
	uv_mutex_t mutex;    /* for what follows */
	struct parcel *open; /* posted, and may still be added to */
	size_t waiting;      /* bytes */
	struct bound bound;  /* of texts */
};

void output_init(struct output *, const char *engine, struct mailbox *,
                 const struct engines_events *);
void output_fini(struct output *);

/* Hooks of the engine, on its thread; `arg` is the struct output. */
void output_text(void *arg, const char *block, enum pt_canal, const char *text, size_t length);
void output_report(void *arg, const char *block, int error, const char *words);
void output_state(void *arg, const char *block, const char *state);

#endif
