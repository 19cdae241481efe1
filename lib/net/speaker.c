/* SPDX-License-Identifier: BSD-2-Clause */
/* How a conversation in frames begins and ends. */
#include "net/speaker.h"

#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REST_NS 2000000000u /* for what is still printed, or to end by itself */

static struct speaker *of(struct pt_block *b)
{
	return pt_state(b);
}

static void begin(struct speaker *s)
{
	s->stopping = s->ended = false;
	s->talk.keeps = *s->restart_s > 0;
	int *to = s->argv ? &s->child.in : &s->ends[0],
	    *from = s->argv ? &s->child.out : &s->ends[1];
	talk_begin(&s->talk, *to, *from);
	*to = *from = -1;
	process_start(&s->child);
}

void speaker_start(struct pt_block *b)
{
	struct speaker *s = of(b);
	s->talk.no_more = false;
	begin(s);
}

static void start_again(struct pt_block *b);

static void start_later(struct speaker *s)
{
	uint64_t due_ns = pt_now(s->block) + (uint64_t)(*s->restart_s * 1e9);
	pt_timer_at(s->block, &s->again, due_ns, start_again);
}

static void stay_ended(struct speaker *s)
{
	pt_timer_stop(s->block, &s->again);
	s->ended = true;
	s->talk.keeps = false;
	talk_drop(&s->talk);
	if (!s->child.status) {
		pt_exhausted(s->block);
		return;
	}
	char *words = process_last_words(&s->child, s->argv[0]);
	pt_failed(s->block, -EIO, "%s", words);
	free(words);
}

/* ---- what goes to it, and comes from it ---- */

void speaker_push(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages, unsigned count)
{
	talk_push(&of(b)->talk, canal, messages, count);
}

void speaker_trigger(struct pt_block *b)
{
	talk_trigger(&of(b)->talk);
}

/* Between two of them, nothing would be for another but what waits. */
void speaker_no_more(struct pt_block *b)
{
	struct speaker *s = of(b);
	talk_no_more(&s->talk);
	if (s->again.place && !talk_waits(&s->talk))
		stay_ended(s);
}

void speaker_produce(struct pt_block *b, unsigned max)
{
	talk_produce(&of(b)->talk, max);
}

void speaker_changed(struct pt_block *b)
{
	struct speaker *s = of(b);
	bool again = *s->restart_s > 0;
	talk_changed(&s->talk);
	if (!s->ended && !s->stopping)
		s->talk.keeps = again;
	if (s->ended && again && !s->talk.no_more) {
		s->ended = false;
		s->talk.keeps = true;
		talk_detach(&s->talk);
		pt_mended(b, "'%s' is started again", s->argv[0]);
		start_later(s);
	} else if (s->again.place && again)
		start_later(s);
	else if (s->again.place)
		stay_ended(s);
}

/* ---- its end ---- */

static void start_again(struct pt_block *b)
{
	struct speaker *s = of(b);
	struct pt_error err = PT_ERROR_INIT;
	int rc = process_open(&s->child, s->argv, "command", &err);
	if (!rc) {
		begin(s);
		return;
	}
	pt_report(b, rc, "%s", pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	start_later(s);
}

static void end(struct pt_block *b)
{
	struct speaker *s = of(b);
	process_kill(&s->child);
	pt_timer_stop(b, &s->rest);
	s->stopping = true;
	talk_over(&s->talk, NULL);
	if (*s->restart_s <= 0 || (s->talk.no_more && !talk_waits(&s->talk))) {
		stay_ended(s);
		return;
	}
	char *words = process_last_words(&s->child, s->argv[0]);
	if (s->child.status)
		pt_report(b, -EIO, "%s; it is started again", words);
	else
		pt_note(b, "%s; it is started again", words);
	free(words);
	talk_detach(&s->talk);
	start_later(s);
}

/* One that says no more has some time to end, and one that has ended for what it has said. */
static void end_soon(struct pt_block *b)
{
	struct speaker *s = of(b);
	if (s->stopping)
		return;
	if (!s->argv)
		pt_exhausted(b);
	else if (s->child.exited && s->talk.over)
		end(b);
	else
		pt_timer_at(b, &s->rest, pt_now(b) + REST_NS, end);
}

static void talk_ended(struct pt_block *b, const char *why)
{
	struct speaker *s = of(b);
	if (!why) {
		end_soon(b);
		return;
	}
	s->stopping = true;
	s->talk.keeps = false;
	talk_drop(&s->talk);
	process_kill(&s->child);
	pt_failed(b, -EBADMSG, "%s%s%s sent %s", s->argv ? "'" : "who has the socket",
	          s->argv ? s->argv[0] : "", s->argv ? "'" : "", why);
}

void speaker_stop(struct pt_block *b)
{
	struct speaker *s = of(b);
	bool before = s->talk.over;
	s->stopping = true;
	s->talk.keeps = s->ended = false;
	if (before)
		talk_drop(&s->talk);
	if (!talk_stop(&s->talk) && !before && s->fd >= 0)
		shutdown(s->fd, SHUT_RDWR); /* the middle of something may follow */
}

/* ---- its beginning ---- */

void speaker_init(struct speaker *s, struct pt_block *b, int fd, const double *restart_s,
                  const uint64_t *limit)
{
	s->block = b;
	s->fd = fd;
	s->restart_s = restart_s;
	s->ends[0] = s->ends[1] = -1;
	process_init(&s->child, b, end_soon);
	talk_init(&s->talk, b, limit, talk_ended);
}

int speaker_check(const struct speaker *s, char **command, struct pt_error *err)
{
	if (command)
		return pt_fail(err, -EINVAL, "fd", "give either 'command' or 'fd'");
	if (*s->restart_s > 0)
		return pt_fail(err, -EINVAL, "restart_s", "only a program can be started again");
	return 0;
}

/* The parameter keeps its own descriptor, so that the engine can be started again. */
static int open_socket(struct speaker *s, struct pt_error *err)
{
	if (s->fd == PT_FD_GONE) {
		pt_fail(err, -ESTALE, "fd", "the descriptor was handed to an earlier daemon");
		return pt_hint(err, "hand it over again, with replace and --fd"), -ESTALE;
	}
	for (int i = 0; i < 2; i++) {
		s->ends[i] = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
		if (s->ends[i] < 0)
			return pt_fail(err, -errno, "fd", "the descriptor cannot be used: %s",
			               error_words(errno));
	}
	return 0;
}

int speaker_open(struct pt_block *b, struct pt_error *err)
{
	struct speaker *s = of(b);
	return s->argv ? process_open(&s->child, s->argv, "command", err) : open_socket(s, err);
}

int speaker_close(struct pt_block *b, struct pt_error *err)
{
	struct speaker *s = of(b);
	talk_close(&s->talk);
	for (int i = 0; i < 2; i++) {
		if (s->ends[i] >= 0)
			close(s->ends[i]);
		s->ends[i] = -1;
	}
	process_close(&s->child, -1);
	return 0;
}

void speaker_fini(struct pt_block *b)
{
	struct speaker *s = of(b);
	talk_fini(&s->talk);
	process_fini(&s->child);
}
