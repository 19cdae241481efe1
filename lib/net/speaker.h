/* SPDX-License-Identifier: BSD-2-Clause */
/* Who speaks frames with a block: a program of its own, or a socket that was handed over. */
#ifndef NET_SPEAKER_H
#define NET_SPEAKER_H

#include "net/process.h"
#include "net/talk.h"

/*
 * Is the first part of a block's state. When a program ends with a status of 0 the block is
 * exhausted, or it is started again; with another the block has failed.
 */
struct speaker {
	struct pt_block *block;
	char *const *argv; /* NULL: there is a socket; set after speaker_init */
	int fd;            /* of the block's parameter; -1: none */
	const double *restart_s;
	struct process child;
	struct talk talk;
	struct pt_timer rest, again;
	int ends[2]; /* two of the socket, until it begins */
	bool stopping;
	bool ended; /* and is not to be started again */
};

/* To be called first, in init. */
void speaker_init(struct speaker *, struct pt_block *, int fd, const double *restart_s,
                  const uint64_t *limit);
/* Whether parameters go together where there is a socket. */
int speaker_check(const struct speaker *, char **command, struct pt_error *);

/* For the table of the block's type. At a stop what is on its way comes through, for 2 s. */
int speaker_open(struct pt_block *, struct pt_error *);
void speaker_start(struct pt_block *);
void speaker_push(struct pt_block *, enum pt_canal, struct pt_msg **messages, unsigned count);
void speaker_trigger(struct pt_block *);
void speaker_no_more(struct pt_block *);
void speaker_produce(struct pt_block *, unsigned max);
void speaker_changed(struct pt_block *);
void speaker_stop(struct pt_block *);
int speaker_close(struct pt_block *, struct pt_error *);
void speaker_fini(struct pt_block *);

#endif
