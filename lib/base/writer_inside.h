/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a writer: its queue (writer.c), and what its thread does with the descriptor
   (writer_out.c). */
#ifndef BASE_WRITER_INSIDE_H
#define BASE_WRITER_INSIDE_H

#include "base/crew.h"
#include "base/writer.h"
#include <pthread.h>
#include <stdatomic.h>

/* What the thread does next: bytes to write, or a descriptor to change to. */
struct piece {
	struct piece *next;
	int (*open)(void *arg);
	void *arg;
	bool sync, mark, pause, bare;
	bool pushed;    /* behind it the filter is to keep nothing back; under the lock */
	unsigned share; /* as so many buffers it counts */
	size_t size, length;
	uint8_t bytes[];
};

struct writer {
	/* The owner's, but for the three that are atomic. First, and together, is what each message
	   that comes needs. */
	struct piece *current; /* its length is told when it is handed over: … */
	atomic_size_t filled;  /* … so much is in it … */
	size_t size;           /* … of so much */
	atomic_int error;
	unsigned untold;  /* pieces that the thread was not woken for */
	atomic_bool shut; /* closed for now */
	bool running;     /* the thread */
	struct writer_config config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct piece *first, **last, *spare; /* under the lock, as are the next five */
	unsigned spares;
	bool busy, ending, end_sync;
	bool pushed;           /* as of a piece, of what is written or was before `first` */
	atomic_bool awaited;   /* somebody waits in flush or free */
	atomic_uint in_use;    /* buffers that are not spare, by their shares */
	atomic_size_t pending; /* handed over */
	atomic_uint_fast64_t written;
	unsigned marks; /* not reached yet; under the lock, as are the next two, of the last one */
	struct writer_at marked;
	uint64_t unsure; /* messages that the filter may still hold; the thread's, as is the next */
	bool put;        /* the filter has let go of something */
	int flags;       /* that the descriptor had, if they were changed; -1 */
	struct crew_member member;
	bool ended; /* under the lock: the crew is done with it */
};

/* ---- writer_out.c: all of it on the writer's thread, or in writer_free behind its end ---- */

void writer_fail(struct writer *, int error); /* the first one counts; 0 is none */
void writer_carry_out(struct writer *, const struct piece *);
void writer_pause_filter(struct writer *); /* has it keep nothing back for now */
int writer_end_file(struct writer *, bool sync);
int writer_sync(const struct writer *);
int writer_close(struct writer *);
void writer_make_nonblocking(struct writer *);

/* Of a crew: closed for now, and for good. */
struct writer *writer_of_member(struct crew_member *);
void writer_shut(struct crew_member *);
void writer_leave_file(struct writer *);

#endif
