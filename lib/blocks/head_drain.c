/* SPDX-License-Identifier: BSD-2-Clause */
/* HeadDrain: passes what comes first, of all or of each flow, host or field. */
#include "base/moment.h"
#include "packet/by.h"
#include "packet/table.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What has passed. */
struct passed {
	uint64_t count, bytes;
	int64_t first_ns; /* of the first packet */
	bool dated;       /* there was one */
};

struct head {
	int64_t count;
	uint64_t bytes;
	double seconds;
	char **per;
	uint64_t limit;

	struct packet_by by;
	struct passed all;
	struct recent each; /* of `per`: to struct passed */
};

static const struct pt_carried carries[] = {
	{"all", PT_CARRY_BYTES(struct head, all)},
	{NULL},
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct head *h = pt_state(b);
	if (!h->count && !h->bytes && h->seconds <= 0)
		return pt_fail(err, -EINVAL, "count",
		               "give one of count, bytes and seconds at "
		               "least, as in HeadDrain(count=10)");
	return h->per ? packet_by_read(&h->by, h->per, "per", err) : 0;
}

static size_t most(const struct head *h)
{
	return recent_fit(h->by.size, sizeof(struct passed), h->limit);
}

static bool is_full(const struct head *h, const struct passed *p)
{
	return (h->count && p->count >= (uint64_t)h->count) || (h->bytes && p->bytes >= h->bytes);
}

static bool is_late(const struct head *h, const struct passed *p, const struct pt_msg *m)
{
	return h->seconds > 0 && p->dated && pt_msg_is_packet(m) &&
	       (double)moment_since(p->first_ns, m->time_ns) >= h->seconds * 1e9;
}

static bool passes(const struct head *h, struct passed *p, const struct pt_msg *m)
{
	if (is_full(h, p) || is_late(h, p, m))
		return false;
	p->count++;
	p->bytes += m->length;
	if (!p->dated && pt_msg_is_packet(m)) {
		p->first_ns = m->time_ns;
		p->dated = true;
	}
	return true;
}

/* Keeps those that pass, in order; how many. */
static unsigned divide(struct pt_block *b, struct pt_msg **messages, unsigned count,
                       const bool *pass)
{
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		if (pass[i])
			messages[left++] = messages[i];
		else
			pt_filter_out(b, messages[i], "beyond");
	}
	return left;
}

static void look_at_all(struct pt_block *b, struct head *h, struct pt_msg **messages,
                        unsigned count, bool *pass)
{
	bool beyond = false;
	for (unsigned i = 0; i < count; i++) {
		pass[i] = passes(h, &h->all, messages[i]);
		beyond |= !pass[i];
	}
	if (beyond || is_full(h, &h->all))
		pt_enough(b, true);
	pt_carry_changed(b);
}

/* Without memory for a single one, everything is the first of its kind. */
static void look_at_each(struct pt_block *b, struct head *h, struct pt_msg **messages,
                         unsigned count, bool *pass)
{
	struct packet_keys keys;
	packet_by_keys(&h->by, &h->each, messages, count, &keys);
	for (unsigned i = 0; i < count; i++) {
		struct passed none = {0};
		struct passed *p =
			recent_at(&h->each, keys.hashes[i], keys.bytes + i * h->by.size, NULL);
		pass[i] = passes(h, p ? p : &none, messages[i]);
	}
	pt_carry_changed(b);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct head *h = pt_state(b);
	bool pass[PACKET_BY_VECTOR];
	if (h->per)
		look_at_each(b, h, messages, count, pass);
	else
		look_at_all(b, h, messages, count, pass);
	pt_send_many(b, canal, messages, divide(b, messages, count, pass));
}

static void begin(struct pt_block *b, struct head *h)
{
	h->all = (struct passed){0};
	recent_clear(&h->each);
	pt_enough(b, false);
	pt_carry_changed(b);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct head *h = pt_state(b);
	char *name = packet_table_name("passed of", h->per);
	if (h->per)
		packet_table_carry(&h->each, name, carry);
	free(name);
}

/* As it was before the daemon started anew, or empty; not what a successor has taken over. */
static void begin_each(struct pt_block *b, struct head *h)
{
	char *name = packet_table_name("passed of", h->per);
	recent_init(&h->each, h->by.size, sizeof(struct passed), most(h));
	if (pt_goes_on(b))
		packet_table_carried(b, name, &h->each);
	free(name);
}

static void start(struct pt_block *b)
{
	struct head *h = pt_state(b);
	if (h->per && !h->each.entry_size)
		begin_each(b, h);
	if (!pt_goes_on(b))
		begin(b, h);
	else if (h->per)
		recent_bound(&h->each, most(h));
	else if (is_full(h, &h->all))
		pt_enough(b, true);
}

static void trigger(struct pt_block *b)
{
	begin(b, pt_state(b));
	pt_trigger(b);
}

static void changed(struct pt_block *b)
{
	struct head *h = pt_state(b);
	if (h->per)
		recent_bound(&h->each, most(h));
	else
		pt_enough(b, is_full(h, &h->all));
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct head *h = pt_state(b), *before = pt_state(old);
	if (!h->per || !before->per || !packet_by_is(&h->by, &before->by))
		return;
	h->each = before->each;
	before->each = (struct recent){0};
	packet_by_swap(&h->by, &before->by);
}

static void fini(struct pt_block *b)
{
	struct head *h = pt_state(b);
	recent_free(&h->each);
	packet_by_free(&h->by);
}

static json_t *describe(struct pt_block *b)
{
	const struct head *h = pt_state(b);
	if (!h->per)
		return json_pack("{s:I, s:I}", "passed", (json_int_t)h->all.count, "passed_bytes",
		                 (json_int_t)h->all.bytes);
	return json_pack("{s:I, s:I}", "keys", (json_int_t)h->each.used, "evicted",
	                 (json_int_t)h->each.evicted);
}

static const struct pt_param params[] = {
	{"count", "So many messages.", PT_INT(struct head, count), .fallback = "None",
         .flags = PT_LIVE, .min = 1, .max = 1e15},
	{"bytes", "Until so many bytes have passed; of packets, those that were captured.",
         PT_SIZE(struct head, bytes), .fallback = "None", .flags = PT_LIVE, .min = 1, .max = 1e18},
	{"seconds", "What is dated less than so long behind the first; what is no packet passes.",
         PT_SECONDS(struct head, seconds), .fallback = "None", .flags = PT_LIVE, .max = 1e9},
	{"per",
         "Of each of these, in place of all: " PACKET_BY_WORDS "; a list: of these together.",
         PT_STRINGS(struct head, per), .fallback = "None"},
	{"limit",
         "Memory for what has passed of each; beyond, what was seen least recently is forgotten.",
         PT_SIZE(struct head, limit), .fallback = "64MiB", .flags = PT_LIVE, .min = 1, .max = 1e12},
	{NULL},
};

static const struct pt_type head_drain = {
	.api = PT_API,
	.name = "HeadDrain",
	.summary = "Passes what comes first, of all or of each flow, host or field",
	.help = "A message passes while what has passed before is less than `count`, `bytes` and "
		"`seconds` (those that are given); the rest is filtered out (`beyond`). Without "
		"`per`, when it is through, sources that lead nowhere else are exhausted, as with "
		"tcpdump -c. A trigger begins anew, and is passed on.",
	.picture = "     +-----^-----+\n"
		   "  >>-|-[first n]-|->>\n"
		   "     |     |     |\n"
		   "   >-|-[first n]-|->\n"
		   "     +-----^-----+\n",
	.examples =
		(const char *const[]){"RdpcapSource(\"in.pcap\") > HeadDrain(count=10) > Sink()",
                                      "RdpcapSource(\"in.pcap\") > HeadDrain(bytes=\"10KiB\", "
                                      "per=\"flow\") > Sink()",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT | PT_TRIGGER_ENTRY |
                 PT_TRIGGER_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_TRIGGER, PT_TRIGGER),
	.params = params,
	.carries = carries,
	.size = sizeof(struct head),
	.init = init,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.trigger = trigger,
	.changed = changed,
	.fini = fini,
	.describe = describe,
};

PT_TYPES(head_drain, &head_drain);
