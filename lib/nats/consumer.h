/* SPDX-License-Identifier: BSD-2-Clause */
/* A durable consumer of a stream, as the server has it. */
#ifndef NATS_CONSUMER_H
#define NATS_CONSUMER_H

#include "nats/bus.h"

#define CONSUMER_WAIT_NS UINT64_C(30000000000) /* after which what it gave is given again */

/*
 * Who reads alone has it all in order: each delivery has the number after the one before, and where
 * one is missing, the consumer is made anew behind what is settled. Others may read, too, and would
 * not like that: so a consumer's description says whether one reads it, and who, or several. A
 * stream that keeps messages for its consumers only, and one of which we may not be told, is never
 * read alone.
 */
struct consumer {
	struct bus *bus;
	char *stream, *name;
	char *subject;         /* NULL: all of the stream */
	char *mark;            /* its description while we read it alone */
	struct json_t *config; /* as it was last; or NULL */
};

/* Names of the parameters are copied. */
void consumer_init(struct consumer *, const struct pt_block *, const char *stream, const char *name,
                   const char *subject);
void consumer_fini(struct consumer *);

/* What is asked of it, and answered. */
struct claim {
	bool first;       /* we do not read yet */
	uint64_t mute_ns; /* since when the stream answers, and its consumer does not; 0: it does */
	uint64_t after;   /* all that it has up to this number in the stream is settled; 0: not
	                     known */
	uint64_t stream;  /* in which; 0: not known */
	bool alone;       /* answered: nobody else reads; then */
	bool anew;        /* `after` is of another stream, or one that has lost its end; */
	uint64_t next;    /* the delivery that comes next has this number */
};

/* [a thread that may wait] The calls below: 0, -EAGAIN, or a code with words. */

/* It is there, or has been made; or, after a number, it is made by the first claim, which knows
   whether that is of this stream. */
int consumer_find(struct consumer *, uint64_t after, struct pt_error *);
int consumer_claim(struct consumer *, struct claim *, struct pt_error *);
int consumer_look(const struct consumer *); /* has the server look at it */
void consumer_let_go(struct consumer *);    /* who comes next may read it alone */

#endif
