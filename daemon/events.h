/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens, for those who subscribed: engines and their states, changes and who made them,
   blocks that fail, and drops. */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include <jansson.h>

/*
 * Belongs to the control loop. Changes, states of engines, errors and notes are told when they
 * happen. States and drops of blocks are looked for once a second, as long as somebody is
 * subscribed: so drops are told at most once a second for each block, with how many there were
 * since.
 */
struct daemon;
struct events;

struct events *events_new(struct daemon *);
void events_free(struct events *); /* the loop must run once more */

/* `about` (borrowed, may be NULL) holds revision, uid and pid where they are known; `data` is
   taken. `block` may be NULL. */
void events_tell(struct events *, const char *name, const char *engine, const char *block,
                 const json_t *about, json_t *data);

/* Somebody has subscribed. */
void events_begin(struct events *);

#endif
