/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files to write captures to. */
#include "capture/output.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/path.h"
#include "capture/format.h"
#include "capture/pack.h"
#include "capture/unpack.h"
#include "msg/pool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE        0640
#define FOLDER_MODE 0750
#define BATCH       64

#define HEAD        24 /* less is no file of any kind */
#define PACKED_ROOM (64 * 1024)

int output_failed(const struct capture_writer_config *config, const char *path, int code,
                  struct pt_error *err)
{
	switch (-code) {
	case EPIPE:
		return pt_fail(err, code, "fname", "cannot write '%s': the reader has closed it",
		               path);
	case EBUSY:
		return pt_fail(
			err, code, "fname",
			"'%s' is being written by another block or program; choose another name",
			path);
	case ETXTBSY:
		return pt_fail(err, code, "fname",
		               "'%s' is being read; choose another name to write to", path);
	case ESTALE:
		return pt_fail(err, code, "fname",
		               "'%s' was moved away while it was closed for others", path);
	case ETIMEDOUT:
		return pt_fail(err, code, "fname", "cannot write '%s': its reader takes nothing",
		               path);
	}
	path_write_failed(config->folders, "fname", path, code, err);
	if (code == -ENOSPC || code == -EDQUOT)
		pt_hint(err, "free some space, or write elsewhere; rotate bounds what is kept");
	else if (code == -EFBIG)
		pt_hint(err, "see the file size limit (ulimit -f), or use rotate");
	return code;
}

/* Opens without O_CREAT what is there: that needs less, in folders that others may write. */
static int open_file(const struct capture_writer_config *config, int mode, bool *created)
{
	int fd = path_open(config->folders, config->path, mode | O_CREAT | O_EXCL, MODE);
	*created = fd >= 0;
	if (fd != -EEXIST)
		return fd;
	fd = path_open(config->folders, config->path, mode, 0);
	return fd == -ENOENT ? path_open(config->folders, config->path, mode | O_CREAT, MODE) : fd;
}

static int check_facts(const struct capture_writer_config *config, const struct capture_facts *f,
                       struct pt_error *err)
{
	if (strcmp(f->packed, pack_words[config->pack]))
		return pt_fail(err, -EMEDIUMTYPE, "append",
		               "cannot append to '%s': its compression is %s, not %s", config->path,
		               f->packed, pack_words[config->pack]);
	if (f->format != config->format && !config->any_format)
		return pt_fail(err, -EMEDIUMTYPE, "format",
		               "cannot append to '%s': its format is %s, not %s", config->path,
		               capture_formats[f->format], capture_formats[config->format]);
	if (capture_format_is_mixed(f->format))
		return 0;
	if (f->swapped || f->old)
		return pt_fail(err, -EMEDIUMTYPE, "append", "cannot append to '%s': it is of %s",
		               config->path,
		               f->swapped ? "the other byte order" : "an old version of pcap");
	if (config->link_type >= 0 && config->link_type != f->link_type)
		return pt_fail(err, -EMEDIUMTYPE, "linktype",
		               "cannot append to '%s': its link type is %u, not %d", config->path,
		               f->link_type, config->link_type);
	return 0;
}

/* Faults come when it is read through. */
static int read_head(struct capture_reader *r)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m;
	int n;
	while ((n = capture_reader_next(r, pool, &m, 1, NULL)) == -EAGAIN)
		;
	if (n > 0)
		pt_msg_unref(m);
	capture_reader_release(r);
	pool_free(pool);
	return 0;
}

static int read_through(struct capture_reader *r, struct pt_error *err)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *messages[BATCH];
	int n;
	while ((n = capture_reader_next(r, pool, messages, BATCH, err)) > 0 || n == -EAGAIN)
		if (n > 0)
			msg_unref_many(messages, (unsigned)n);
	capture_reader_release(r);
	pool_free(pool);
	if (n)
		pt_hint(err,
		        "behind that nothing could be read; mend the file or leave out append");
	return n;
}

/* Ours may be open for writing alone. */
static int open_again(int fd, int mode)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int again = open(path, mode | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/* What the file is that `copy` reads, if what is to be written can stand behind it. */
static int look_at(const struct capture_writer_config *config, struct output *o, int copy,
                   bool through, struct pt_error *err)
{
	struct capture_reader *r;
	struct capture_facts facts;
	if (copy < 0)
		return output_failed(config, config->path, copy, err);
	int rc = capture_reader_open_fd(copy, config->path, &r, err);
	if (rc)
		return rc;
	rc = through ? read_through(r, err) : read_head(r);
	capture_reader_facts(r, &facts);
	if (rc == 0)
		rc = check_facts(config, &facts, err);
	capture_reader_close(r);
	o->format = facts.format;
	o->headed = formats[facts.format]->head;
	if (rc || !o->headed)
		return rc;
	o->link_type = facts.link_type;
	o->raise = facts.snaplen && facts.snaplen < link_type_packet_max(facts.link_type);
	return 0;
}

/* One writes at a time; where the file system has no locks, nobody knows. */
static bool lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* See input_unlock. What is appended would come back, and be appended. */
static bool is_being_read(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_RDLCK;
}

static int to_end(const struct capture_writer_config *config, struct output *o,
                  struct pt_error *err)
{
	o->end = lseek(o->fd, 0, SEEK_END);
	return o->end < 0 ? output_failed(config, config->path, -errno, err) : 0;
}

static int claim(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	struct stat st;
	if (fstat(o->fd, &st) < 0)
		return output_failed(config, config->path, -errno, err);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (!lock(o->fd))
		return output_failed(config, config->path, -EBUSY, err);
	o->cut = !config->append;
	o->filled = st.st_size > 0;
	if (is_being_read(o->fd))
		return output_failed(config, config->path, -ETXTBSY, err);
	if (!config->append || !st.st_size)
		return 0;
	if (config->raw)
		return to_end(config, o, err);
	if ((fcntl(o->fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return pt_fail(err, -EBADF, "append",
		               "cannot append to '%s': it is not open for reading, too",
		               config->path);
	int copy = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
	int rc = look_at(config, o, copy < 0 ? -errno : copy, true, err);
	if (!rc && lseek(o->fd, 0, SEEK_END) < 0)
		rc = output_failed(config, config->path, -errno, err);
	return rc;
}

bool output_is_free(const struct capture_writer_config *config, const char *path)
{
	int fd = path_open(config->folders, path, O_RDONLY, 0);
	bool taken = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (fd >= 0)
		close(fd);
	return !taken;
}

int output_open(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	*o = (struct output){.link_type = -1, .format = config->format};
	o->fd = open_file(config, config->append ? O_RDWR : O_WRONLY, &o->created);
	if (o->fd < 0)
		return output_failed(config, config->path, o->fd, err);
	int rc = claim(config, o, err);
	if (rc == 0)
		return 0;
	if (o->created)
		path_unlink(config->folders, config->path);
	close(o->fd);
	return rc;
}

int output_take(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	*o = (struct output){.link_type = -1, .fd = config->fd, .format = config->format};
	int rc = claim(config, o, err);
	if (rc)
		close(o->fd);
	return rc;
}

/* ---- what an earlier process has begun ---- */

/* Where the last whole packet ends, of a file in our byte order. Only what is needed is read. */
static off_t find_end(int fd, off_t size, const struct format *format)
{
	static const size_t room = 1024 * 1024;
	uint8_t *bytes = must_calloc(room, 1);
	off_t at = format->head, from = 0;
	size_t have = 0;
	bool is_packet;
	while (at + FORMAT_PART <= size) {
		if (at < from || at + FORMAT_PART > from + (off_t)have) {
			ssize_t n = pread(fd, bytes, room, at);
			if (n < FORMAT_PART)
				break;
			from = at;
			have = (size_t)n;
		}
		size_t next = format->part(bytes + (at - from), &is_packet);
		if (!next || at + (off_t)next > size)
			break;
		at += (off_t)next;
	}
	free(bytes);
	return at > size ? 0 : at;
}

/* The same of a compressed one: where the last whole member or frame ends. */
static off_t find_packed_end(int fd)
{
	uint8_t *packed = must_calloc(2, PACKED_ROOM), *unpacked = packed + PACKED_ROOM;
	const struct unpack_kind *kind = NULL;
	void *unpacker = NULL;
	bool whole = false;
	off_t at = 0, end = 0;
	for (ssize_t n; (n = pread(fd, packed, PACKED_ROOM, at)) > 0; at += n) {
		struct unpack_span s = {.in = packed, .in_left = (size_t)n};
		if (!kind && (kind = unpack_kind(packed, (size_t)n)) && !(unpacker = kind->make()))
			break;
		while (kind && s.in_left) {
			size_t left = s.in_left;
			s.out = unpacked;
			s.out_left = PACKED_ROOM;
			if (kind->run(unpacker, &s, &whole))
				goto damaged;
			if (whole)
				end = at + (n - (ssize_t)s.in_left);
			if (s.in_left == left && s.out_left == PACKED_ROOM)
				goto damaged;
		}
	}
damaged:
	if (unpacker)
		kind->free(unpacker);
	free(packed);
	return end;
}

/* Behind the last whole packet it is to be cut, and gone on with; where there is not even a header,
   it is begun. */
static int find_cut(const struct capture_writer_config *config, struct output *o, off_t size,
                    struct pt_error *err)
{
	int reading = open_again(o->fd, O_RDONLY);
	if (reading < 0)
		return output_failed(config, config->path, reading, err);
	o->cut = true;
	o->end = config->pack ? find_packed_end(reading)
	                      : find_end(reading, size, formats[o->format]);
	o->filled = o->end > 0;
	o->headed &= o->filled;
	close(reading);
	if (config->pack && size && !o->end)
		return pt_fail(err, -EMEDIUMTYPE, "fname",
		               "'%s' has nothing that is whole in its %s data", config->path,
		               pack_words[config->pack]);
	return 0;
}

/* What would be written to it nobody would find. */
static int was_deleted(const struct capture_writer_config *config, struct pt_error *err)
{
	return pt_fail(err, -EMEDIUMTYPE, "fname", "'%s' was deleted", config->path);
}

int output_go_on(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	struct stat st;
	int rc = fstat(config->fd, &st) ? -errno : 0;
	*o = (struct output){
		.fd = config->fd, .link_type = config->link_type, .format = config->format};
	o->headed = formats[config->format]->head; /* that may have another section */
	o->filled = true;
	if (!rc && S_ISREG(st.st_mode) && lseek(o->fd, 0, SEEK_END) < 0)
		rc = -errno;
	if (rc)
		output_failed(config, config->path, rc, err);
	else if (S_ISREG(st.st_mode) && !st.st_nlink)
		rc = was_deleted(config, err);
	else if (S_ISREG(st.st_mode) && config->begun == CAPTURE_TORN)
		rc = find_cut(config, o, st.st_size, err);
	if (rc)
		close(o->fd);
	return rc;
}

int output_noted(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	struct stat st;
	const struct capture_note *note = config->note;
	int rc = fstat(config->fd, &st) ? -errno : 0;
	*o = (struct output){.fd = config->fd,
	                     .link_type = note->link_type,
	                     .format = (enum capture_format)note->format,
	                     .cut = true,
	                     .end = note->length};
	o->headed = note->link_type >= 0 && (formats[o->format]->head || note->tail_length);
	o->filled = note->length > 0 || note->tail_length;
	if (rc)
		output_failed(config, config->path, rc, err);
	else if (!S_ISREG(st.st_mode) || st.st_size < note->length)
		rc = pt_fail(err, -EMEDIUMTYPE, "fname",
		             "'%s' is shorter than it was at the checkpoint", config->path);
	else if (!st.st_nlink)
		rc = was_deleted(config, err);
	if (rc)
		close(o->fd);
	return rc;
}

/* Goes on with what is there, if it is something. */
static int find(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	struct stat st;
	if (fstat(o->fd, &st) < 0)
		return output_failed(config, config->path, -errno, err);
	if (!lock(o->fd))
		return output_failed(config, config->path, -EBUSY, err);
	if (is_being_read(o->fd))
		return output_failed(config, config->path, -ETXTBSY, err);
	o->cut = true;
	o->filled = st.st_size > 0;
	if (config->raw && !config->pack)
		return to_end(config, o, err);
	if (config->raw)
		return find_cut(config, o, st.st_size, err);
	if (st.st_size < HEAD)
		return 0; /* nothing, or the beginning of a header */
	if (look_at(config, o, open_again(o->fd, O_RDONLY), false, err))
		return -EMEDIUMTYPE;
	return find_cut(config, o, st.st_size, err);
}

/* A FIFO would notice if it were opened to look at it. */
static int open_regular(const struct capture_writer_config *config)
{
	struct stat st;
	int fd = path_open(config->folders, config->path, O_PATH, 0);
	if (fd < 0)
		return fd;
	bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	close(fd);
	return regular ? path_open(config->folders, config->path, O_RDWR, 0) : -ENOENT;
}

int output_find(const struct capture_writer_config *config, struct output *o, struct pt_error *err)
{
	struct capture_writer_config anew = *config;
	int fd = config->fd >= 0 ? config->fd : open_regular(config);
	anew.begun = CAPTURE_NEW;
	if (fd == -ENOENT)
		return output_open(&anew, o, err);
	if (fd < 0)
		return output_failed(config, config->path, fd, err);
	*o = (struct output){.link_type = -1, .fd = fd, .format = config->format};
	int rc = find(config, o, err);
	if (rc)
		close(fd);
	return rc;
}

/* Readers cut packets where the header says that they are. */
static int raise_snaplen(const struct output *o)
{
	uint32_t snaplen = link_type_packet_max((uint16_t)o->link_type);
	bool appends = fcntl(o->fd, F_GETFL) & O_APPEND; /* wherever it is told to write */
	int fd = appends ? open_again(o->fd, O_WRONLY) : o->fd;
	if (fd < 0)
		return fd;
	off_t at = formats[o->format]->snaplen_at;
	int rc = pwrite(fd, &snaplen, sizeof snaplen, at) < 0 ? -errno : o->fd;
	if (appends)
		close(fd);
	return rc;
}

int output_begin(const struct output *o)
{
	if (is_being_read(o->fd))
		return -ETXTBSY;
	if (o->cut && (ftruncate(o->fd, o->end) < 0 || lseek(o->fd, o->end, SEEK_SET) < 0))
		return -errno;
	return o->raise && o->headed ? raise_snaplen(o) : o->fd;
}

/* A FIFO or a device has nothing to be cut. */
static int empty(int fd)
{
	struct stat st;
	bool cut = fstat(fd, &st) || S_ISREG(st.st_mode);
	return cut && ftruncate(fd, 0) ? -errno : 0;
}

int output_replace(const struct capture_writer_config *config, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW;
	int fd = path_open(config->folders, path, flags, MODE);
	if (fd == -ENOENT && config->later &&
	    !path_make_folders(config->folders, path, FOLDER_MODE))
		fd = path_open(config->folders, path, flags, MODE);
	if (fd < 0)
		return fd;
	int rc = !lock(fd) ? -EBUSY : is_being_read(fd) ? -ETXTBSY : empty(fd);
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

int output_again(const struct capture_writer_config *config, const char *path)
{
	int fd = path_open(config->folders, path, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);
	int rc = fd < 0 || lock(fd) ? fd : -EBUSY;
	if (rc != fd)
		close(fd);
	return rc;
}
