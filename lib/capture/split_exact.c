/* SPDX-License-Identifier: BSD-2-Clause */
/* What is noted of each file, as records behind one another. */
#include "capture/split_exact.h"

#include "base/error.h"
#include "base/io.h"
#include "base/path.h"
#include "capture/format.h"
#include "capture/pack.h"
#include "capture/rotate.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES  "files"
#define VALUES "values" /* of daemons that noted the length alone */

/* What a checkpoint has of a file: in its record the path and the tail stand behind the note. */
struct split_left {
	struct split_left *next;
	struct capture_note note; /* of a length of -1: how long it was is not known */
	bool is_other;            /* than it was: it stays, and what comes goes beside it */
	char path[];
};

/* ---- noting ---- */

void split_exact_dirty(struct split *s, struct split_value *v)
{
	if (s->only)
		return;
	v->is_dirty = true;
	v->next_dirty = s->exact.dirty;
	s->exact.dirty = v;
}

/* What was dirty is to be noted; and so is what an earlier checkpoint, which was given up, waits
   for. */
static void begin_all(struct split *s)
{
	for (struct split_value *v = s->exact.dirty; v; v = v->next_dirty) {
		v->is_dirty = false;
		if (v->w)
			capture_writer_note(v->w, true);
		if (v->is_noting)
			continue;
		v->is_noting = true;
		v->next_noting = s->exact.noting;
		s->exact.noting = v;
	}
	s->exact.dirty = NULL;
}

/* Of what is closed, or has failed, nobody knows how long it is, but it is gone on with; only what
   has no file yet is in no checkpoint. */
static bool is_noted(struct split_value *v)
{
	int fd;
	if (v->w && !capture_writer_noted(v->w, &v->note, &fd, &v->tail))
		return false;
	v->is_noted = !v->w || v->note.length >= 0 || capture_writer_bytes(v->w);
	return true;
}

bool split_exact_settle(struct split *s, bool begin)
{
	atomic_store(&s->carry.settling, true);
	if (begin)
		begin_all(s);
	for (struct split_value *v; (v = s->exact.noting); s->exact.noting = v->next_noting) {
		if (!is_noted(v))
			return false;
		v->is_noting = false;
	}
	atomic_store(&s->carry.settling, false);
	return true;
}

void split_exact_closed(struct split *s, struct split_value *v)
{
	v->w = NULL;
	v->note = (struct capture_note){.length = -1};
	if (!v->is_dirty)
		split_exact_dirty(s, v);
}

static void add_record(struct buf *out, const struct capture_note *note, const char *path,
                       const void *tail)
{
	buf_add(out, note, sizeof *note);
	buf_add(out, path, strlen(path) + 1);
	if (note->tail_length)
		buf_add(out, tail, note->tail_length);
}

static void add_value(struct buf *out, const struct split_value *v)
{
	if (v && v->is_noted)
		add_record(out, &v->note, v->path, v->tail);
}

/* At the end of the daemon: how long it is is seen when it is closed. */
static void add_last(struct buf *out, struct split_value *v)
{
	struct capture_note note = {.length = -1};
	const void *tail;
	int fd;
	if (!v || (!v->w && !v->is_noted))
		return;
	if (v->w) {
		capture_writer_note(v->w, true);
		capture_writer_noted(v->w, &note, &fd, &tail);
	}
	note.length = -1;
	note.tail_length = 0;
	add_record(out, &note, v->path, NULL);
}

/* Those that did not come again since an earlier checkpoint. */
static void add_left(struct buf *out, const struct split *s)
{
	for (const struct split_left *l = s->exact.left_list; l; l = l->next) {
		if (map_get(&s->exact.left, l->path))
			add_record(out, &l->note, l->path, NULL);
	}
}

static void add(struct buf *out, struct split_value *v, bool last)
{
	if (last)
		add_last(out, v);
	else
		add_value(out, v);
}

/* First, whether files of further values are gone on with, too. */
void split_exact_carry(const struct split *s, struct pt_carry *carry)
{
	struct buf out = BUF_INIT;
	bool last = pt_carry_to(carry) == PT_AT_END;
	uint8_t others = s->exact.resumed ? s->exact.others : s->found;
	if (!last && !pt_carry_exact(carry))
		return;
	buf_add(&out, &others, 1);
	for (unsigned i = 0; i < s->room; i++)
		add(&out, s->table[i], last);
	add(&out, s->other, last);
	add_left(&out, s);
	pt_carry_bytes(carry, FILES, out.data, out.length);
	buf_free(&out);
}

/* ---- going on ---- */

static int write_packed(void *fd, const void *bytes, size_t length)
{
	return io_write(*(int *)fd, bytes, length);
}

/* Of a compressed file a member of its own: nothing may come to it any more. */
static bool write_tail(const struct split *s, int fd, struct capture_note *note, const void *tail)
{
	size_t length = note->tail_length;
	uint8_t *bytes = must_calloc(1, length + 1);
	struct pack *pack = pack_new((enum pack_kind)note->pack);
	memcpy(bytes, tail, length);
	if (s->config.file.raw)
		length = raw_strip(tail, length, bytes);
	bool written = pack && lseek(fd, note->length, SEEK_SET) >= 0 &&
	               !pack_filter(pack, bytes, length, WRITER_LAST, write_packed, &fd);
	pack_free(pack);
	free(bytes);
	note->length = lseek(fd, 0, SEEK_CUR);
	note->tail_length = 0;
	return written;
}

/* Only the same file, at least as long. */
static bool cut(const struct split *s, int fd, struct capture_note *note, const void *tail)
{
	struct stat st;
	bool same = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_dev == note->device &&
	            st.st_ino == note->inode && st.st_size >= note->length;
	if (same && st.st_size > note->length)
		same = !ftruncate(fd, note->length);
	return same && (!note->tail_length || write_tail(s, fd, note, tail));
}

static void add_one(struct split *s, const char *path, const struct capture_note *note,
                    bool is_other)
{
	struct split_left *l = must_calloc(1, sizeof *l + strlen(path) + 1);
	strcpy(l->path, path);
	l->note = *note;
	l->note.tail_length = 0; /* of another file it is gone */
	l->is_other = is_other;
	l->next = s->exact.left_list;
	s->exact.left_list = l;
	map_set(&s->exact.left, l->path, l);
}

/* After a clean end it is as long as it should be. */
static void take_length(int fd, struct capture_note *note)
{
	struct stat st;
	if (fstat(fd, &st))
		return;
	note->length = st.st_size;
	note->device = st.st_dev;
	note->inode = st.st_ino;
}

/* Of files that follow one another those that came after it go. */
static void go_back(struct split *s, const char *path, struct capture_note *note, const void *tail)
{
	const char *const *folders = s->config.file.folders;
	char *name = note->number ? rotate_name(path, note->number) : must_strdup(path);
	int fd = path_open(folders, name, O_WRONLY | O_NOFOLLOW, 0);
	if (note->length < 0 && fd >= 0)
		take_length(fd, note);
	bool same = note->length < 0 || (fd >= 0 && cut(s, fd, note, tail));
	if (same && note->number)
		rotate_delete_after(folders, path, note->number);
	if (fd != -ENOENT)
		add_one(s, path, note, !same);
	if (fd >= 0)
		close(fd);
	free(name);
}

/* Behind the record; NULL: it is not whole. */
static const char *take_record(struct split *s, const char *at, const char *end)
{
	struct capture_note note;
	const char *path = at + sizeof note;
	if ((size_t)(end - at) <= sizeof note)
		return NULL;
	memcpy(&note, at, sizeof note);
	const char *tail = memchr(path, '\0', (size_t)(end - path));
	if (!tail || (size_t)(end - ++tail) < note.tail_length)
		return NULL;
	const char *next = tail + note.tail_length;
	go_back(s, path, &note, tail);
	return next;
}

static const char *take_length_alone(struct split *s, const char *at, const char *end)
{
	struct {
		int64_t length;
		uint64_t device, inode;
	} was;
	const char *path = at + sizeof was;
	const char *tail =
		(size_t)(end - at) > sizeof was ? memchr(path, '\0', (size_t)(end - path)) : NULL;
	if (!tail)
		return NULL;
	memcpy(&was, at, sizeof was);
	struct capture_note note = {.length = was.length, .device = was.device, .inode = was.inode};
	go_back(s, path, &note, NULL);
	return tail + 1;
}

static void open_each(struct split *s, const char *at, const char *end,
                      const char *(*take)(struct split *, const char *at, const char *end))
{
	s->exact.resumed = true;
	while (at && at < end)
		at = take(s, at, end);
}

void split_exact_open(struct split *s)
{
	size_t length = 0;
	const char *at = pt_carried_bytes(s->block, FILES, &length);
	if (at && length) {
		s->exact.others = *at;
		open_each(s, at + 1, at + length, take_record);
	} else if ((at = pt_carried_bytes(s->block, VALUES, &length))) {
		open_each(s, at, at + length, take_length_alone);
	}
}

bool split_exact_left(struct split *s, struct split_value *v)
{
	const struct split_left *l = map_get(&s->exact.left, v->path);
	if (!l)
		return s->exact.others;
	map_remove(&s->exact.left, v->path);
	v->numbered |= l->note.number > 0;
	v->note = l->note; /* for a checkpoint that is under way */
	v->is_noted = !l->is_other;
	if (l->is_other) {
		pt_report(s->block, -ESTALE,
		          "'%s' is not the file any more that it was at the checkpoint: it stays, "
		          "and another is begun beside it",
		          v->path);
		v->numbered = true;
	}
	return true;
}

void split_exact_close(struct split *s)
{
	for (struct split_left *l; (l = s->exact.left_list);) {
		s->exact.left_list = l->next;
		free(l);
	}
	map_free(&s->exact.left);
}
