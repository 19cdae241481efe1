/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks, with the numbers of their interfaces changed. */
#include "ctl/joined.h"

#include "base/error.h"
#include "base/io.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	SIMPLE = 3,
	STATISTICS = 5,
	PACKET = 6,
	HEAD = 8,
	FRAME = 12, /* head and trailer */
	FACTS = 8,  /* of an interface, before its options */
	OPTION = 4,
	OPTION_NAME = 2,
	OPTION_DESCRIPTION = 3,
};

/* ---- parts ---- */

static uint32_t word(const char *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static void add_word(struct buf *out, uint32_t value)
{
	buf_add(out, &value, sizeof value);
}

static void add_padded(struct buf *out, const void *bytes, size_t length)
{
	static const char zero[4];
	buf_add(out, bytes, length);
	buf_add(out, zero, -length & 3);
}

static void add_option(struct buf *out, uint16_t code, const void *bytes, size_t length)
{
	const uint16_t head[] = {code, (uint16_t)length};
	buf_add(out, head, sizeof head);
	add_padded(out, bytes, length);
}

static void add_block(struct buf *out, uint32_t type, const struct buf *body)
{
	uint32_t length = (uint32_t)body->length + FRAME;
	add_word(out, type);
	add_word(out, length);
	buf_add(out, body->data, body->length);
	add_word(out, length);
}

/* ---- blocks ---- */

/* It has the host's name; its own is its description, where it has no other. */
static void add_interface(struct buf *out, const char *name, const char *body, size_t length)
{
	struct buf new = BUF_INIT, own = BUF_INIT;
	bool described = false;
	buf_add(&new, body, FACTS);
	add_option(&new, OPTION_NAME, name, strlen(name));
	for (size_t at = FACTS; at + OPTION <= length;) {
		uint16_t code, size;
		memcpy(&code, body + at, sizeof code);
		memcpy(&size, body + at + sizeof code, sizeof size);
		if (!code || at + OPTION + size > length)
			break;
		if (code == OPTION_NAME)
			buf_add(&own, body + at + OPTION, size);
		else
			add_option(&new, code, body + at + OPTION, size);
		described |= code == OPTION_DESCRIPTION;
		at += OPTION + ((size + 3u) & ~3u);
	}
	if (!described && own.length)
		add_option(&new, OPTION_DESCRIPTION, own.data, own.length);
	add_option(&new, 0, NULL, 0);
	add_block(out, INTERFACE, &new);
	buf_free(&new);
	buf_free(&own);
}

/* Which says neither of what interface it is nor when it came. */
static void add_simple(struct buf *out, uint32_t number, const char *body, size_t length)
{
	struct buf new = BUF_INIT;
	uint32_t wire = word(body), there = (uint32_t)length - 4;
	add_word(&new, number);
	add_word(&new, 0);
	add_word(&new, 0);
	add_word(&new, wire < there ? wire : there);
	add_word(&new, wire);
	buf_add(&new, body + 4, there);
	add_block(out, PACKET, &new);
	buf_free(&new);
}

static void add_numbered(struct buf *out, uint32_t number, const char *block, size_t length)
{
	buf_add(out, block, HEAD);
	add_word(out, number);
	buf_add(out, block + HEAD + sizeof number, length - HEAD - sizeof number);
}

static void add_number(struct joined *j, struct joined_host *h)
{
	h->numbers = must_realloc(h->numbers, h->count + 1, sizeof *h->numbers);
	h->numbers[h->count++] = j->interfaces++;
}

/* False: it is of an interface that was not described. */
static bool add_one(struct joined *j, struct joined_host *h, const char *name, struct buf *out,
                    const char *block, size_t length)
{
	uint32_t type = word(block), of = 0;
	bool packs = type == PACKET || type == STATISTICS || type == SIMPLE;
	if (packs && length < FRAME + 4)
		return false;
	if (type == PACKET || type == STATISTICS)
		of = word(block + HEAD);
	if (packs && of >= h->count)
		return false;
	switch (type) {
	case SECTION:
		if (j->fd < 0)
			buf_add(out, block, length);
		h->count = 0;
		return !h->stream.swapped;
	case INTERFACE:
		if (length < FRAME + FACTS)
			return false;
		add_number(j, h);
		add_interface(out, name, block + HEAD, length - FRAME);
		return true;
	case SIMPLE: add_simple(out, h->numbers[0], block + HEAD, length - FRAME); return true;
	case PACKET:
	case STATISTICS: add_numbered(out, h->numbers[of], block, length); return true;
	}
	buf_add(out, block, length);
	return true;
}

/* ---- the file ---- */

int joined_init(struct joined *j, const char *path, struct pt_error *err)
{
	*j = (struct joined){.path = path, .fd = -1};
	return path ? tapped_check_output(path, err) : 0;
}

static int write_some(struct joined *j, const struct buf *out, struct pt_error *err)
{
	int fd = out->length && j->fd < 0 ? tapped_open_file(j->path, err) : j->fd;
	if (fd < -1)
		return fd;
	j->fd = fd;
	int rc = out->length ? io_write(fd, out->data, out->length) : 0;
	return rc && rc != -EPIPE ? tapped_cannot_write(j->path, rc, err) : rc;
}

static int refuse(const struct joined_host *h, struct pt_error *err)
{
	if (!h->stream.swapped)
		return pt_fail(err, -EPROTO, NULL, "what the daemon sends is no pcapng");
	pt_fail(err, -PT_ESTATE, NULL,
	        "this host has the other byte order: its packets go to no file with those of "
	        "others");
	pt_hint(err, "give it a tap of its own, and join the files by RdpcapSource");
	return -PT_ESTATE;
}

int joined_take(struct joined *j, struct joined_host *h, const char *name, struct buf *bytes,
                struct pt_error *err)
{
	struct buf out = BUF_INIT;
	int64_t all = -1;
	size_t length = 0;
	buf_add(&h->stream.bytes, bytes->data, bytes->length);
	buf_clear(bytes);
	int code = tapped_whole(&h->stream, &all, &length, err);
	const char *at = h->stream.bytes.data, *end = at + length;
	for (size_t size; !code && at < end; at += size) {
		size = word(at) == SECTION && h->stream.swapped ? length : word(at + 4);
		if (!add_one(j, h, name, &out, at, size))
			code = refuse(h, err);
	}
	int rc = code ? code : write_some(j, &out, err);
	buf_consume(&h->stream.bytes, length);
	buf_free(&out);
	return rc;
}

void joined_host_fini(struct joined_host *h)
{
	buf_free(&h->stream.bytes);
	free(h->numbers);
	*h = (struct joined_host){0};
}

int joined_end(struct joined *j, struct pt_error *err)
{
	if (j->fd > STDOUT_FILENO && close(j->fd))
		return tapped_cannot_write(j->path, -errno, err);
	return 0;
}
