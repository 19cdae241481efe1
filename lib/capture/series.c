/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of a list, their order, and which is read. */
#include "capture/series.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/path.h"
#include "capture/tail.h"
#include "capture/merge.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE_ALL   (16 * 1024 * 1024) /* of files that are merged, together */
#define AT_ONCE_LEAST (16 * 1024)

struct series_file {
	struct pt_file file; /* the path is its own; the descriptor is not */
	struct identity id;
	struct capture_reader *reader;
	uint64_t size;
	bool seen; /* its name is still there */
};

struct series {
	struct pt_block *block;
	struct series_config config;
	struct series_file *files;
	unsigned count, at; /* at: the one that is read */
	struct merge *merge;
	struct tail tail;
	bool ending;  /* what is followed grows no more */
	bool waiting; /* poll_fd will tell of more */
	int poll_fd;  /* an epoll; -1 */
	uint64_t misdated, left_out, damaged;
};

/* ---- the list ---- */

/* Of what the user named, one that is called so. */
static struct series_file *add_file(struct series *s, const struct pt_file *named, const char *path)
{
	s->files = must_realloc(s->files, s->count + 1, sizeof *s->files);
	s->files[s->count] = (struct series_file){.file = *named, .seen = true};
	s->files[s->count].file.path = must_strdup(path);
	return &s->files[s->count++];
}

static void take_identity(struct series_file *f, int fd)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_SIZE | STATX_BTIME, &st))
		return;
	f->id = (struct identity){(uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor, st.stx_ino,
	                          st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec};
	f->size = S_ISREG(st.stx_mode) ? st.stx_size : 0;
}

static void take_named_identity(const struct series *s, struct series_file *f)
{
	int fd = path_open(pt_folders(s->block, &f->file), f->file.path, O_PATH, 0);
	if (fd < 0)
		return;
	take_identity(f, fd);
	close(fd);
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->born_ns == b->born_ns;
}

static struct series_file *find_same(const struct series *s, const struct identity *id)
{
	for (unsigned i = 0; i < s->count; i++)
		if (is_same(&s->files[i].id, id))
			return &s->files[i];
	return NULL;
}

/* One that was not known. */
static void look_at(struct series *s, const struct pt_file *named, char *path)
{
	struct series_file new = {.file = *named};
	new.file.path = path;
	take_named_identity(s, &new);
	struct series_file *known = new.id.inode ? find_same(s, &new.id) : NULL;
	if (known)
		known->seen = true;
	else if (new.id.inode)
		add_file(s, named, path)->id = new.id;
}

static void free_file(struct series_file *f)
{
	capture_reader_close(f->reader);
	free(f->file.path);
}

/* Of those that were read, only who still has a name can come again. */
static void forget_gone(struct series *s)
{
	unsigned kept = 0, at = s->at;
	for (unsigned i = 0; i < s->count; i++) {
		if (i < s->at && !s->files[i].seen) {
			free_file(&s->files[i]);
			at--;
			continue;
		}
		s->files[kept++] = s->files[i];
	}
	s->count = kept;
	s->at = at;
}

/* What is there now that was not. Watches come before looks. */
static void look_for_names(struct series *s)
{
	s->tail.renamed = false;
	for (unsigned i = 0; i < s->at; i++)
		s->files[i].seen = s->files[i].file.fd != -1;
	for (size_t i = 0; i < s->config.files->count; i++) {
		const struct pt_file *file = &s->config.files->items[i];
		if (file->fd != -1)
			continue;
		const char *const *folders = pt_folders(s->block, file);
		int rc = tail_names(&s->tail, folders, file->path);
		if (rc)
			pt_report(s->block, rc,
			          "new files of '%s' are not heard of: %s (see "
			          "fs.inotify.max_user_watches)",
			          file->path, error_words(rc));
		char **names = path_expand(folders, file->path);
		for (char **name = names; *name; name++)
			look_at(s, file, *name);
		path_list_free(names);
	}
	forget_gone(s);
}

static int list_names(struct series *s, const struct pt_file *file, struct pt_error *err)
{
	char **names = path_expand(pt_folders(s->block, file), file->path);
	int rc = 0;
	if (!*names && !s->config.follow) {
		rc = pt_fail(err, -ENOENT, "fname", "'%s' matches no file", file->path);
		pt_hint(err, "see what is there with ls; follow=True waits for files to come");
	}
	for (char **name = names; *name; name++)
		add_file(s, file, *name);
	path_list_free(names);
	return rc;
}

static int list_all(struct series *s, struct pt_error *err)
{
	int code = 0;
	for (size_t i = 0; i < s->config.files->count; i++) {
		const struct pt_file *file = &s->config.files->items[i];
		int rc = 0;
		if (file->fd != -1)
			add_file(s, file, file->path);
		else if (!s->config.follow)
			rc = list_names(s, file, err);
		code = code ? code : rc;
	}
	if (s->config.follow)
		look_for_names(s);
	return code;
}

/* ---- opening ---- */

static int open_file(struct series *s, struct series_file *f, struct pt_error *err)
{
	struct capture_reading reading = s->config.reading;
	int fd = pt_open_file(s->block, "fname", &f->file, O_RDONLY, 0, err);
	if (fd < 0)
		return fd;
	take_identity(f, fd);
	reading.growing = s->config.follow && !s->ending;
	int rc = capture_reader_open_as(fd, f->file.path, &reading, &f->reader, err);
	if (!rc && reading.growing)
		tail_file(&s->tail, pt_folders(s->block, &f->file), fd);
	return rc;
}

static bool waits(const struct series *s, const struct series_file *f)
{
	struct stat st;
	if (f->reader)
		return capture_reader_may_wait(f->reader);
	int rc = f->file.fd >= 0 ? fstat(f->file.fd, &st)
	                         : path_stat(pt_folders(s->block, &f->file), f->file.path, &st);
	return rc == 0 && !S_ISREG(st.st_mode);
}

static void close_file(struct series *s, struct series_file *f)
{
	s->misdated += capture_reader_misdated(f->reader);
	s->left_out += capture_reader_left_out(f->reader);
	s->damaged += capture_reader_damaged(f->reader);
	capture_reader_close(f->reader);
	f->reader = NULL;
}

/* Each is opened once, and only those stay open that are read first; a FIFO is left alone. */
static int try_all(struct series *s, struct pt_error *err)
{
	int code = 0;
	bool may_wait = s->config.follow;
	for (unsigned i = 0; i < s->count && !s->config.follow; i++) {
		struct series_file *f = &s->files[i];
		bool first = i == 0 || s->config.by_time;
		may_wait |= waits(s, f);
		if (!first && waits(s, f))
			continue;
		int rc = open_file(s, f, err);
		code = code ? code : rc;
		if (!rc)
			may_wait |= waits(s, f);
		if (!rc && !first)
			close_file(s, f);
	}
	if (may_wait)
		s->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	return code;
}

static void begin_merge(struct series *s)
{
	for (unsigned i = s->count; i-- > 0;)
		merge_add(s->merge, i, s->files[i].reader);
}

static void listen_to_follow(struct series *s)
{
	struct epoll_event event = {.events = EPOLLIN};
	epoll_ctl(s->poll_fd, EPOLL_CTL_ADD, s->tail.fd, &event);
}

int series_open(struct pt_block *b, const struct series_config *config, struct series **result,
                struct pt_error *err)
{
	struct series *s = must_calloc(1, sizeof *s);
	s->block = b;
	s->config = *config;
	s->poll_fd = -1;
	int rc = config->follow ? tail_begin(&s->tail, err) : 0;
	if (!rc)
		rc = list_all(s, err);
	if (config->by_time && s->count)
		s->config.reading.memory = AT_ONCE_ALL / s->count;
	if (s->config.reading.memory && s->config.reading.memory < AT_ONCE_LEAST)
		s->config.reading.memory = AT_ONCE_LEAST;
	if (!rc)
		rc = try_all(s, err);
	if (rc) {
		series_close(s);
		return rc;
	}
	if (config->follow)
		listen_to_follow(s);
	if (config->by_time) {
		s->merge = merge_new(s->count);
		begin_merge(s);
	}
	*result = s;
	return 0;
}

void series_close(struct series *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++)
		free_file(&s->files[i]);
	free(s->files);
	merge_free(s->merge);
	tail_end(&s->tail);
	if (s->poll_fd >= 0)
		close(s->poll_fd);
	free(s);
}

void series_adopt(struct series *s, struct pt_block *b, const struct pt_files *files)
{
	s->block = b;
	s->config.files = files;
}

void series_release(struct series *s)
{
	if (s->merge)
		merge_release(s->merge);
	for (unsigned i = 0; i < s->count; i++)
		if (s->files[i].reader)
			capture_reader_release(s->files[i].reader);
}

/* ---- reading ---- */

bool series_is_one(const struct series *s)
{
	return s->count == 1 && !s->config.follow;
}

int series_fd(const struct series *s)
{
	return s->poll_fd;
}

bool series_waits(const struct series *s)
{
	return s->waiting;
}

static struct series_file *current(const struct series *s)
{
	return s->at < s->count ? &s->files[s->at] : NULL;
}

/* Once: what is not read then would tell of itself for ever. */
static void listen_to(struct series *s, const struct series_file *f)
{
	s->waiting = capture_reader_may_wait(f->reader);
	if (!s->waiting)
		return;
	int fd = capture_reader_fd(f->reader);
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
	if (epoll_ctl(s->poll_fd, EPOLL_CTL_MOD, fd, &event) < 0)
		epoll_ctl(s->poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void hear(struct series *s)
{
	tail_hear(&s->tail);
	if (s->tail.renamed)
		look_for_names(s);
}

/* Behind the one that is read, which may be none. */
static bool has_one_more(struct series *s)
{
	unsigned reading = s->at < s->count && s->files[s->at].reader;
	hear(s);
	return s->at + reading < s->count;
}

/* A FIFO that is followed waits for who writes to it next. */
static void leave(struct series *s, struct series_file *f)
{
	bool again = s->config.follow && !s->ending && f->file.fd == -1 && f->reader &&
	             !capture_reader_is_regular(f->reader);
	if (s->config.follow)
		tail_file(&s->tail, NULL, -1);
	if (series_is_one(s)) {
		s->at++;
		return;
	}
	if (f->reader) {
		capture_reader_release(f->reader);
		close_file(s, f);
	}
	if (again)
		hear(s);
	s->at += !again || s->at + 1 < s->count;
}

/* Somebody has emptied it, and writes anew. */
static bool was_cut(struct series *s, struct series_file *f)
{
	struct stat st;
	uint64_t done, size;
	capture_reader_progress(f->reader, 0, &done, &size);
	if (fstat(capture_reader_fd(f->reader), &st) || (uint64_t)st.st_size >= done)
		return false;
	pt_note(s->block, "'%s' was cut off, and is read from its beginning", f->file.path);
	return capture_reader_rewind(f->reader, NULL) == 0;
}

/* At its end, for now: whether more of it is waited for. */
static bool stays(struct series *s)
{
	if (was_cut(s, current(s)))
		return false;
	if (!s->ending && !has_one_more(s))
		return true;
	capture_reader_grow(current(s)->reader, false);
	return false;
}

static int next_of(struct series *s, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
                   struct pt_error *err)
{
	struct series_file *f = current(s);
	int rc = f->reader ? 0 : open_file(s, f, err);
	if (!rc)
		rc = capture_reader_next(f->reader, pool, messages, max, err);
	if (rc == -EAGAIN && !capture_reader_at_end(f->reader))
		listen_to(s, f);
	else if (rc <= 0 && rc != -ENOMEM && rc != -EAGAIN)
		leave(s, f);
	return rc;
}

static int next_merged(struct series *s, struct pt_pool *pool, struct pt_msg **messages,
                       unsigned max, struct pt_error *err)
{
	unsigned n = 0;
	int rc = merge_next(s->merge, pool, messages, max, &n, err);
	if (rc == -EAGAIN)
		listen_to(s, &s->files[n]);
	return rc;
}

int series_next(struct series *s, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
                struct pt_error *err)
{
	s->waiting = false;
	if (s->merge)
		return next_merged(s, pool, messages, max, err);
	for (;;) {
		if (!current(s) && (!s->config.follow || s->ending))
			return 0;
		s->waiting = !current(s) && !has_one_more(s);
		if (s->waiting)
			return -EAGAIN;
		int rc = next_of(s, pool, messages, max, err);
		bool at_end = rc == -EAGAIN && capture_reader_at_end(current(s)->reader);
		s->waiting |= at_end && stays(s);
		if (rc && !(at_end && !s->waiting))
			return rc;
	}
}

void series_finish(struct series *s)
{
	s->ending = true;
}

static int rewind_all(struct series *s, struct pt_error *err)
{
	int code = 0;
	for (unsigned i = 0; i < s->count; i++) {
		struct series_file *f = &s->files[i];
		int rc = f->reader ? capture_reader_rewind(f->reader, code ? NULL : err) : 0;
		code = code ? code : rc;
	}
	return code;
}

static int check_rewind(const struct series *s, struct pt_error *err)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!s->files[i].reader && waits(s, &s->files[i]))
			return pt_fail(err, -ESPIPE, "fname",
			               "'%s' cannot be read again: it is not a regular file",
			               s->files[i].file.path);
	return 0;
}

int series_rewind(struct series *s, struct pt_error *err)
{
	int rc = rewind_all(s, err);
	if (!rc)
		rc = check_rewind(s, err);
	s->at = 0;
	if (!rc && s->merge) {
		merge_release(s->merge);
		begin_merge(s);
	}
	return rc;
}

/* ---- places ---- */

bool series_goes_back(const struct series *s)
{
	return s->poll_fd < 0;
}

static const struct identity *identity_of(const struct series *s, struct series_file *f)
{
	if (!f->id.inode && f->file.fd >= 0)
		take_identity(f, f->file.fd);
	else if (!f->id.inode)
		take_named_identity(s, f);
	return &f->id;
}

struct series_place series_place(struct series *s)
{
	struct series_file *f = s->merge ? NULL : current(s);
	struct series_place place = {.file = {0}};
	if (!f)
		return place;
	place.file = *identity_of(s, f);
	if (f->reader)
		place.at = capture_reader_place(f->reader);
	return place;
}

bool series_go(struct series *s, const struct series_place *place, struct pt_error *err)
{
	unsigned at = 0;
	if (s->merge)
		return true;
	while (at < s->count && !is_same(identity_of(s, &s->files[at]), &place->file))
		at++;
	if (at == s->count)
		return false;
	for (unsigned i = 0; i < at; i++)
		if (s->files[i].reader)
			close_file(s, &s->files[i]);
	s->at = at;
	struct series_file *f = &s->files[at];
	if (!f->reader && open_file(s, f, err))
		return false;
	if (place->at.offset)
		capture_reader_go(f->reader, &place->at);
	return true;
}

/* ---- what is told ---- */

const char *series_name(const struct series *s)
{
	if (s->count)
		return s->files[s->at < s->count ? s->at : s->count - 1].file.path;
	return s->config.files->items[0].path;
}

/* Of those that were closed, and of those that are open: where there is one alone, it stays open
   when it has been left. */
static uint64_t take(struct series *s, uint64_t *closed,
                     uint64_t (*take_of)(struct capture_reader *))
{
	uint64_t taken = *closed;
	*closed = 0;
	for (unsigned i = s->at ? s->at - 1 : 0; i < s->count; i++)
		if (s->files[i].reader)
			taken += take_of(s->files[i].reader);
		else if (i >= s->at)
			break;
	return taken;
}

uint64_t series_misdated(struct series *s)
{
	return take(s, &s->misdated, capture_reader_misdated);
}

uint64_t series_left_out(struct series *s)
{
	return take(s, &s->left_out, capture_reader_left_out);
}

uint64_t series_damaged(struct series *s)
{
	return take(s, &s->damaged, capture_reader_damaged);
}

/* What waits is of the last that were read. */
void series_progress(const struct series *s, uint64_t waiting, uint64_t *done, uint64_t *size)
{
	*done = *size = 0;
	for (unsigned i = 0; i < s->count; i++) {
		const struct series_file *f = &s->files[i];
		uint64_t of_file = i < s->at ? f->size : 0, all = f->size;
		if (f->reader)
			capture_reader_progress(f->reader, s->merge ? waiting / s->count : waiting,
			                        &of_file, &all);
		*done += of_file;
		*size += all;
	}
}
