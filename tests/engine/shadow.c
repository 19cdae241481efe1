/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue's contents in memory that another process may find. */
#include "engine/shadow.h"

#include "msg/pool.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct pt_pool *pool;

static bool push(struct shadow *s, const char *text, size_t length, bool high)
{
	struct pt_msg *m = pt_msg_packet(pool, text, length, length + 1, 7, 123456789);
	bool pushed = shadow_push(s, m, high);
	pt_msg_unref(m);
	return pushed;
}

struct seen {
	char text[4096];
	unsigned count;
};

static void see(void *arg, const struct pt_msg *m, bool high)
{
	struct seen *seen = arg;
	ck_assert_uint_eq(m->link_type, 7);
	ck_assert_uint_eq(m->time_ns, 123456789);
	seen->count++;
	strcat(seen->text, high ? ">>" : ">");
	strncat(seen->text, (const char *)m->bytes, m->length < 100 ? m->length : 100);
}

/* As the next process finds it. */
static struct seen found(const struct shadow *s)
{
	struct seen seen = {""};
	struct shadow *other = shadow_open(dup(shadow_fd(s)));
	ck_assert_ptr_nonnull(other);
	ck_assert(!shadow_each(other, see, &seen));
	shadow_free(other);
	return seen;
}

START_TEST(what_was_pushed_and_not_popped_is_found)
{
	pool = pool_new(0);
	struct shadow *s = shadow_new();
	ck_assert_str_eq(found(s).text, "");
	push(s, "one", 3, false);
	push(s, "two", 3, true);
	push(s, "", 0, false);
	ck_assert_str_eq(found(s).text, ">one>>two>");
	shadow_skip(s, 2);
	ck_assert_str_eq(found(s).text, ">e>>two>");
	shadow_pop(s);
	ck_assert_str_eq(found(s).text, ">>two>");
	shadow_pop(s);
	shadow_pop(s);
	shadow_pop(s);
	ck_assert_str_eq(found(s).text, "");
	push(s, "again", 5, false);
	ck_assert_str_eq(found(s).text, ">again");
	shadow_free(s);
	pool_free(pool);
}
END_TEST

/* Of what had been sent in part when the process ended, no more is said than is gone in all. */
START_TEST(one_that_was_found_goes_on)
{
	pool = pool_new(0);
	struct shadow *s = shadow_new();
	push(s, "abcdef", 6, false);
	push(s, "ghi", 3, false);
	shadow_skip(s, 2);
	struct shadow *next = shadow_open(dup(shadow_fd(s)));
	shadow_free(s);
	shadow_skip(next, 0);
	ck_assert_str_eq(found(next).text, ">cdef>ghi");
	shadow_skip(next, 3);
	ck_assert_str_eq(found(next).text, ">f>ghi");
	shadow_pop(next);
	shadow_skip(next, 1);
	ck_assert_str_eq(found(next).text, ">hi");
	shadow_free(next);
	pool_free(pool);
}
END_TEST

/* Round and round, with lengths that do not divide it. */
START_TEST(a_ring_comes_round)
{
	pool = pool_new(0);
	struct shadow *s = shadow_new();
	char text[1000];
	unsigned first = 0;
	for (unsigned n = 0; n < 20000; n++) {
		snprintf(text, sizeof text, "%05u", n);
		while (!push(s, text, 5 + n % 900, n % 2)) {
			shadow_pop(s);
			first++;
		}
		if (n % 997 == 0) {
			struct seen seen = {""};
			struct shadow *other = shadow_open(dup(shadow_fd(s)));
			char expected[20];
			while (n - first > 20) {
				shadow_pop(s);
				first++;
			}
			shadow_each(other, see, &seen);
			snprintf(expected, sizeof expected, "%s%05u", first % 2 ? ">>" : ">",
			         first);
			ck_assert_uint_eq(seen.count, n - first + 1);
			ck_assert_int_eq(strncmp(seen.text, expected, strlen(expected)), 0);
			shadow_free(other);
		}
	}
	struct shadow *larger = shadow_larger(s);
	while (push(s, text, 900, false))
		;
	ck_assert(push(larger, text, 900, false));
	shadow_free(larger);
	shadow_free(s);
	pool_free(pool);
}
END_TEST

/* Nothing of it is believed. */
START_TEST(what_is_damaged_is_refused_or_ends)
{
	pool = pool_new(0);
	int null = open("/dev/null", O_RDWR);
	ck_assert_ptr_null(shadow_open(null));
	unsigned chance = 1;
	for (int round = 0; round < 300; round++) {
		struct shadow *s = shadow_new();
		struct seen seen = {""};
		push(s, "one", 3, false);
		push(s, "two", 3, false);
		for (int n = 0; n < 8; n++) {
			chance = chance * 1103515245 + 12345;
			uint8_t byte = (uint8_t)(chance >> 16);
			off_t at = round % 2 ? (off_t)(chance % 48) : 4096 + (off_t)(chance % 80);
			ck_assert_int_eq(pwrite(shadow_fd(s), &byte, 1, at), 1);
		}
		struct shadow *other = shadow_open(dup(shadow_fd(s)));
		if (other && round % 2)
			shadow_each(other, see, &seen);
		shadow_free(other);
		shadow_free(s);
	}
	pool_free(pool);
}
END_TEST

START_TEST(a_damaged_record_is_told)
{
	pool = pool_new(0);
	struct shadow *s = shadow_new();
	struct seen seen = {""};
	const uint32_t too_long = UINT32_MAX - 100;
	push(s, "one", 3, false);
	push(s, "two", 3, false);
	push(s, "three", 5, false);
	off_t second = 4096 + 40 + 8, length = 16;
	ck_assert_int_eq(pwrite(shadow_fd(s), &too_long, sizeof too_long, second + length), 4);
	struct shadow *other = shadow_open(dup(shadow_fd(s)));
	ck_assert_uint_eq(shadow_each(other, see, &seen), 2);
	ck_assert_str_eq(seen.text, ">one");
	ck_assert(push(other, "four", 4, true));
	seen = (struct seen){""};
	ck_assert_uint_eq(shadow_each(other, see, &seen), 0);
	ck_assert_str_eq(seen.text, ">one>>four");
	shadow_free(other);
	shadow_free(s);
	pool_free(pool);
}
END_TEST

/* Whatever bit it is: what is found is what was there, and the rest is counted. */
START_TEST(a_flipped_bit_is_found)
{
	pool = pool_new(0);
	for (off_t bit = 0; bit < 8 * (48 + 3 * 48); bit++) {
		struct shadow *s = shadow_new();
		struct seen seen = {""};
		uint8_t byte;
		push(s, "one", 3, false);
		push(s, "two", 3, false);
		push(s, "three", 5, true);
		off_t at = bit < 8 * 48 ? bit / 8 : 4096 - 48 + bit / 8;
		ck_assert_int_eq(pread(shadow_fd(s), &byte, 1, at), 1);
		byte ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(pwrite(shadow_fd(s), &byte, 1, at), 1);
		struct shadow *other = shadow_open(dup(shadow_fd(s)));
		uint64_t lost = shadow_each(other, see, &seen);
		ck_assert_int_eq(strncmp(">one>two>>three", seen.text, strlen(seen.text)), 0);
		ck_assert_msg(seen.count + lost == 3, "bit %d: %u and %d", (int)bit, seen.count,
		              (int)lost);
		shadow_free(other);
		shadow_free(s);
	}
	pool_free(pool);
}
END_TEST

UNIT_TESTS("engine/shadow", what_was_pushed_and_not_popped_is_found, one_that_was_found_goes_on,
           a_ring_comes_round, what_is_damaged_is_refused_or_ends, a_damaged_record_is_told,
           a_flipped_bit_is_found)
