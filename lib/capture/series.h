/* SPDX-License-Identifier: BSD-2-Clause */
/* Several files read as one: one after the other, or merged by time stamp; to their ends, or as
   they grow. */
#ifndef CAPTURE_SERIES_H
#define CAPTURE_SERIES_H

#include "capture/capture.h"
#include <pipetool/outside.h>

/*
 * The order is that of the list, and of a glob's names in bytes. What is followed is read as
 * `tail -F` does it: at the end of the last file it waits for more there, for another file that
 * takes a name, and for new ones that a glob matches; a file that was renamed is not read again. It
 * tells by inotify, and looks at nothing meanwhile.
 */
struct series;

/* What a file is, whatever it is called: numbers of inodes are used again. */
struct identity {
	uint64_t device, inode;
	int64_t born_ns;
};

/* Where the reading is, so that another process can go on there: in which file, and where in it. Of
   what is merged no file is told. */
struct series_place {
	struct identity file;
	struct capture_place at;
};

struct series_config {
	const struct pt_files *files; /* of the block's parameters */
	struct capture_reading reading;
	bool by_time, follow;
};

/* [worker] Every regular file must be there and be what it is to be, unless they are followed. */
int series_open(struct pt_block *, const struct series_config *, struct series **,
                struct pt_error *);
void series_close(struct series *); /* NULL does nothing */
/* Another block, with the same parameters, goes on with it. */
void series_adopt(struct series *, struct pt_block *, const struct pt_files *);

/* As capture_reader_next, but: after -EAGAIN poll series_fd if series_waits says so; and where
   there are several files, or they are followed, a fault is of one of them, and the next are read
   on. */
int series_next(struct series *, struct pt_pool *, struct pt_msg **messages, unsigned max,
                struct pt_error *);
bool series_is_one(const struct series *); /* whose fault is the end of it all */
int series_fd(const struct series *);      /* -1: it never waits */
bool series_waits(const struct series *);
void series_finish(struct series *); /* what is followed ends where it ends now */
int series_rewind(struct series *, struct pt_error *);
void series_release(struct series *); /* see capture_reader_release */

bool series_goes_back(const struct series *); /* all are regular files, which are as they are */
struct series_place series_place(struct series *);
/* [worker] After series_open: goes on at the next message behind the place, or where it has no
   offset, at the beginning of its file. False: there is no such file. */
bool series_go(struct series *, const struct series_place *, struct pt_error *);

const char *series_name(const struct series *); /* of the file that is read */
uint64_t series_misdated(struct series *);      /* see capture_reader_misdated */
uint64_t series_left_out(struct series *);
uint64_t series_damaged(struct series *);
void series_progress(const struct series *, uint64_t waiting, uint64_t *done, uint64_t *size);

#endif
