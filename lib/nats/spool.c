/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of records with sums. */
#include "nats/spool.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/path.h"
#include "base/sum.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SUFFIX      ".spool"
#define MAGIC       0x31536250u /* "PbS1" */
#define FILE_SIZE   ((uint64_t)16 * 1024 * 1024)
#define SUBJECT_MAX 4096u
#define LENGTH_MAX  (256u * 1024 * 1024)

/* Behind it the subject and the bytes, each up to a multiple of 8. */
struct head {
	uint32_t magic, done; /* the latter is in no sum */
	uint32_t subject, length, messages, part;
	uint64_t instance, number, sum;
};

struct spool_file {
	struct spool_file *next;
	int fd;
	uint64_t serial, size;
	unsigned waiting; /* records that are not done */
};

struct spool {
	char *path;
	int folder, lock;
	uint64_t limit, bytes, serial;
	struct spool_file *first, **end, *last; /* last: which is written to; or NULL */
	bool stale;                             /* something is not on the disk */
	unsigned damaged;
};

static size_t padded(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

static uint64_t sum_of(const struct head *head, const char *subject, const void *bytes)
{
	struct head plain = *head;
	plain.done = 0;
	plain.sum = 0;
	uint64_t sum = sum_add(0, &plain, sizeof plain);
	return sum_add(sum_add(sum, subject, padded(head->subject)), bytes, head->length);
}

/* ---- files ---- */

static void name_of(const struct spool_file *f, char name[32])
{
	snprintf(name, 32, "%016" PRIx64 SUFFIX, f->serial);
}

static struct spool_file *add_file(struct spool *s, uint64_t serial, int fd)
{
	struct spool_file *f = must_calloc(1, sizeof *f);
	*f = (struct spool_file){.fd = fd, .serial = serial};
	*s->end = f;
	s->end = &f->next;
	s->serial = serial > s->serial ? serial : s->serial;
	return f;
}

static void remove_file(struct spool *s, struct spool_file *f)
{
	char name[32];
	struct spool_file **at = &s->first;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (!f->next)
		s->end = at;
	if (s->last == f)
		s->last = NULL;
	name_of(f, name);
	unlinkat(s->folder, name, 0);
	s->bytes -= f->size;
	close(f->fd);
	free(f);
}

static int begin_file(struct spool *s)
{
	char name[32];
	name_of(&(struct spool_file){.serial = s->serial + 1}, name);
	int fd = openat(s->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	s->last = add_file(s, s->serial + 1, fd);
	return fsync(s->folder) && errno != EINVAL ? -errno : 0;
}

/* ---- reading ---- */

/* The record at f->size, with subject and bytes in `body`. False: there is none that is whole. */
static bool read_record(const struct spool_file *f, struct head *head, struct buf *body)
{
	buf_clear(body);
	if (io_read_at(f->fd, (off_t)f->size, head, sizeof *head) || head->magic != MAGIC ||
	    head->subject > SUBJECT_MAX || head->length > LENGTH_MAX)
		return false;
	size_t size = padded(head->subject) + padded(head->length);
	char *at = buf_reserve(body, size);
	if (io_read_at(f->fd, (off_t)(f->size + sizeof *head), at, size))
		return false;
	body->length = size;
	return sum_of(head, at, at + padded(head->subject)) == head->sum;
}

/* From `at` on, where the next one may begin behind what is damaged; 0: nowhere. */
static uint64_t find_magic(const struct spool_file *f, uint64_t at)
{
	uint32_t words[2048];
	ssize_t size;
	for (; (size = pread(f->fd, words, sizeof words, (off_t)at)) > 0; at += sizeof words)
		for (size_t i = 0; i < (size_t)size / sizeof *words; i += 2)
			if (words[i] == MAGIC)
				return at + i * sizeof *words;
	return 0;
}

static void take_record(struct spool_file *f, const struct head *head, const char *body,
                        void (*found)(void *arg, const struct spool_record *), void *arg)
{
	char *subject = must_printf("%.*s", (int)head->subject, body);
	uint64_t bytes = f->size + sizeof *head + padded(head->subject);
	const struct spool_record r = {head->instance,     head->number, head->part,
	                               head->messages,     subject,      head->length,
	                               {f, bytes, f->size}};
	f->waiting++;
	found(arg, &r);
	free(subject);
}

/* What is damaged in between is left out; what is behind the last that is good is cut off. */
static void read_file(struct spool *s, struct spool_file *f,
                      void (*found)(void *arg, const struct spool_record *), void *arg)
{
	struct head head;
	struct buf body = BUF_INIT;
	struct stat st;
	uint64_t good = 0, next = 0;
	bool damaged = false;
	do {
		f->size = next;
		while (read_record(f, &head, &body)) {
			damaged |= good < f->size;
			if (!head.done)
				take_record(f, &head, body.data, found, arg);
			good = f->size += sizeof head + body.length;
		}
		next = find_magic(f, f->size + sizeof(uint64_t));
	} while (next);
	buf_free(&body);
	f->size = good;
	s->bytes += good;
	bool torn = !fstat(f->fd, &st) && (uint64_t)st.st_size > good;
	damaged |= torn && ftruncate(f->fd, (off_t)good);
	s->damaged += damaged || torn;
}

void spool_each(struct spool *s, void (*found)(void *arg, const struct spool_record *), void *arg)
{
	for (struct spool_file *f = s->first, *next; f; f = next) {
		next = f->next;
		read_file(s, f, found, arg);
		if (!f->waiting)
			remove_file(s, f);
	}
}

unsigned spool_damaged(const struct spool *s)
{
	return s->damaged;
}

int spool_read(const struct spool_place *place, void *bytes, size_t length)
{
	return io_read_at(place->file->fd, (off_t)place->at, bytes, length);
}

/* ---- opening ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_file(const struct dirent *e)
{
	return strlen(e->d_name) == 16 + strlen(SUFFIX) &&
	       strspn(e->d_name, "0123456789abcdef") == 16 && !strcmp(e->d_name + 16, SUFFIX);
}

static int find_file(struct spool *s, const char *name, struct pt_error *err)
{
	struct stat st;
	int fd = openat(s->folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = fd < 0 || fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EISDIR;
	if (!rc) {
		add_file(s, strtoull(name, NULL, 16), fd);
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return pt_fail(err, rc, "spool", "cannot use '%s/%s': %s", s->path, name,
	               rc == -EISDIR ? "it is no file" : error_words(rc));
}

static int find_files(struct spool *s, struct pt_error *err)
{
	struct dirent **names;
	int count = scandirat(s->folder, ".", &names, is_file, by_name), rc = 0;
	if (count < 0)
		return path_write_failed(NULL, "spool", s->path, -errno, err);
	for (int i = 0; i < count; i++) {
		rc = rc ? rc : find_file(s, names[i]->d_name, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int lock_folder(struct spool *s, const char *path, struct pt_error *err)
{
	s->lock = openat(s->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->lock < 0)
		return path_write_failed(NULL, "spool", path, -errno, err);
	if (!flock(s->lock, LOCK_EX | LOCK_NB))
		return 0;
	pt_fail(err, -EBUSY, "spool", "'%s' is in use by another block", path);
	pt_hint(err,
	        "each has a folder of its own; one that runs gives it up when its engine stops");
	return -EBUSY;
}

static int open_folder(const struct pt_block *b, struct spool *s, const char *path,
                       struct pt_error *err)
{
	char *inside = must_printf("%s/lock", path);
	int rc = path_make_folders(pt_folders(b, NULL), inside, 0750);
	free(inside);
	if (rc)
		return path_write_failed(pt_folders(b, NULL), "spool", path, rc, err);
	s->folder = pt_open(b, "spool", path, O_RDONLY | O_DIRECTORY, 0, err);
	return s->folder < 0 ? s->folder : 0;
}

int spool_open(const struct pt_block *b, const char *path, uint64_t limit, struct spool **made,
               struct pt_error *err)
{
	struct spool *s = must_calloc(1, sizeof *s);
	*s = (struct spool){.path = must_strdup(path), .folder = -1, .lock = -1, .limit = limit};
	s->end = &s->first;
	int rc = open_folder(b, s, path, err);
	if (!rc)
		rc = lock_folder(s, path, err);
	if (!rc)
		rc = find_files(s, err);
	if (rc)
		spool_close(s);
	else
		*made = s;
	return rc;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	for (struct spool_file *f = s->first, *next; f; f = next) {
		next = f->next;
		close(f->fd);
		free(f);
	}
	if (s->lock >= 0)
		close(s->lock);
	if (s->folder >= 0)
		close(s->folder);
	free(s->path);
	free(s);
}

/* ---- writing ---- */

int spool_sync(struct spool *s)
{
	if (s->stale && s->last && fdatasync(s->last->fd))
		return -errno;
	s->stale = false;
	return 0;
}

static int next_file(struct spool *s)
{
	int rc = spool_sync(s);
	return rc ? rc : begin_file(s);
}

static int write_record(struct spool_file *f, const struct iovec *parts, int count, size_t size)
{
	ssize_t written = pwritev(f->fd, parts, count, (off_t)f->size);
	if (written == (ssize_t)size)
		return 0;
	int rc = written < 0 ? -errno : -ENOSPC;
	return ftruncate(f->fd, (off_t)f->size) ? -errno : rc;
}

int spool_put(struct spool *s, struct spool_record *r, const void *bytes)
{
	static const char zeros[8];
	struct head head = {MAGIC,
	                    0,
	                    (uint32_t)strlen(r->subject),
	                    (uint32_t)r->length,
	                    r->messages,
	                    r->part,
	                    r->instance,
	                    r->number,
	                    0};
	size_t subject = padded(head.subject), body = padded(r->length);
	size_t size = sizeof head + subject + body;
	if (s->bytes + size > s->limit)
		return -EDQUOT;
	int rc = s->last && s->last->size < FILE_SIZE ? 0 : next_file(s);
	if (rc)
		return rc;
	char *name = must_calloc(1, subject + 1);
	memcpy(name, r->subject, head.subject);
	head.sum = sum_of(&head, name, bytes);
	const struct iovec parts[] = {{&head, sizeof head},
	                              {name, subject},
	                              {(void *)(uintptr_t)bytes, r->length},
	                              {(void *)(uintptr_t)zeros, body - r->length}};
	rc = write_record(s->last, parts, 4, size);
	free(name);
	if (rc)
		return rc;
	struct spool_file *f = s->last;
	r->place = (struct spool_place){f, f->size + sizeof head + subject, f->size};
	f->size += size;
	f->waiting++;
	s->bytes += size;
	s->stale = true;
	return 0;
}

/* The mark may be lost with the power: then it is sent once more, under the same id. */
bool spool_done(struct spool *s, const struct spool_place *place)
{
	const uint32_t done = 1;
	struct spool_file *f = place->file;
	off_t at = (off_t)(place->head + offsetof(struct head, done));
	ssize_t written = pwrite(f->fd, &done, sizeof done, at);
	(void)written;
	if (--f->waiting)
		return false;
	remove_file(s, f);
	return true;
}

void spool_set_limit(struct spool *s, uint64_t limit)
{
	s->limit = limit;
}
