/* SPDX-License-Identifier: BSD-2-Clause */
/* A capture that is being written: the files that it goes to (writer.c, and writer_open.c), and the
   packets that go there (writing.c). */
#ifndef CAPTURE_WRITING_H
#define CAPTURE_WRITING_H

#include "base/buf.h"
#include "base/writer.h"
#include "capture/capture.h"
#include "capture/format.h"
#include "capture/mapping.h"
#include "capture/output.h"
#include <pthread.h>

struct capture_writer {
	/* First, and together, is what each packet that comes needs. */
	struct writer *writer; /* from the first packet on */
	const struct format *format;
	uint64_t bytes;
	struct capture_misfits misfits;
	int link_type; /* of pcap; -1: not known yet */
	bool headed;   /* the file has its header */
	bool keeps;    /* see below */
	struct capture_writer_config config;
	char *open_path;                /* the writer's thread's: what it has opened last */
	_Atomic uint64_t device, inode; /* of that, where it may be closed meanwhile */
	char *aside;                    /* words, or NULL */
	char *path, *ring, *interface_name, *application;
	uint64_t number;      /* of the file in the ring */
	struct output output; /* until the writer has it */
	_Atomic int fd;       /* the first one, or that of the name, with whoever has it */
	struct pack *pack;
	struct mapping map; /* of a mixed format */
	/* See capture_writer_note. */
	struct capture_note note;
	struct buf tail;       /* what comes behind the last end of a member, while it keeps that;
	                          or what is to be written first */
	uint64_t tail_ns;      /* since when */
	struct buf noted;      /* as of the note */
	pthread_mutex_t owner; /* held while the writer's thread calls the owner */
};

/* ---- writer.c ---- */

struct writer *writing_begin(struct capture_writer *); /* what it is written by, from now on */
/* So many bytes were written into its room. */
void writing_advance(struct capture_writer *, const uint8_t *at, size_t length);

/* ---- writing.c: false is that there is no room ---- */

bool writing_before(struct capture_writer *); /* what stands before the next packet */
bool writing_header(struct capture_writer *, int link_type, const struct pt_origin *);

#endif
