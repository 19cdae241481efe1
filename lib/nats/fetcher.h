/* SPDX-License-Identifier: BSD-2-Clause */
/* What a durable consumer of a stream gets, and what is said of it, on a thread of its own. */
#ifndef NATS_FETCHER_H
#define NATS_FETCHER_H

#include "nats/bus.h"

struct capture_reader;
struct fetcher;

/* A NATS message, from when it came until the server was told what became of it. */
struct fetched {
	struct fetched *next;
	uint64_t sequence; /* in the stream */
	uint64_t number;   /* in which it came */
	enum { FETCHED_WAITS, FETCHED_TAKEN, FETCHED_SENT, FETCHED_OVER } state;
	const char *verdict;           /* of one that is over: "+ACK" */
	struct capture_reader *reader; /* NULL: it is no pcapng */
	char *why;                     /* then: in words */
	size_t length;
	char reply[]; /* where the server hears of it */
};

struct fetcher_config {
	const struct who_params *who;
	const char *stream, *consumer;
	const char *subject; /* NULL: all */
};

/* Connects, and makes the consumer where it is missing; that nobody answers is no fault.
   [worker] */
int fetcher_new(struct pt_block *, const struct fetcher_config *, struct fetcher **,
                struct pt_error *);
void fetcher_free(struct fetcher *); /* [worker] tells what is over; NULL does nothing */

/* The calls below never wait. After something has come or changed the block is woken. */
void fetcher_begin(struct fetcher *);                    /* asks for nothing before */
struct fetched *fetcher_take(struct fetcher *);          /* the next one; NULL: there is none */
void fetcher_sent(struct fetcher *, struct fetched *);   /* all of it is on its way */
void fetcher_refuse(struct fetcher *, struct fetched *); /* it is nothing for anybody */
uint64_t fetcher_number(struct fetcher *);               /* of the last that was sent; 0: none */
void fetcher_ack(struct fetcher *, uint64_t number);     /* those that were sent, up to that */
/* Nothing more is asked for, and what was not sent, or not acknowledged either, goes back. */
void fetcher_give_back(struct fetcher *, bool sent);

struct fetcher_news {
	uint64_t waiting, unacknowledged; /* NATS messages */
	bool changed;                     /* the fault: */
	char *fault;                      /* yours to free; NULL: there is none */
};
void fetcher_news(struct fetcher *, struct fetcher_news *);
void fetcher_server(struct fetcher *, char *text, size_t size);

#endif
