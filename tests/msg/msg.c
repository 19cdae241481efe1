/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, chunks and their pool. */
#include "msg/json.h"
#include "msg/origin.h"
#include "msg/pool.h"
#include "unit.h"
#include <string.h>

static struct pt_msg *text(struct pt_pool *pool, const char *bytes)
{
	return pt_msg_new(pool, bytes, strlen(bytes));
}

START_TEST(an_edit_copies_only_what_somebody_else_holds)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = text(pool, "abc"), *mine = m;
	const uint8_t *bytes = m->bytes;
	ck_assert_ptr_eq(pt_msg_edit(&mine), bytes);
	pt_msg_ref(m);
	uint8_t *copy = pt_msg_edit(&mine);
	ck_assert_ptr_ne(copy, bytes);
	copy[0] = 'X';
	ck_assert_mem_eq(m->bytes, "abc", 3);
	ck_assert_mem_eq(mine->bytes, "Xbc", 3);
	pt_msg_unref(m);
	pt_msg_unref(mine);
	pool_free(pool);
}
END_TEST

START_TEST(a_slice_shares_bytes_until_one_is_edited)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = text(pool, "abcdef"), *slice = pt_msg_slice(m, 2, 3);
	ck_assert_ptr_eq(slice->bytes, m->bytes + 2);
	pt_msg_edit(&m)[3] = 'X';
	ck_assert_mem_eq(slice->bytes, "cde", 3);
	pt_msg_unref(m);
	pt_msg_edit(&slice)[0] = 'Y';
	ck_assert_mem_eq(slice->bytes, "Yde", 3);
	pt_msg_unref(slice);
	pool_free(pool);
}
END_TEST

/* Two siblings of a fan-out: one is cut, the other edited. */
START_TEST(a_truncated_sibling_does_not_see_the_edit)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *a = text(pool, "abcdef"), *b = pt_msg_ref(a);
	ck_assert_int_eq(pt_msg_truncate(&a, 3), 0);
	pt_msg_edit(&b)[0] = 'X';
	ck_assert_uint_eq(a->length, 3);
	ck_assert_mem_eq(a->bytes, "abc", 3);
	pt_msg_unref(a);
	pt_msg_unref(b);
	pool_free(pool);
}
END_TEST

START_TEST(truncating_a_packet_keeps_its_length_on_the_wire)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = pt_msg_packet(pool, "abcdef", 6, 60, 1, 5);
	pt_msg_truncate(&m, 2);
	ck_assert_uint_eq(m->wire_length, 60);
	pt_msg_unref(m);
	m = text(pool, "abcdef");
	pt_msg_truncate(&m, 2);
	ck_assert_uint_eq(m->wire_length, 2);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(the_limit_is_kept_and_given_back)
{
	struct pt_pool *pool = pool_new(300 * 1024);
	struct pt_chunk *chunk = chunk_new(pool, 256 * 1024);
	ck_assert_ptr_nonnull(chunk);
	ck_assert_ptr_null(chunk_new(pool, 256 * 1024));
	uint8_t *room;
	ck_assert_ptr_null(pt_msg_room(pool, 100000, &room));
	chunk_unref(chunk);
	ck_assert_uint_eq(pool_bytes(pool), 0);
	struct pt_msg *m = pt_msg_room(pool, 100000, &room);
	ck_assert_ptr_nonnull(m);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

/* Of several chunks, some of them held, in any order: each is given back once. */
START_TEST(what_ends_together_is_given_back_as_one_by_one)
{
	enum { COUNT = 64 };
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *messages[COUNT], *held[COUNT];
	struct pt_origin *origin = pt_origin_new("eth0");
	srandom(6);
	for (int n = 0; n < TIMES(1000); n++) {
		unsigned count = (unsigned)random() % COUNT, kept = 0;
		for (unsigned i = 0; i < count; i++) {
			char bytes[5000] = "a";
			messages[i] = pt_msg_new(pool, bytes, random() % 5 ? 1 : sizeof bytes);
			pt_msg_set_origin(messages[i], random() % 2 ? origin : NULL);
			if (random() % 4 == 0)
				held[kept++] = pt_msg_ref(messages[i]);
		}
		msg_unref_many(messages, count);
		ck_assert_uint_eq(pool_messages(pool), kept);
		for (unsigned i = 0; i < kept; i++)
			ck_assert_int_eq(held[i]->bytes[0], 'a');
		msg_unref_many(held, kept);
		ck_assert_uint_eq(pool_messages(pool), 0);
	}
	pt_origin_unref(origin);
	pool_free(pool);
}
END_TEST

START_TEST(blank_ones_go_back)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *few[2], *many[1000];
	msg_blanks(pool, few, 2);
	msg_blanks(pool, many, 1000);
	ck_assert_uint_eq(pool_messages(pool), 1002);
	msg_unblank(pool, many, 1000);
	msg_unblank(pool, few, 2);
	ck_assert_uint_eq(pool_messages(pool), 0);
	struct pt_msg *m = text(pool, "abc");
	ck_assert_ptr_eq(m, few[0]);
	ck_assert_ptr_null(m->next);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(a_kept_message_pins_no_chunk)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_chunk *chunk = chunk_new(pool, 256 * 1024);
	memcpy(chunk_bytes(chunk), "abc", 3);
	struct pt_msg *m = msg_settle(msg_cut(pool, chunk, chunk_bytes(chunk), 3));
	chunk_unref(chunk);
	ck_assert_uint_lt(pool_bytes(pool), 1024);
	ck_assert_mem_eq(m->bytes, "abc", 3);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(what_goes_together_is_kept_where_it_lies)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_chunk *chunk = chunk_new(pool, 65536);
	chunk_goes_together(chunk);
	struct pt_msg *m = msg_cut(pool, chunk, chunk_bytes(chunk), 3);
	struct pt_msg *other = pt_msg_ref(msg_cut(pool, chunk, chunk_bytes(chunk) + 3, 3));
	chunk_unref(chunk);
	m = msg_settle(m);
	ck_assert_ptr_eq(m->chunk, chunk);
	struct pt_msg *own = msg_settle(other); /* somebody else has it, too */
	ck_assert_ptr_ne(own->chunk, chunk);
	pt_msg_unref(m);
	pt_msg_unref(own);
	pt_msg_unref(other);
	pool_free(pool);
}
END_TEST

START_TEST(what_is_made_of_a_message_came_from_where_it_did)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_origin *eth0 = pt_origin_new("eth0");
	struct pt_msg *m = text(pool, "message"), *other = pt_msg_ref(m);
	ck_assert_ptr_null(pt_msg_iface(m));
	pt_msg_set_origin(m, eth0);
	pt_origin_unref(eth0);
	struct pt_msg *slice = pt_msg_slice(m, 2, 3);
	ck_assert_int_eq(pt_msg_own(&other), 0);
	ck_assert_ptr_ne(other, m);
	pt_msg_unref(m);
	ck_assert_ptr_nonnull(pt_msg_edit(&slice));
	ck_assert_str_eq(pt_msg_iface(slice), "eth0");
	ck_assert_str_eq(pt_msg_iface(other), "eth0");
	pt_msg_unref(slice);
	pt_msg_unref(other);
	pool_free(pool);
}
END_TEST

START_TEST(what_is_told_of_a_packet_counts_as_memory)
{
	struct pt_pool *pool = pool_new(200 * 1024);
	struct pt_origin *eth0 = origin_new(NULL, 0, "eth0");
	struct pt_msg *m = text(pool, "message");
	size_t before = pool_bytes(pool);
	const uint8_t comment[1000] = "a comment";
	struct pt_origin *told = origin_of_packet(eth0, pool, comment, sizeof comment);
	pt_msg_set_origin(m, told);
	pt_origin_unref(told);
	pt_origin_unref(eth0);
	ck_assert_uint_gt(pool_bytes(pool), before + 1000);
	ck_assert_str_eq(pt_msg_iface(m), "eth0");
	struct pt_origin *copy = origin_copy(m->origin);
	ck_assert_ptr_null(origin_of_packet(m->origin, pool, comment, 200 * 1024));
	pt_msg_unref(m);
	ck_assert_uint_eq(pool_bytes(pool), before);
	ck_assert_str_eq(copy->name, "eth0");
	ck_assert_mem_eq(copy->options, comment, sizeof comment);
	pt_origin_unref(copy);
	pool_free(pool);
}
END_TEST

/* ---- JSON ---- */

static void round_trip(struct pt_pool *pool, struct pt_msg *m)
{
	json_t *json = msg_to_json(m, PT_HIGH);
	struct pt_error err = PT_ERROR_INIT;
	struct pt_msg *again = msg_from_json(pool, json, &err);
	ck_assert_msg(again != NULL, "%s", pt_error_text(&err, ""));
	ck_assert_uint_eq(again->length, m->length);
	ck_assert_mem_eq(again->bytes, m->bytes, m->length);
	ck_assert_uint_eq(again->link_type, m->link_type);
	ck_assert_uint_eq(again->time_ns, m->time_ns);
	ck_assert_uint_eq(again->wire_length, m->wire_length);
	ck_assert_str_eq(json_string_value(json_object_get(json, "canal")), "high");
	json_decref(json);
	pt_msg_unref(again);
	pt_msg_unref(m);
}

START_TEST(a_message_goes_through_json_and_back)
{
	struct pt_pool *pool = pool_new(0);
	round_trip(pool, text(pool, "text"));
	round_trip(pool, text(pool, ""));
	round_trip(pool, text(pool, "\xff\xfe"));
	round_trip(pool, pt_msg_new(pool, "a\0b", 3));
	round_trip(pool, pt_msg_packet(pool, "\xff\x00\x01", 3, 1500, 1, 1700000000123456789));
	pool_free(pool);
}
END_TEST

START_TEST(times_before_1970_go_through_json_too)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = pt_msg_packet(pool, "a", 1, 1, 1, INT64_C(-1500000000000000001));
	json_t *json = msg_to_json(m, PT_LOW);
	struct pt_msg *again = msg_from_json(pool, json, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(json, "time")), "-1500000000.000000001");
	ck_assert_int_eq(again->time_ns, INT64_C(-1500000000000000001));
	json_decref(json);
	pt_msg_unref(m);
	pt_msg_unref(again);
	pool_free(pool);
}
END_TEST

START_TEST(what_is_no_message_is_refused_with_its_place)
{
	static const struct {
		const char *json, *path;
	} wrong[] = {
		{"5", NULL},
		{"{\"base64\": \"A\"}", "base64"},
		{"{\"hex\": \"zz\"}", "hex"},
		{"{\"hex\": \"00\", \"base64\": \"AAAA\"}", NULL},
		{"{\"message\": \"a\", \"link_type\": 70000}", "link_type"},
		{"{\"message\": \"a\", \"link_type\": \"1\"}", "link_type"},
		{"{\"message\": \"a\", \"time\": 5}", "time"},
		{"{\"message\": \"a\", \"time\": \"9223372037\"}", "time"},
		{"{\"message\": \"a\", \"time\": \"1.0000000001\"}", "time"},
		{"{\"message\": \"a\", \"colour\": 1}", "colour"},
		{"{\"message\": \"a\", \"canal\": \"up\"}", "canal"},
		{"{\"message\": \"a\", \"canal\": 0}", "canal"},
		{"{\"message\": {\"hex\": \"zz\"}}", "message.hex"},
	};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct pt_error err = PT_ERROR_INIT;
		json_t *json = json_loads(wrong[i].json, JSON_DECODE_ANY, NULL);
		ck_assert_ptr_null(msg_from_json(pool, json, &err));
		ck_assert_uint_eq(err.count, 1);
		ck_assert_pstr_eq(err.faults[0].path, wrong[i].path);
		pt_error_clear(&err);
		json_decref(json);
	}
	pool_free(pool);
}
END_TEST

START_TEST(all_that_is_wrong_with_a_message_is_told)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_error err = PT_ERROR_INIT;
	json_t *json = json_pack("{s:i, s:s, s:i, s:i, s:i}", "message", 5, "canal", "up", "time",
	                         1, "link_type", -1, "colour", 1);
	ck_assert_ptr_null(msg_from_json(pool, json, &err));
	ck_assert_uint_eq(err.count, 5);
	pt_error_clear(&err);
	json_decref(json);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("msg/msg", an_edit_copies_only_what_somebody_else_holds,
           a_slice_shares_bytes_until_one_is_edited, a_truncated_sibling_does_not_see_the_edit,
           truncating_a_packet_keeps_its_length_on_the_wire, the_limit_is_kept_and_given_back,
           what_ends_together_is_given_back_as_one_by_one, blank_ones_go_back,
           a_kept_message_pins_no_chunk, what_goes_together_is_kept_where_it_lies,
           what_is_made_of_a_message_came_from_where_it_did,
           what_is_told_of_a_packet_counts_as_memory, a_message_goes_through_json_and_back,
           times_before_1970_go_through_json_too, what_is_no_message_is_refused_with_its_place,
           all_that_is_wrong_with_a_message_is_told)
