/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes: new, or again. */
#include "nats/fetcher.h"
#include "nats/fetcher_inside.h"

#include "base/error.h"
#include "base/io.h"
#include "capture/capture.h"
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fetched_free(struct fetched *m)
{
	capture_reader_close(m->reader);
	free(m->why);
	free(m->reply);
	free(m);
}

/* As a file of memory: readers read files. */
static void open_capture(struct fetched *m, const char *bytes, const char *stream)
{
	struct pt_error err = PT_ERROR_INIT;
	char *name = must_printf("%s %" PRIu64, stream, m->sequence);
	int fd = memfd_create("nats", MFD_CLOEXEC), rc = fd < 0 ? -errno : 0;
	if (!rc)
		rc = io_write(fd, bytes, m->length);
	if (!rc && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (!rc)
		rc = capture_reader_open_fd(fd, name, &m->reader, &err);
	else if (fd >= 0)
		close(fd);
	if (rc)
		m->why = must_strdup(pt_error_text(&err, error_words(rc)));
	pt_error_clear(&err);
	free(name);
}

/* "$JS.ACK.STREAM.CONSUMER.TIMES.SEQUENCE.DELIVERY…", with two more words before STREAM where
   there are domains. */
static void read_reply(struct fetched *m)
{
	unsigned words = 1, at = 0;
	char *end;
	for (const char *c = m->reply; *c; c++)
		words += *c == '.';
	const char *c = m->reply;
	for (unsigned wanted = words > 9 ? 7 : 5; *c && at < wanted; c++)
		at += *c == '.';
	m->sequence = strtoull(c, &end, 10);
	m->delivery = strtoull(*end ? end + 1 : end, NULL, 10);
}

static struct fetched *fetched_new(natsMsg *m, const char *stream)
{
	struct fetched *it = must_calloc(1, sizeof *it);
	it->reply = must_strdup(natsMsg_GetReply(m));
	read_reply(it);
	it->length = (size_t)natsMsg_GetDataLength(m);
	it->verdict = "+ACK";
	open_capture(it, natsMsg_GetData(m), stream);
	return it;
}

void fetched_is_over(struct fetcher *f, struct fetched *m, const char *verdict)
{
	if (m->state == FETCHED_WAITS || m->state == FETCHED_TAKEN) {
		f->count--;
		f->bytes -= m->length;
	}
	f->sent_count -= m->state == FETCHED_SENT;
	m->state = FETCHED_OVER;
	m->verdict = verdict;
	while (f->fresh && f->fresh->state != FETCHED_WAITS)
		f->fresh = f->fresh->next;
}

/* Nothing that is missing comes later: then the consumer is asked again from there. */
static bool is_in_turn(struct fetcher *f, const struct fetched *m)
{
	if (!f->alone)
		return true;
	f->again |= m->delivery != f->next;
	f->next++;
	return !f->again;
}

static bool is_settled(const struct fetcher *f, uint64_t sequence)
{
	const char *numbers = f->settled.data;
	if (sequence <= f->after)
		return true;
	for (size_t at = 0; at + sizeof sequence <= f->settled.length; at += sizeof sequence)
		if (!memcmp(numbers + at, &sequence, sizeof sequence))
			return true;
	return false;
}

static bool is_given_back(const struct fetched *m)
{
	return m->state == FETCHED_OVER && !strcmp(m->verdict, NAK);
}

static struct fetched *find(const struct fetcher *f, uint64_t sequence)
{
	struct fetched *m = f->alone && sequence > f->come_up_to ? NULL : f->first;
	while (m && (m->sequence != sequence || is_given_back(m)))
		m = m->next;
	return m;
}

static void append(struct fetcher *f, struct fetched *m)
{
	m->number = ++f->numbers;
	m->begun = m->sequence == f->part ? f->part_messages : 0;
	f->count++;
	f->bytes += m->length;
	*f->end = m;
	f->end = &m->next;
	if (!f->fresh)
		f->fresh = m;
	if (f->come_up_to < m->sequence)
		f->come_up_to = m->sequence;
}

/* What is here already is told about where it has come last. */
static void replace(struct fetcher *f, struct fetched *here, struct fetched *m)
{
	char *reply = here->reply;
	here->reply = m->reply;
	here->epoch = f->epoch;
	m->reply = reply;
	fetched_free(m);
}

static void has_come(struct fetcher *f, struct fetched *m)
{
	bool in_turn = is_in_turn(f, m);
	struct fetched *here = in_turn ? find(f, m->sequence) : NULL;
	f->asked -= f->asked > 0;
	m->epoch = f->epoch;
	if (here) {
		replace(f, here, m);
		return;
	}
	append(f, m);
	if (is_settled(f, m->sequence))
		fetched_is_over(f, m, "+ACK");
	else if (f->given_back || !in_turn)
		fetched_is_over(f, m, NAK);
	pt_wake(f->hub.block);
}

void fetcher_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct fetcher *f = arg;
	const char *status = NULL;
	bool none = natsMsg_IsNoResponders(m);
	/* What the server itself says need not be acknowledged. */
	struct fetched *it = natsMsg_GetReply(m) ? fetched_new(m, f->consumer.stream) : NULL;
	if (!it)
		natsMsgHeader_Get(m, "Status", &status);
	pthread_mutex_lock(&f->hub.lock);
	if (it)
		has_come(f, it);
	else
		f->asked = 0;
	if (none || (status && !strcmp(status, "409")))
		f->again = true;
	hub_look(&f->hub);
	pthread_mutex_unlock(&f->hub.lock);
	natsMsg_Destroy(m);
}
