/* SPDX-License-Identifier: BSD-2-Clause */
/* The raw stream of a tap: pcapng, block by block. */
#ifndef CTL_TAPPED_H
#define CTL_TAPPED_H

#include "base/buf.h"
#include "ctl/ctl.h"

/* Takes only whole blocks out of the stream, so that what was written can be read, whenever it
   ends. */
struct tapped {
	struct pt_client *client;
	struct buf bytes; /* that came and were not taken */
	bool swapped;     /* from a machine of the other byte order */
	bool ended;
};

/* The method is asked for what the request says (taken), as pcapng. The caller calls tapped_close
   in every case. */
int tapped_open(struct tapped *, struct ctl *, const char *method, json_t *params,
                struct pt_error *);
int tapped_fd(const struct tapped *); /* to poll before tapped_read */
/* Reads what is there. `ended` is set at the end. */
int tapped_read(struct tapped *, struct pt_error *);
/* How many of the bytes are whole blocks, with at most *packets packets, which are subtracted;
   packets < 0: any number. */
int tapped_whole(struct tapped *, int64_t *packets, size_t *length, struct pt_error *);
/* After the end: 0 if the block has gone, and -EPIPE, in words, if the daemon has ended. Asked over
   the first connection of `ctl`, which is there from before the tap on: a daemon that ends takes
   no more requests. */
int tapped_check_gone(struct ctl *, struct pt_error *);
void tapped_close(struct tapped *);

/* The same, to its end or a signal, into a file, "-" being standard output; *left as above. */
int tapped_write(struct ctl *, const char *method, json_t *params, const char *path, int64_t *left,
                 struct pt_error *);

/* Refuses a terminal; opens it, once there is something to be written; tells why not, or why no
   more. */
int tapped_check_output(const char *path, struct pt_error *);
int tapped_open_file(const char *path, struct pt_error *);
int tapped_cannot_write(const char *path, int code, struct pt_error *);

/* A message as block.packets has it, in one line as consoles show it. */
void tapped_line(struct buf *, const json_t *message);

/* Signals that end a program are noted, and come only while one waits in tapped_wait. */
void tapped_catch_signals(void);
bool tapped_interrupted(void);
struct pollfd;
int tapped_wait(struct pollfd *, unsigned count); /* as poll, for ever; -1 after a signal */

#endif
