/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens, for those who subscribed: engines and their states, changes and who made them,
   blocks that fail, and drops. */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include <jansson.h>

/*
 * Belongs to the control loop. Changes, states of engines and of blocks, errors and notes are told
 * when they happen. Blocks are also looked at once a second, as long as somebody is subscribed: for
 * what became of their states with a change or a stop, and for drops, which so are told at most
 * once a second for each block, with how many there were since.
 */
struct daemon;
struct events;

struct events *events_new(struct daemon *);
void events_free(struct events *); /* the loop must run once more */

/* `about` (borrowed, may be NULL) holds revision, uid and pid where they are known; `data` is
   taken. `block` may be NULL. */
void events_tell(struct events *, const char *name, const char *engine, const char *block,
                 const json_t *about, json_t *data);

/* A block has failed, is exhausted, or runs again. */
void events_tell_state(struct events *, const char *engine, const char *block, const char *state);

/* Somebody has subscribed. */
void events_begin(struct events *);

#endif
