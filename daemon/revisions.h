/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of an engine's past, and what of it is on disk. */
#ifndef DAEMON_REVISIONS_H
#define DAEMON_REVISIONS_H

#include "daemon/history.h"
#include "daemon/journal.h"
#include <pipetool/engine.h>

/* Who asks for a change, and how. */
struct author {
	int64_t uid, pid;    /* -1: the daemon itself */
	const char *comment; /* NULL: none */
	double confirm_s;    /* it goes back after so long, unless it is confirmed; 0: it stays */
	bool undo;           /* the graph of an earlier revision is brought back: */
	uint64_t undoes;
	bool owned;        /* what is added goes with the connection, */
	const void *owner; /* this one; NULL: it has ended */
};

/* Belongs to the control loop. Every function that records something returns at once; it is kept
   when the journal says so. Without a journal file nothing is kept, and all else is the same. */
#define REVISIONS_STATES_MAX 1000

struct revisions {
	struct history history;
	struct journal_file *file; /* NULL: not kept */
	json_t *lodgers; /* {name: whose connection; 0: of one that has ended}: see engine.h */
	json_t *states;  /* [{time, state, why?}]: starts, stops and failures, the oldest first */
	bool running;    /* what was recorded last */
	char *lost;      /* what was kept cannot be read, and this is why; NULL: it can */
	json_t *leaving; /* it is destroyed, unless that is not confirmed; else NULL */
	bool quiet;      /* nothing is written for now: revisions_write comes later */
};

/* Takes the file. */
void revisions_init(struct revisions *, struct journal_file *);
void revisions_fini(struct revisions *);

/* From the records of a journal. */
int revisions_restore(struct revisions *, const json_t *records, struct pt_error *);

void revisions_add(struct revisions *, const struct author *, const struct pt_made *);
/* What was kept before is lost: that is kept, until it is told whether the engine runs. */
void revisions_lose(struct revisions *, const char *why);
/* `refused`: a start was, and this is why; or NULL. */
void revisions_set_running(struct revisions *, bool running, const char *refused);
void revisions_note_failure(struct revisions *, const char *why); /* of a start */
/* Writes the whole of it anew: the first thing to be kept, or in place of a long file. */
void revisions_write(struct revisions *);

/* It waits to be confirmed: for how many nanoseconds still, and what becomes of it else. False:
   nothing waits; `wait` may be NULL. */
struct revisions_wait {
	enum {
		WAIT_BACK,
		WAIT_GONE,
		WAIT_THERE
	} else_; /* back to a revision; destroyed; there again */
	uint64_t back;
	int64_t left_ns;
};
bool revisions_waits(const struct revisions *, struct revisions_wait *);
void revisions_confirm(struct revisions *);               /* of the last change: it stays */
void revisions_extend(struct revisions *, double more_s); /* it waits so long, from now on */

/* The engine is destroyed, but for being there again after the author's confirm_s; and so it is. */
void revisions_leave(struct revisions *, const struct author *);
void revisions_return(struct revisions *);

/* What came after it is forgotten. */
void revisions_go_back(struct revisions *, uint64_t number);

json_t *revisions_time_json(int64_t ns); /* seconds, as text with nine decimals: a new reference */

#endif
