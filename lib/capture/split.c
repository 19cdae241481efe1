/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of values, each with a writer; a crew writes for all. */
#include "capture/split.h"

#include "base/crew.h"
#include "base/error.h"
#include "base/path.h"
#include "base/sip.h"
#include "capture/rotate.h"
#include "capture/split_exact.h"
#include <errno.h>
#include <pipetool/queue.h>
#include <stdlib.h>
#include <string.h>

#define BUFFERED_MAX ((size_t)64 * 1024 * 1024) /* of all values together */
#define WAITING_MAX  ((size_t)8 * 1024 * 1024)  /* for the thread */
#define S_NS         1e9
#define FOLDER_MODE  0750
#define TAIL_OF_MANY (8 * 1024)
#define BATCH        32

/* In the buffer of keys. */
struct split_key {
	size_t at, length;
	uint64_t hash;
};

/* ---- the writers ---- */

static bool rotates(const struct split *s)
{
	return s->config.rotate.size || s->config.rotate.seconds > 0;
}

/* [crew's thread, or in close] */
static void on_lost(void *arg, uint64_t messages)
{
	struct split *s = arg;
	pt_undone(s->block, messages, "write-error");
	if (!atomic_exchange(&s->lost, true))
		pt_wake(s->block);
}

/* [crew's thread] */
static void on_progress(void *arg)
{
	struct split *s = arg;
	bool go_on = atomic_load(&s->full) && atomic_load(crew_waiting(s->crew)) <= WAITING_MAX / 2;
	if (go_on || atomic_load(&s->carry.settling))
		pt_wake(s->block);
}

static struct capture_writer_config config_of(struct split *s, const struct split_value *v)
{
	struct capture_writer_config config = s->config.file;
	config.path = v->path;
	config.crew = s->crew;
	config.progress = on_progress;
	config.lost = on_lost;
	config.arg = s;
	config.files = (uint64_t)s->config.rotate.files;
	config.tail_max = s->only ? 0 : TAIL_OF_MANY;
	return config;
}

static int open_value(struct split *s, struct split_value *v, bool found, struct pt_error *err)
{
	struct capture_writer_config config = config_of(s, v);
	bool ring = rotates(s) || v->numbered;
	if (ring)
		config.number = rotate_next(config.folders, v->path);
	else if (found && config.fd < 0)
		config.begun = CAPTURE_FOUND;
	config.later = s->config.names.arg && !config.append && !config.begun;
	if (s->config.names.arg && !config.later && !v->moved)
		path_make_folders(config.folders, v->path, FOLDER_MODE);
	return capture_writer_open(&config, &v->w, err);
}

static void fail_value(struct split *s, struct split_value *v, int code, struct pt_error *err)
{
	pt_report(s->block, code, "%s", pt_error_text(err, error_words(code)));
	pt_error_clear(err);
	if (v->w)
		capture_writer_close(v->w, NULL);
	split_exact_closed(s, v);
	s->carry.noted_fd = -1;
	v->failed = true;
	v->failed_ns = pt_now(s->block);
}

static bool is_open(struct split *s, struct split_value *v)
{
	struct pt_error err = PT_ERROR_INIT;
	if (v->w)
		return true;
	double wait_ns = s->config.retry_s * S_NS;
	if (v->failed && (!(wait_ns > 0) || (double)(pt_now(s->block) - v->failed_ns) < wait_ns))
		return false;
	bool found =
		v->failed || v->moved || (s->exact.resumed ? split_exact_left(s, v) : s->found);
	int rc = open_value(s, v, found, &err);
	v->moved = false;
	v->misfits = (struct capture_misfits){0};
	if (rc)
		fail_value(s, v, rc, &err);
	return v->w;
}

/* ---- the table ---- */

static struct split_value *new_value(const char *path, const void *key, size_t length,
                                     uint64_t hash)
{
	struct split_value *v = must_calloc(1, sizeof *v + length);
	v->path = must_strdup(path);
	v->hash = hash;
	v->length = length;
	if (length)
		memcpy(v->key, key, length);
	return v;
}

static struct split_value **place_of(struct split_value **table, unsigned room, uint64_t hash,
                                     const void *key, size_t length)
{
	unsigned at = (unsigned)hash & (room - 1);
	while (table[at] && (table[at]->hash != hash || table[at]->length != length ||
	                     memcmp(table[at]->key, key, length)))
		at = (at + 1) & (room - 1);
	return &table[at];
}

static void grow(struct split *s)
{
	unsigned room = s->room ? s->room * 2 : 64;
	struct split_value **table = must_calloc(room, sizeof *table);
	for (unsigned i = 0; i < s->room; i++)
		if (s->table[i])
			*place_of(table, room, s->table[i]->hash, s->table[i]->key,
			          s->table[i]->length) = s->table[i];
	free(s->table);
	s->table = table;
	s->room = room;
}

static struct split_value *other(struct split *s)
{
	struct buf path = BUF_INIT;
	if (s->other)
		return s->other;
	s->config.names.other(s->config.names.arg, &path);
	s->other = new_value(path.data, NULL, 0, 0);
	pt_note(s->block, "there are %u files: what has further values goes to '%s'",
	        s->config.values, path.data);
	buf_free(&path);
	return s->other;
}

static struct split_value *add_value(struct split *s, struct split_value **place,
                                     const struct split_key *key, const struct pt_msg *m, bool high)
{
	const struct split_names *names = &s->config.names;
	struct buf path = BUF_INIT;
	names->path(names->arg, m, high, &path);
	*place = new_value(path.data, s->key.data + key->at, key->length, key->hash);
	buf_free(&path);
	s->count++;
	return *place;
}

static struct split_value *value_of(struct split *s, const struct split_key *key,
                                    const struct pt_msg *m, bool high)
{
	if (2 * s->count >= s->room)
		grow(s);
	struct split_value **place =
		place_of(s->table, s->room, key->hash, s->key.data + key->at, key->length);
	struct split_value *found = *place;
	if (found)
		return found;
	return s->count < s->config.values ? add_value(s, place, key, m, high) : other(s);
}

/* Each step is done for all before the next, so that the memory of many values is waited for at
   once. */
static void find_values(struct split *s, bool high, struct pt_msg *const *messages, unsigned count,
                        struct split_value **values)
{
	static const uint64_t zero[2];
	const struct split_names *names = &s->config.names;
	struct split_key keys[BATCH];
	struct capture_writer *writers[BATCH];
	buf_clear(&s->key);
	for (unsigned i = 0; i < count; i++) {
		keys[i].at = s->key.length;
		names->key(names->arg, messages[i], high, &s->key);
		keys[i].length = s->key.length - keys[i].at;
	}
	buf_reserve(&s->key, 1);
	for (unsigned i = 0; i < count; i++) {
		keys[i].hash = sip_hash(zero, s->key.data + keys[i].at, keys[i].length);
		if (s->room)
			__builtin_prefetch(&s->table[keys[i].hash & (s->room - 1)]);
	}
	for (unsigned i = 0; i < count && s->room; i++) {
		const struct split_value *v = s->table[keys[i].hash & (s->room - 1)];
		if (v)
			__builtin_prefetch(&v->w);
	}
	for (unsigned i = 0; i < count; i++) {
		values[i] = value_of(s, &keys[i], messages[i], high);
		writers[i] = values[i]->w;
	}
	capture_writers_fetch(writers, messages, count);
}

/* Calls `each` for every value that has a writer. */
static void go_through(struct split *s, void (*each)(struct split *, struct split_value *))
{
	for (unsigned i = 0; i < s->room; i++)
		if (s->table[i] && s->table[i]->w)
			each(s, s->table[i]);
	if (s->only && s->only->w)
		each(s, s->only);
	if (s->other && s->other->w)
		each(s, s->other);
}

/* ---- life ---- */

static int make_folder(const struct split_config *config, struct pt_error *err)
{
	char *folder = path_fixed_folder(config->file.path, "{}");
	int rc = 0;
	if (*folder && !path_is_within(folder, config->file.folders))
		rc = -PT_EPERMITTED;
	else if (*folder)
		rc = path_make_folders(config->file.folders, folder, FOLDER_MODE);
	if (rc)
		path_write_failed(config->file.folders, "fname", folder, rc, err);
	free(folder);
	return rc;
}

static char *key_of(const struct split *s)
{
	const struct capture_writer_config *f = &s->config.file;
	return must_printf("split %s %d %d %d %d", f->path, f->raw, (int)f->format, (int)f->pack,
	                   rotates(s));
}

/* As it was at a checkpoint, if there was one. */
static int open_only(struct split *s, struct split_value *v, struct pt_error *err)
{
	const struct capture_writer_config config = config_of(s, v);
	const struct capture_note *from = NULL;
	int rc = 0;
	if (config.fd < 0)
		rc = file_carry_open(&s->carry, s->block, &config, &v->w, &from, err);
	if (from) {
		v->numbered = from->number && !rotates(s);
		v->file.begun = from->bytes > 0;
	}
	return rc || v->w ? rc : open_value(s, v, s->found, err);
}

int split_open(struct pt_block *b, struct split *s, const struct split_config *config,
               struct pt_error *err)
{
	int fd = -1, rc;
	*s = (struct split){.block = b, .config = *config};
	s->found = pt_comes_back(b);
	s->carry.noted_fd = -1;
	s->carry.rotates = rotates(s);
	s->carry.says_pack = true;
	char *key = key_of(s);
	s->taken_over = config->file.fd < 0 && pt_carried_fd(b, key, &fd) && fd < 0;
	free(key);
	if (s->taken_over)
		return 0;
	s->crew = crew_new(config->open);
	if (config->names.arg) {
		split_exact_open(s);
		return make_folder(config, err);
	}
	s->only = new_value(config->file.path, NULL, 0, 0);
	rc = open_only(s, s->only, err);
	s->config.file.fd = -1;
	return rc;
}

void split_carry(const struct split *s, struct pt_carry *carry)
{
	char *key = key_of(s);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		pt_carry_fd(carry, key, -1);
	else if (s->only && s->only->w)
		file_carry_tell(&s->carry, s->only->w, s->config.file.path, false, carry);
	else if (!s->only)
		split_exact_carry(s, carry);
	free(key);
}

bool split_settle(struct split *s, bool begin)
{
	return s->only ? file_carry_settle(&s->carry, s->only->w, begin)
	               : split_exact_settle(s, begin);
}

static void adopt_value(struct split *s, struct split_value *v)
{
	const struct capture_writer_config config = config_of(s, v);
	capture_writer_adopt(v->w, &config);
}

void split_take_over(struct pt_block *b, struct split *s, struct split *before)
{
	const struct split_config config = s->config;
	if (!s->taken_over)
		return;
	bool full = atomic_load(&before->full);
	s->crew = before->crew;
	s->table = before->table;
	s->room = before->room;
	s->count = before->count;
	s->only = before->only;
	s->other = before->other;
	s->buffered = before->buffered;
	s->key = before->key;
	s->found = before->found;
	s->exact = before->exact;
	s->config = config;
	s->block = b;
	crew_bound(s->crew, config.open);
	go_through(s, adopt_value);
	*before = (struct split){.block = before->block};
	atomic_store(&s->full, full);
}

static void push_value(struct split *s, struct split_value *v)
{
	capture_writer_push(v->w);
}

void split_push(struct split *s)
{
	go_through(s, push_value);
	s->buffered = 0;
}

static void start_only(const struct split *s)
{
	if (!s->only || !s->only->w)
		return;
	if (capture_writer_aside(s->only->w))
		pt_note(s->block, "%s", capture_writer_aside(s->only->w));
	if (s->carry.is_carried)
		capture_writer_head(s->only->w); /* what came behind the checkpoint goes */
}

void split_start(struct split *s)
{
	bool took_over = s->taken_over;
	s->begun = true;
	s->taken_over = false;
	if (!took_over) {
		start_only(s);
		return;
	}
	split_push(s);
	if (atomic_load(&s->full))
		pt_full(s->block, true);
	split_woken(s);
}

/* ---- messages ---- */

/* Writes the first of them, which are added to those that are done; how many have gone. */
static unsigned put_some(struct split *s, struct split_value *v, struct pt_msg **messages,
                         unsigned count, struct pt_msg ***done)
{
	struct pt_error err = PT_ERROR_INIT;
	int n = capture_writer_put(v->w, messages, count, &err);
	if (n > 0) {
		split_tell_misfits(s->block, v->w, v->path, &v->misfits);
		for (int i = 0; i < n; i++) {
			s->buffered += messages[i]->length;
			*(*done)++ = messages[i];
		}
		return (unsigned)n;
	}
	if (n == -EMEDIUMTYPE) {
		pt_report(s->block, n, "%s", pt_error_text(&err, ""));
		pt_error_clear(&err);
		pt_drop(s->block, messages[0], "link-type");
		return 1;
	}
	if (n < 0)
		fail_value(s, v, n, &err);
	split_drop_all(s->block, messages, count, n ? "write-error" : "overflow");
	return count;
}

/* What came is in the file that has another name now, or none. */
static void begin_anew(struct split *s, struct split_value *v)
{
	pt_note(s->block, "'%s' was moved away, and is begun anew", v->path);
	capture_writer_leave(v->w);
	split_exact_closed(s, v);
	v->moved = true;
}

static void put(struct split *s, struct split_value *v, struct pt_msg **messages, unsigned count,
                struct pt_msg ***done)
{
	if (v->w && capture_writer_is_moved(v->w))
		begin_anew(s, v);
	if (!v->is_dirty)
		split_exact_dirty(s, v);
	for (unsigned at = 0; at < count;) {
		if (!is_open(s, v)) {
			split_drop_all(s->block, messages + at, count - at, "write-error");
			return;
		}
		if (rotates(s))
			split_rotate_if_due(s->block, &s->config.rotate, &v->file, v->w);
		at += put_some(s, v, messages + at, s->config.rotate.size ? 1 : count - at, done);
	}
}

static bool has_room(const void *arg)
{
	const struct split *s = arg;
	return atomic_load(crew_waiting(s->crew)) <= WAITING_MAX;
}

static void put_each(struct split *s, bool high, struct pt_msg **messages, unsigned count,
                     struct pt_msg ***done)
{
	struct split_value *values[BATCH];
	find_values(s, high, messages, count, values);
	for (unsigned at = 0; at < count;) {
		unsigned end = at + 1;
		while (end < count && values[end] == values[at])
			end++;
		put(s, values[at], messages + at, end - at, done);
		at = end;
	}
}

void split_put(struct split *s, bool high, struct pt_msg **messages, unsigned count)
{
	struct pt_msg **done = messages; /* their end: in front of what is still to be put */
	pt_came_on(s->block);
	for (unsigned at = 0; !s->only && at < count; at += BATCH)
		put_each(s, high, messages + at, count - at < BATCH ? count - at : BATCH, &done);
	if (s->only)
		put(s, s->only, messages, count, &done);
	pt_done_many(s->block, messages, (unsigned)(done - messages));
	if (s->buffered > BUFFERED_MAX)
		split_push(s);
	split_hold_back(s->block, &s->full, has_room, s);
}

static void look_for_errors(struct split *s, struct split_value *v)
{
	struct pt_error err = PT_ERROR_INIT;
	if (capture_writer_error(v->w))
		fail_value(s, v, capture_writer_put(v->w, NULL, 0, &err), &err);
}

void split_woken(struct split *s)
{
	if (s->begun && atomic_exchange(&s->lost, false))
		go_through(s, look_for_errors);
	if (!s->begun || !atomic_load(&s->full) || !has_room(s))
		return;
	atomic_store(&s->full, false);
	pt_full(s->block, false);
}

/* ---- the next file ---- */

static void rotate_value(struct split *s, struct split_value *v)
{
	if (!v->file.begun && rotates(s))
		return;
	capture_writer_rotate(v->w);
	v->file.begun = false;
	v->numbered = true;
}

void split_next(struct split *s)
{
	go_through(s, rotate_value);
}

static void close_value(struct split *s, struct split_value *v)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = capture_writer_close(v->w, &err);
	split_exact_closed(s, v);
	s->carry.noted_fd = -1;
	if (rc)
		fail_value(s, v, rc, &err);
}

/* Who still has its name is gone on with; of a ring the next begins. */
void split_reopen(struct split *s)
{
	if (s->only && rotates(s))
		split_next(s);
	else if (!s->only || (s->only->w && capture_writer_is_elsewhere(s->only->w)))
		go_through(s, close_value);
	s->found = true;
	s->exact.resumed = false;
}

/* ---- the end ---- */

json_t *split_describe(const struct split *s)
{
	if (!s->config.names.arg)
		return json_object();
	return json_pack("{s:i}", "files", (int)s->count + (s->other != NULL));
}

static int end_value(struct split *s, struct split_value *v, int code, struct pt_error *err)
{
	int rc = 0;
	if (v && v->w && s->begun)
		rc = capture_writer_close(v->w, code ? NULL : err);
	else if (v && v->w)
		capture_writer_cancel(v->w);
	if (v)
		free(v->path);
	free(v);
	return code ? code : rc;
}

int split_close(struct split *s, struct pt_error *err)
{
	int code = end_value(s, s->only, 0, err);
	code = end_value(s, s->other, code, err);
	for (unsigned i = 0; i < s->room; i++)
		code = end_value(s, s->table[i], code, err);
	split_exact_close(s);
	crew_free(s->crew);
	free(s->table);
	buf_free(&s->key);
	*s = (struct split){.block = s->block};
	return code;
}
