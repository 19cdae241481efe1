/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that works for a block: started, watched, and ended with its children. */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "base/buf.h"
#include <pipetool/outside.h>
#include <sys/types.h>
#include <uv.h>

/*
 * Lies in a block's state. The program is the first of a process group of its own, has no other
 * descriptors than its standard ones, and writes its standard error to the log: some lines a
 * second, the last of which `show` has. When it has ended, what is left of its group is killed,
 * after a grace for what it still writes.
 */
#define PROCESS_LINES 5

struct process {
	struct pt_block *block;
	void (*ended)(struct pt_block *); /* it has ended, and `status` is known */
	pid_t pid;                        /* 0: there is none, or it has been reaped */
	int in, out;                      /* of ours, to be taken: -1 then */
	int pidfd, errors, exit_slot, error_slot;
	int status; /* as from waitpid */
	bool exited;
	uv_poll_t exit_poll, error_poll;
	struct buf line; /* of its standard error, unfinished */
	char *lines[PROCESS_LINES];
	unsigned line_count, told;
	uint64_t told_ns;
};

void process_init(struct process *, struct pt_block *, void (*ended)(struct pt_block *));
/* [any thread] Starts argv[0]; a fault stands under `path`. */
int process_open(struct process *, char *const *argv, const char *path, struct pt_error *);
void process_start(struct process *); /* watches it; in `start`, or after another process_open */
void process_take_over(struct process *, struct process *old);
/* What is left of it is killed, and it is reaped. */
void process_kill(struct process *);
/* [worker] Its input has ended: it has some time to end by itself, is asked to, and is killed. What
   it still prints is read from `out` (-1: nothing), and is gone. */
void process_close(struct process *, int out);
void process_fini(struct process *);
/* What became of it, with what it said last: "'cat' ended with status 1: …". Yours to free. */
char *process_last_words(const struct process *, const char *program);
struct json_t *process_describe(const struct process *); /* for `describe` */

#endif
