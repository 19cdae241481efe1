/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture files: pcap and pcapng, read in chunks and written through a buffer. */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "capture/pack.h"
#include "msg/link_type.h"
#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <stdbool.h>

/*
 * Formats: pcap (magic a1b2c3d4, a1b23c4d and a1b2cd34, either byte order; draft-ietf-opsawg-pcap;
 * older ones as in pcap.c) and pcapng (draft-ietf-opsawg-pcapng: section header, interface
 * description, enhanced, simple and obsolete packet blocks, several sections and interfaces,
 * if_tsresol and if_tsoffset), several files one behind the other, plain or compressed with gzip,
 * zstd or lz4 (told by the first bytes, not by the name).
 * What a pcapng says beside its packets goes with them (msg/origin.h), and into a pcapng that they
 * are written to (mapping.h).
 * Nothing in a file is believed: a record that claims more captured bytes than a packet of its link
 * type may have, and than the file's own snapshot length (or more than the file has, or an engine
 * may hold) ends the reading with a fault that names the byte offset; what came before is
 * delivered.
 */

struct capture_reader;

/* Opens a file (regular, FIFO, device; never waits for a FIFO's other side) and reads nothing yet,
   unless it is a regular file: then its header is checked at once. */
int capture_reader_open(const char *path, struct capture_reader **, struct pt_error *);
/* The same on a descriptor that is open already, which the reader then owns. */
int capture_reader_open_fd(int fd, const char *name, struct capture_reader **, struct pt_error *);
/* What else may be said of a reading. */
struct capture_reading {
	enum {
		CAPTURE_PACKETS,
		CAPTURE_LINES,
		CAPTURE_BLOCKS
	} as;         /* what a message is: see lines.c */
	size_t limit; /* of a line or block: longer lines are left out, longer blocks are several */
	size_t memory; /* what the reader may read at once; 0: what is fast */
	bool growing;  /* see capture_reader_grow; nothing is read at the opening then */
};
int capture_reader_open_as(int fd, const char *name, const struct capture_reading *,
                           struct capture_reader **, struct pt_error *);

/* A file that is written on at its end: there is -EAGAIN there (and capture_reader_at_end is true)
   in place of the end, or of a fault for what is not whole yet, until it grows no more. */
void capture_reader_grow(struct capture_reader *, bool growing);
bool capture_reader_at_end(const struct capture_reader *);
/* Lines since this was asked last that were longer than they may be; blocks of a pcapng that are no
   packets, and of kinds that are unknown or too long. */
uint64_t capture_reader_left_out(struct capture_reader *);
bool capture_reader_is_regular(const struct capture_reader *);

/* Where it is: bytes (0: that is no place to go on from, without what came before) and packets; and
   to go on there, before anything is read, in the file that it was. */
struct capture_place {
	uint64_t offset, messages;
};
struct capture_place capture_reader_place(const struct capture_reader *);
void capture_reader_go(struct capture_reader *, const struct capture_place *);

void capture_reader_close(struct capture_reader *); /* NULL does nothing */

/* The next packets, up to `max`, as messages of `pool`, whose bytes lie in the chunks that were
   read. Returns how many; 0 at the end; -EAGAIN when nothing came this time (poll the descriptor if
   the reader may wait, else call again: much was skipped); -ENOMEM when the pool's limit is reached
   (try again when messages were freed); another negative code with words in `err` when the file is
   damaged or cannot be read: nothing more comes then, and a FIFO is open no longer, as at the
   end. */
int capture_reader_next(struct capture_reader *, struct pt_pool *, struct pt_msg **messages,
                        unsigned max, struct pt_error *);

/* Gives up what it holds of the pool, and with it the reading: to be called on the pool's thread
   before capture_reader_close is on another. Done by itself at the end and after a fault. */
void capture_reader_release(struct capture_reader *);

/* Of the packets that capture_reader_next gave since this was asked last: so many are dated before
   1677 or after 2262, and have the nearest time instead. */
uint64_t capture_reader_misdated(struct capture_reader *);
/* The same of a pcapng's options and names that reach past the end of what they are in, and are
   left out with all behind them. */
uint64_t capture_reader_damaged(struct capture_reader *);

int capture_reader_rewind(struct capture_reader *, struct pt_error *); /* for loops */
/* What the file is; known after the first capture_reader_next. */
enum capture_format {
#define FORMAT(number, name, row) number,
#include "capture/formats.def"
#undef FORMAT
	CAPTURE_FORMATS
};
struct capture_facts {
	enum capture_format format;
	bool swapped;       /* written in the other byte order */
	const char *packed; /* how it is compressed: "gzip"; "none" */
	bool old;         /* of a version before 2.4, or with other records: not to be written on */
	uint32_t snaplen; /* of pcap */
	uint16_t link_type; /* of pcap */
};
void capture_reader_facts(const struct capture_reader *, struct capture_facts *);

/* What a file is called says what it is, in either case: .pcapng and .ntar are pcapng, else it is
   the first of all, pcap; an ending that says how it is compressed comes behind that. */
enum capture_format capture_format_by_name(const char *path);
/* "pcap", "pcap-ns", "pcapng", in the order of the formats; ends with NULL. */
extern const char *const capture_formats[];
bool capture_format_is_mixed(enum capture_format); /* of packets of several link types */

int capture_reader_fd(const struct capture_reader *);
/* Whether reads may have to wait (a FIFO, a socket, a terminal): then poll capture_reader_fd. */
bool capture_reader_may_wait(const struct capture_reader *);
/* How far: bytes of the file whose packets have been handed over, and its size; size 0 if unknown.
   Of what was handed over, so many unpacked bytes still wait at whoever has them (`waiting`). */
void capture_reader_progress(const struct capture_reader *, uint64_t waiting, uint64_t *done,
                             uint64_t *size);

/*
 * A writer copies packets into buffers that a thread of its own writes out. Until the first packet
 * (or the close) the file stays as it was. A message that is not a packet is written only where a
 * link type is configured: as a packet of that one, of its own time or else of now. Counted is what
 * the format cannot say: times in pcap before 1970 and after 2106, which become the first and the
 * last one, and packets over link_type_packet_max, which are cut there. After a failed write
 * everything is refused; the file ends with the last packet that is whole in it, but where it is
 * compressed.
 */
struct capture_writer;

struct capture_writer_config {
	/* The bytes of messages alone, whatever they are, or each with a newline; no format. */
	enum { CAPTURE_FORMATTED, CAPTURE_BYTES, CAPTURE_NEWLINES } raw;
	int link_type; /* -1: of the first packet; for pcap a packet of another one is refused */
	const char *path;
	/* 0, or the first one's of a ring of files, whose name is `path`: rotate.h. */
	uint64_t number;
	uint64_t files; /* of a ring: so many are kept, those with the highest numbers; 0: all */
	int fd; /* -1, or a descriptor to write to, which the writer owns, also on failure; path is
	           its name. A regular file is treated as one that was opened by its path */
	const char *const *folders; /* where it may write, for ever: see base/path.h */
	enum capture_format format;
	/* An earlier process has begun to write: it goes on behind what is there. Where that
	   process was killed, the file may be torn, and is cut behind its last whole packet (if it
	   is compressed, behind the last member or frame that is whole). Whole and torn are of
	   `fd`. Found is what may be there, in `fd` or by its name; where that is another kind of
	   file it stays, and what is written goes beside it: capture_writer_aside. */
	enum { CAPTURE_NEW, CAPTURE_WHOLE, CAPTURE_TORN, CAPTURE_FOUND, CAPTURE_NOTED } begun;
	/* Noted: `fd` is cut to what was noted, and gone on with; where it is shorter, it stays,
	   and what is written goes beside it. Of a ring what came after is deleted. */
	const struct capture_note *note;
	const void *tail; /* of the note */
	enum pack_kind pack;
	/* To a file of the same format and link type, else refused; not where either is
	   compressed. */
	bool append;
	bool any_format;            /* what goes on behind what is there takes that file's format */
	const char *interface_name; /* for pcapng; may be NULL */
	const char *application;    /* shb_userappl for pcapng; may be NULL */
	/* One of many, whose thread this is (base/crew.h). With `later` nothing is opened before
	   the first packet comes, and then what bears the name is overwritten, and folders are
	   made. */
	struct crew *crew;
	bool later;
	size_t tail_max; /* of its note; 0: 256 KiB */
	void (*progress)(
		void *arg); /* [writer's thread] room again, or an error: see base/writer.h */
	/* [writer's thread, or in close] So many of the packets that were taken have not reached
	   the file, because a write failed; may be NULL. Of a compressed file also those that it
	   may end in the middle of. */
	void (*lost)(void *arg, uint64_t packets);
	void *arg;
};

/* Opens, and writes the header as soon as the link type is known (at the close at the latest: an
   empty file is a valid one, of Ethernet if nothing else was said). May block: appending reads the
   file through, since behind a damaged end nothing could be read. Refused are a FIFO
   without a reader, a file (or a ring) that somebody else is writing (flock), and
   one that a capture_reader is reading; also when its turn comes, as a failed write. */
int capture_writer_open(const struct capture_writer_config *, struct capture_writer **,
                        struct pt_error *);

/* Another owner goes on with it: `config` may differ in files, link_type, progress, lost and arg,
   which count from now on; when it returns, nobody calls what they were before. The link type of a
   pcap file that has begun stays. */
void capture_writer_adopt(struct capture_writer *, const struct capture_writer_config *config);
enum capture_format capture_writer_format(const struct capture_writer *);
enum pack_kind capture_writer_pack(const struct capture_writer *);
/* Why another file is written than was said, and its name, as words; NULL: it is not. */
const char *capture_writer_aside(const struct capture_writer *);
/* Begins the file at once, if there is nothing in it and the link type is known, or need not be: so
   that a reader finds a header. Cuts off at once what is torn. */
void capture_writer_head(struct capture_writer *);
int capture_writer_link_type(const struct capture_writer *); /* -1: it has no header yet */
int capture_writer_fd(const struct capture_writer *); /* its own; -1 after capture_writer_rotate */

/* Writes packets: copies them into the buffer. Returns how many were taken (fewer than `count` if
   the buffers are full: `progress` tells when to go on), or a negative code: -EMEDIUMTYPE for a
   packet that does not fit the file's link type (nothing of it is written; go on with the next),
   or the code of a failed write (words in err), which stays. Messages stay the caller's. */
int capture_writer_put(struct capture_writer *, struct pt_msg *const *messages, unsigned count,
                       struct pt_error *);
/* Of many, of which each gets one of the messages soon: has them not wait for memory one after the
   other. Those that are NULL are not there yet. */
void capture_writers_fetch(struct capture_writer *const *, struct pt_msg *const *messages,
                           unsigned count);
/* False: let the sources pause. What comes all the same is still taken, up to 64 MiB. */
bool capture_writer_has_room(const struct capture_writer *);
/* For `progress`, on the writer's thread: room enough to let them go on. */
bool capture_writer_has_much_room(const struct capture_writer *);
uint64_t capture_writer_bytes(const struct capture_writer *); /* so far, uncompressed */
void capture_writer_push(struct capture_writer *);            /* hand over what is buffered */
int capture_writer_error(const struct capture_writer *); /* 0, or the first failed write's code */
/* Packets so far that were written otherwise than they were. */
struct capture_misfits {
	uint64_t dated, cut;
};
struct capture_misfits capture_writer_misfits(const struct capture_writer *);

/* How far it is, as of capture_writer_note, so that another process can cut the file there and go
   on. Of a compressed file a member ends only after 256 KiB or a minute, and what came since is
   part of the note: it is to be written again. */
struct capture_note {
	int64_t length;            /* of the file; -1: it has none */
	uint64_t number, bytes;    /* of the file in its ring; written to it, uncompressed */
	int32_t format, link_type; /* -1: it has no header */
	uint32_t pack, tail_length;
	uint64_t device, inode;
};
/* `progress` tells when capture_writer_noted may have become true: then it is in the page cache.
   The descriptor (`bare`: there is none) and the tail stay the writer's, until the next note. */
void capture_writer_note(struct capture_writer *, bool bare);
bool capture_writer_noted(struct capture_writer *, struct capture_note *, int *fd,
                          const void **tail);
bool capture_writer_is_regular(const struct capture_writer *);

/* Ends this file, has it put on the disk, and goes on in the next one of the ring, which is made or
   overwritten; then what is not kept is deleted, as it is when the first one begins. The file work
   is the writer's thread's: what fails there is a failed write. A link type that is known stays. */
void capture_writer_rotate(struct capture_writer *);

/* Whether the file's name leads to another one now, or to none. Not of a ring. */
bool capture_writer_is_elsewhere(const struct capture_writer *);
/* Ends this file and goes on in the one of the name, as above; of a ring, in the next. A file that
   still has its name goes on. So does one whose name leads to an other that is to be appended to
   and is not empty. capture_writer_fd is -1 until it is open, which `progress` tells. */
void capture_writer_reopen(struct capture_writer *);

/* Waits until everything is on the disk and closes. -ENOSPC and the like with words. */
int capture_writer_close(struct capture_writer *, struct pt_error *); /* NULL does nothing */
/* Of one whose descriptor is closed for now, for others: whether its name leads to another file, or
   to none. Then it is left as it is; another is to be opened. */
bool capture_writer_is_moved(const struct capture_writer *);
void capture_writer_leave(struct capture_writer *);
/* Closes one that nothing was put into, and leaves no trace: no header is written, and a file that
   was not there before is removed. */
void capture_writer_cancel(struct capture_writer *);

#endif
