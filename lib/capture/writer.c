/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes packets to a capture file, or through a pipe, by a thread of its own. */
#include "capture/writing.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/path.h"
#include "capture/format.h"
#include "capture/pack.h"
#include "capture/rotate.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER         ((size_t)512 * 1024)
#define BUFFER_OF_MANY ((size_t)32 * 1024)
#define EXTRA          (64 * 1024 * 1024 / BUFFER)
#define ETHERNET       1
#define TAIL_MAX       (256 * 1024) /* bytes of a member that is not ended for a note */
#define TAIL_NS        UINT64_C(60000000000)

/* A file to go on in. */
struct turn {
	struct capture_writer *w;
	bool first;    /* the one that was opened at the beginning */
	bool anew;     /* by its name */
	uint64_t gone; /* the highest number in the ring that is deleted */
	char path[];
};

void capture_writer_adopt(struct capture_writer *w, const struct capture_writer_config *config)
{
	pthread_mutex_lock(&w->owner);
	w->config.progress = config->progress;
	w->config.lost = config->lost;
	w->config.arg = config->arg;
	pthread_mutex_unlock(&w->owner);
	w->config.files = config->files;
	w->config.link_type = config->link_type;
	if (!w->headed && w->output.link_type < 0)
		w->link_type = config->link_type;
}

int capture_writer_fd(const struct capture_writer *w)
{
	return w->fd;
}

enum capture_format capture_writer_format(const struct capture_writer *w)
{
	return w->config.format;
}

enum pack_kind capture_writer_pack(const struct capture_writer *w)
{
	return w->config.pack;
}

const char *capture_writer_aside(const struct capture_writer *w)
{
	return w->aside;
}

int capture_writer_link_type(const struct capture_writer *w)
{
	return w->headed ? w->link_type : -1;
}

/* [writer's thread] */
static void remember(struct capture_writer *w, int fd)
{
	struct stat st = {.st_ino = 0};
	fstat(fd, &st);
	w->device = st.st_dev;
	w->inode = st.st_ino;
}

static bool is_remembered(const struct capture_writer *w, const struct stat *st)
{
	return st->st_dev == w->device && st->st_ino == w->inode;
}

/* [writer's thread] */
static int take_turn(void *arg)
{
	struct turn *t = arg;
	struct capture_writer *w = t->w;
	int fd = t->first ? output_begin(&w->output) : output_replace(&w->config, t->path);
	if (fd >= 0 && t->first)
		w->output.fd = -1;
	if (fd >= 0 && t->anew)
		w->fd = fd;
	if (fd >= 0 && w->config.crew) {
		free(w->open_path);
		w->open_path = must_strdup(t->path);
		remember(w, fd);
	}
	if (fd >= 0 && t->gone)
		rotate_delete(w->config.folders, w->ring, t->gone);
	return fd;
}

static void on_progress(void *arg)
{
	struct capture_writer *w = arg;
	pthread_mutex_lock(&w->owner);
	if (w->config.progress)
		w->config.progress(w->config.arg);
	pthread_mutex_unlock(&w->owner);
}

static void on_lost(void *arg, uint64_t packets)
{
	struct capture_writer *w = arg;
	pthread_mutex_lock(&w->owner);
	if (w->config.lost)
		w->config.lost(w->config.arg, packets);
	pthread_mutex_unlock(&w->owner);
}

/* [writer's thread] The packets that end in the first bytes of a buffer, as they were put there,
   and the end of the last part. */
static uint64_t count_packets(void *arg, const void *bytes, size_t length, size_t *last_end)
{
	const struct capture_writer *w = arg;
	const uint8_t *at = bytes;
	uint64_t count = 0;
	size_t left = length;
	while (left >= FORMAT_PART) {
		bool is_packet;
		size_t size = w->format->part(at, &is_packet);
		if (!size || left < size)
			break;
		at += size;
		left -= size;
		count += is_packet;
	}
	*last_end = length - left;
	return count;
}

static void take_turns(struct capture_writer *w, bool first, bool anew)
{
	uint64_t files = w->config.files;
	struct turn *turn = must_calloc(1, sizeof *turn + strlen(w->path) + 1);
	turn->w = w;
	turn->first = first;
	turn->anew = anew;
	turn->gone = files && w->number > files ? w->number - files : 0;
	strcpy(turn->path, w->path);
	writer_next(w->writer, take_turn, turn, !first);
}

/* [writer's thread] The bytes of messages alone, as they are or packed. */
static int filter_raw(void *arg, const void *bytes, size_t length, enum writer_end end,
                      int (*put)(void *put_arg, const void *bytes, size_t length), void *put_arg)
{
	struct capture_writer *w = arg;
	uint8_t *room = must_calloc(1, length + 1);
	size_t size = raw_strip(bytes, length, room);
	int rc = w->pack ? pack_filter(w->pack, room, size, end, put, put_arg)
	         : size  ? put(put_arg, room, size)
	                 : 0;
	free(room);
	return rc;
}

/* [crew's thread] */
static int reopen(void *arg)
{
	struct capture_writer *w = arg;
	struct stat st;
	int fd = output_again(&w->config, w->open_path);
	if (fd < 0 || (fstat(fd, &st) == 0 && is_remembered(w, &st)))
		return fd;
	close(fd);
	return -ESTALE;
}

static void make_writer(struct capture_writer *w)
{
	struct writer_config config = {
		.fd = -1,
		.close_fd = true,
		.buffer_size = BUFFER,
		.extra = EXTRA,
		.progress = on_progress,
		.count = count_packets,
		.lost = on_lost,
		.arg = w,
	};
	w->pack = pack_new(w->config.pack);
	config.filter = w->config.raw ? filter_raw : w->pack ? pack_filter : NULL;
	config.filter_arg = w->config.raw ? (void *)w : w->pack;
	if (w->config.crew) {
		config.crew = w->config.crew;
		config.reopen = reopen;
		config.buffer_size = BUFFER_OF_MANY;
		config.extra = EXTRA * (BUFFER / BUFFER_OF_MANY);
	}
	w->writer = writer_new(&config);
}

void writing_advance(struct capture_writer *w, const uint8_t *at, size_t length)
{
	size_t most = w->config.tail_max ? w->config.tail_max : TAIL_MAX;
	if (w->keeps && w->tail.length + length > most) {
		w->keeps = false;
		buf_clear(&w->tail);
	}
	if (w->keeps)
		buf_add(&w->tail, at, length);
	writer_advance(w->writer, length);
	w->bytes += length;
}

/* What was noted beside the file. */
static void write_tail(struct capture_writer *w)
{
	size_t length = w->tail.length;
	uint8_t *at = writer_room(w->writer, length);
	if (at) {
		memcpy(at, w->tail.data, length);
		writing_advance(w, at, length);
	}
	buf_clear(&w->tail);
}

struct writer *writing_begin(struct capture_writer *w)
{
	if (!w->writer) {
		make_writer(w);
		take_turns(w, !w->config.later, false);
		if (w->tail.length)
			write_tail(w);
	}
	return w->writer;
}

static void next_file(struct capture_writer *w, bool anew)
{
	if (w->headed && w->format->mixed) {
		mapping_finish(&w->map);
		writing_before(w);
	}
	w->fd = -1;
	take_turns(w, false, anew);
	buf_clear(&w->map.before);
	mapping_reset(&w->map);
	w->headed = w->keeps = false;
	buf_clear(&w->tail);
	w->bytes = 0;
}

void capture_writer_rotate(struct capture_writer *w)
{
	if (!w->config.later || w->writer)
		writing_begin(w);
	else
		make_writer(w);
	if (!w->ring) {
		w->ring = must_strdup(w->path);
		w->number = rotate_highest(w->config.folders, w->path);
	}
	free(w->path);
	w->path = rotate_name(w->ring, ++w->number);
	next_file(w, false);
}

/* ---- names ---- */

bool capture_writer_is_elsewhere(const struct capture_writer *w)
{
	struct stat own, named;
	int fd = w->fd;
	if (w->ring || fd < 0 || fstat(fd, &own) || !S_ISREG(own.st_mode))
		return false;
	return path_stat(w->config.folders, w->path, &named) || named.st_dev != own.st_dev ||
	       named.st_ino != own.st_ino;
}

bool capture_writer_is_moved(const struct capture_writer *w)
{
	struct stat st;
	return w->writer && writer_is_shut(w->writer) &&
	       (path_stat(w->config.folders, w->path, &st) || !is_remembered(w, &st));
}

void capture_writer_reopen(struct capture_writer *w)
{
	struct stat named;
	if (w->ring) {
		capture_writer_rotate(w);
		return;
	}
	if (!capture_writer_is_elsewhere(w) ||
	    (w->config.append && !path_stat(w->config.folders, w->path, &named) && named.st_size))
		return;
	if (!w->writer) { /* what was there is another's, and stays as it is */
		make_writer(w);
		if (w->output.fd >= 0)
			close(w->output.fd);
		w->output.fd = -1;
	}
	next_file(w, true);
	writer_push(w->writer);
}

void capture_writers_fetch(struct capture_writer *const *writers, struct pt_msg *const *messages,
                           unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(writers[i]);
	for (unsigned i = 0; i < count; i++)
		if (writers[i])
			__builtin_prefetch(writers[i]->writer);
	for (unsigned i = 0; i < count; i++)
		if (writers[i] && writers[i]->writer)
			writer_fetch(writers[i]->writer,
			             writers[i]->format->packet_head + messages[i]->length);
}

bool capture_writer_has_room(const struct capture_writer *w)
{
	return !w->writer || writer_has_room(w->writer);
}

bool capture_writer_has_much_room(const struct capture_writer *w)
{
	return !w->writer || writer_has_much_room(w->writer);
}

uint64_t capture_writer_bytes(const struct capture_writer *w)
{
	return w->bytes;
}

void capture_writer_push(struct capture_writer *w)
{
	if (w->format->mixed && !w->headed && !w->output.filled && !capture_writer_error(w))
		writing_header(w, -1, NULL);
	if (w->writer)
		writer_push(w->writer);
}

int capture_writer_error(const struct capture_writer *w)
{
	return w->writer ? writer_error(w->writer) : 0;
}

struct capture_misfits capture_writer_misfits(const struct capture_writer *w)
{
	return w->misfits;
}

/* ---- notes ---- */

static bool is_tail_old(const struct capture_writer *w)
{
	return w->tail.length && clock_ns() - w->tail_ns > TAIL_NS;
}

/* Where the member goes on, what came since the last mark is what the note lacks. */
static void mark(struct capture_writer *w, bool bare)
{
	if (w->config.pack && w->keeps && !is_tail_old(w))
		return;
	writer_mark(w->writer, w->config.pack, bare);
	w->keeps = w->config.pack;
	w->tail_ns = clock_ns();
	buf_clear(&w->tail);
}

void capture_writer_note(struct capture_writer *w, bool bare)
{
	w->note = (struct capture_note){
		.number = w->number,
		.bytes = w->bytes,
		.format = (int32_t)w->config.format,
		.link_type = capture_writer_link_type(w),
		.pack = w->config.pack,
	};
	if (w->writer)
		mark(w, bare);
	buf_clear(&w->noted);
	if (w->tail.length)
		buf_add(&w->noted, w->tail.data, w->tail.length);
	w->note.tail_length = (uint32_t)w->noted.length;
}

/* Nothing was written to it yet. */
static struct writer_at first_place(const struct capture_writer *w)
{
	struct stat st;
	if (fstat(w->output.fd, &st))
		return (struct writer_at){.length = -1, .fd = w->output.fd};
	return (struct writer_at){w->output.cut ? w->output.end : st.st_size, st.st_dev, st.st_ino,
	                          w->output.fd};
}

bool capture_writer_noted(struct capture_writer *w, struct capture_note *note, int *fd,
                          const void **tail)
{
	struct writer_at at;
	bool noted = true;
	if (w->writer) /* whose thread has the output */
		noted = writer_marked(w->writer, &at);
	else
		at = first_place(w);
	*fd = at.fd;
	w->note.length = at.length;
	w->note.device = at.device;
	w->note.inode = at.inode;
	*note = w->note;
	*tail = w->noted.data;
	return noted;
}

bool capture_writer_is_regular(const struct capture_writer *w)
{
	struct stat st;
	return w->ring || (w->fd >= 0 && !fstat(w->fd, &st) && S_ISREG(st.st_mode));
}

/* ---- closing ---- */

static void free_writer(struct capture_writer *w)
{
	if (w->output.fd >= 0)
		close(w->output.fd);
	pack_free(w->pack);
	mapping_fini(&w->map);
	free(w->aside);
	free(w->open_path);
	free(w->path);
	free(w->ring);
	free(w->interface_name);
	free(w->application);
	buf_free(&w->tail);
	buf_free(&w->noted);
	pthread_mutex_destroy(&w->owner);
	free(w);
}

/* libpcap takes no file without an interface, and no tool one without a member. */
static bool write_end(struct capture_writer *w)
{
	if (w->config.pack && !w->output.filled)
		writing_begin(w);
	if (!w->format->mixed)
		return writing_header(w, ETHERNET, NULL);
	mapping_finish(&w->map);
	if (!w->map.count)
		mapping_describe(&w->map, w->config.link_type < 0 ? ETHERNET
		                                                  : (uint16_t)w->config.link_type);
	return writing_before(w);
}

int capture_writer_close(struct capture_writer *w, struct pt_error *err)
{
	if (!w)
		return 0;
	int rc = capture_writer_error(w);
	for (int tries = 0; rc == 0 && tries < 2 && !write_end(w); tries++)
		writer_flush(w->writer, false);
	rc = writer_free(w->writer, true);
	if (rc)
		output_failed(&w->config, w->path, rc, err);
	free_writer(w);
	return rc;
}

void capture_writer_leave(struct capture_writer *w)
{
	writer_free(w->writer, false);
	free_writer(w);
}

void capture_writer_cancel(struct capture_writer *w)
{
	if (!w)
		return;
	assert(!w->writer);
	if (w->output.created)
		path_unlink(w->config.folders, w->path);
	free_writer(w);
}
