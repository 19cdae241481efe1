/* SPDX-License-Identifier: BSD-2-Clause */
/* Posts in a list, and a pcapng in two. */
#include "nats/lane.h"

#include "base/buf.h"
#include "capture/pcapng_block.h"
#include <errno.h>
#include <stdlib.h>

int post_load(struct post *post)
{
	if (post->bytes)
		return 0;
	uint8_t *bytes = malloc(post->length);
	int rc = bytes ? spool_read(&post->place, bytes, post->length) : -ENOMEM;
	if (rc)
		free(bytes);
	else
		post->bytes = bytes;
	return rc;
}

void post_free(struct post *post)
{
	free(post->bytes);
	free(post);
}

struct lane *lane_new(const char *subject)
{
	struct lane *lane = must_calloc(1, sizeof *lane);
	lane->subject = must_strdup(subject);
	lane->tail = &lane->head;
	return lane;
}

void lane_free(struct lane *lane)
{
	while (lane->head)
		post_free(lane_pop(lane));
	free(lane->subject);
	free(lane);
}

void lane_push(struct lane *lane, struct post *post)
{
	post->next = NULL;
	if (!lane->fresh && !post->place.file)
		lane->fresh = post;
	*lane->tail = post;
	lane->tail = &post->next;
}

struct post *lane_pop(struct lane *lane)
{
	struct post *post = lane->head;
	lane->head = post->next;
	if (lane->fresh == post)
		lane->fresh = post->next;
	if (!lane->head)
		lane->tail = &lane->head;
	return post;
}

/* ---- halves ---- */

static bool is_packet(uint32_t type)
{
	return type == PCAPNG_PACKET || type == PCAPNG_SIMPLE;
}

/* The packets from number `from` up to `to`, and whatever else stands before them. */
static bool cut(const struct post *post, uint32_t from, uint32_t to, struct buf *out)
{
	uint32_t number = 0, size;
	for (size_t at = 0; at + PCAPNG_BLOCK <= post->length; at += size) {
		const uint8_t *block = post->bytes + at;
		bool packet = is_packet(pcapng_load32(false, block));
		size = pcapng_load32(false, block + 4);
		if (size < PCAPNG_BLOCK || size > post->length - at)
			return false;
		if (number >= to)
			return true;
		if (!packet || number >= from)
			buf_add(out, block, size);
		number += packet;
	}
	return number == to;
}

static struct post *half_of(const struct post *post, uint32_t part, uint32_t from, uint32_t to)
{
	struct buf bytes = BUF_INIT;
	struct post *half = NULL;
	if (cut(post, from, to, &bytes)) {
		half = must_calloc(1, sizeof *half);
		*half = *post;
		half->part = part;
		half->messages = to - from;
		half->length = bytes.length;
		half->bytes = (uint8_t *)buf_steal(&bytes);
	}
	buf_free(&bytes);
	return half;
}

bool lane_halve(struct lane *lane)
{
	struct post *whole = lane->head;
	uint32_t middle = whole->messages / 2, part = whole->part;
	if (!middle || part > UINT32_MAX / 2)
		return false;
	struct post *first = half_of(whole, 2 * part, 0, middle);
	struct post *second = half_of(whole, 2 * part + 1, middle, whole->messages);
	if (first && second) {
		bool fresh = lane->fresh == whole;
		lane_pop(lane);
		first->keeps_place = whole->place.file;
		first->next = second;
		second->next = lane->head;
		lane->head = first;
		if (fresh)
			lane->fresh = first;
		if (!second->next)
			lane->tail = &second->next;
		post_free(whole);
		return true;
	}
	if (first)
		post_free(first);
	if (second)
		post_free(second);
	return false;
}
