/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills chunks from a file and cuts messages out of them. */
#include "capture/capture.h"

#include "base/memory.h"
#include "capture/format.h"
#include "capture/input.h"
#include "msg/pool.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      (256 * 1024)
#define BATCH      64
#define BARREN_MAX (16 * 1024 * 1024) /* bytes without a packet in one call */
#define SKIP_MAX   (1u << 30)
#define HEAD       28 /* what is checked when a file is opened */

struct capture_reader {
	struct input *in;
	struct parser parser;
	struct window window; /* in its chunk, or … */
	uint8_t *stash;       /* … here, while the pool has none for it */
	bool ended;
	struct capture_reading reading;
	bool starved;      /* what is to come is known to be longer than what there is */
	bool first;        /* the file is not one behind another */
	uint64_t go_to;    /* bytes that are not read, once the header is; 0: none */
	uint64_t messages; /* since the beginning */
	int fault;         /* 0, or what ended the reading */
	uint64_t misdated; /* and of the file that is being parsed */
	uint64_t left_out, damaged;
};

/* ---- what the file is ---- */

#define ZLIB "a stream of zlib without gzip's header: unpack it first (zlib-flate -uncompress)"
static const struct stranger {
	const char *magic;
	size_t length;
	const char *words;
} strangers[] = {
	{"\xfd\x37zXZ", 5, "compressed with xz: unpack it first (xz -d)"},
	{"BZh", 3, "compressed with bzip2: unpack it first (bzip2 -d)"},
	{"\x02\x21\x4c\x18", 4, "in lz4's legacy format: pack it again with a newer lz4"},
	{"PK\x03\x04", 4, "a zip archive: unpack it first"},
	{"\x1f\x9d", 2, "compressed with compress: unpack it first (gzip -d)"},
	{"\x1f\x8b", 2, "compressed twice: unpack it once (gzip -d)"},
	{"\x28\xb5\x2f\xfd", 4, "compressed twice: unpack it once (zstd -d)"},
	{"\x04\x22\x4d\x18", 4, "compressed twice: unpack it once (lz4 -d)"},
	{"snoop\0\0\0", 8, "in snoop's format: turn it into pcap first (editcap -F pcap)"},
	{"btsnoop\0", 8, "in btsnoop's format: turn it into pcap first (editcap -F pcap)"},
	{"GMBU", 4, "in Network Monitor's format: turn it into pcap first (editcap -F pcap)"},
	{"RTSS", 4, "in Network Monitor's format: turn it into pcap first (editcap -F pcap)"},
	{"\x78\x01", 2, ZLIB},
	{"\x78\x5e", 2, ZLIB},
	{"\x78\x9c", 2, ZLIB},
	{"\x78\xda", 2, ZLIB},
};

static int refuse_stranger(const struct window *w, struct pt_error *err)
{
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		if (window_left(w) >= strangers[i].length &&
		    memcmp(w->at, strangers[i].magic, strangers[i].length) == 0)
			return pt_fail(err, -EBADMSG, "fname", "'%s' is %s", w->name,
			               strangers[i].words);
	return pt_fail(err, -EBADMSG, "fname",
	               "'%s' is not a capture file: it begins with %02x %02x %02x %02x, as neither "
	               "pcap nor pcapng do",
	               w->name, w->at[0], w->at[1], w->at[2], w->at[3]);
}

static int tell_format(struct capture_reader *r, struct window *w, struct pt_error *err)
{
	static const struct format *const others[] = {NULL, &format_lines, &format_block};
	uint32_t magic;
	if (r->reading.as) {
		r->parser.format = others[r->reading.as];
		r->parser.own = must_calloc(1, r->parser.format->own_size);
		r->parser.limit = r->reading.limit;
		return 0;
	}
	if (window_left(w) < sizeof magic)
		return 0;
	memcpy(&magic, w->at, sizeof magic);
	for (unsigned i = 0; formats[i]; i++)
		if (formats[i]->begins && formats[i]->begins(magic)) {
			r->parser.format = formats[i];
			r->parser.own = must_calloc(1, formats[i]->own_size);
			return 0;
		}
	return refuse_stranger(w, err);
}

static void forget_format(struct capture_reader *r)
{
	struct parser *p = &r->parser;
	r->misdated += p->misdated;
	r->left_out += p->left_out;
	r->damaged += p->damaged;
	if (p->format && p->format->reset)
		p->format->reset(p->own);
	free(p->own);
	*p = (struct parser){0};
}

static int parse(struct capture_reader *r, struct window *w, struct pt_msg **messages, unsigned max,
                 struct pt_error *err)
{
	for (;;) {
		int n = r->parser.format ? 0 : tell_format(r, w, err);
		if (n || !r->parser.format)
			return n;
		n = r->parser.format->parse(&r->parser, w, messages, max, err);
		if (n != -ENODATA)
			return n;
		r->first = false;
		forget_format(r);
	}
}

static int end_of_file(const struct capture_reader *r, const struct window *w, struct pt_error *err)
{
	if (r->reading.as)
		return 0;
	if (w->offset == 0 && window_left(w) == 0)
		return pt_fail(err, -EBADMSG, "fname",
		               "'%s' is empty: it has 0 bytes, not even a header", w->name);
	uint64_t end = w->offset + window_left(w);
	if (!r->parser.begun)
		return pt_fail(err, -EBADMSG, "fname",
		               "'%s' is cut off at byte %llu, in the middle of its header", w->name,
		               (unsigned long long)end);
	if (window_left(w) == 0 && w->skip == 0 && !r->parser.closing)
		return 0;
	uint64_t begin = r->parser.closing ? r->parser.block_at : w->offset;
	return pt_fail(err, -EBADMSG, "fname",
	               "'%s' is cut off at byte %llu, in the middle of what begins at byte %llu",
	               w->name, (unsigned long long)end, (unsigned long long)begin);
}

static void reset(struct capture_reader *r)
{
	forget_format(r);
	r->window = (struct window){.name = input_name(r->in), .want = 8};
	r->ended = false;
	r->first = true;
	r->go_to = r->messages = 0;
	r->fault = 0;
}

/* ---- opening ---- */

static int check_head(struct capture_reader *r, struct pt_error *err)
{
	uint8_t head[HEAD];
	struct window w = r->window;
	w.at = w.end = head;
	while (w.end < head + HEAD) {
		ssize_t n = input_read(r->in, head + (w.end - head), (size_t)(head + HEAD - w.end),
		                       err);
		if (n == -EAGAIN)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		w.end += n;
	}
	int rc = parse(r, &w, NULL, 0, err);
	if (rc == 0 && !r->parser.begun)
		rc = end_of_file(r, &w, err);
	return rc ? rc : input_rewind(r->in, err);
}

int capture_reader_open_as(int fd, const char *name, const struct capture_reading *reading,
                           struct capture_reader **result, struct pt_error *err)
{
	struct input *in;
	int rc = input_open(fd, name, &in, err);
	if (rc)
		return rc;
	struct capture_reader *r = must_calloc(1, sizeof *r);
	r->in = in;
	r->reading = *reading;
	reset(r);
	input_grow(in, reading->growing);
	if (input_is_regular(in) && !reading->growing && !reading->as)
		rc = check_head(r, err);
	reset(r);
	if (rc) {
		capture_reader_close(r);
		return rc;
	}
	*result = r;
	return 0;
}

int capture_reader_open_fd(int fd, const char *name, struct capture_reader **result,
                           struct pt_error *err)
{
	return capture_reader_open_as(fd, name, &(struct capture_reading){0}, result, err);
}

int capture_reader_open(const char *path, struct capture_reader **result, struct pt_error *err)
{
	int fd = input_path(path, err);
	return fd < 0 ? fd : capture_reader_open_fd(fd, path, result, err);
}

void capture_reader_release(struct capture_reader *r)
{
	chunk_unref(r->window.chunk);
	r->window.chunk = NULL;
	free(r->stash);
	r->stash = NULL;
	r->window.at = r->window.end = NULL;
	r->ended = true;
	if (r->parser.format && r->parser.format->reset)
		r->parser.format->reset(r->parser.own);
}

void capture_reader_close(struct capture_reader *r)
{
	if (!r)
		return;
	chunk_unref(r->window.chunk);
	free(r->stash);
	forget_format(r);
	input_close(r->in);
	free(r);
}

uint64_t capture_reader_misdated(struct capture_reader *r)
{
	uint64_t misdated = r->misdated + r->parser.misdated;
	r->misdated = r->parser.misdated = 0;
	return misdated;
}

uint64_t capture_reader_left_out(struct capture_reader *r)
{
	uint64_t left_out = r->left_out + r->parser.left_out;
	r->left_out = r->parser.left_out = 0;
	return left_out;
}

void capture_reader_grow(struct capture_reader *r, bool growing)
{
	r->reading.growing = growing;
	input_grow(r->in, growing);
}

bool capture_reader_at_end(const struct capture_reader *r)
{
	return r->starved || input_at_end(r->in);
}

bool capture_reader_is_regular(const struct capture_reader *r)
{
	return input_is_regular(r->in);
}

uint64_t capture_reader_damaged(struct capture_reader *r)
{
	uint64_t damaged = r->damaged + r->parser.damaged;
	r->damaged = r->parser.damaged = 0;
	return damaged;
}

int capture_reader_rewind(struct capture_reader *r, struct pt_error *err)
{
	int rc = input_rewind(r->in, err);
	if (rc)
		return rc;
	capture_reader_release(r);
	reset(r);
	return 0;
}

/* ---- places ---- */

struct capture_place capture_reader_place(const struct capture_reader *r)
{
	const struct format *format = r->parser.format;
	bool seeks = r->first && format && format->seeks && r->parser.begun;
	uint64_t offset = seeks && !r->window.skip ? r->window.offset : 0;
	return (struct capture_place){r->go_to ? r->go_to : offset, r->messages};
}

void capture_reader_go(struct capture_reader *r, const struct capture_place *place)
{
	r->go_to = place->offset;
	r->messages = place->messages;
}

/* As far as it is there; the rest is skipped. */
static void go(struct capture_reader *r)
{
	struct window *w = &r->window;
	uint64_t rest = r->go_to > w->offset ? r->go_to - w->offset : 0;
	size_t there = window_left(w), here = rest < there ? (size_t)rest : there;
	if (here) /* there may be no window yet */
		window_use(w, here);
	rest -= here;
	w->skip = rest < SKIP_MAX ? (uint32_t)rest : SKIP_MAX;
	if (!rest)
		r->go_to = 0;
}

/* ---- reading ---- */

/* Lets go of the chunk, so that at the pool's limit the reader does not wait for itself. */
static void stash(struct capture_reader *r)
{
	struct window *w = &r->window;
	size_t left = window_left(w);
	r->stash = must_calloc(1, left);
	if (left)
		memcpy(r->stash, w->at, left);
	chunk_unref(r->window.chunk);
	r->window.chunk = NULL;
	w->at = r->stash;
	w->end = r->stash + left;
}

static size_t at_once(const struct capture_reader *r)
{
	size_t memory = r->reading.memory;
	return memory && memory < CHUNK ? memory : CHUNK;
}

static struct pt_chunk *new_chunk(struct capture_reader *r, struct pt_pool *pool)
{
	size_t least = at_once(r), size = r->window.want <= least ? least : r->window.want;
	if (r->reading.as && size < 2 * window_left(&r->window))
		size = 2 * window_left(&r->window); /* nobody knows how long the line is */
	struct pt_chunk *fresh = chunk_new(pool, size);
	if (fresh || !r->window.chunk)
		return fresh;
	stash(r);
	return chunk_new(pool, size);
}

/* Where the next bytes go: behind the window, in this chunk or, with the window, in a new one. */
static uint8_t *room(struct capture_reader *r, struct pt_pool *pool, size_t *length)
{
	struct window *w = &r->window;
	size_t left = window_left(w);
	if (r->window.chunk) {
		uint8_t *bytes = chunk_bytes(r->window.chunk);
		size_t filled = (size_t)(w->end - bytes);
		*length = chunk_size(r->window.chunk) - filled;
		if (*length > at_once(r) / 16 && left + *length >= w->want)
			return bytes + filled;
	}
	struct pt_chunk *fresh = new_chunk(r, pool);
	if (!fresh)
		return NULL;
	uint8_t *bytes = chunk_bytes(fresh);
	if (left)
		memcpy(bytes, w->at, left);
	chunk_unref(r->window.chunk);
	free(r->stash);
	r->stash = NULL;
	r->window.chunk = fresh;
	w->at = bytes;
	w->end = bytes + left;
	*length = chunk_size(fresh) - left;
	return bytes + left;
}

/* Before memory is asked for: 0 if the file ends before what is wanted, else 1 or a fault. */
static int check_want(const struct capture_reader *r, const struct pt_pool *pool,
                      struct pt_error *err)
{
	const struct window *w = &r->window;
	if (!input_has(r->in, w->want - window_left(w)))
		return 0;
	if (!pool_limit(pool) || w->want <= pool_limit(pool))
		return 1;
	return pt_fail(err, -ENOBUFS, "fname",
	               "'%s' has a block of %zu bytes at byte %llu, more than an engine may hold "
	               "(see [limits] memory)",
	               w->name, w->want, (unsigned long long)w->offset);
}

/* Bytes that came, 0 at the end, or a negative code. What is to be skipped is not kept. */
static ssize_t fill(struct capture_reader *r, struct pt_pool *pool, struct pt_error *err)
{
	struct window *w = &r->window;
	if (w->skip && input_skip(r->in, w->skip)) {
		w->offset += w->skip;
		w->skip = 0;
	}
	size_t length;
	if (w->want > CHUNK && !w->skip) {
		int rc = check_want(r, pool, err);
		r->starved = rc == 0 && r->reading.growing;
		if (r->starved)
			return -EAGAIN;
		if (rc <= 0)
			return rc;
	}
	r->starved = false;
	uint8_t *at = room(r, pool, &length);
	if (!at)
		return -ENOMEM;
	if (w->skip && w->skip < length)
		length = w->skip;
	ssize_t n = input_read(r->in, at, length, err);
	if (n <= 0)
		return n;
	if (w->skip) {
		w->offset += (uint64_t)n;
		w->skip -= (uint32_t)n;
	} else {
		w->end = at + n;
	}
	return n;
}

/* Of these blank ones, so many are messages now. */
static int take(struct capture_reader *r, struct pt_pool *pool, struct pt_msg **messages,
                unsigned max, int rc)
{
	unsigned taken = rc > 0 ? (unsigned)rc : 0;
	msg_unblank(pool, messages + taken, max - taken);
	if (taken)
		chunk_ref(r->window.chunk, taken);
	r->messages += taken;
	return rc;
}

static int find_messages(struct capture_reader *r, struct pt_pool *pool, struct pt_msg **messages,
                         unsigned max, struct pt_error *err)
{
	msg_blanks(pool, messages, max);
	return take(r, pool, messages, max, parse(r, &r->window, messages, max, err));
}

/* What is left at the end. */
static int find_rest(struct capture_reader *r, struct pt_pool *pool, struct pt_msg **message)
{
	const struct format *f = r->parser.format;
	if (!f || !f->rest)
		return 0;
	msg_blanks(pool, message, 1);
	return take(r, pool, message, 1, f->rest(&r->parser, &r->window, message[0]));
}

static int finish(struct capture_reader *r, int rc)
{
	capture_reader_release(r);
	input_unlock(r->in);
	input_leave(r->in);
	r->fault = rc;
	return rc;
}

int capture_reader_next(struct capture_reader *r, struct pt_pool *pool, struct pt_msg **messages,
                        unsigned max, struct pt_error *err)
{
	assert(max);
	if (r->fault)
		return pt_fail(err, r->fault, "fname", "the reading of '%s' ended with a fault",
		               input_name(r->in));
	input_bound(r->in, pool_limit(pool));
	for (size_t barren = 0; !r->ended;) {
		unsigned most = r->go_to ? 0 : max < BATCH ? max : BATCH;
		bool going = r->go_to && r->parser.begun;
		int n = going ? 0 : find_messages(r, pool, messages, most, err);
		if (r->go_to && r->parser.begun) {
			go(r);
			if (!r->go_to)
				continue;
		}
		if (n > 0)
			return n;
		if (n < 0)
			return finish(r, n);
		if (barren > BARREN_MAX)
			return -EAGAIN;
		ssize_t got = fill(r, pool, err);
		if (got == 0 && find_rest(r, pool, messages))
			return 1;
		if (got == 0)
			return finish(r, end_of_file(r, &r->window, err));
		if (got == -EAGAIN || got == -ENOMEM)
			return (int)got;
		if (got < 0)
			return finish(r, (int)got);
		barren += (size_t)got;
	}
	return 0;
}

void capture_reader_facts(const struct capture_reader *r, struct capture_facts *facts)
{
	*facts = r->parser.facts;
	facts->packed = input_packing(r->in);
}

int capture_reader_fd(const struct capture_reader *r)
{
	return input_fd(r->in);
}

bool capture_reader_may_wait(const struct capture_reader *r)
{
	return input_may_wait(r->in);
}

/* Of a compressed file, the same part of what was read as of what came out of it. */
void capture_reader_progress(const struct capture_reader *r, uint64_t waiting, uint64_t *done,
                             uint64_t *size)
{
	const struct window *w = &r->window;
	uint64_t used = w->offset > waiting ? w->offset - waiting : 0;
	uint64_t unpacked = w->offset + window_left(w);
	input_progress(r->in, done, size);
	if (unpacked)
		*done = (uint64_t)((double)*done * (double)used / (double)unpacked);
}
