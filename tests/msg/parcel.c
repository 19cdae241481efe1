/* SPDX-License-Identifier: BSD-2-Clause */
/* Parcels, and the channels that they go through. */
#include "msg/channel.h"
#include "msg/parcel.h"
#include "msg/pool.h"
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MANY 5000

static void expect_same(const struct pt_msg *m, const uint8_t *bytes, size_t length, int64_t time)
{
	ck_assert_uint_eq(m->length, length);
	ck_assert_uint_eq(m->wire_length, length + 7);
	ck_assert_uint_eq(m->link_type, 1);
	ck_assert_int_eq(m->time_ns, time);
	ck_assert_mem_eq(m->bytes, bytes, length);
}

static uint8_t content[100000];

static size_t length_of(unsigned i)
{
	return i % 97 == 0 ? 4096 + i * 17u % 90000 : i * 31u % 1500;
}

static enum pt_canal canal_of(unsigned i)
{
	return i / 5 % 3 ? PT_LOW : PT_HIGH;
}

static struct pt_msg *make(struct pt_pool *pool, unsigned i)
{
	size_t length = length_of(i);
	struct pt_msg *m = pt_msg_packet(pool, content + i % 64, length, length + 7, 1, i);
	struct pt_origin *origin = i / 50 % 2 ? pt_origin_new(i / 100 % 2 ? "eth0" : "eth1") : NULL;
	pt_msg_set_origin(m, origin);
	pt_origin_unref(origin);
	pt_msg_set_text(m, i % 3 == 0);
	return m;
}

static void expect_origin(const struct pt_msg *m, unsigned i)
{
	const char *name = pt_msg_iface(m);
	if (i / 50 % 2)
		ck_assert_str_eq(name, i / 100 % 2 ? "eth0" : "eth1");
	else
		ck_assert_ptr_null(name);
}

static void take_all(struct pt_pool *pool, struct parcel *p, unsigned *next)
{
	struct pt_msg *messages[64];
	enum pt_canal canal;
	parcel_open(p, pool);
	for (unsigned n; (n = parcel_take(p, &canal, messages, 64));) {
		for (unsigned i = 0; i < n; i++, ++*next) {
			expect_same(messages[i], content + *next % 64, length_of(*next), *next);
			expect_origin(messages[i], *next);
			ck_assert(pt_msg_is_text(messages[i]) == (*next % 3 == 0));
			ck_assert_int_eq(canal, canal_of(*next));
		}
		msg_unref_many(messages, n);
	}
	parcel_free(p);
}

START_TEST(what_goes_in_comes_out_in_another_pool)
{
	struct pt_pool *from = pool_new(0), *to = pool_new(0);
	struct parcel *p = parcel_new(from), *spare = NULL;
	unsigned taken = 0;
	for (unsigned i = 0; i < sizeof content; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	for (unsigned i = 0; i < MANY; i++) {
		struct pt_msg *m = make(from, i);
		if (!parcel_has_room(p, m)) {
			take_all(to, parcel_close(p, &spare), &taken);
			p = spare ? spare : parcel_new(from);
			spare = NULL;
		}
		ck_assert(parcel_add(p, canal_of(i), m));
		pt_msg_unref(m);
	}
	take_all(to, parcel_close(p, &spare), &taken);
	ck_assert_uint_eq(taken, MANY);
	parcel_free(spare);
	pool_free(from);
	pool_free(to);
}
END_TEST

START_TEST(long_bytes_of_ones_own_go_along_without_a_copy)
{
	struct pt_pool *from = pool_new(0), *to = pool_new(0);
	struct parcel *p = parcel_new(from), *spare = NULL;
	struct pt_msg *own = pt_msg_new(from, content, 50000), *held = pt_msg_ref(own), *got[2];
	const uint8_t *bytes = own->bytes;
	enum pt_canal canal;
	ck_assert(parcel_add(p, PT_LOW, own));
	pt_msg_unref(held);
	ck_assert(parcel_add(p, PT_LOW, own));
	pt_msg_unref(own);
	p = parcel_close(p, &spare);
	ck_assert_uint_eq(pool_messages(from), 0);
	parcel_open(p, to);
	ck_assert_uint_eq(parcel_take(p, &canal, got, 2), 2);
	ck_assert_ptr_ne(got[0]->bytes, bytes);
	ck_assert_ptr_eq(got[1]->bytes, bytes);
	ck_assert_mem_eq(got[0]->bytes, got[1]->bytes, 50000);
	msg_unref_many(got, 2);
	parcel_free(p);
	parcel_free(spare);
	pool_free(from);
	pool_free(to);
}
END_TEST

START_TEST(one_that_is_mostly_empty_takes_little_memory)
{
	struct pt_pool *pool = pool_new(0);
	struct parcel *p = parcel_new(pool), *spare = NULL;
	struct pt_msg *m = pt_msg_new(pool, "abc", 3);
	ck_assert(parcel_add(p, PT_LOW, m));
	pt_msg_unref(m);
	struct parcel *closed = parcel_close(p, &spare);
	ck_assert_ptr_eq(spare, p);
	ck_assert_uint_lt(chunk_size(closed->chunk), 1024);
	ck_assert_uint_eq(spare->used, 0);
	parcel_free(closed); /* with what is in it */
	parcel_free(spare);
	pool_free(pool);
}
END_TEST

/* ---- channels ---- */

static void on_wake(void *arg)
{
	++*(unsigned *)arg;
}

static struct parcel *parcel_of(struct pt_pool *pool, unsigned messages)
{
	struct parcel *p = parcel_new(pool), *spare = NULL;
	for (unsigned i = 0; i < messages; i++) {
		struct pt_msg *m = pt_msg_new(pool, content, 1000);
		ck_assert(parcel_add(p, PT_LOW, m));
		pt_msg_unref(m);
	}
	p = parcel_close(p, &spare);
	parcel_free(spare);
	return p;
}

static void expect_lost(struct channel_end *end, uint64_t own, uint64_t others)
{
	const struct channel_lost lost = channel_leave(end);
	ck_assert_uint_eq(lost.own, own);
	ck_assert_uint_eq(lost.others, others);
}

START_TEST(a_channel_has_one_receiver_and_waits_for_it)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_error err = PT_ERROR_INIT;
	unsigned woken[3] = {0};
	bool over;
	struct channel_end a = {.wake = on_wake, .arg = &woken[0], .block = "a"},
			   r = {.wake = on_wake, .arg = &woken[1], .block = "r"},
			   s = {.wake = on_wake, .arg = &woken[2], .block = "s"};
	ck_assert_int_eq(channel_join("c", false, &a, NULL), 0);
	channel_put(&a, parcel_of(pool, 10));
	ck_assert(channel_is_full(&a, 10000));
	ck_assert_int_eq(channel_join("c", true, &r, NULL), 0);
	ck_assert_int_eq(channel_join("c", true, &s, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "received by 'r'"));
	pt_error_clear(&err);
	struct parcel *p = channel_take(&r, &over);
	ck_assert_uint_eq(p->count, 10);
	ck_assert_uint_eq(woken[0], 1);
	parcel_free(p);
	ck_assert_ptr_null(channel_take(&r, &over));
	ck_assert(!over);
	channel_end(&a);
	ck_assert_uint_eq(woken[1], 1);
	ck_assert_ptr_null(channel_take(&r, &over));
	ck_assert(over);
	ck_assert_int_eq(channel_join("c", false, &s, &err), -EBUSY);
	pt_error_clear(&err);
	expect_lost(&a, 0, 0);
	expect_lost(&r, 0, 0);
	pool_free(pool);
}
END_TEST

START_TEST(who_leaves_last_is_told_what_is_lost)
{
	struct pt_pool *pool = pool_new(0);
	unsigned woken = 0;
	struct channel_end a = {.wake = on_wake, .arg = &woken}, b = a;
	ck_assert_int_eq(channel_join("c", false, &a, NULL), 0);
	ck_assert_int_eq(channel_join("c", false, &b, NULL), 0);
	channel_put(&a, parcel_of(pool, 3));
	channel_put(&b, parcel_of(pool, 4));
	channel_put(&a, parcel_of(pool, 5));
	ck_assert_uint_eq(channel_drop_oldest(&a, 6000), 3);
	expect_lost(&a, 0, 0);
	expect_lost(&b, 4, 5);
	pool_free(pool);
}
END_TEST

/* And where both are of one engine nobody waits. */
START_TEST(a_receiver_s_checkpoint_waits_for_the_sender_s)
{
	unsigned woken[2] = {0};
	bool wanted;
	struct channel_end a = {.wake = on_wake, .arg = &woken[0], .block = "a", .engine = "one"},
			   r = {.wake = on_wake, .arg = &woken[1], .block = "r", .engine = "two"};
	ck_assert_int_eq(channel_join("c", false, &a, NULL), 0);
	ck_assert_int_eq(channel_join("c", true, &r, NULL), 0);
	channel_keep(&a, 7);
	channel_commit(&a, 10);
	ck_assert(channel_is_committed(&r, 7, 10));
	ck_assert(!channel_is_committed(&r, 7, 11));
	ck_assert_uint_eq(woken[0], 1);
	ck_assert_uint_eq(channel_settled(&a, &wanted), 0);
	ck_assert(wanted);
	channel_commit(&a, 11);
	ck_assert_uint_eq(woken[1], 1);
	ck_assert(channel_is_committed(&r, 7, 11));
	channel_settle(&r, 7, 11);
	ck_assert_uint_eq(channel_settled(&a, &wanted), 11);
	ck_assert(!wanted);
	r.engine = "one";
	ck_assert(channel_is_committed(&r, 7, 100));
	expect_lost(&a, 0, 0);
	ck_assert(channel_is_committed(&r, 7, 100));
	expect_lost(&r, 0, 0);
}
END_TEST

UNIT_TESTS("msg/parcel", what_goes_in_comes_out_in_another_pool,
           long_bytes_of_ones_own_go_along_without_a_copy,
           one_that_is_mostly_empty_takes_little_memory,
           a_channel_has_one_receiver_and_waits_for_it, who_leaves_last_is_told_what_is_lost,
           a_receiver_s_checkpoint_waits_for_the_sender_s)
