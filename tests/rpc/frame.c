/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines out of pieces. */
#include "rpc/frame.h"
#include "unit.h"
#include <string.h>

static struct frame frame;

static void arrive_bytes(const char *bytes, size_t length)
{
	memcpy(frame_room(&frame, length), bytes, length);
	frame_filled(&frame, length);
}

static void arrive(const char *text)
{
	arrive_bytes(text, strlen(text));
}

static void expect(bool end, enum frame_result want, const char *want_line)
{
	const char *line;
	size_t length;
	ck_assert_int_eq(frame_next(&frame, end, &line, &length), want);
	if (want != FRAME_LINE)
		return;
	ck_assert_uint_eq(length, strlen(want_line));
	ck_assert(!memcmp(line, want_line, length));
}

static void expect_line(const char *want)
{
	expect(false, FRAME_LINE, want);
}

static void expect_nothing(void)
{
	expect(false, FRAME_NONE, NULL);
}

START_TEST(lines_are_given_one_by_one)
{
	frame_init(&frame, 0, NULL);
	arrive("one\ntwo\r\n\n\r\nthr");
	expect_line("one");
	expect_line("two");
	expect_nothing();
	ck_assert_uint_eq(frame_left(&frame), 3);
	arrive("ee\n");
	expect_line("three");
	expect_nothing();
	ck_assert_uint_eq(frame_left(&frame), 0);
	frame_fini(&frame);
}
END_TEST

START_TEST(a_last_line_without_newline_counts_at_the_end)
{
	frame_init(&frame, 0, NULL);
	arrive("one\ntwo\r");
	expect(true, FRAME_LINE, "one");
	expect(true, FRAME_LINE, "two");
	expect(true, FRAME_NONE, NULL);
	frame_fini(&frame);
}
END_TEST

START_TEST(bytes_may_dribble_in)
{
	frame_init(&frame, 0, NULL);
	for (int round = 0; round < 3; round++) {
		arrive("a");
		expect_nothing();
		arrive("b");
		expect_nothing();
		arrive("\n");
		expect_line("ab");
		expect_nothing();
	}
	frame_fini(&frame);
}
END_TEST

START_TEST(the_limit_counts_neither_newline_nor_return)
{
	frame_init(&frame, 4, NULL);
	arrive("1234\n1234\r\n");
	expect_line("1234");
	expect_line("1234");
	arrive("12345\nok\n");
	expect(false, FRAME_TOO_LONG, NULL);
	expect_line("ok");
	arrive("1234\r");
	expect_nothing();
	arrive("\n");
	expect_line("1234");
	arrive("1234\r");
	expect_nothing();
	arrive("5\nok\n");
	expect(false, FRAME_TOO_LONG, NULL);
	expect_line("ok");
	arrive("1234\r");
	expect(true, FRAME_LINE, "1234");
	frame_fini(&frame);
}
END_TEST

START_TEST(a_line_too_long_is_told_once_and_thrown_away)
{
	frame_init(&frame, 1000, NULL);
	for (int i = 0; i < 100; i++) {
		char many[100];
		memset(many, 'x', sizeof many);
		arrive_bytes(many, sizeof many);
		expect(false, i == 10 ? FRAME_TOO_LONG : FRAME_NONE, NULL);
		ck_assert_uint_le(frame.buffer.room, 4096);
	}
	arrive("end\nok\n");
	expect_line("ok");
	expect_nothing();
	frame_fini(&frame);
}
END_TEST

START_TEST(a_line_too_long_may_be_the_last)
{
	frame_init(&frame, 2, NULL);
	arrive("123");
	expect(true, FRAME_TOO_LONG, NULL);
	expect(true, FRAME_NONE, NULL);
	frame_fini(&frame);
}
END_TEST

START_TEST(a_mebibyte_is_taken_and_its_memory_given_back)
{
	size_t length = FRAME_LINE_MAX;
	char *many = malloc(length + 2), *shown;
	const char *line;
	memset(many, 'x', length);
	memcpy(many + length, "\r\n", 2);
	frame_init(&frame, 0, NULL);
	arrive_bytes(many, length + 2);
	ck_assert_int_eq(frame_next(&frame, false, &line, &length), FRAME_LINE);
	ck_assert_uint_eq(length, FRAME_LINE_MAX);
	shown = frame_room(&frame, 1);
	ck_assert_ptr_nonnull(shown);
	ck_assert_uint_le(frame.buffer.room, 4096);
	frame_fini(&frame);
	free(many);
}
END_TEST

static enum frame_result arrive_long(struct frame *f, const char *bytes, size_t length)
{
	const char *line;
	memcpy(frame_room(f, length), bytes, length);
	frame_filled(f, length);
	return frame_next(f, false, &line, &length);
}

START_TEST(long_lines_share_a_budget)
{
	const size_t piece = FRAME_LINE_MAX;
	char *many = malloc(piece);
	struct frame_budget budget = {.max = 5 * piece};
	struct frame a, b;
	memset(many, 'x', piece);
	frame_init(&a, 16 * piece, &budget);
	frame_init(&b, 16 * piece, &budget);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(arrive_long(&a, many, piece), FRAME_NONE);
	ck_assert_int_eq(arrive_long(&b, many, piece), FRAME_NONE);
	ck_assert_int_eq(arrive_long(&b, many, piece), FRAME_NONE);
	ck_assert_uint_eq(budget.used, 5 * piece);
	ck_assert_int_eq(arrive_long(&b, many, piece), FRAME_CROWDED);
	ck_assert_uint_eq(budget.used, 3 * piece);
	ck_assert_int_eq(arrive_long(&b, many, piece), FRAME_NONE);
	ck_assert_int_eq(arrive_long(&b, "\nok\n", 4), FRAME_LINE);
	ck_assert_int_eq(arrive_long(&a, "\n", 1), FRAME_LINE);
	ck_assert_uint_eq(budget.used, 3 * piece); /* it is still looked at */
	ck_assert_int_eq(arrive_long(&a, "ok\n", 3), FRAME_LINE);
	ck_assert_uint_eq(budget.used, 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(arrive_long(&a, many, piece), FRAME_NONE);
	frame_fini(&a);
	frame_fini(&b);
	ck_assert_uint_eq(budget.used, 0);
	free(many);
}
END_TEST

START_TEST(any_pieces_give_the_same_lines)
{
	static const char text[] = "a\n\nbb\r\nccccc\r\ndddddd\ne\r\r\n\r\nffffff";
	static const char *const want[] = {"a", "bb", "ccccc", NULL, "e\r", NULL};
	size_t total = sizeof text - 1;
	for (size_t piece = 1; piece <= total; piece++) {
		size_t seen = 0;
		frame_init(&frame, 5, NULL);
		for (size_t at = 0; at < total; at += piece) {
			size_t part = total - at < piece ? total - at : piece;
			const char *line;
			size_t length;
			enum frame_result result;
			arrive_bytes(text + at, part);
			while ((result = frame_next(&frame, at + part == total, &line, &length))) {
				ck_assert_uint_lt(seen, sizeof want / sizeof *want);
				ck_assert_int_eq(result, want[seen] ? FRAME_LINE : FRAME_TOO_LONG);
				if (want[seen])
					ck_assert_uint_eq(length, strlen(want[seen]));
				seen++;
			}
		}
		ck_assert_uint_eq(seen, sizeof want / sizeof *want);
		frame_fini(&frame);
	}
}
END_TEST

UNIT_TESTS("rpc/frame", lines_are_given_one_by_one, a_last_line_without_newline_counts_at_the_end,
           bytes_may_dribble_in, the_limit_counts_neither_newline_nor_return,
           a_line_too_long_is_told_once_and_thrown_away, a_line_too_long_may_be_the_last,
           a_mebibyte_is_taken_and_its_memory_given_back, long_lines_share_a_budget,
           any_pieces_give_the_same_lines)
