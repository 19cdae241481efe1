/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that do one thing for many, side by side. */
#ifndef CTL_FLEET_JOBS_H
#define CTL_FLEET_JOBS_H

#include <pipetool/error.h>
#include <stddef.h>

/* So many threads, or as many as there are to be had: none at all is a failure. They stay until
   jobs_free, since what one of them has started (ssh) ends with it. */
struct jobs;
int jobs_new(unsigned threads, struct jobs **, struct pt_error *);
void jobs_free(struct jobs *); /* NULL does nothing */
unsigned jobs_count(const struct jobs *);

/* Calls run(arg, item) for each, and waits until all of them have returned. */
void jobs_each(struct jobs *, void (*run)(void *arg, void *item), void *arg, void **items,
               size_t count);

#endif
