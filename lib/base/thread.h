/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, which may not be had. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

struct pt_error;

/*
 * Starts one, to which no signal comes. With `thread` NULL nobody waits for it. `what` it would be
 * is said where there is none: "the thread of engine 'e'". `stack` in bytes; 0: as the system has
 * it. Returns 0 or -PT_ELIMIT; `err` may be NULL.
 */
int thread_start(const char *what, size_t stack, void *(*run)(void *), void *arg, pthread_t *thread,
                 struct pt_error *err);

#endif
