/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of several readers, by their time stamps. */
#ifndef CAPTURE_MERGE_H
#define CAPTURE_MERGE_H

#include "capture/capture.h"

/* Of each reader the next packet is known, and the oldest of these comes next; of the same time,
   that of the first reader. */
struct merge;

struct merge *merge_new(unsigned readers);
void merge_free(struct merge *);    /* NULL does nothing */
void merge_release(struct merge *); /* lets go of messages; merge_add is next */
/* The n-th one, from its beginning; once for each. It stays the caller's. */
void merge_add(struct merge *, unsigned n, struct capture_reader *);

/* As capture_reader_next. *n is the reader that has to wait, or has a fault and is left out from
   now on. */
int merge_next(struct merge *, struct pt_pool *, struct pt_msg **messages, unsigned max,
               unsigned *n, struct pt_error *);

#endif
