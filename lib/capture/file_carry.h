/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that is being written: what the block that takes its writer's place goes on with, in this
   daemon or in the next. */
#ifndef CAPTURE_FILE_CARRY_H
#define CAPTURE_FILE_CARRY_H

#include "capture/capture.h"
#include <pipetool/outside.h>
#include <stdatomic.h>

/* Part of a block's state. */
struct file_carry {
	bool rotates, says_pack; /* as the parameters have it, before it is opened */
	bool is_carried;         /* what is written there goes on */
	atomic_bool settling;    /* the writer's thread wakes the block */
	struct capture_note note;
	int noted_fd; /* the writer's, as is the tail */
	const void *noted_tail;
};

/*
 * [worker] Goes on with the file of the configuration's name, if one is carried. By an earlier
 * daemon: *result writes behind what is there, and *from, if it is not NULL, says as of which
 * checkpoint. By a block that lives: *result is NULL, and take_over has its writer; what the
 * parameters say and the file is not is refused then.
 */
int file_carry_open(struct file_carry *, struct pt_block *, const struct capture_writer_config *,
                    struct capture_writer **result, const struct capture_note **from,
                    struct pt_error *);

/* What the type's settle does; NULL: nothing is noted of it. */
bool file_carry_settle(struct file_carry *, struct capture_writer *, bool begin);

/* What was noted, at a checkpoint; else, with `whole`, the file as it is. */
void file_carry_tell(const struct file_carry *, const struct capture_writer *, const char *path,
                     bool whole, struct pt_carry *);

#endif
