/* SPDX-License-Identifier: BSD-2-Clause */
/* The revisions of one engine's graph: what it was, who made it that, and when. No I/O. */
#ifndef DAEMON_HISTORY_H
#define DAEMON_HISTORY_H

#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_REVISIONS_MAX 1000
#define HISTORY_ITEMS_MAX     (1u << 21) /* of the last one, and of all deltas */
#define HISTORY_BYTES_MAX     (8u << 20) /* of all revisions' records, as text */

/* Only the last one has its lists; the others have what leads back to theirs from those of the next
   (a delta, as below), so that a revision costs what it changed, in memory and in time. `about` is
   what engine.log tells of it: {revision, time, uid, pid, ops, comment?, undoes?, confirm?: {back,
   until}}; times are seconds of the day's clock, as text with nine decimals; confirm stands there
   while the change waits to be confirmed. */
struct revision {
	uint64_t number;
	json_t *about;
	json_t *blocks, *links; /* of the last as engine.show has them; else deltas */
	size_t bytes;           /* of its record, as text */
};

struct history {
	struct revision *items; /* the oldest first; 0 is an engine that was made empty */
	size_t count, room;
	size_t lists; /* the lengths of all lists and deltas */
	size_t bytes; /* of all records */
};

void history_init(struct history *);
void history_fini(struct history *);

/* A delta makes a list of the one before: rows, and [place, count] for a run of rows that stay. */
json_t *history_delta(const json_t *was, const json_t *is); /* a new reference */

/* Adds the newest revision, by deltas from the last; the oldest are forgotten past the limits.
   Returns the record from which history_replay makes the same revision
   where those before it are there: a new reference. */
json_t *history_add(struct history *, const json_t *about, const json_t *blocks,
                    const json_t *links);
int history_replay(struct history *, const json_t *record, struct pt_error *);
/* Records from which the whole history is made, to be read in order. A new reference. */
json_t *history_records(const struct history *);

const struct revision *history_last(const struct history *); /* NULL: there is none */
/* Its lists, of whichever revision: new references, not to be changed. */
void history_graph(const struct history *, const struct revision *, json_t **blocks,
                   json_t **links);
const struct revision *history_find(const struct history *, uint64_t number);
/* Where an undo leads that names no revision: from what was undone further back. NULL: nowhere. */
const struct revision *history_before(const struct history *);
void history_drop_last(struct history *);

/* A list of what is known about each, or only about `number`, the oldest first; beside ops `was`
   (see diff_was). A new reference. */
json_t *history_log(const struct history *, const uint64_t *number);

#endif
