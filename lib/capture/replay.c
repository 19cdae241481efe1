/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as a source's origin. */
#include "capture/replay.h"

#include "base/buf.h"
#include "base/error.h"
#include "msg/pool.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS 1000000u
#define S_NS  1e9

int replay_check(const struct replay *r, struct pt_error *err)
{
	if (r->follow && r->order == REPLAY_BY_TIME)
		return pt_fail(err, -EINVAL, "follow",
		               "what is still to come cannot be merged by time; leave out order "
		               "or follow, or put a ReorderDrain behind");
	if (r->follow && r->loop != 1)
		return pt_fail(err, -EINVAL, "follow",
		               "what is followed has no end to begin anew from; leave out loop");
	if (r->idle_s > 0 && !r->follow)
		return pt_fail(err, -EINVAL, "idle", "says when a follow ends; give follow=True");
	return 0;
}

/* ---- handing over ---- */

static char *key_of(const struct replay *r, const char *how)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "replay %s%s%s", how, r->order == REPLAY_BY_TIME ? " by time" : "",
	         r->follow ? " on" : "");
	for (size_t i = 0; i < r->fname.count; i++)
		buf_addf(&b, " %s", r->fname.items[i].path);
	return buf_steal(&b);
}

static bool is_handed(const struct replay *r)
{
	for (size_t i = 0; i < r->fname.count; i++)
		if (r->fname.items[i].fd != -1)
			return true;
	return false;
}

/* One that has ended would begin anew. */
void replay_carry(const struct replay *r, const char *how, struct pt_carry *carry)
{
	char *key = key_of(r, how);
	if (!r->ended && !is_handed(r))
		pt_carry_fd(carry, key, -1);
	free(key);
}

#define PLACE "place"

/* Files that are merged have no place that could be gone to: they are read again. */
static struct replay_place place_of(const struct replay *r)
{
	struct replay_place place = {series_place(r->series), 0,         r->rounds,
	                             r->round_messages,       r->faults, r->ended};
	if (r->order == REPLAY_BY_TIME)
		place.in.at.messages = r->round_messages;
	return place;
}

void replay_carry_place(const struct replay *r, uint64_t waiting, struct pt_carry *carry)
{
	if (!pt_carry_exact(carry) || !r->exact || !r->series)
		return;
	struct replay_place place = r->before;
	if (!waiting && !r->to_leave_out)
		place = place_of(r);
	else if (waiting)
		place.leave_out += r->read_last - waiting;
	pt_carry_bytes(carry, PLACE, &place, sizeof place);
}

static void go_to(struct pt_block *b, struct replay *r, const struct replay_place *place)
{
	struct pt_error err = PT_ERROR_INIT;
	r->resumed = place->ended || series_go(r->series, &place->in, &err);
	if (r->resumed) {
		r->before = *place;
		r->rounds = place->rounds;
		r->round_messages = place->round_messages + place->leave_out;
		r->faults = place->faults;
		r->ended = place->ended;
		r->to_leave_out =
			place->leave_out + (place->in.at.offset ? 0 : place->in.at.messages);
	} else {
		r->lost_place = true;
	}
	pt_error_clear(&err);
}

/* Where the checkpoint is, if it is of these files. */
static void resume(struct pt_block *b, struct replay *r)
{
	size_t length;
	const struct replay_place *place = pt_carried_bytes(b, PLACE, &length);
	struct replay_place copy;
	if (!place || is_handed(r) || !series_goes_back(r->series))
		return;
	if (length != sizeof copy) {
		r->lost_place = true;
		return;
	}
	memcpy(&copy, place, sizeof copy);
	go_to(b, r, &copy);
}

static bool is_carried(struct pt_block *b, const struct replay *r, const char *how)
{
	int fd;
	char *key = key_of(r, how);
	bool carried = pt_carried_fd(b, key, &fd);
	free(key);
	return carried;
}

bool replay_take_over(struct replay *r, struct replay *before, struct pt_block *b)
{
	if (!r->taken_over)
		return false;
	r->series = before->series;
	r->rounds = before->rounds;
	r->round_messages = before->round_messages;
	r->faults = before->faults;
	r->fault = before->fault;
	r->before = before->before;
	r->read_last = before->read_last;
	r->to_leave_out = before->to_leave_out;
	before->fault = NULL;
	before->series = NULL;
	series_adopt(r->series, b, &r->fname);
	return true;
}

/* ---- life ---- */

int replay_open(struct pt_block *b, struct replay *r, const char *how,
                const struct capture_reading *reading, struct pt_error *err)
{
	r->taken_over = !is_handed(r) && is_carried(b, r, how);
	if (r->taken_over)
		return 0;
	const struct series_config config = {&r->fname, *reading, r->order == REPLAY_BY_TIME,
	                                     r->follow};
	int rc = series_open(b, &config, &r->series, err);
	r->resumed = r->lost_place = false;
	r->read_last = r->to_leave_out = 0;
	if (!rc)
		resume(b, r);
	return rc;
}

/* Read from the beginning, it comes a second time. */
static void tell_lost_place(struct pt_block *b, struct replay *r)
{
	if (!r->lost_place)
		return;
	r->lost_place = false;
	pt_lost(b, 1, "restart");
	pt_report(
		b, -ENOENT,
		"what was read of '%s' before the restart is another file now: it is read from its "
		"beginning",
		series_name(r->series));
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct pt_block *b = poll->data;
	uv_poll_stop(poll);
	pt_ready(b, true);
}

bool replay_start(struct pt_block *b, struct replay *r)
{
	bool goes_on = r->taken_over || r->resumed;
	tell_lost_place(b, r);
	r->exact = !is_handed(r) && series_goes_back(r->series);
	if (r->exact && pt_exact(b))
		pt_keeps(b);
	r->poison = r->resumed && pt_poisoned(b);
	if (!goes_on) {
		r->rounds = 1;
		r->round_messages = r->faults = 0;
	}
	r->ended &= r->resumed;
	r->taken_over = r->resumed = r->polled = false;
	r->running = true;
	r->last_ns = pt_now(b);
	if (series_fd(r->series) >= 0) {
		int rc = uv_poll_init(pt_loop(b), &r->poll, series_fd(r->series));
		if (rc) {
			pt_failed(b, rc, "cannot wait for '%s': %s", series_name(r->series),
			          error_words(rc));
			return goes_on;
		}
		pt_adopt(b, (uv_handle_t *)&r->poll);
		r->polled = true;
	}
	if (r->ended)
		pt_exhausted(b);
	else
		pt_ready(b, true);
	return goes_on;
}

void replay_stop(struct replay *r)
{
	r->running = false;
	if (r->series)
		series_release(r->series);
}

void replay_close(struct replay *r)
{
	series_close(r->series);
	free(r->fault);
	r->series = NULL;
	r->fault = NULL;
}

/* ---- the end ---- */

void replay_end(struct pt_block *b, struct replay *r)
{
	r->ended = true;
	pt_came_on(b);
	if (r->faults && !r->follow)
		pt_failed(b, -EBADMSG,
		          "%llu of its files could not be read to the end; the last: %s",
		          (unsigned long long)r->faults, r->fault);
	pt_exhausted(b);
}

static void end_round(struct pt_block *b, struct replay *r)
{
	bool more = r->loop == 0 || r->rounds < r->loop;
	if (more && r->round_messages == 0)
		pt_report(b, -ENODATA, "'%s' holds nothing: there is nothing to loop over",
		          series_name(r->series));
	if (!more || r->round_messages == 0) {
		replay_end(b, r);
		return;
	}
	struct pt_error err = PT_ERROR_INIT;
	int rc = series_rewind(r->series, &err);
	if (rc) {
		r->ended = true;
		pt_failed(b, rc, "%s", pt_error_text(&err, error_words(rc)));
		pt_error_clear(&err);
		return;
	}
	r->rounds++;
	r->round_messages = 0;
}

void replay_finish(struct pt_block *b, struct replay *r)
{
	if (!r->running || r->ended)
		return;
	if (!r->follow) {
		replay_end(b, r);
		return;
	}
	series_finish(r->series);
	pt_ready(b, true);
}

/* ---- reading ---- */

static void on_again(struct pt_block *b)
{
	pt_ready(b, true);
}

void replay_again_at(struct pt_block *b, struct replay *r, uint64_t due_ns)
{
	pt_ready(b, false);
	pt_timer_at(b, &r->again, due_ns, on_again);
}

static void wait_for_more(struct pt_block *b, struct replay *r)
{
	if (!series_waits(r->series) || !r->polled)
		return;
	pt_ready(b, false);
	uv_poll_start(&r->poll, UV_READABLE, on_readable);
	if (r->idle_s > 0)
		pt_timer_at(b, &r->idle, r->last_ns + (uint64_t)(r->idle_s * S_NS), on_again);
}

static bool is_idle(struct pt_block *b, const struct replay *r)
{
	return r->idle_s > 0 && series_waits(r->series) &&
	       pt_now(b) >= r->last_ns + (uint64_t)(r->idle_s * S_NS);
}

static void take_fault(struct pt_block *b, struct replay *r, int code, struct pt_error *err)
{
	const char *words = pt_error_text(err, error_words(code));
	r->faults++;
	if (series_is_one(r->series)) {
		r->ended = true;
		pt_failed(b, code, "%s", words);
	} else {
		pt_report(b, code, "%s", words);
		free(r->fault);
		r->fault = must_strdup(words);
	}
	pt_error_clear(err);
}

static void leave_out_poison(struct pt_block *b, struct replay *r, struct pt_msg **messages,
                             unsigned count)
{
	msg_unref_many(messages, count);
	r->poison = false;
	r->read_last = count;
	r->round_messages += count;
	pt_came_on(b);
	pt_lost(b, count, "poison");
	pt_report(b, -EBADMSG,
	          "three times the daemon has died behind a checkpoint: %u messages of '%s' that "
	          "come next are left out",
	          count, series_name(r->series));
}

unsigned replay_next(struct pt_block *b, struct replay *r, struct pt_msg **messages, unsigned max)
{
	struct pt_error err = PT_ERROR_INIT;
	bool leaves = r->to_leave_out;
	if (!leaves && r->exact)
		r->before = place_of(r);
	if (leaves && r->to_leave_out < max)
		max = (unsigned)r->to_leave_out;
	int n = series_next(r->series, pt_pool(b), messages, max, &err);
	if (n > 0 && leaves) {
		msg_unref_many(messages, (unsigned)n);
		r->to_leave_out -= (unsigned)n;
		return 0;
	}
	if (n > 0 && r->poison) {
		leave_out_poison(b, r, messages, (unsigned)n);
		return 0;
	}
	if (n > 0) {
		r->read_last = (unsigned)n;
		pt_came_on(b);
		r->round_messages += (unsigned)n;
		r->last_ns = pt_now(b);
		return (unsigned)n;
	}
	if (n == 0)
		end_round(b, r);
	else if (n == -EAGAIN && is_idle(b, r))
		replay_end(b, r);
	else if (n == -EAGAIN)
		wait_for_more(b, r);
	else if (n == -ENOMEM)
		replay_again_at(b, r, pt_now(b) + MS_NS);
	else
		take_fault(b, r, n, &err);
	return 0;
}

bool replay_progress(const struct replay *r, uint64_t waiting, uint64_t *done, uint64_t *size)
{
	if (!r->series || r->loop == 0 || r->follow)
		return false;
	series_progress(r->series, waiting, done, size);
	*done += *size * (uint64_t)(r->rounds > 0 ? r->rounds - 1 : 0);
	*size *= (uint64_t)r->loop;
	return *size > 0;
}
