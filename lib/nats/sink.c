/* SPDX-License-Identifier: BSD-2-Clause */
/* NatsSink: packets to a stream of NATS JetStream. */
#include "nats/types.h"

#include "base/error.h"
#include "capture/feed.h"
#include "nats/poster.h"
#include "packet/by.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pipetool/queue.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR     64
#define FULL       ((uint64_t)16 * 1024 * 1024) /* bytes that wait, or four batches */
#define SLACK      4096
#define STOP_NS    UINT64_C(2000000000)
#define PARTITIONS 1024
#define UNSAFE     "unsafe"
#define FIELD      "{partition}"

enum by { BY_FLOW, BY_HOST, BY_ROUND };
static const char *const by_words[] = {"flow", "host", "round", NULL};

/* Of a subject: the batch that is being filled. */
struct pack {
	struct lane *lane;
	struct feed feed;
	struct buf bytes;
	uint32_t messages; /* 0: nothing is begun */
	uint64_t since_ns;
};

struct sink {
	struct who_params bus;
	char *subject;
	int by;
	int64_t partitions;
	uint64_t batch;
	double linger_s;
	char *spool;
	uint64_t spool_limit;

	char **subjects;
	char *key; /* of what goes on where another block takes its place */
	bool taken_over, started, full;
	bool leaves;            /* what lies in the spool is nobody's any more */
	uint64_t left;          /* there, as of the last stop */
	uint64_t noted, unsafe; /* at a checkpoint: the last post, and messages that it may lack */
	struct packet_parts *parts;
	struct packet_by hosts;
	struct poster *poster;
	struct pack *packs; /* one a partition */
	unsigned turn;      /* of BY_ROUND */
	size_t most;
	uint64_t waiting, spooled; /* bytes, and messages, as of the last news */
	struct pt_timer linger;
};

/* ---- subjects ---- */

static int check_subject(const char *subject, struct pt_error *err)
{
	const char *last = strrchr(subject, '.');
	if (*subject && !strpbrk(subject, " \t\r\n*>") && *subject != '.' &&
	    !strstr(subject, "..") && !(last && !last[1]))
		return 0;
	return pt_fail(err, -EINVAL, "subject",
	               "'%s' is no subject to publish to: words with dots between, without blanks, "
	               "'*' and '>'",
	               subject);
}

static char *subject_of(const struct sink *s, unsigned partition)
{
	const char *at = strstr(s->subject, FIELD);
	if (!at)
		return must_strdup(s->subject);
	return must_printf("%.*s%u%s", (int)(at - s->subject), s->subject, partition,
	                   at + strlen(FIELD));
}

static int name_subjects(struct sink *s, struct pt_error *err)
{
	int rc = 0;
	if (s->partitions > 1 && !strstr(s->subject, FIELD))
		return pt_fail(err, -EINVAL, "subject",
		               "with partitions it needs " FIELD ", as in 'packets." FIELD "'");
	s->subjects = must_calloc((size_t)s->partitions + 1, sizeof *s->subjects);
	for (unsigned i = 0; i < s->partitions && !rc; i++) {
		s->subjects[i] = subject_of(s, i);
		rc = check_subject(s->subjects[i], err);
	}
	return rc;
}

static char *key_of(const struct sink *s)
{
	const struct who_params *p = &s->bus;
	const char *none = "";
	return must_printf("nats %s %s %s %s %s %s", p->url, p->credentials ? p->credentials : none,
	                   p->tls.ca ? p->tls.ca : none, p->tls.cert ? p->tls.cert : none,
	                   p->tls.key ? p->tls.key : none, s->spool ? s->spool : none);
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct sink *s = pt_state(b);
	char host[] = "host", *words[] = {host, NULL};
	int rc = who_check(&s->bus, err);
	if (!rc)
		rc = name_subjects(s, err);
	if (!rc)
		rc = packet_by_read(&s->hosts, words, "by", err);
	s->parts = packet_parts_new();
	s->key = key_of(s);
	return rc;
}

/* ---- batches ---- */

static void ship(struct sink *s, struct pack *pack)
{
	if (!pack->messages)
		return;
	s->waiting += pack->bytes.length;
	poster_put(pack->lane, &pack->bytes, pack->messages);
	feed_fini(&pack->feed);
	pack->messages = 0;
	s->turn = (s->turn + 1) % (unsigned)s->partitions;
}

static void begin(struct pt_block *b, const struct sink *s, struct pack *pack)
{
	feed_init(&pack->feed, pt_name(b), FEED_PLAIN);
	buf_clear(&pack->bytes);
	buf_reserve(&pack->bytes, s->batch + SLACK);
	feed_header(&pack->feed, &pack->bytes);
	pack->since_ns = pt_now(b);
}

static bool fits(const struct sink *s, const struct pack *pack)
{
	size_t most = pack->messages && s->batch < s->most ? s->batch : s->most;
	return pack->bytes.length <= most;
}

static bool add(struct pt_block *b, struct sink *s, struct pack *pack, const struct pt_msg *m)
{
	if (!pack->messages)
		begin(b, s, pack);
	size_t before = pack->bytes.length;
	feed_packet(&pack->feed, &pack->bytes, m);
	if (fits(s, pack)) {
		pack->messages++;
		return true;
	}
	pack->bytes.length = before;
	if (pack->messages) {
		ship(s, pack);
		return add(b, s, pack, m);
	}
	feed_fini(&pack->feed);
	return false;
}

static struct pack *pack_for(struct sink *s, const struct pt_msg *m)
{
	struct packet_flow flow;
	uint8_t key[PACKET_BY_SIZE];
	if (s->partitions == 1)
		return s->packs;
	if (s->by == BY_ROUND)
		return &s->packs[s->turn];
	if (s->by == BY_HOST) {
		packet_by_key(&s->hosts, m, key);
		return &s->packs[packet_by_hash(&s->hosts, key) % (uint64_t)s->partitions];
	}
	packet_flow(s->parts, m, &flow);
	return &s->packs[packet_flow_hash(&flow) % (uint64_t)s->partitions];
}

static const char *put(struct pt_block *b, struct sink *s, const struct pt_msg *m)
{
	if (m->link_type >= PT_OWN_LINK_TYPES)
		return "link-type";
	struct pack *pack = pack_for(s, m);
	if (!add(b, s, pack, m))
		return "too-long";
	if (pack->bytes.length >= s->batch)
		ship(s, pack);
	return NULL;
}

static void on_linger(struct pt_block *);

/* What is full is on its way; the rest waits for more, as long as that is of use. */
static void ship_due(struct pt_block *b, struct sink *s, bool all)
{
	uint64_t linger_ns = (uint64_t)(s->linger_s * 1e9), now = pt_now(b), next = UINT64_MAX;
	for (struct pack *pack = s->packs; pack < s->packs + s->partitions; pack++) {
		if (!pack->messages)
			continue;
		uint64_t due = pack->since_ns + linger_ns;
		if (all || (now >= due && (s->spooled || lane_is_idle(pack->lane))))
			ship(s, pack);
		else if (now < due)
			next = due < next ? due : next;
	}
	if (next != UINT64_MAX)
		pt_timer_at(b, &s->linger, next, on_linger);
}

static void on_linger(struct pt_block *b)
{
	ship_due(b, pt_state(b), false);
}

static void tell_full(struct pt_block *b, struct sink *s)
{
	uint64_t most = 4 * s->batch > FULL ? 4 * s->batch : FULL;
	if (s->waiting < most && (!s->full || s->waiting > most / 2))
		return;
	s->full = s->waiting >= most;
	pt_full(b, s->full);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct sink *s = pt_state(b);
	unsigned taken = 0;
	pt_came_on(b);
	for (unsigned i = 0; i < count; i++) {
		const char *why = put(b, s, messages[i]);
		if (why)
			pt_drop(b, messages[i], why);
		else
			messages[taken++] = messages[i];
	}
	pt_held_packed(b, messages, taken);
	if (taken && !s->linger.place)
		ship_due(b, s, false);
	tell_full(b, s);
}

/* ---- what has come of them ---- */

static void tell_fault(struct pt_block *b, struct sink *s, const char *fault)
{
	char server[256];
	if (fault) {
		pt_failed(b, -PT_EIO, "%s", fault);
		pt_waits(b);
		return;
	}
	poster_server(s->poster, server, sizeof server);
	pt_mended(b, "publishes to %s", server);
}

/* What lies in the spool, beside what the block itself has left there. */
static void tell_found(struct pt_block *b, struct sink *s, uint64_t found)
{
	if (found > s->left)
		pt_held_found(b, found - s->left);
	else if (found < s->left)
		pt_held_drop(b, s->left - found, "unsent");
	s->left = 0;
}

static void take_news(struct pt_block *b, struct sink *s)
{
	struct poster_news news;
	poster_news(s->poster, &news);
	tell_found(b, s, news.found);
	pt_held_done(b, news.stored);
	if (news.too_long)
		pt_held_drop(b, news.too_long, "too-long");
	if (news.unread)
		pt_held_drop(b, news.unread, "unsent");
	if (news.damaged)
		pt_report(b, -PT_EIO, "%u files in '%s' were damaged: that part is left out",
		          news.damaged, s->spool);
	s->most = poster_most(s->poster);
	s->waiting = news.bytes;
	s->spooled = news.spooled;
	if (news.changed)
		tell_fault(b, s, news.fault);
	free(news.fault);
}

static void woken(struct pt_block *b)
{
	struct sink *s = pt_state(b);
	if (!s->started)
		return;
	take_news(b, s);
	ship_due(b, s, false);
	tell_full(b, s);
}

static void no_more(struct pt_block *b)
{
	ship_due(b, pt_state(b), true);
}

static json_t *describe(struct pt_block *b)
{
	struct sink *s = pt_state(b);
	char server[256];
	if (!s->started)
		return NULL;
	take_news(b, s);
	poster_server(s->poster, server, sizeof server);
	return json_pack("{s:s, s:I, s:I}", "server", server, "waiting", (json_int_t)s->waiting,
	                 "spooled", (json_int_t)s->spooled);
}

/* ---- life ---- */

static int open_sink(struct pt_block *b, struct pt_error *err)
{
	struct sink *s = pt_state(b);
	int fd;
	s->taken_over = pt_carried_fd(b, s->key, &fd);
	const struct poster_config config = {.who = &s->bus,
	                                     .subjects = s->subjects,
	                                     .spool = s->taken_over ? NULL : s->spool,
	                                     .spool_limit = s->spool_limit};
	return poster_new(b, &config, &s->poster, err);
}

/* Before a checkpoint counts, what came before it is stored or in the spool; or it is told how much
   is not, for as long as nobody answers: where sources cannot wait as long. Without checkpoints
   nobody would hear of that. */
static bool settle(struct pt_block *b, bool begin)
{
	struct sink *s = pt_state(b);
	bool patient;
	if (begin) {
		ship_due(b, s, true);
		s->noted = poster_number(s->poster);
	}
	s->unsafe = poster_unsafe(s->poster, s->noted, &patient);
	return !s->unsafe || (!patient && pt_has_checkpoints(b) && !pt_may_wait(b));
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct sink *s = pt_state(b);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		pt_carry_fd(carry, s->key, -1);
	else if (pt_carry_exact(carry) && s->unsafe)
		pt_carry_bytes(carry, UNSAFE, &s->unsafe, sizeof s->unsafe);
}

/* Its posts go on as they are, and the other closes what was opened for this one. */
static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct sink *s = pt_state(b), *before = pt_state(old);
	before->leaves = !s->taken_over;
	if (!s->taken_over || !before->started)
		return;
	ship_due(old, before, true);
	struct poster *fresh = s->poster;
	s->poster = before->poster;
	before->poster = fresh;
	poster_move(s->poster, b, s->spool_limit);
	poster_move(fresh, old, before->spool_limit);
	before->started = false;
}

/* What an earlier daemon had in memory, and could give to nobody. */
static void tell_unsafe(struct pt_block *b)
{
	size_t length;
	const uint64_t *unsafe = pt_carried_bytes(b, UNSAFE, &length);
	if (!unsafe || length != sizeof *unsafe)
		return;
	pt_lost(b, *unsafe, "restart");
	pt_report(b, -PT_EIO,
	          "%" PRIu64 " messages were waiting for a server when the daemon was killed",
	          *unsafe);
}

static void start(struct pt_block *b)
{
	struct sink *s = pt_state(b);
	s->packs = must_calloc((size_t)s->partitions, sizeof *s->packs);
	for (unsigned i = 0; i < s->partitions; i++)
		s->packs[i].lane = poster_lane(s->poster, s->subjects[i]);
	s->started = true;
	s->full = s->leaves = false;
	take_news(b, s);
	tell_full(b, s);
	tell_unsafe(b);
}

/* What can be acknowledged is waited for. */
static void finish(struct pt_block *b, struct sink *s)
{
	struct pollfd over = {poster_end(s->poster), POLLIN, 0};
	pt_await(b, &over, 1, pt_now(b) + STOP_NS);
	uint64_t left = poster_give_up(s->poster);
	take_news(b, s);
	if (left) {
		pt_held_drop(b, left, "unsent");
		pt_unsettled(b);
	}
	if (s->leaves)
		pt_held_drop(b, s->spooled, "replaced");
	s->left = s->leaves ? 0 : s->spooled;
}

static void stop(struct pt_block *b)
{
	struct sink *s = pt_state(b);
	if (s->started) {
		ship_due(b, s, true);
		finish(b, s);
	}
	for (unsigned i = 0; s->packs && i < s->partitions; i++) {
		feed_fini(&s->packs[i].feed);
		buf_free(&s->packs[i].bytes);
	}
	free(s->packs);
	s->packs = NULL;
	s->started = false;
}

static int close_sink(struct pt_block *b, struct pt_error *err)
{
	struct sink *s = pt_state(b);
	poster_free(s->poster);
	s->poster = NULL;
	return 0;
}

static void fini(struct pt_block *b)
{
	struct sink *s = pt_state(b);
	packet_parts_free(s->parts);
	packet_by_free(&s->hosts);
	texts_free(s->subjects);
	free(s->key);
}

/* clang-format off */
static const struct pt_param params[] = {
	WHO_URL(struct sink, bus),
	{"subject", "What it is published as; " FIELD " stands for the number of the partition.",
	 PT_STRING(struct sink, subject), .flags = PT_REQUIRED},
	{"by", "What goes into one partition: whole flows, all that a host has sent, or batches in "
	 "turn.", PT_CHOICE(struct sink, by), .fallback = "flow", .choices = by_words},
	{"partitions", "Over so many subjects it is divided; each is in order.",
	 PT_INT(struct sink, partitions), .fallback = "1", .min = 1, .max = PARTITIONS},
	{"batch", "Bytes of a NATS message, unless a packet has more; the server's limit holds.",
	 PT_SIZE(struct sink, batch), .fallback = "64KiB", .min = 1, .max = 67108864},
	{"linger", "A batch waits so long for more, and while the one before it is under way.",
	 PT_SECONDS(struct sink, linger_s), .fallback = "5ms", .flags = PT_OR_NONE, .max = 3600},
	{"spool", "A folder where what waits for a server lies, also over the end of the daemon; "
	 "None: in memory alone.",
	 PT_PATH(struct sink, spool), .fallback = "None", .flags = PT_WRITE},
	{"spool_limit", "How much may lie there.", PT_SIZE(struct sink, spool_limit),
	 .fallback = "1GiB", .min = 1, .max = 1e15},
	WHO_CREDENTIALS(struct sink, bus),
	WHO_TLS(struct sink, bus),
	{NULL},
};
/* clang-format on */

const struct pt_type nats_sink = {
	.api = PT_API,
	.name = "NatsSink",
	.summary = "Publishes packets to a stream of NATS JetStream",
	.help = "Each NATS message is a whole pcapng with nanoseconds, of many packets; messages "
		"that are no packets are dropped (link-type). The stream must be there, and none "
		"is made. What the stream has not acknowledged is held; a subject has one message "
		"under way at a time, so that flows stay in order, also where one is sent again, "
		"and each has a Nats-Msg-Id, so that none is stored twice within the stream's "
		"duplicate window. The hash of flows and hosts is the same in every daemon. A "
		"server that is away, or refuses, is waited for, and the block has failed until it "
		"is back. When nothing was acknowledged for a second, what waits goes to the "
		"spool, is synchronised with the disk, and is sent first later, also after the "
		"daemon was killed; without one, or when it is full, the sources are held back "
		"with 16 MiB in memory. A stop waits for acknowledgements, for two seconds if need "
		"be; what has none then goes to the spool, too, or is dropped (unsent).",
	.picture = "     +-----------+\n"
		   "     |           |\n"
		   "     |           |\n"
		   "   >-|-[subject]~|~~\n"
		   "     +-----------+\n",
	.examples = (const char *const[]){"SniffSource('lo') > NatsSink('nats://127.0.0.1:4222', "
                                          "'packets')",
                                          NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY,
	.params = params,
	.size = sizeof(struct sink),
	.init = init,
	.open = open_sink,
	.settle = settle,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.woken = woken,
	.no_more = no_more,
	.describe = describe,
	.stop = stop,
	.close = close_sink,
	.fini = fini,
};
