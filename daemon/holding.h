/* SPDX-License-Identifier: BSD-2-Clause */
/* What is stored for each block, and for each engine: of whoever has its lock. */
#ifndef DAEMON_HOLDING_H
#define DAEMON_HOLDING_H

#include "base/buf.h"
#include "daemon/page.h"
#include "engine/ring.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STORE_PREFIX "keep/"

struct pt_carry;

struct item {
	char *key;
	unsigned number;
	bool left; /* of the cut before alone: when the one that comes is committed it is let go */
	int fd;    /* from before, until it is given; else -1 */
	dev_t device;
	ino_t inode;
};

/* What one block has carried over. */
struct holding {
	struct holding *next;
	char *engine, *block, *type;
	struct ring *memory; /* a descriptor of this number: 0, or greater where it has grown */
	unsigned memory_number;
	uint64_t cut; /* what was written last is of it; 0: of none */
	bool given;   /* to an engine of this daemon, or by one */
	bool beside;  /* which lies beside what was before */
	bool damaged; /* the memory is not what was written last: it tells of descriptors alone */
	unsigned last_number;
	struct item *items;
	size_t count;
};

/* Of an engine that has cuts. */
struct mark {
	struct mark *next;
	char *engine;
	struct page *page;
	bool left;  /* some item of its blocks is */
	bool given; /* as of a holding */
};

struct store {
	pthread_mutex_t lock;
	struct mark *marks;
	struct fdstore *fds;
	uint64_t complained_ns; /* when it was said that something has no room; 0: never */
	size_t stored, stored_max;
	struct holding *holdings;
};
/* ---- all of it with the lock ---- */

struct holding *holding_find(struct store *, const char *engine, const char *block);
struct holding *holding_add(struct store *, const char *engine, const char *block);
void holding_drop(struct store *, struct holding *); /* and all that is stored of it */
void holding_free(struct holding *);
void item_fini(struct item *);

/* Under a number; takes the descriptor. False: there is no room, which is told. */
bool holding_put(struct store *, const struct holding *, unsigned number, int fd);
void holding_let_go(struct store *, const struct holding *, unsigned number);

/* Comes before the descriptors, which are nothing without it. False: there is no room. */
bool holding_make_memory(struct store *, struct holding *);
void holding_write(struct store *, struct holding *, const struct pt_carry *);
/* What was written last and counts, or before that where it is damaged. */
void holding_read(struct store *, struct holding *, struct buf *records);
struct ring_record holding_record(const struct buf *records);

struct mark *mark_find(struct store *, const char *engine);
struct mark *mark_add(struct store *, const char *engine, struct page *);
struct mark *mark_need(struct store *, const char *engine); /* NULL: no room, or no memory */
uint64_t mark_committed(struct store *, const char *engine);
void mark_free(struct mark *);
void mark_drop(struct store *, struct mark *);
char *mark_name(const char *engine);
void mark_let_go(struct store *, char *name); /* takes it */

#endif
