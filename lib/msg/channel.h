/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels by name, through which parcels go from the threads of many to that of one. */
#ifndef MSG_CHANNEL_H
#define MSG_CHANNEL_H

#include "msg/parcel.h"
#include <pipetool/error.h>

/*
 * A channel is there while somebody has an end of it: any number of senders, and one receiver. What
 * is in it waits for a receiver that comes later, and is there when its sender has gone. Each
 * sender's parcels arrive in order.
 *
 * An end lies in a block's state, and is that block's thread's; `wake` comes from the other side,
 * on any thread, for the last time before channel_leave returns.
 */
struct channel;
struct channel_end {
	struct channel *channel; /* NULL: it has none */
	void (*wake)(void *arg);
	void *arg;
	const char *block, *engine; /* whose end it is: told to who comes too late */
	bool receives;
	bool ended; /* of a sender: nothing will come of it any more */
	bool waits; /* is to be woken: a sender when there is room, a receiver when there is more */
	size_t waiting; /* bytes of the sender's that are in the channel */
	uint64_t limit; /* with half of which it has room again */
	uint64_t id;    /* of a sender that keeps what it sends, else 0 */
};

/* [any thread] Refused where there is a receiver, or, of a sender, where it has received its last.
   `wake`, `arg` and `block` are set. */
int channel_join(const char *name, bool receives, struct channel_end *, struct pt_error *);

/* [any thread] How many messages are lost, because nobody is left at the channel: the sender's own,
   and others'. */
struct channel_lost {
	uint64_t own, others;
};
struct channel_lost channel_leave(struct channel_end *);

/* The receiver's end is another block's from now on, of the same engine: `arg` and `block` of that
   are set. */
void channel_move(struct channel_end *to, struct channel_end *from);

/* ---- a sender ---- */
void channel_put(struct channel_end *, struct parcel *); /* closed; takes it */
void channel_end(struct channel_end *);                  /* it has put its last */
size_t channel_waiting(struct channel_end *);
/* Whether so many bytes of its are in the channel; then it is woken when half of them are gone. */
bool channel_is_full(struct channel_end *, uint64_t limit);
/* Its oldest parcels, until no more than so many bytes are left: how many messages they had. */
uint64_t channel_drop_oldest(struct channel_end *, uint64_t limit);
/* One that a receiver is done with, empty; or NULL. */
struct parcel *channel_spare(struct channel_end *);

/* ---- the receiver ---- */
/* The next parcel. NULL: there is none, and it is woken when there is one; *over: there will be
   none, for every sender that is there has ended, and one has been. */
struct parcel *channel_take(struct channel_end *, bool *over);
void channel_give_spare(struct channel_end *, struct parcel *); /* that is sole; takes it */

/*
 * Going on exactly, in another process. Who keeps what it sends has an id, the same there, and its
 * messages have numbers. What is behind the receiver's checkpoint is settled, and kept no longer;
 * that checkpoint waits until the sender's has the same messages, so that it never has one that
 * comes again otherwise. Both ends are woken by what the other one tells.
 */
void channel_keep(struct channel_end *, uint64_t id);         /* of a sender that has joined */
void channel_commit(struct channel_end *, uint64_t number);   /* what was before it */
uint64_t channel_settled(struct channel_end *, bool *wanted); /* a commit, by the receiver */
/* The receiver's. Whether the sender's checkpoint has what was before; else it is asked for one. */
bool channel_is_committed(struct channel_end *, uint64_t id, uint64_t number);
void channel_settle(struct channel_end *, uint64_t id, uint64_t number);

struct channel_news {
	uint64_t messages; /* that wait */
	unsigned senders;
	bool received; /* there is a receiver */
};
struct channel_news channel_look(struct channel_end *);

#endif
