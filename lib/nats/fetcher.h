/* SPDX-License-Identifier: BSD-2-Clause */
/* What a durable consumer of a stream gets, and what is said of it, on a thread of its own. */
#ifndef NATS_FETCHER_H
#define NATS_FETCHER_H

#include "base/buf.h"
#include "nats/bus.h"

struct capture_reader;
struct fetcher;

/* A NATS message, from when it came until the server was told what became of it. */
struct fetched {
	struct fetched *next;
	uint64_t sequence; /* in the stream; 0: in one that is no more */
	uint64_t delivery; /* of the consumer's */
	uint64_t number;   /* in which it came */
	uint64_t epoch;    /* of the fetcher, of which `reply` is */
	enum { FETCHED_WAITS, FETCHED_TAKEN, FETCHED_SENT, FETCHED_OVER } state;
	const char *verdict;           /* "+ACK"; of one that is over: to be told */
	struct capture_reader *reader; /* NULL: it is no pcapng */
	char *why;                     /* then: in words */
	size_t length;
	uint64_t begun; /* messages of ours that were sent before; once it is taken: yours */
	char *reply;    /* where the server hears of it */
};

struct fetcher_config {
	const struct who_params *who;
	const char *stream, *consumer;
	const char *subject; /* NULL: all */
};

/* How far a stream was read: goes on over a restart. Beside it the numbers of those that were sent,
   and not acknowledged. */
struct fetched_place {
	uint64_t stream; /* which one: see struct claim */
	uint64_t up_to;  /* all that the consumer has was sent; 0: others read it, too */
	uint64_t part, part_messages; /* of this one so many messages of ours */
};

/* Connects, and makes the consumer where it is missing: for what comes after the place. That nobody
   answers is no fault. [worker] */
int fetcher_new(struct pt_block *, const struct fetcher_config *, const struct fetched_place *,
                struct fetcher **, struct pt_error *);
void fetcher_free(struct fetcher *); /* [worker] tells what is over; NULL does nothing */

/* The calls below never wait. After something has come or changed the block is woken. */
void fetcher_begin(struct fetcher *);           /* asks for nothing before */
struct fetched *fetcher_take(struct fetcher *); /* the next one; NULL: there is none */
/* All of it is on its way, or nobody can have it: how many there are by now. */
unsigned fetcher_sent(struct fetcher *, struct fetched *);
unsigned fetcher_refuse(struct fetcher *, struct fetched *);
uint64_t fetcher_number(struct fetcher *);           /* of the last that was sent; 0: none */
void fetcher_ack(struct fetcher *, uint64_t number); /* those that were sent, up to that */
/* Nothing more is asked for, and what was not sent, or not acknowledged either, goes back. `over`:
   nobody goes on for the block. */
void fetcher_give_back(struct fetcher *, bool sent, bool over);

/* Adds the numbers. Before it begins: goes on from there, and leaves out what it gets of them. */
void fetcher_tell_place(struct fetcher *, struct fetched_place *, struct buf *numbers);
void fetcher_go_on(struct fetcher *, const struct fetched_place *, const void *numbers,
                   size_t bytes);

struct fetcher_news {
	uint64_t waiting, unacknowledged; /* NATS messages */
	bool alone;                       /* nobody else reads the consumer */
	bool changed;                     /* the fault: */
	char *fault;                      /* yours to free; NULL: there is none */
};
void fetcher_news(struct fetcher *, struct fetcher_news *);
void fetcher_server(struct fetcher *, char *text, size_t size);

#endif
