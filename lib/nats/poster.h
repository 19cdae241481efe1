/* SPDX-License-Identifier: BSD-2-Clause */
/* What is published, on threads of its own, until a stream has acknowledged it. */
#ifndef NATS_POSTER_H
#define NATS_POSTER_H

#include "base/buf.h"
#include "nats/bus.h"

/*
 * A post is the bytes of one NATS message, in which there are several of ours; a lane has those of
 * a subject, in order. Of each lane one post is under way at a time: it is published with an id of
 * its own, and is gone when the stream has said that it has stored it. Where it has not, or nobody
 * answers, it is published again under the same id. Two threads do that: one publishes, one
 * connects and hears the answers. The others' calls never wait. After something has changed the
 * block is woken, and asks for the news.
 */
struct poster;
struct lane;

struct poster_config {
	const struct who_params *who;
	char *const *subjects;
	const char *spool; /* a folder; NULL: none */
	uint64_t spool_limit;
};

/* Connects, and asks whether there are streams that take the subjects; that nobody answers is no
   fault. What lies in the spool is sent first. [worker] */
int poster_new(struct pt_block *, const struct poster_config *, struct poster **,
               struct pt_error *);
void poster_free(struct poster *); /* [worker] NULL does nothing */
/* Another block goes on with it. */
void poster_move(struct poster *, struct pt_block *, uint64_t spool_limit);

struct lane *poster_lane(struct poster *, const char *subject); /* made where there is none */
bool lane_is_idle(struct lane *);                               /* nothing of it waits */
size_t poster_most(struct poster *); /* bytes that a post may have, as far as is known */
/* Takes the bytes. */
void poster_put(struct lane *, struct buf *bytes, uint32_t messages);

struct poster_news {
	uint64_t found, stored, too_long, unread; /* messages, since it was asked last */
	uint64_t bytes;                           /* that wait, in memory */
	uint64_t spooled;                         /* messages that wait on the disk */
	unsigned damaged; /* files of the spool of which something is left out */
	bool changed;     /* the fault: */
	char *fault;      /* yours to free; NULL: there is none */
};
void poster_news(struct poster *, struct poster_news *);
void poster_server(struct poster *, char *text, size_t size);

/* Nothing more comes. The descriptor is readable when all is acknowledged, or cannot be for now. */
int poster_end(struct poster *);
/* Gives up what is left in memory: how many messages. */
uint64_t poster_give_up(struct poster *);

/* The post that came last; and how many messages of those up to a number would be lost now with the
   process. While `patient`, and a server answers, they soon are not. */
uint64_t poster_number(struct poster *);
uint64_t poster_unsafe(struct poster *, uint64_t number, bool *patient);

#endif
