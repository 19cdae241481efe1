/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers stay, notifications go where nobody reads, and the gap is told once, in its place. */
#include "daemon/outbox.h"

#include "unit.h"
#include <stdio.h>
#include <string.h>

static struct outbox box;
static struct buf line;

static const struct buf *text(const char *of)
{
	buf_clear(&line);
	buf_adds(&line, of);
	return &line;
}

static const struct buf *block_of(size_t length)
{
	buf_clear(&line);
	memset(buf_reserve(&line, length), 'n', length);
	line.length = length;
	return &line;
}

static char *read_all(void)
{
	size_t length;
	struct buf read = BUF_INIT;
	for (const char *bytes; (bytes = outbox_next(&box, &length));) {
		size_t part = length > 1000 ? 1000 : length;
		buf_add(&read, bytes, part);
		outbox_advance(&box, part);
	}
	return buf_steal(&read);
}

static void expect(const char *wanted)
{
	char *read = read_all();
	ck_assert_str_eq(read, wanted);
	free(read);
}

static void done(void)
{
	outbox_fini(&box);
	buf_free(&line);
}

START_TEST(what_goes_in_comes_out_in_order)
{
	outbox_answer(&box, text("one\n"));
	ck_assert(outbox_notify(&box, text("two\n")));
	ck_assert(outbox_notify(&box, text("three\n")));
	outbox_answer(&box, text("four\n"));
	ck_assert_uint_eq(box.answers, 2);
	expect("one\ntwo\nthree\nfour\n");
	ck_assert_uint_eq(box.answers, 0);
	ck_assert_uint_eq(box.unread, 0);
	done();
}
END_TEST

START_TEST(sixty_four_answers_are_enough)
{
	for (int i = 0; i < OUTBOX_ANSWERS_MAX; i++) {
		ck_assert(outbox_has_room(&box));
		outbox_answer(&box, text("a\n"));
	}
	ck_assert(!outbox_has_room(&box));
	outbox_advance(&box, 1);
	ck_assert(!outbox_has_room(&box));
	outbox_advance(&box, 1);
	ck_assert(outbox_has_room(&box));
	done();
}
END_TEST

START_TEST(notifications_do_not_count_as_answers)
{
	for (int i = 0; i < 1000; i++)
		outbox_notify(&box, text("n\n"));
	ck_assert(outbox_has_room(&box));
	done();
}
END_TEST

START_TEST(unread_notifications_are_dropped_and_told_of_once)
{
	unsigned dropped = 0;
	for (int i = 0; i < 100; i++)
		dropped += !outbox_notify(&box, block_of(100000));
	ck_assert_uint_gt(dropped, 50);
	outbox_answer(&box, text("answer\n"));
	char *read = read_all(), words[64];
	snprintf(words, sizeof words, "\"dropped\":%u", dropped);
	char *gap = strstr(read, "\"gap\"");
	ck_assert_ptr_nonnull(gap);
	ck_assert_ptr_nonnull(strstr(gap, words));
	ck_assert_ptr_null(strstr(gap + 1, "\"gap\""));
	ck_assert_ptr_nonnull(strstr(read, "answer\n"));
	ck_assert_uint_eq(box.unread, 0);
	ck_assert(outbox_notify(&box, text("again\n")));
	free(read);
	done();
}
END_TEST

START_TEST(who_does_not_read_at_all_is_given_up)
{
	while (outbox_notify(&box, block_of(100000)))
		;
	size_t dropped = 100000;
	for (; !outbox_given_up(&box) && dropped < 4 * (size_t)OUTBOX_PATIENCE; dropped += 100000)
		outbox_notify(&box, block_of(100000));
	ck_assert_uint_gt(dropped, OUTBOX_PATIENCE);
	ck_assert_uint_le(dropped, OUTBOX_PATIENCE + 200000);
	done();
}
END_TEST

START_TEST(who_reads_a_little_is_not_given_up)
{
	for (int i = 0; i < 1000; i++) {
		outbox_notify(&box, block_of(100000));
		if (i % 50 == 0)
			outbox_advance(&box, 1);
	}
	ck_assert(!outbox_given_up(&box));
	done();
}
END_TEST

START_TEST(one_notification_of_any_size_gets_through)
{
	ck_assert(outbox_notify(&box, block_of(OUTBOX_UNREAD_MAX + 1)));
	ck_assert(!outbox_notify(&box, text("no room\n")));
	char *read = read_all();
	ck_assert_ptr_nonnull(strstr(read, "\"dropped\":1"));
	free(read);
	done();
}
END_TEST

START_TEST(what_was_lost_before_is_told_in_its_place)
{
	outbox_notify(&box, text("before\n"));
	outbox_lost(&box, 3);
	outbox_notify(&box, text("after\n"));
	char *read = read_all();
	char *gap = strstr(read, "\"dropped\":3");
	ck_assert_ptr_nonnull(gap);
	ck_assert_ptr_nonnull(strstr(gap, "after\n"));
	ck_assert_int_eq(strncmp(read, "before\n", 7), 0);
	free(read);
	done();
}
END_TEST

/* A thousand random steps against sums. */
START_TEST(the_counts_agree_with_the_bytes)
{
	uint64_t in = 0, out = 0, seed = 1;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		unsigned kind = (unsigned)(seed >> 60), length = (unsigned)(seed >> 40) % 500 + 1;
		size_t waiting;
		outbox_next(&box, &waiting);
		if (kind < 4) {
			outbox_answer(&box, block_of(length));
			in += length;
		} else if (kind < 8) {
			if (outbox_notify(&box, block_of(length)))
				in += length;
		} else if (waiting) {
			size_t part = length < waiting ? length : waiting;
			outbox_advance(&box, part);
			out += part;
		}
		outbox_next(&box, &waiting);
		ck_assert_uint_eq(in - out, waiting);
	}
	free(read_all());
	ck_assert_uint_eq(box.answers, 0);
	ck_assert_uint_eq(box.unread, 0);
	ck_assert_uint_eq(box.count, 0);
	done();
}
END_TEST

UNIT_TESTS("daemon/outbox", what_goes_in_comes_out_in_order, sixty_four_answers_are_enough,
           notifications_do_not_count_as_answers, unread_notifications_are_dropped_and_told_of_once,
           who_does_not_read_at_all_is_given_up, who_reads_a_little_is_not_given_up,
           one_notification_of_any_size_gets_through, what_was_lost_before_is_told_in_its_place,
           the_counts_agree_with_the_bytes)
