/* SPDX-License-Identifier: BSD-2-Clause */
/* Goes back to a checkpoint: what was read since is read again. */
#include "net/stream.h"

#include "base/buf.h"
#include "base/error.h"
#include "net/sent.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LATE_NS 1000000000u

static struct stream *first_of(struct stream *s)
{
	return s->fellow_count ? s->fellows : s;
}

static struct kept *kept_of(const struct stream *s)
{
	return s->fellow_count ? s->fellows->kept : s->kept;
}

bool stream_has_left(const struct stream *s)
{
	uint32_t who;
	const struct kept *k = kept_of(s);
	return k && kept_is_left(k, &who);
}

/* ---- a checkpoint ---- */

static char *key_of(const char *direction, const char *key)
{
	return must_printf("%s of %s", direction, key);
}

void stream_set_torn(struct stream *s, bool torn)
{
	if (s->fellow_count && s->who)
		kept_set_torn(kept_of(s), s->who, torn);
}

/* Beside the descriptor: `who`, and the peer's name, which cannot be asked once it is gone. */
static void carry_one(const struct stream *s, struct pt_carry *carry, const char *connection)
{
	struct buf bytes = BUF_INIT;
	char *key = key_of("input", connection);
	buf_add(&bytes, &s->who, sizeof s->who);
	buf_adds(&bytes, s->peer);
	pt_carry_bytes(carry, key, bytes.data, bytes.length);
	buf_free(&bytes);
	free(key);
}

/* What has been begun is held until a checkpoint has it: with its descriptor, what is read of it
   before would be lost. */
void stream_carry_kept(struct stream *s, struct pt_carry *carry, const char *key)
{
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		return;
	s->told |= s->held && pt_carry_exact(carry);
	s->end_told |= s->end_waits && pt_carry_exact(carry);
	if (s->kept)
		kept_carry(s->kept, carry);
	if (s->who && key)
		carry_one(s, carry, key);
}

void stream_carry_sent(const struct stream *s, struct pt_carry *carry, const char *connection)
{
	char *key = key_of("output", connection);
	if (s->counts)
		pt_carry_bytes(carry, key, &s->sent_before, sizeof s->sent_before);
	free(key);
}

static void let_go(struct stream *s)
{
	bool waited = s->held || s->brims;
	s->held = s->brims = false;
	if (!s->end_waits)
		pt_timer_stop(s->block, &s->waits);
	if (waited && s->fd >= 0) {
		stream_set_ready(s, true);
		stream_read_on(s);
	}
}

static void end_now(struct stream *s)
{
	s->end_waits = s->end_told = false;
	stream_say_end(s);
}

void stream_committed(struct stream *s)
{
	if (s->kept)
		kept_committed(s->kept);
	first_of(s)->slow = false;
	if (s->end_told)
		end_now(s);
	if (s->held && !s->told)
		return;
	s->told = false;
	let_go(s);
}

/* Whoever keeps descriptors does not answer, or a file cannot be written: exactness is given up
   for now, and not what comes. */
void stream_late(struct stream *s)
{
	struct stream *first = first_of(s);
	if (s->waits.place || (!s->held && !s->brims && !s->end_waits))
		return;
	first->slow = true;
	if (s->end_waits)
		end_now(s);
	if (s->brims)
		kept_forget(first->kept);
	let_go(s);
}

static void wait(struct stream *s)
{
	uint64_t after_ns = first_of(s)->slow ? 0 : LATE_NS;
	pt_timer_at(s->block, &s->waits, pt_now(s->block) + after_ns, s->late);
}

void stream_wait(struct stream *s)
{
	s->brims = !s->held;
	wait(s);
}

bool stream_end_waits(struct stream *s)
{
	if (s->output_failed || !s->late || !pt_has_checkpoints(s->block))
		return false;
	if (!s->end_waits) {
		s->end_waits = true;
		wait(s);
		pt_brims(s->block);
	}
	return true;
}

/* That no fellow has, nor one that counts as the same for what is torn. */
static uint32_t number_for(const struct stream *s, struct kept *k)
{
	uint32_t who = kept_number(k);
	for (unsigned i = 0; i < s->fellow_count; i++)
		if (s->fellows[i].who % KEPT_PLACES == who % KEPT_PLACES)
			return number_for(s, k);
	return who;
}

void stream_keep(struct stream *s)
{
	struct stream *first = first_of(s);
	s->who = 0;
	s->held = s->told = false;
	if (!s->late || s->input_ended || s->has_borders || !kept_takes(s->fd) ||
	    !pt_exact(s->block))
		return;
	if (!first->kept)
		first->kept = kept_new();
	if (first->kept)
		s->who = number_for(s, first->kept);
	else
		pt_report(s->block, -errno,
		          "what comes cannot be kept for after a crash, and would be lost: %s",
		          error_words(errno));
	s->held = s->who && !first->slow;
	if (!s->held)
		return;
	stream_wait(s);
	pt_brims(s->block);
}

/* Of several the queues are not carried. */
void stream_count_sent(struct stream *s)
{
	uint64_t count;
	s->counts = s->who && !s->fellow_count && sent_count(s->fd, &count);
	if (s->counts)
		s->sent_before = count - pt_queue_place(&s->queue);
}

void stream_take_over_kept(struct stream *s, struct stream *old)
{
	struct stream *from = first_of(old), *to = first_of(s);
	s->who = old->who;
	s->held = old->held;
	s->told = old->told;
	if (from->kept)
		to->kept = from->kept;
	stream_set_torn(s, s->queue.head);
	from->kept = NULL;
}

/* ---- going on ---- */

void stream_open(struct stream *s)
{
	s->kept = kept_carried(s->block, &s->damaged);
}

void stream_start_exact(struct stream *s)
{
	if (!s->late || first_of(s) != s)
		return;
	if (s->damaged) {
		pt_lost(s->block, 1, "restart");
		pt_report(s->block, -EIO,
		          "what it had read before the restart is damaged, and lost");
	}
	s->damaged = false;
	s->poison = s->kept && pt_poisoned(s->block) ? PT_POISON : 0;
}

static bool cut_torn(struct stream *s)
{
	pt_report(s->block, -ESTALE,
	          "the daemon has ended while something was sent to %s: the connection is cut",
	          *s->peer ? s->peer : "the peer");
	stream_cut(s);
	return false;
}

bool stream_carried_kept(struct stream *s, const char *connection)
{
	char *key = key_of("input", connection);
	size_t length;
	const char *bytes = pt_carried_bytes(s->block, key, &length);
	free(key);
	if (!s->who || !bytes || length < sizeof s->who)
		return true;
	memcpy(&s->who, bytes, sizeof s->who);
	s->held = false;
	stream_name_peer(s, bytes + sizeof s->who, length - sizeof s->who);
	return !s->fellow_count || !kept_is_torn(kept_of(s), s->who) || cut_torn(s);
}

/* Where nothing waits it has gone out whole. */
static bool leave_out_sent(struct stream *s)
{
	uint64_t now, place, written;
	if (!sent_count(s->fd, &now))
		return false;
	if (!s->queue.head)
		s->queue.end = now - s->sent_before;
	place = pt_queue_place(&s->queue);
	written = now - s->sent_before - place;
	if (written > s->queue.end - place)
		return false;
	if (written)
		stream_wrote(s, written);
	return true;
}

bool stream_carried_sent(struct stream *s, const char *connection)
{
	char *key = key_of("output", connection);
	size_t length;
	const void *bytes = pt_carried_bytes(s->block, key, &length);
	free(key);
	if (!s->counts || !bytes || length != sizeof s->sent_before)
		return true;
	memcpy(&s->sent_before, bytes, sizeof s->sent_before);
	return leave_out_sent(s) || !framing_is_some(s->framing) || cut_torn(s);
}

static struct stream *of(struct stream *s, uint32_t who)
{
	for (unsigned i = 0; i < s->fellow_count; i++)
		if (s->fellows[i].who == who)
			return &s->fellows[i];
	return s->who == who ? s : NULL;
}

struct stream *stream_left(struct stream *s)
{
	struct kept *k = kept_of(s);
	struct stream *found = NULL;
	uint32_t who;
	while (k && kept_is_left(k, &who) && !(found = of(s, who))) {
		kept_took(k);
		pt_lost(s->block, 1, "restart");
	}
	return found ? found : s;
}

/* By the kernel's word: some files and devices, and what has urgent data in it, are read, but not
   by way of a pipe. */
static void give_up(struct stream *s)
{
	s->who = 0;
	pt_note(s->block, "what is read from it cannot be read again after a crash");
}

ssize_t stream_receive_kept(struct stream *s, uint8_t *bytes)
{
	const uint8_t *from;
	uint32_t who;
	struct kept *k = kept_of(s);
	bool left = kept_is_left(k, &who);
	if (!left)
		first_of(s)->poison = 0;
	ssize_t n = left && who != s->who ? -EAGAIN : kept_read(k, s->fd, s->who, &from);
	if (n == -EINVAL)
		give_up(s);
	if (n <= 0) {
		errno = (int)-n;
		return n ? -1 : 0;
	}
	memcpy(bytes, from, (size_t)n);
	kept_took(k);
	return n;
}

void stream_came_on(struct stream *s)
{
	const struct kept *k = kept_of(s);
	if (k && kept_brims(k))
		pt_brims(s->block);
	else if (s->who)
		pt_came_on(s->block);
}

static void drop_poison(struct stream *s, struct stream *first, struct pt_msg *m)
{
	if (first->poison-- == PT_POISON)
		pt_report(s->block, -EBADMSG,
		          "three times the daemon has died behind a checkpoint: of what had been "
		          "read, the messages that come next are left out, %d at most",
		          PT_POISON);
	pt_drop(s->block, m, "poison");
}

void stream_send(struct stream *s, struct pt_msg **messages, unsigned count)
{
	struct stream *first = first_of(s);
	unsigned at = 0;
	while (at < count && first->poison)
		drop_poison(s, first, messages[at++]);
	pt_send_many(s->block, PT_LOW, messages + at, count - at);
}
