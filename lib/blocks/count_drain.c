/* SPDX-License-Identifier: BSD-2-Clause */
/* CountDrain: tells what passes most, by address, flow or field. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/moment.h"
#include "packet/by.h"
#include "packet/table.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum sort { BY_BYTES, BY_PACKETS, BY_KEY };
enum format { AS_TEXT, AS_JSON };

struct sum {
	uint64_t packets, bytes;
};

/* An interval, as it is carried. */
struct interval {
	int64_t from_ns; /* of its first message, or `seconds` behind that of the one before */
	bool begun, dated;
	struct sum all;
};

struct count {
	char **by_words;
	double seconds;
	int64_t top;
	int sort, format;
	uint64_t limit;

	struct packet_by by;
	struct interval now;
	struct recent keys; /* to struct sum, in this interval */
	struct pt_timer silence;
	bool goes_on; /* at the end of the daemon: the next one tells */
};

static const struct pt_carried carries[] = {
	{"now", PT_CARRY_BYTES(struct count, now)},
	{NULL},
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct count *c = pt_state(b);
	return packet_by_read(&c->by, c->by_words, "by", err);
}

/* ---- the report ---- */

struct row {
	const uint8_t *key;
	struct sum sum;
};

static int compare(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

/* Most first; of as many, and where keys count, the lower key. */
static int by_order(const void *left, const void *right, void *arg)
{
	const struct row *a = left, *b = right;
	const struct count *c = arg;
	int order = 0;
	if (c->sort == BY_BYTES)
		order = compare(a->sum.bytes, b->sum.bytes);
	if (c->sort == BY_PACKETS || (c->sort == BY_BYTES && !order))
		order = compare(a->sum.packets, b->sum.packets);
	return order ? order : memcmp(a->key, b->key, c->by.size);
}

static void sink_down(struct row *heap, size_t count, struct count *c)
{
	for (size_t at = 0, next; (next = 2 * at + 1) < count; at = next) {
		if (next + 1 < count && by_order(&heap[next + 1], &heap[next], c) > 0)
			next++;
		if (by_order(&heap[at], &heap[next], c) >= 0)
			return;
		struct row row = heap[at];
		heap[at] = heap[next];
		heap[next] = row;
	}
}

static void rise(struct row *heap, size_t at, struct count *c)
{
	for (; at && by_order(&heap[at], &heap[(at - 1) / 2], c) > 0; at = (at - 1) / 2) {
		struct row row = heap[at];
		heap[at] = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = row;
	}
}

/* The first `top` of all keys, in order: a heap whose first is the last of them. */
static struct row *first_rows(struct count *c, size_t *count)
{
	size_t most = c->keys.used < (uint64_t)c->top ? c->keys.used : (size_t)c->top;
	struct row *rows = must_calloc(most + 1, sizeof *rows);
	*count = 0;
	for (const void *key = NULL; (key = recent_each(&c->keys, key));) {
		struct row row = {key, *(struct sum *)recent_value(&c->keys, key)};
		if (*count < most) {
			rows[*count] = row;
			rise(rows, (*count)++, c);
		} else if (most && by_order(&row, &rows[0], c) < 0) {
			rows[0] = row;
			sink_down(rows, most, c);
		}
	}
	qsort_r(rows, *count, sizeof *rows, by_order, c);
	return rows;
}

/* What is not among them. */
static struct sum rest_of(const struct count *c, const struct row *rows, size_t count)
{
	struct sum rest = c->now.all;
	for (size_t i = 0; i < count; i++) {
		rest.packets -= rows[i].sum.packets;
		rest.bytes -= rows[i].sum.bytes;
	}
	return rest;
}

static json_t *list_or_one(const struct count *c, json_t *list)
{
	json_t *one = c->by.count == 1 ? json_incref(json_array_get(list, 0)) : json_incref(list);
	json_decref(list);
	return one;
}

static json_t *key_json(const struct count *c, const uint8_t *key)
{
	json_t *list = json_array();
	char text[PACKET_FLOW_TEXT];
	for (unsigned i = 0; i < c->by.count; i++) {
		packet_by_text(&c->by, i, key, text);
		json_array_append_new(list, json_string(text));
	}
	return list_or_one(c, list);
}

static void add_json(struct buf *out, const struct count *c, const struct row *rows, size_t count)
{
	struct sum rest = rest_of(c, rows, count);
	uint64_t keys = c->keys.used - count + c->keys.evicted;
	json_t *top = json_array(), *by = json_array();
	char time[MOMENT_MAX];
	moment_print(c->now.from_ns, time);
	for (unsigned i = 0; i < c->by.count; i++)
		json_array_append_new(by, json_string(c->by_words[i]));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(top,
		                      json_pack("{s:o, s:I, s:I}", "key", key_json(c, rows[i].key),
		                                "packets", (json_int_t)rows[i].sum.packets, "bytes",
		                                (json_int_t)rows[i].sum.bytes));
	json_t *report =
		json_pack("{s:s, s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:I}", "time", time, "seconds",
	                  json_real(c->seconds), "by", list_or_one(c, by), "top", top, "rest",
	                  "keys", (json_int_t)keys, "packets", (json_int_t)rest.packets, "bytes",
	                  (json_int_t)rest.bytes, "evicted", (json_int_t)c->keys.evicted);
	char *text = json_dumps(report, JSON_COMPACT);
	buf_adds(out, text ? text : "{}");
	free(text);
	json_decref(report);
}

static void add_line(struct buf *out, const char *key, const struct sum *sum)
{
	buf_addf(out, "\n%15llu bytes %12llu packets  %s", (unsigned long long)sum->bytes,
	         (unsigned long long)sum->packets, key);
}

static void add_text(struct buf *out, const struct count *c, const struct row *rows, size_t count)
{
	struct sum rest = rest_of(c, rows, count);
	time_t from = (time_t)(c->now.from_ns / MOMENT_S);
	struct tm tm;
	char text[PACKET_FLOW_TEXT];
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from, &tm));
	buf_addf(out, "%s, %g s, by", text, c->seconds);
	for (unsigned i = 0; i < c->by.count; i++)
		buf_addf(out, "%s %s", i ? "," : "", c->by_words[i]);
	for (size_t i = 0; i < count; i++) {
		struct buf key = BUF_INIT;
		for (unsigned part = 0; part < c->by.count; part++) {
			packet_by_text(&c->by, part, rows[i].key, text);
			buf_addf(&key, "%s%s", part ? " " : "", text);
		}
		add_line(out, key.data, &rows[i].sum);
		buf_free(&key);
	}
	snprintf(text, sizeof text, "%llu others",
	         (unsigned long long)c->keys.used - count + c->keys.evicted);
	if (rest.packets)
		add_line(out, text, &rest);
	snprintf(text, sizeof text, "all of it%s", c->keys.evicted ? ", keys forgotten" : "");
	add_line(out, text, &c->now.all);
}

/* Of what has passed since the last one, if anything has. */
static void report(struct pt_block *b, struct count *c)
{
	struct buf out = BUF_INIT;
	size_t count;
	if (c->now.all.packets) {
		struct row *rows = first_rows(c, &count);
		(c->format == AS_JSON ? add_json : add_text)(&out, c, rows, count);
		free(rows);
		pt_send_bytes(b, PT_HIGH, out.data, out.length);
		buf_free(&out);
	}
	recent_clear(&c->keys);
	c->now.all = (struct sum){0};
}

/* ---- intervals ---- */

static uint64_t length_ns(const struct count *c)
{
	return (uint64_t)(c->seconds * 1e9);
}

/* The message is of a later interval: as many are over as lie between. */
static void step_to(struct count *c, int64_t time_ns)
{
	uint64_t since = moment_since(c->now.from_ns, time_ns);
	c->now.from_ns = time_ns - (int64_t)(since % length_ns(c));
}

static int64_t time_of(struct count *c, const struct pt_msg *m)
{
	bool dated = pt_msg_is_packet(m);
	int64_t time_ns = dated ? m->time_ns : moment_now();
	if (!c->now.begun || (dated && !c->now.dated))
		c->now.from_ns = time_ns;
	c->now.begun = true;
	c->now.dated |= dated;
	return !dated && c->now.dated ? c->now.from_ns : time_ns;
}

static bool is_later(const struct count *c, int64_t time_ns)
{
	return moment_since(c->now.from_ns, time_ns) >= length_ns(c);
}

static void on_silence(struct pt_block *b)
{
	struct count *c = pt_state(b);
	report(b, c);
	c->now.begun = c->now.dated = false;
	pt_carry_changed(b);
}

/* ---- messages ---- */

static void add(struct count *c, uint64_t hash, const uint8_t *key, const struct pt_msg *m)
{
	struct sum *sum = recent_at(&c->keys, hash, key, NULL);
	c->now.all.packets++;
	c->now.all.bytes += m->wire_length;
	if (sum) {
		sum->packets++;
		sum->bytes += m->wire_length;
	}
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct count *c = pt_state(b);
	struct packet_keys keys;
	unsigned sent = 0;
	packet_by_keys(&c->by, &c->keys, messages, count, &keys);
	for (unsigned i = 0; i < count; i++) {
		int64_t time_ns = time_of(c, messages[i]);
		if (is_later(c, time_ns)) {
			pt_send_many(b, canal, messages + sent, i - sent);
			sent = i;
			report(b, c);
			step_to(c, time_ns);
		}
		add(c, keys.hashes[i], keys.bytes + i * c->by.size, messages[i]);
	}
	pt_timer_at(b, &c->silence, pt_now(b) + length_ns(c), on_silence);
	pt_carry_changed(b);
	pt_send_many(b, canal, messages + sent, count - sent);
}

/* ---- life ---- */

static size_t most(const struct count *c)
{
	return recent_fit(c->by.size, sizeof(struct sum), c->limit);
}

static char *name_of(const struct count *c)
{
	return packet_table_name("counts", c->by_words);
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct count *c = pt_state(b);
	char *name = name_of(c);
	c->goes_on = packet_table_carry(&c->keys, name, carry);
	free(name);
}

static bool take_carried(struct pt_block *b, struct count *c)
{
	char *name = name_of(c);
	bool taken = packet_table_carried(b, name, &c->keys);
	free(name);
	return taken;
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct count *c = pt_state(b), *before = pt_state(old);
	if (!packet_by_is(&c->by, &before->by))
		return;
	c->keys = before->keys;
	before->keys = (struct recent){0};
	packet_by_swap(&c->by, &before->by);
	before->now = (struct interval){0};
}

static void start(struct pt_block *b)
{
	struct count *c = pt_state(b);
	bool taken = c->keys.entry_size && pt_goes_on(b);
	c->goes_on = false;
	if (!c->keys.entry_size)
		recent_init(&c->keys, c->by.size, sizeof(struct sum), most(c));
	recent_bound(&c->keys, most(c));
	if (taken || (pt_goes_on(b) && take_carried(b, c))) {
		if (c->now.all.packets)
			pt_timer_at(b, &c->silence, pt_now(b) + length_ns(c), on_silence);
		return;
	}
	recent_clear(&c->keys);
	c->now = (struct interval){0};
}

static void changed(struct pt_block *b)
{
	struct count *c = pt_state(b);
	recent_bound(&c->keys, most(c));
}

static void stop(struct pt_block *b)
{
	struct count *c = pt_state(b);
	if (!c->goes_on)
		report(b, c);
}

static void fini(struct pt_block *b)
{
	struct count *c = pt_state(b);
	recent_free(&c->keys);
	packet_by_free(&c->by);
}

static json_t *describe(struct pt_block *b)
{
	const struct count *c = pt_state(b);
	return json_pack("{s:I, s:I, s:I, s:I}", "keys", (json_int_t)c->keys.used, "packets",
	                 (json_int_t)c->now.all.packets, "bytes", (json_int_t)c->now.all.bytes,
	                 "evicted", (json_int_t)c->keys.evicted);
}

static const char *const sort_words[] = {"bytes", "packets", "key", NULL};
static const char *const format_words[] = {"text", "json", NULL};

static const struct pt_param params[] = {
	{"by", "What is counted: " PACKET_BY_WORDS "; a list: these together.",
         PT_STRINGS(struct count, by_words), .fallback = "ip.src"},
	{"seconds", "How long an interval is.", PT_SECONDS(struct count, seconds), .fallback = "10",
         .flags = PT_LIVE, .min = 0.001, .max = 1e9},
	{"top", "How many of them a report names.", PT_INT(struct count, top), .fallback = "20",
         .flags = PT_LIVE, .max = 1e6},
	{"sort", "What stands first in it: those with the most, or the lowest key.",
         PT_CHOICE(struct count, sort), .fallback = "bytes", .flags = PT_LIVE,
         .choices = sort_words},
	{"format", "Lines for people, or an object.", PT_CHOICE(struct count, format),
         .fallback = "text", .flags = PT_LIVE, .choices = format_words},
	{"limit",
         "Memory for the counts; beyond, what was seen least recently is forgotten (evicted).",
         PT_SIZE(struct count, limit), .fallback = "64MiB", .flags = PT_LIVE, .min = 1,
         .max = 1e12},
	{NULL},
};

static const struct pt_type count_drain = {
	.api = PT_API,
	.name = "CountDrain",
	.summary = "Passes everything, and tells what there is most of",
	.help = "A report of each interval, and of the last one at the end, leaves on the higher "
		"canal: the keys that come first, the sum of the others, and how many were "
		"forgotten for want of memory, or by a crash. Bytes are those of the wire. "
		"Intervals go by the time stamps of packets, from the first on; one in which "
		"nothing came is not told. Where nothing comes for as long by the clock, the "
		"report does not wait. As an object: time (of the interval's beginning), seconds, "
		"by, top (a list of key, packets and bytes), rest (keys, packets, bytes) and "
		"evicted.",
	.picture = "     +---------+\n"
		   "  >>-|----+----|->>\n"
		   "     |   report|\n"
		   "   >-|--[n]----|->\n"
		   "     +---------+\n",
	.examples =
		(const char *const[]){"c = CountDrain(); RdpcapSource(\"in.pcap\") > c > Sink(); "
                                      "c >> RawConsoleSink()",
                                      "c = CountDrain(by=[\"ip.dst\", \"tcp.dport\"], top=5, "
                                      "format=\"json\"); RdpcapSource(\"in.pcap\") > c > Sink(); "
                                      "c >> RawConsoleSink()",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT | PT_ROUTE(PT_LOW, PT_HIGH),
	.params = params,
	.carries = carries,
	.size = sizeof(struct count),
	.init = init,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push_many = push_many,
	.no_more = on_silence,
	.changed = changed,
	.stop = stop,
	.fini = fini,
	.describe = describe,
};

PT_TYPES(count_drain, &count_drain);
