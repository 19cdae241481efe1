/* SPDX-License-Identifier: BSD-2-Clause */
/* What the sources that read files share: rounds, waiting, following, and what is told of them. */
#ifndef CAPTURE_REPLAY_H
#define CAPTURE_REPLAY_H

#include "capture/series.h"
#include <uv.h>

/* How far it is, as a checkpoint has it. */
struct replay_place {
	struct series_place in;
	uint64_t leave_out; /* messages behind that, which were made already */
	int64_t rounds;
	uint64_t round_messages, faults;
	bool ended;
};

/* Part of a block's state. */
struct replay {
	/* Parameters. */
	struct pt_files fname;
	int64_t loop;
	bool follow;
	double idle_s;
	int order;

	struct series *series;
	bool taken_over;     /* another block's reading, which is taken over */
	bool running, ended; /* ended: with the last round, or by a fault */
	int64_t rounds;      /* begun */
	uint64_t round_messages, faults;
	char *fault;                /* the last one, in words */
	uint64_t last_ns;           /* when something came */
	struct replay_place before; /* what was read last */
	uint64_t read_last, to_leave_out;
	bool exact, lost_place;
	bool poison;  /* the next vector is left out */
	bool resumed; /* at the place of a checkpoint */
	uv_poll_t poll;
	bool polled;
	struct pt_timer again, idle;
};

/* Their rows; `what` is what fname says of the file. */
#define REPLAY_FNAME(type, field, what)                                                      \
	{                                                                                    \
		"fname",                                                                     \
			what " A glob means all that match, by their names; a list is read " \
			     "in its order.",                                                \
			PT_FILES(type, field.fname), .flags = PT_REQUIRED | PT_READ          \
	}
#define REPLAY_LOOP(type, field)                                                                   \
	{                                                                                          \
		"loop", "How many rounds; 0 for ever.", PT_INT(type, field.loop), .fallback = "1", \
										  .max = 1e9       \
	}
#define REPLAY_FOLLOW(type, field)                                                            \
	{                                                                                     \
		"follow",                                                                     \
			"At the end wait for more there, for new files of a glob, and for a " \
			"file that takes the name, as tail -F does, until ptctl close.",      \
			PT_BOOL(type, field.follow), .fallback = "false"                      \
	}
#define REPLAY_IDLE(type, field)                                                          \
	{                                                                                 \
		"idle", "Ends a follow after so long without anything; None: does not.",  \
			PT_SECONDS(type, field.idle_s), .fallback = "None", .min = 0.001, \
							.max = 1e9                        \
	}

/* The order of files. */
enum { REPLAY_GIVEN, REPLAY_BY_TIME };

int replay_check(const struct replay *, struct pt_error *);
int replay_open(struct pt_block *, struct replay *, const char *how, const struct capture_reading *,
                struct pt_error *);
/* `how` it is read: what reads another way cannot take over. */
void replay_carry(const struct replay *, const char *how, struct pt_carry *);
/* The same of the place, where so many of the messages that were read last wait in the block. */
void replay_carry_place(const struct replay *, uint64_t waiting, struct pt_carry *);
/* Whether there is something to take over, which is done. */
bool replay_take_over(struct replay *, struct replay *before, struct pt_block *);
/* Whether it is the reading of another block that goes on, or that of a checkpoint. */
bool replay_start(struct pt_block *, struct replay *);
/* Up to `max` messages; 0 if there are none now, and what follows from that is arranged. */
unsigned replay_next(struct pt_block *, struct replay *, struct pt_msg **messages, unsigned max);
void replay_again_at(struct pt_block *, struct replay *, uint64_t due_ns); /* not before */
void replay_end(struct pt_block *, struct replay *);                       /* nothing more comes */
void replay_finish(struct pt_block *, struct replay *);                    /* `ptctl close` */
bool replay_progress(const struct replay *, uint64_t waiting, uint64_t *done, uint64_t *size);
void replay_stop(struct replay *); /* on the engine's thread */
void replay_close(struct replay *);

#endif
