/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture files made byte by byte, and read to the end. */
#ifndef TESTS_CAPTURE_FILE_H
#define TESTS_CAPTURE_FILE_H

#include "unit.h"

#include "base/buf.h"
#include "capture/capture.h"
#include "msg/pool.h"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- bytes of either order ---- */

struct file {
	struct buf bytes;
	bool big; /* byte order of what is put from now on */
};

static inline void put16(struct file *f, uint16_t v)
{
	v = f->big ? htobe16(v) : htole16(v);
	buf_add(&f->bytes, &v, sizeof v);
}

static inline void put32(struct file *f, uint32_t v)
{
	v = f->big ? htobe32(v) : htole32(v);
	buf_add(&f->bytes, &v, sizeof v);
}

static inline void put64(struct file *f, uint64_t v)
{
	v = f->big ? htobe64(v) : htole64(v);
	buf_add(&f->bytes, &v, sizeof v);
}

static inline void put_pcap(struct file *f, uint32_t magic, uint32_t link_type)
{
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put64(f, 0);
	put32(f, 65535);
	put32(f, link_type);
}

static inline void put_record(struct file *f, uint32_t seconds, uint32_t part, const void *bytes,
                              uint32_t length)
{
	put32(f, seconds);
	put32(f, part);
	put32(f, length);
	put32(f, length);
	buf_add(&f->bytes, bytes, length);
}

/* A small file of three packets, "one", "two", "three", at seconds 1, 2 and 3. */
static inline struct file three_packets(void)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 1, 0, "one", 3);
	put_record(&f, 2, 0, "two", 3);
	put_record(&f, 3, 0, "three", 5);
	return f;
}

/* ---- reading ---- */

struct reading {
	struct pt_pool *pool;
	struct capture_reader *reader;
	struct pt_error err;
	struct pt_msg **messages;
	size_t count;
	int end; /* what the last call returned */
};

static inline int memory_file(const void *bytes, size_t length)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static inline void read_on(struct reading *r)
{
	struct pt_msg *batch[7];
	while ((r->end = capture_reader_next(r->reader, r->pool, batch, 7, &r->err)) > 0) {
		r->messages = must_realloc(r->messages, r->count + (size_t)r->end,
		                           sizeof(struct pt_msg *));
		for (int i = 0; i < r->end; i++)
			r->messages[r->count++] = batch[i];
	}
}

/* Opens and reads all; `end` is also what the opening returned, if that failed. */
static inline struct reading read_bytes(const void *bytes, size_t length)
{
	struct reading r = {.pool = pool_new(0)};
	r.end = capture_reader_open_fd(memory_file(bytes, length), "x.pcap", &r.reader, &r.err);
	if (r.end == 0)
		read_on(&r);
	return r;
}

static inline struct reading read_file(struct file *f)
{
	struct reading r = read_bytes(f->bytes.data, f->bytes.length);
	buf_free(&f->bytes);
	return r;
}

static inline struct reading read_path(const char *path)
{
	struct reading r = {.pool = pool_new(0)};
	r.end = capture_reader_open(path, &r.reader, &r.err);
	if (r.end == 0)
		read_on(&r);
	return r;
}

static inline void reading_end(struct reading *r)
{
	msg_unref_many(r->messages, (unsigned)r->count);
	free(r->messages);
	capture_reader_close(r->reader);
	pool_free(r->pool);
	pt_error_clear(&r->err);
}

static inline void expect_bytes(const struct reading *r, size_t i, const char *text)
{
	ck_assert_uint_lt(i, r->count);
	ck_assert_uint_eq(r->messages[i]->length, strlen(text));
	ck_assert_mem_eq(r->messages[i]->bytes, text, strlen(text));
}

static inline void expect_words(struct reading *r, const char *words)
{
	ck_assert_int_lt(r->end, 0);
	ck_assert_uint_eq(r->err.count, 1);
	ck_assert_msg(strstr(r->err.faults[0].message, words), "%s", r->err.faults[0].message);
	ck_assert_str_eq(r->err.faults[0].path, "fname");
}

#endif
