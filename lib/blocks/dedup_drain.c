/* SPDX-License-Identifier: BSD-2-Clause */
/* DedupDrain: of packets that are the same, the first passes. */
#include <pipetool/outside.h>

#include "base/moment.h"
#include "packet/digest.h"
#include "packet/table.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define VECTOR 64

/* When one has passed: the time of a packet, by a clock of what is none; or its number. */
struct passed {
	int64_t at;
	bool clocked;
};

struct dedup {
	double seconds;
	int64_t packets;
	char **ignore;
	uint64_t limit;

	unsigned ignored; /* bits of ignore */
	uint64_t key[2];
	int64_t number;     /* of the message */
	struct recent seen; /* digest to struct passed */
};

static const struct pt_carried carries[] = {
	{"key", PT_CARRY_BYTES(struct dedup, key)},
	{"number", PT_CARRY_INT(struct dedup, number)},
	{NULL},
};

static void set_bounds(struct dedup *d)
{
	size_t most = recent_fit(sizeof(uint64_t), sizeof(struct passed), d->limit);
	if (d->packets && (uint64_t)d->packets < most)
		most = (size_t)d->packets;
	if (!d->seen.entry_size)
		recent_init(&d->seen, sizeof(uint64_t), sizeof(struct passed), most);
	else
		recent_bound(&d->seen, most);
	d->ignored = 0;
	for (char *const *word = d->ignore; word && *word; word++)
		for (unsigned i = 0; packet_ignore_names[i]; i++)
			if (!strcmp(*word, packet_ignore_names[i]))
				d->ignored |= 1u << i;
}

/* ---- what is carried ---- */

/* What was seen means something to who looks at the same, by the same measure. */
static char *name_of(const struct dedup *d)
{
	return packet_table_name(d->packets ? "seen by number" : "seen by time", d->ignore);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct dedup *d = pt_state(b);
	char *name = name_of(d);
	packet_table_carry(&d->seen, name, carry);
	free(name);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct dedup *d = pt_state(b), *before = pt_state(old);
	unsigned ignored = before->ignored;
	set_bounds(d);
	if (ignored != d->ignored || !before->packets != !d->packets)
		return;
	recent_free(&d->seen);
	d->seen = before->seen;
	before->seen = (struct recent){0};
	set_bounds(d);
}

static void start(struct pt_block *b)
{
	struct dedup *d = pt_state(b);
	set_bounds(d);
	if (pt_goes_on(b)) {
		char *name = name_of(d);
		packet_table_carried(b, name, &d->seen);
		free(name);
		return;
	}
	recent_clear(&d->seen);
	d->number = 0;
	if (getrandom(d->key, sizeof d->key, GRND_NONBLOCK) < 0)
		d->key[0] = (uintptr_t)d;
}

static void changed(struct pt_block *b)
{
	set_bounds(pt_state(b));
}

/* ---- messages ---- */

static struct passed now_of(const struct dedup *d, const struct pt_msg *m)
{
	if (d->packets)
		return (struct passed){.at = d->number};
	bool clocked = !pt_msg_is_packet(m);
	return (struct passed){clocked ? moment_now() : m->time_ns, clocked};
}

/* Time may go back, a number does not. */
static bool is_within(const struct dedup *d, const struct passed *before, const struct passed *now)
{
	if (d->packets)
		return now->at - before->at <= d->packets;
	uint64_t apart = moment_since(before->at, now->at) + moment_since(now->at, before->at);
	return before->clocked == now->clocked && (double)apart <= d->seconds * 1e9;
}

/* Those that nothing can be a copy of any more: a few for each that comes. */
static void forget(struct dedup *d, const struct passed *now)
{
	struct recent *r = &d->seen;
	for (unsigned i = 0; i < 2 && r->used; i++) {
		const struct passed *oldest = recent_value(r, recent_oldest(r));
		if (oldest->clocked != now->clocked || is_within(d, oldest, now))
			return;
		recent_drop_oldest(r);
	}
}

/* Whether it is the first. Without memory for a single one, everything is. */
static bool is_first(struct dedup *d, uint64_t digest, const struct pt_msg *m)
{
	d->number++;
	const struct passed now = now_of(d, m);
	forget(d, &now);
	const struct passed *before = recent_find(&d->seen, digest, &digest);
	if (before && is_within(d, before, &now))
		return false;
	struct passed *passed = recent_at(&d->seen, digest, &digest, NULL);
	if (passed)
		*passed = now;
	return true;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct dedup *d = pt_state(b);
	uint64_t digests[VECTOR] = {0};
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++)
		digests[i] = packet_digest(messages[i], d->key, d->ignored);
	recent_expect(&d->seen, digests, count);
	for (unsigned i = 0; i < count; i++) {
		if (is_first(d, digests[i], messages[i]))
			messages[left++] = messages[i];
		else
			pt_filter_out(b, messages[i], "duplicate");
	}
	pt_carry_changed(b);
	pt_send_many(b, canal, messages, left);
}

static void fini(struct pt_block *b)
{
	struct dedup *d = pt_state(b);
	recent_free(&d->seen);
}

static json_t *describe(struct pt_block *b)
{
	const struct dedup *d = pt_state(b);
	return json_pack("{s:I, s:I}", "kept", (json_int_t)d->seen.used, "evicted",
	                 (json_int_t)d->seen.evicted);
}

static const struct pt_param params[] = {
	{"seconds", "A copy is one that is dated at most so long behind the first, or before it.",
         PT_SECONDS(struct dedup, seconds), .fallback = "1", .flags = PT_LIVE, .max = 1e9},
	{"packets", "In place of seconds: one that is among so many that come next.",
         PT_INT(struct dedup, packets), .fallback = "None", .min = 1, .max = 1e9},
	{"ignore",
         "What does not count: the link's header, its tags, IP's time to live or hop limit, IPv4's "
         "number; with the last two the header's checksum.",
         PT_STRINGS(struct dedup, ignore), .fallback = "[]", .choices = packet_ignore_names},
	{"limit", "Memory for what has passed; beyond, what passed first is forgotten.",
         PT_SIZE(struct dedup, limit), .fallback = "64MiB", .flags = PT_LIVE, .min = 1,
         .max = 1e12},
	{NULL},
};

static const struct pt_type dedup_drain = {
	.api = PT_API,
	.name = "DedupDrain",
	.summary = "Passes the first of packets that are the same",
	.help = "The others are filtered out (`duplicate`), on whichever canal they come. A copy "
		"has the same captured bytes and length on the wire; what pads a frame behind its "
		"packet never counts. It makes the time no longer: of three that are 0.8 s apart, "
		"with seconds=1 the first and the third pass. What is no packet goes by a clock.",
	.picture = "     +-----------+\n"
		   "  >>-|-[differs]-|->>\n"
		   "     |           |\n"
		   "   >-|-[differs]-|->\n"
		   "     +-----------+\n",
	.examples =
		(const char *const[]){"RdpcapSource(\"in.pcap\") > DedupDrain() > "
                                      "WrpcapSink(\"out.pcap\")",
                                      "RdpcapSource(\"in.pcap\") > DedupDrain(packets=4) > Sink()",
                                      "RdpcapSource(\"in.pcap\") > DedupDrain(seconds=\"50ms\", "
                                      "ignore=[\"eth\", \"vlan\", \"ttl\"]) > Sink()",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = params,
	.carries = carries,
	.size = sizeof(struct dedup),
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.changed = changed,
	.fini = fini,
	.describe = describe,
};

PT_TYPES(dedup_drain, &dedup_drain);
