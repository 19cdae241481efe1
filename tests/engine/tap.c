/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps: what they see, that nothing else changes, and receivers that are slow. */
#include "capture/capture.h"
#include "ear.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void hear_bytes(void *arg, const char *bytes, size_t length)
{
	struct ear *ear = arg;
	ck_assert(ear->answered && !ear->ended);
	ear->pieces++;
	buf_add(&ear->heard, bytes, length);
}

/* Each message as "low:text ". */
static void hear_json(void *arg, const char *bytes, size_t length)
{
	struct ear *ear = arg;
	json_t *piece = json_loadb(bytes, length, 0, NULL), *item;
	size_t i;
	ck_assert(ear->answered && !ear->ended);
	ck_assert_ptr_nonnull(piece);
	ck_assert_str_eq(json_string_value(json_object_get(piece, "engine")), "rig");
	ear->dropped += (uint64_t)json_integer_value(json_object_get(piece, "dropped"));
	json_array_foreach (json_object_get(piece, "messages"), i, item)
		buf_addf(&ear->heard, "%s:%s ", json_string_value(json_object_get(item, "canal")),
		         json_string_value(json_object_get(item, "message")));
	ear->pieces++;
	json_decref(piece);
}

static int tap(struct rig *r, struct ear *ear, const char *json)
{
	return ear_ask(r, ear, "tap", json, hear_json, hear_bytes);
}

START_TEST(a_drain_is_heard_where_it_sends)
{
	struct rig *r = rig("TransformDrain", "'upper'");
	struct ear ear = {0};
	ck_assert_int_eq(tap(r, &ear, "{\"block\": \"it\"}"), 0);
	push(r, LOW, "a");
	push_all(r, HIGH, (const char *const[]){"b", "c"}, 2);
	expect_heard(r, &ear, "low:A high:B high:C ");
	expect(r, LOW, "A");
	expect(r, HIGH, "B");
	expect(r, HIGH, "C");
	rig_end(r);
	ck_assert(ear.ended);
}
END_TEST

START_TEST(what_only_passes_on_is_heard_once)
{
	struct rig *r = rig_graph("it = Drain(); d = Drain(); s = RigSink(); t = RigSink()\n"
	                          "it > d > s; d > t");
	struct ear ear = {0}, second = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	tap(r, &second, "{\"block\": \"d\"}");
	push_all(r, LOW, (const char *const[]){"a", "b"}, 2);
	expect_heard(r, &ear, "low:a low:b ");
	expect_heard(r, &second, "low:a low:b ");
	rig_end(r);
}
END_TEST

START_TEST(a_sink_is_heard_where_it_takes)
{
	struct rig *r = rig("Sink", "");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect_heard(r, &ear, "low:a high:b ");
	rig_end(r);
}
END_TEST

START_TEST(an_exit_without_links_is_heard_too)
{
	struct rig *r = rig_graph("it = Drain()");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	push(r, LOW, "a");
	expect_heard(r, &ear, "low:a ");
	rig_end(r);
}
END_TEST

START_TEST(one_canal_alone)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\", \"canal\": \"high\"}");
	push(r, LOW, "a");
	push(r, HIGH, "b");
	expect_heard(r, &ear, "high:b ");
	rig_end(r);
}
END_TEST

START_TEST(what_cannot_be_tapped_is_refused)
{
	struct rig *r = rig_graph("it = CLIFeeder(); s = RigSink(); it > s");
	struct ear ear = {0};
	ck_assert_int_eq(tap(r, &ear, "{\"block\": \"if\"}"), -PT_ENOBLOCK);
	ck_assert_int_eq(tap(r, &ear, "{\"block\": \"it\", \"canal\": \"high\"}"), -PT_EPARAM);
	ck_assert_int_eq(tap(r, &ear, "{\"block\": \"it\", \"canal\": \"trigger\"}"), -PT_EPARAM);
	rig_end(r);
	ck_assert(!ear.ended);
}
END_TEST

START_TEST(a_tap_stays_with_the_name)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	ck_assert_ptr_nonnull(ask(r, "change",
	                          "{\"ops\": [{\"op\": \"replace\", \"name\": \"it\", \"type\": "
	                          "\"TransformDrain\", \"params\": {\"f\": \"upper\"}}]}"));
	push(r, LOW, "a");
	expect_heard(r, &ear, "low:A ");
	ck_assert_ptr_nonnull(ask_change(r, "more = Sink()"));
	push(r, LOW, "b");
	expect_heard(r, &ear, "low:B ");
	ck_assert(!ear.ended);
	ck_assert_ptr_nonnull(
		ask(r, "change", "{\"ops\": [{\"op\": \"remove\", \"name\": \"it\"}]}"));
	ck_assert(ear.ended);
	rig_end(r);
}
END_TEST

START_TEST(one_tap_goes_and_the_other_stays)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0}, other = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	tap(r, &other, "{\"block\": \"it\"}");
	pt_engine_untap(rig_engine(r), &ear);
	turn(r);
	ck_assert(ear.ended && !other.ended);
	push(r, LOW, "a");
	expect_heard(r, &ear, "");
	expect_heard(r, &other, "low:a ");
	rig_end(r);
}
END_TEST

START_TEST(who_is_behind_misses_and_is_told)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\"}");
	push(r, LOW, "a");
	ear.deaf = true;
	push_all(r, LOW, (const char *const[]){"b", "c"}, 2);
	expect_heard(r, &ear, "low:a low:b low:c "); /* a piece that was begun is finished */
	push_all(r, LOW, (const char *const[]){"d", "e"}, 2);
	push(r, HIGH, "f");
	expect_heard(r, &ear, "");
	ear.deaf = false;
	pt_engine_tap_ready(rig_engine(r));
	expect_heard(r, &ear, "");
	ck_assert_uint_eq(ear.dropped, 3);
	push(r, LOW, "g");
	expect_heard(r, &ear, "low:g ");
	ck_assert_uint_eq(ear.dropped, 3);
	rig_end(r);
}
END_TEST

START_TEST(large_messages_stop_at_the_piece)
{
	enum { LARGE = 100 * 1024 };
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	char *text = must_calloc(1, LARGE + 1);
	memset(text, 'x', LARGE);
	tap(r, &ear, "{\"block\": \"it\"}");
	push_all(r, LOW, (const char *const[]){text, text, text}, 3);
	turn(r);
	ck_assert_uint_eq(ear.pieces, 3);
	rig_end(r);
	buf_free(&ear.heard);
	free(text);
}
END_TEST

static void read_back(struct rig *r, const struct buf *stream, unsigned count,
                      struct pt_msg **messages)
{
	FILE *file = tmpfile();
	struct capture_reader *reader;
	struct pt_error err = PT_ERROR_INIT;
	fwrite(stream->data, 1, stream->length, file);
	fflush(file);
	lseek(fileno(file), 0, SEEK_SET);
	ck_assert_int_eq(capture_reader_open_fd(dup(fileno(file)), "tap", &reader, &err), 0);
	int n;
	unsigned found = 0;
	while ((n = capture_reader_next(reader, rig_engine(r)->pool, messages + found, 64 - found,
	                                &err)) > 0)
		found += (unsigned)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(found, count);
	capture_reader_close(reader);
	fclose(file);
}

START_TEST(pcapng_has_an_interface_for_each_link_type)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	struct pt_msg *seen[64];
	ck_assert_int_eq(tap(r, &ear, "{\"block\": \"it\", \"format\": \"pcapng\"}"), 0);
	ck_assert_uint_gt(ear.heard.length, 0); /* the header comes at once */
	push_packet(r, "\x45xyz", 4, 101);
	push(r, LOW, "plain");
	push_packet(r, "\x45uvw", 4, 101);
	turn(r);
	read_back(r, &ear.heard, 3, seen);
	ck_assert_int_eq(seen[0]->link_type, 101);
	ck_assert_uint_eq(seen[0]->time_ns, 1);
	ck_assert_int_eq(seen[1]->link_type, 147);
	ck_assert_int_eq(memcmp(seen[1]->bytes, "plain", 5), 0);
	ck_assert_uint_gt(seen[1]->time_ns, 1000000000000000000); /* now */
	ck_assert_int_eq(seen[2]->link_type, 101);
	for (unsigned i = 0; i < 3; i++)
		pt_msg_unref(seen[i]);
	rig_end(r);
	buf_free(&ear.heard);
}
END_TEST

START_TEST(pcapng_tells_what_it_lost)
{
	struct rig *r = rig("Drain", "");
	struct ear ear = {0};
	tap(r, &ear, "{\"block\": \"it\", \"format\": \"pcapng\"}");
	ear.deaf = true;
	push_packet(r, "\x45", 1, 101);
	push_packet(r, "\x45", 1, 101);
	turn(r);
	size_t before = ear.heard.length;
	ear.deaf = false;
	turn(r);
	/* a description of 44 bytes, "it" and its padding in it, then 52 of statistics */
	ck_assert_uint_gt(ear.heard.length, before + 52);
	uint32_t block[13];
	memcpy(block, ear.heard.data + ear.heard.length - sizeof block, sizeof block);
	ck_assert_uint_eq(block[0], 5);
	ck_assert_uint_eq(block[9], 2); /* the low half of isb_ifdrop */
	rig_end(r);
	buf_free(&ear.heard);
}
END_TEST

UNIT_TESTS("engine/tap", a_drain_is_heard_where_it_sends, what_only_passes_on_is_heard_once,
           a_sink_is_heard_where_it_takes, an_exit_without_links_is_heard_too, one_canal_alone,
           what_cannot_be_tapped_is_refused, a_tap_stays_with_the_name,
           one_tap_goes_and_the_other_stays, who_is_behind_misses_and_is_told,
           large_messages_stop_at_the_piece, pcapng_has_an_interface_for_each_link_type,
           pcapng_tells_what_it_lost)
