/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of packets become records in the writer's buffers. */
#include "capture/writing.h"

#include "base/error.h"
#include <errno.h>
#include <string.h>

#define RUN_MAX (64 * 1024) /* bytes asked for at once, unless one packet needs more */

/* What stands before the next packet. */
bool writing_before(struct capture_writer *w)
{
	struct buf *before = &w->map.before;
	if (!before->length)
		return true;
	uint8_t *at = writer_room(writing_begin(w), before->length);
	if (!at)
		return false;
	memcpy(at, before->data, before->length);
	writing_advance(w, at, before->length);
	buf_clear(before);
	w->headed = true;
	return true;
}

/* ---- headers ---- */

bool writing_header(struct capture_writer *w, int link_type, const struct pt_origin *of)
{
	if (w->headed)
		return true;
	if (w->format->mixed) {
		mapping_head(&w->map);
		return writing_before(w);
	}
	size_t size = w->format->header(w->format, NULL, 0, NULL);
	struct writer *writer = writing_begin(w);
	uint8_t *at = size ? writer_room(writer, size) : NULL;
	if (size && !at)
		return false;
	if (w->link_type < 0)
		w->link_type = link_type;
	if (at) {
		w->format->header(w->format, at, (uint16_t)w->link_type, of);
		writing_advance(w, at, size);
	}
	w->headed = true;
	return true;
}

/* What a mixed one begins with may be told by its first packet. */
void capture_writer_head(struct capture_writer *w)
{
	if (w->output.end || w->tail.length)
		writing_begin(w); /* what is torn goes */
	else if (w->headed || w->output.filled || w->link_type < 0)
		return;
	else if (w->format->mixed)
		mapping_describe(&w->map, (uint16_t)w->config.link_type);
	else
		writing_header(w, w->link_type, NULL);
	writing_before(w);
	capture_writer_push(w);
}

/* ---- packets ---- */

static bool is_own(const struct pt_msg *m)
{
	return pt_msg_is_packet(m) && m->link_type >= PT_OWN_LINK_TYPES;
}

static int link_type_of(const struct capture_writer *w, const struct pt_msg *m)
{
	if (w->config.raw)
		return 0;
	if (is_own(m))
		return -1;
	return pt_msg_is_packet(m) ? m->link_type : w->config.link_type;
}

/* The messages at the front that are alike and fit one request for room; of the first it is known
   where it stands. */
static inline void extend(struct capture_writer *w, struct run *run, unsigned count, int link_type,
                          bool mixed)
{
	const uint16_t first = run->messages[0]->link_type;
	const size_t head = w->format->packet_head;
	const unsigned most = count < RUN_MESSAGES ? count : RUN_MESSAGES;
	size_t size = 0, with;
	unsigned i = 0;
	for (; i < most; i++, size = with) {
		const struct pt_msg *m = run->messages[i];
		uint32_t captured = run_captured(run, m);
		if (m->link_type != first && link_type_of(w, m) != link_type)
			break;
		if (i && mixed &&
		    !mapping_known(&w->map, m, (uint16_t)link_type, run_time_ns(m),
		                   &run->places[i]))
			break;
		with = size +
		       (mixed ? pcapng_packet_size(m, &run->places[i], captured) : head + captured);
		if (i && with > RUN_MAX)
			break;
	}
	run->count = i;
	run->size = size;
}

static int refuse(const struct capture_writer *w, const struct pt_msg *m, struct pt_error *err)
{
	if (!pt_msg_is_packet(m))
		return pt_fail(err, -EMEDIUMTYPE, "linktype",
		               "a message that is not a packet has no link type to be written to "
		               "'%s' with; set linktype",
		               w->path);
	if (is_own(m))
		return pt_fail(err, -EMEDIUMTYPE, "linktype",
		               "a message of link type %u is a program's own, and no packet for "
		               "'%s'",
		               m->link_type, w->path);
	return pt_fail(err, -EMEDIUMTYPE, "linktype",
	               "a packet of link type %u does not fit '%s', whose packets are of link type "
	               "%d; format \"pcapng\" holds both",
	               m->link_type, w->path, w->link_type);
}

static bool find_place(struct capture_writer *w, const struct pt_msg *m, int link_type,
                       struct pcapng_place *place)
{
	int64_t time_ns = run_time_ns(m);
	if (!mapping_known(&w->map, m, (uint16_t)link_type, time_ns, place))
		mapping_new(&w->map, m, (uint16_t)link_type, time_ns, place);
	return writing_before(w);
}

/* How many were written: all at the front of the same link type; 0: no room. */
static int put_front(struct capture_writer *w, struct pt_msg *const *messages, unsigned count,
                     struct pt_error *err)
{
	bool mixed = w->format->mixed;
	int link_type = link_type_of(w, messages[0]);
	if (link_type < 0 || (!mixed && w->link_type >= 0 && link_type != w->link_type))
		return refuse(w, messages[0], err);
	struct run run;
	run.messages = messages;
	run.packet_max = w->config.raw ? UINT32_MAX : link_type_packet_max((uint16_t)link_type);
	if (mixed ? !find_place(w, messages[0], link_type, &run.places[0])
	          : !w->headed && !writing_header(w, link_type, messages[0]->origin))
		return 0;
	if (!w->writer)
		writing_begin(w);
	if (mixed)
		extend(w, &run, count, link_type, true);
	else
		extend(w, &run, count, link_type, false);
	uint8_t *at = writer_room(w->writer, run.size);
	if (!at)
		return 0;
	w->format->packets(w->format, at, &run, &w->misfits);
	writing_advance(w, at, run.size);
	if (w->config.raw)
		w->bytes -= run.count * (uint64_t)FORMAT_PART;
	return (int)run.count;
}

int capture_writer_put(struct capture_writer *w, struct pt_msg *const *messages, unsigned count,
                       struct pt_error *err)
{
	int rc = capture_writer_error(w);
	if (rc)
		return output_failed(&w->config, w->path, rc, err);
	unsigned taken = 0;
	while (taken < count) {
		int n = put_front(w, messages + taken, count - taken, taken ? NULL : err);
		if (n < 0 && taken == 0)
			return n;
		if (n <= 0)
			break;
		taken += (unsigned)n;
	}
	return (int)taken;
}
