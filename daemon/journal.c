/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of things to write, and the thread that writes them: all that has come meanwhile, then
   one synchronisation a file. */
#include "daemon/journal.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"
#include "daemon/file.h"
#include "daemon/records.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define SUFFIX ".journal"

enum {
	FILE_MODE = 0600,
	FOLDER_MODE = 0700,
	LONG = 1024 * 1024, /* by so much, and twice, it may grow before it is made anew */
	LENGTH_MAX = 256 * 1024 * 1024, /* what is longer is not written, and not read */
};

enum action { APPEND, REWRITE, REMOVE };

struct task {
	struct pt_letter letter; /* first */
	struct task *next;
	struct journal_file *file;
	enum action action;
	char *text;
	size_t length;
	uint64_t ticket;
	bool written; /* together with one before */
	int code;
	char *why;
};

struct journal_file {
	struct journal *journal;
	char *engine, *path;
	journal_settled *tell;
	void *owner;
	uint64_t asked, settled;
	int failed;
	size_t length, short_length; /* now, and after the last rewrite */
	uint32_t sum;                /* of the records */

	/* the thread's */
	size_t kept; /* bytes that are known to be good */
	int broken;  /* why no record may be appended */
};

struct journal {
	char *folder;
	int fd, lock;
	uint32_t found_sum; /* of what is good of the file that is being found */
	size_t found_length;
	struct mailbox *mailbox;
	pthread_t thread;
	uv_mutex_t mutex; /* for what follows */
	uv_cond_t cond;
	struct task *head, **tail;
	bool ending;
};

/* ---- reading, at the beginning ---- */

/* Whoever looks for what was lost finds it under another name. */
static int set_aside(struct journal *j, const char *path, char **where)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	int code = 0;
	for (int n = 0; n < 100; n++) {
		*where = n ? must_printf("%s.damaged-%s-%d", path, stamp, n)
		           : must_printf("%s.damaged-%s", path, stamp);
		code = renameat2(AT_FDCWD, path, AT_FDCWD, *where, RENAME_NOREPLACE) ? -errno : 0;
		if (code != -EEXIST)
			break;
		free(*where);
		*where = NULL;
	}
	fsync(j->fd);
	return code;
}

/* Where it is kept now, in words to be freed; NULL: it stays, which is logged. */
static char *put_away(struct journal *j, const char *path, const char *why)
{
	char *where = NULL, *words = NULL;
	int code = set_aside(j, path, &where);
	if (code)
		log_error("%s: %s; it stays where it is, and its engine is not started: %s", path,
		          why, error_words(code));
	else
		words = must_printf("%s: %s; it is kept as %s", path, why, where);
	free(where);
	return words;
}

static void cut(const char *path, const struct records_found *f)
{
	log_warning("%s: the last record was not written to its end, and is dropped (%zu bytes)",
	            path, f->torn);
	if (truncate(path, (off_t)f->good))
		log_error("%s: %s", path, error_words(errno));
}

struct scan {
	struct journal *journal;
	journal_found *found;
	journal_lost *lost;
	void *arg;
};

static char *engine_of(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	return must_printf("%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
}

static void found(const struct scan *scan, const char *path, const struct records_found *f)
{
	struct pt_error err = PT_ERROR_INIT;
	char *engine = engine_of(path);
	if (f->torn)
		cut(path, f);
	scan->journal->found_sum = f->sum;
	scan->journal->found_length = f->good;
	int code = scan->found(scan->arg, engine, f->records, &err);
	if (code)
		log_error("%s: %s; its engine is not started", path,
		          pt_error_text(&err, error_words(code)));
	pt_error_clear(&err);
	free(engine);
}

/* It is no file that the next daemon could read. */
static bool is_no_file(int code)
{
	return code == -EFBIG || code == -EISDIR || code == -ELOOP || code == -ENXIO ||
	       code == -EACCES || code == -EPERM || code == -EAGAIN;
}

/* The next daemon may be able to read what this one cannot: it stays where it is. */
static void unread(const struct scan *scan, const char *path, const char *engine, int code)
{
	char *why = must_printf("%s: %s; it stays as it is for the next daemon", path,
	                        error_words(code));
	log_error("%s", why);
	scan->lost(scan->arg, engine, why, false);
	free(why);
}

static void lost(const struct scan *scan, const char *path, int code, const char *damage)
{
	const char *words = damage           ? damage
	                    : code == -EFBIG ? "it is longer than a journal may be"
	                                     : error_words(code);
	char *engine = engine_of(path);
	char *why = NULL;
	if (code && !is_no_file(code))
		unread(scan, path, engine, code);
	else if ((why = put_away(scan->journal, path, words)))
		scan->lost(scan->arg, engine, why, true);
	free(why);
	free(engine);
}

static bool scan_file(void *arg, const char *path)
{
	const struct scan *scan = arg;
	struct records_found f = {.records = NULL};
	struct buf text = BUF_INIT;
	int code = io_read_file(path, O_NOFOLLOW | O_NONBLOCK, LENGTH_MAX, &text);
	if (!code)
		records_read(&text, &f);
	buf_free(&text);
	if (code || f.damage)
		lost(scan, path, code, f.damage);
	else
		found(scan, path, &f);
	json_decref(f.records);
	free(f.damage);
	return true;
}

static bool remove_unfinished(void *arg, const char *path)
{
	return !unlink(path);
}

void journal_scan(struct journal *j, journal_found *on_found, journal_lost *on_lost, void *arg)
{
	struct scan scan = {j, on_found, on_lost, arg};
	file_each(j->folder, SUFFIX IO_UNFINISHED, remove_unfinished, NULL, NULL);
	int code = file_each(j->folder, SUFFIX, scan_file, &scan, NULL);
	if (code)
		log_error("the state folder %s cannot be read to its end: %s; the engines that are "
		          "kept there are not started, and stay as they are for the next daemon",
		          j->folder, error_words(code));
}

/* ---- the thread ---- */

static int append_bytes(struct journal_file *f, const char *bytes, size_t length)
{
	struct stat st;
	int fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	int code = fstat(fd, &st) ? -errno : 0;
	if (!code && (size_t)st.st_size != f->kept)
		code = -ESTALE; /* somebody else writes here */
	if (!code && f->kept + length > LENGTH_MAX)
		code = -EFBIG;
	if (!code)
		code = io_write(fd, bytes, length);
	if (!code && fdatasync(fd))
		code = -errno;
	if (code && code != -ESTALE && ftruncate(fd, (off_t)f->kept))
		log_error("%s: %s", f->path, error_words(errno));
	close(fd);
	if (!code)
		f->kept += length;
	return code;
}

static int rewrite(struct journal_file *f, const char *bytes, size_t length)
{
	int code = length > LENGTH_MAX ? -EFBIG : io_replace(f->path, FILE_MODE, bytes, length);
	if (!code)
		f->kept = length;
	return code;
}

static int erase(struct journal_file *f)
{
	return unlink(f->path) && errno != ENOENT ? -errno : 0;
}

/* Records that follow one another are written at once. */
static void write_appended(struct task *first, struct task *end)
{
	struct buf b = BUF_INIT;
	struct journal_file *f = first->file;
	for (struct task *t = first; t != end; t = t->next)
		if (t->file == f)
			buf_add(&b, t->text, t->length);
	if (!f->broken)
		f->broken = append_bytes(f, b.data, b.length);
	for (struct task *t = first; t != end; t = t->next)
		if (t->file == f)
			t->code = f->broken;
	buf_free(&b);
}

/* The run of a file's records that begins here: up to what else is asked of it. */
static struct task *run_end(struct task *first)
{
	struct task *t = first;
	while (t && (t->file != first->file || t->action == APPEND))
		t = t->next;
	return t;
}

static void carry_out(struct journal *j, struct task *all)
{
	bool folder = false;
	for (struct task *t = all; t; t = t->next) {
		if (t->written)
			continue;
		struct journal_file *f = t->file;
		if (t->action == APPEND) {
			struct task *end = run_end(t);
			write_appended(t, end);
			for (struct task *o = t; o != end; o = o->next)
				o->written |= o->file == f;
		} else {
			folder = true;
			t->code = t->action == REMOVE ? erase(f) : rewrite(f, t->text, t->length);
			f->broken = t->code;
		}
	}
	int code = folder && fsync(j->fd) ? -errno : 0;
	for (struct task *t = all; code && t; t = t->next)
		if (t->action != APPEND && !t->code)
			t->code = t->file->broken = code;
}

static void *work(void *arg)
{
	struct journal *j = arg;
	uv_mutex_lock(&j->mutex);
	for (;;) {
		while (!j->head && !j->ending)
			uv_cond_wait(&j->cond, &j->mutex);
		struct task *all = j->head;
		if (!all)
			break;
		j->head = NULL;
		j->tail = &j->head;
		uv_mutex_unlock(&j->mutex);
		carry_out(j, all);
		for (struct task *next; all; all = next) {
			next = all->next;
			mailbox_post(j->mailbox, &all->letter);
		}
		uv_mutex_lock(&j->mutex);
	}
	uv_mutex_unlock(&j->mutex);
	return NULL;
}

/* ---- asking ---- */

static void done(struct pt_letter *letter)
{
	struct task *t = (struct task *)letter;
	struct journal_file *f = t->file;
	f->settled = t->ticket;
	if (t->code && !f->failed)
		log_error("%s: %s", f->path, error_words(t->code));
	if (t->action != APPEND && !t->code)
		f->failed = 0;
	if (t->code)
		f->failed = t->code;
	void *owner = f->owner;
	journal_settled *tell = f->tell;
	free(t->text);
	free(t);
	tell(owner);
}

static uint64_t ask(struct journal_file *f, enum action action, struct buf *text)
{
	struct journal *j = f->journal;
	struct task *t = must_calloc(1, sizeof *t);
	t->letter.read = done;
	t->file = f;
	t->action = action;
	t->length = text ? text->length : 0;
	t->text = text ? buf_steal(text) : NULL;
	t->ticket = ++f->asked;
	uv_mutex_lock(&j->mutex);
	*j->tail = t;
	j->tail = &t->next;
	uv_cond_signal(&j->cond);
	uv_mutex_unlock(&j->mutex);
	return t->ticket;
}

uint64_t journal_append(struct journal_file *f, const json_t *record)
{
	struct buf b = BUF_INIT;
	records_add(&b, &f->sum, record);
	f->length += b.length;
	return ask(f, APPEND, &b);
}

uint64_t journal_rewrite(struct journal_file *f, const json_t *records)
{
	struct buf b = BUF_INIT;
	records_begin(&b, &f->sum);
	json_each (record, records)
		records_add(&b, &f->sum, record);
	f->length = f->short_length = b.length;
	return ask(f, REWRITE, &b);
}

uint64_t journal_remove(struct journal_file *f)
{
	return ask(f, REMOVE, NULL);
}

uint64_t journal_asked(const struct journal_file *f)
{
	return f->asked;
}

uint64_t journal_settled_until(const struct journal_file *f)
{
	return f->settled;
}

int journal_failed(const struct journal_file *f)
{
	return f->failed;
}

bool journal_is_long(const struct journal_file *f)
{
	return f->length > 2 * f->short_length + LONG;
}

/* ---- life ---- */

struct journal_file *journal_file_new(struct journal *j, const char *engine, bool there,
                                      journal_settled *tell, void *owner)
{
	struct journal_file *f = must_calloc(1, sizeof *f);
	struct stat st;
	f->journal = j;
	f->engine = must_strdup(engine);
	f->path = must_printf("%s/%s" SUFFIX, j->folder, engine);
	f->tell = tell;
	f->owner = owner;
	bool is = !lstat(f->path, &st);
	char *aside =
		is && !there ? put_away(j, f->path, "another engine is made in its place") : NULL;
	if (aside)
		log_error("%s", aside);
	free(aside);
	if (is && there)
		f->kept = f->length = f->short_length = j->found_length;
	f->sum = j->found_sum;
	return f;
}

void journal_file_free(struct journal_file *f)
{
	if (!f)
		return;
	assert(f->asked == f->settled);
	free(f->engine);
	free(f->path);
	free(f);
}

static int make_folders(const char *folder)
{
	char *path = must_strdup(folder);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	int code = mkdir(path, FOLDER_MODE) && errno != EEXIST ? -errno : 0;
	free(path);
	return code;
}

/* A program that a daemon was about to run when it was killed may hold it for a moment still. */
static bool lock(int fd)
{
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (tries == 20)
			return false;
		usleep(50000);
	}
	return true;
}

static int lock_folder(struct journal *j, struct pt_error *err)
{
	int code = make_folders(j->folder);
	if (!code && (j->fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		code = -errno;
	if (!code && (j->lock = openat(j->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	                               FILE_MODE)) < 0)
		code = -errno;
	if (code)
		return pt_fail(err, code, NULL, "the state folder %s cannot be used: %s", j->folder,
		               error_words(code));
	if (!lock(j->lock))
		return pt_fail(
			err, -PT_ESTATE, NULL,
			"the state folder %s is in use by another pipetoold; give this one its "
			"own with --state",
			j->folder);
	return 0;
}

static void close_folder(struct journal *j)
{
	if (j->lock >= 0)
		close(j->lock);
	if (j->fd >= 0)
		close(j->fd);
	free(j->folder);
	free(j);
}

int journal_open(const char *folder, struct mailbox *mailbox, struct journal **out,
                 struct pt_error *err)
{
	struct journal *j = must_calloc(1, sizeof *j);
	j->folder = must_strdup(folder);
	j->fd = j->lock = -1;
	int code = lock_folder(j, err);
	if (code) {
		close_folder(j);
		return code;
	}
	j->mailbox = mailbox;
	j->tail = &j->head;
	uv_mutex_init(&j->mutex);
	uv_cond_init(&j->cond);
	code = thread_start("the thread of the journals", 256 * 1024, work, j, &j->thread, err);
	if (code) {
		uv_mutex_destroy(&j->mutex);
		uv_cond_destroy(&j->cond);
		close_folder(j);
		return code;
	}
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	uv_mutex_lock(&j->mutex);
	j->ending = true;
	uv_cond_signal(&j->cond);
	uv_mutex_unlock(&j->mutex);
	pthread_join(j->thread, NULL);
	uv_mutex_destroy(&j->mutex);
	uv_cond_destroy(&j->cond);
	close_folder(j);
}

const char *journal_folder(const struct journal *j)
{
	return j->folder;
}
