/* SPDX-License-Identifier: BSD-2-Clause */
/* How long each file is, as records behind one another. */
#include "capture/split_exact.h"

#include "base/error.h"
#include "base/path.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUES "values"

/* Behind it the path. */
struct record {
	int64_t length; /* -1: not known */
	uint64_t device, inode;
};

/* What a checkpoint has of a file. */
struct split_left {
	struct split_left *next;
	struct record record;
	bool is_other; /* than it was: it stays, and what comes goes beside it */
	char path[];
};

static bool is_exact(const struct split *s)
{
	const struct split_config *c = &s->config;
	bool rotates = c->rotate.size || c->rotate.seconds > 0 || s->exact.numbered;
	return c->names.arg && !rotates && !c->file.append && !c->file.pack;
}

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
	const void *tail;
	int fd;
	if (v->w && !capture_writer_noted(v->w, &v->note, &fd, &tail))
		return false;
	if (!v->w)
		v->note.length = -1;
	v->is_noted = !v->w || v->note.length >= 0 || capture_writer_bytes(v->w);
	return true;
}

bool split_exact_settle(struct split *s, bool begin)
{
	if (!is_exact(s))
		return true;
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

static void add_record(struct buf *out, const struct split_value *v)
{
	if (!v || !v->is_noted)
		return;
	const struct record r = {v->note.length, v->note.device, v->note.inode};
	buf_add(out, &r, sizeof r);
	buf_add(out, v->path, strlen(v->path) + 1);
}

/* Those that did not come again since an earlier checkpoint. */
static void add_left(struct buf *out, const struct split *s)
{
	for (const struct split_left *l = s->exact.left_list; l; l = l->next) {
		if (!map_get(&s->exact.left, l->path))
			continue;
		buf_add(out, &l->record, sizeof l->record);
		buf_add(out, l->path, strlen(l->path) + 1);
	}
}

void split_exact_carry(const struct split *s, struct pt_carry *carry)
{
	struct buf out = BUF_INIT;
	if (!is_exact(s) || !pt_carry_exact(carry) || pt_carry_to(carry) != PT_FOR_RESTART)
		return;
	for (unsigned i = 0; i < s->room; i++)
		add_record(&out, s->table[i]);
	add_record(&out, s->other);
	add_left(&out, s);
	pt_carry_bytes(carry, VALUES, out.data ? out.data : "", out.length);
	buf_free(&out);
}

/* ---- going on ---- */

/* Only the same file, at least as long. */
static bool cut(const struct split *s, const char *path, const struct record *r, bool *gone)
{
	struct stat st;
	int fd = path_open(s->config.file.folders, path, O_WRONLY | O_NOFOLLOW, 0);
	*gone = fd == -ENOENT;
	if (fd < 0)
		return false;
	bool same = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_dev == r->device &&
	            st.st_ino == r->inode && st.st_size >= r->length;
	if (same && st.st_size > r->length)
		same = !ftruncate(fd, r->length);
	close(fd);
	return same;
}

static void add_one(struct split *s, const char *path, const struct record *r, bool is_other)
{
	struct split_left *l = must_calloc(1, sizeof *l + strlen(path) + 1);
	strcpy(l->path, path);
	l->record = *r;
	l->is_other = is_other;
	l->next = s->exact.left_list;
	s->exact.left_list = l;
	map_set(&s->exact.left, l->path, l);
}

void split_exact_open(struct split *s)
{
	size_t length = 0;
	const char *at = pt_carried_bytes(s->block, VALUES, &length);
	const char *end = at ? at + length : NULL;
	struct record r;
	if (!at || !is_exact(s))
		return;
	s->exact.resumed = true;
	while ((size_t)(end - at) > sizeof r && !end[-1]) {
		memcpy(&r, at, sizeof r);
		const char *path = at + sizeof r;
		bool gone = false, same = r.length < 0 || cut(s, path, &r, &gone);
		if (!gone)
			add_one(s, path, &r, !same);
		at = path + strlen(path) + 1;
	}
}

bool split_exact_left(struct split *s, struct split_value *v)
{
	const struct split_left *l = map_get(&s->exact.left, v->path);
	if (!l)
		return false;
	map_remove(&s->exact.left, v->path);
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
