/* SPDX-License-Identifier: BSD-2-Clause */
/* Records in memory that another process may find. */
#include "engine/ring.h"

#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool push(struct ring *s, const char *text, size_t length, bool high)
{
	return ring_push(s,
	                 &(const struct ring_record){RING_MESSAGE, high ? ">>      " : ">       ",
	                                             text, 8, (uint32_t)length});
}

struct seen {
	char text[4096];
	unsigned count;
};

static void see(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	struct seen *seen = arg;
	seen->count++;
	strcat(seen->text, bytes[1] == '>' ? ">>" : ">");
	bytes += 8 + gone;
	length -= 8 + gone;
	strncat(seen->text, (const char *)bytes, length < 100 ? length : 100);
}

/* As the next process finds it. */
static struct seen found(const struct ring *s)
{
	struct seen seen = {""};
	struct ring *other = ring_open(dup(ring_fd(s)));
	ck_assert_ptr_nonnull(other);
	ck_assert(!ring_each(other, RING_MESSAGE, see, &seen));
	ring_free(other);
	return seen;
}

START_TEST(what_was_pushed_and_not_popped_is_found)
{
	struct ring *s = ring_new(0);
	ck_assert_str_eq(found(s).text, "");
	push(s, "one", 3, false);
	push(s, "two", 3, true);
	push(s, "", 0, false);
	ck_assert_str_eq(found(s).text, ">one>>two>");
	ring_skip(s, 2);
	ck_assert_str_eq(found(s).text, ">e>>two>");
	ring_pop(s);
	ck_assert_str_eq(found(s).text, ">>two>");
	ring_pop(s);
	ring_pop(s);
	ring_pop(s);
	ck_assert_str_eq(found(s).text, "");
	push(s, "again", 5, false);
	ck_assert_str_eq(found(s).text, ">again");
	ring_free(s);
}
END_TEST

/* Of what had been sent in part when the process ended, no more is said than is gone in all. */
START_TEST(one_that_was_found_goes_on)
{
	struct ring *s = ring_new(0);
	push(s, "abcdef", 6, false);
	push(s, "ghi", 3, false);
	ring_skip(s, 2);
	struct ring *next = ring_open(dup(ring_fd(s)));
	ring_free(s);
	ring_skip(next, 0);
	ck_assert_str_eq(found(next).text, ">cdef>ghi");
	ring_skip(next, 3);
	ck_assert_str_eq(found(next).text, ">f>ghi");
	ring_pop(next);
	ring_skip(next, 1);
	ck_assert_str_eq(found(next).text, ">hi");
	ring_free(next);
}
END_TEST

/* Round and round, with lengths that do not divide it. */
START_TEST(a_ring_comes_round)
{
	struct ring *s = ring_new(0);
	char text[1000];
	unsigned first = 0;
	for (unsigned n = 0; n < 20000; n++) {
		snprintf(text, sizeof text, "%05u", n);
		while (!push(s, text, 5 + n % 900, n % 2)) {
			ring_pop(s);
			first++;
		}
		if (n % 997 == 0) {
			struct seen seen = {""};
			struct ring *other = ring_open(dup(ring_fd(s)));
			char expected[20];
			while (n - first > 20) {
				ring_pop(s);
				first++;
			}
			ring_each(other, RING_MESSAGE, see, &seen);
			snprintf(expected, sizeof expected, "%s%05u", first % 2 ? ">>" : ">",
			         first);
			ck_assert_uint_eq(seen.count, n - first + 1);
			ck_assert_int_eq(strncmp(seen.text, expected, strlen(expected)), 0);
			ring_free(other);
		}
	}
	struct ring *larger = ring_larger(s);
	while (push(s, text, 900, false))
		;
	ck_assert(push(larger, text, 900, false));
	ring_free(larger);
	ring_free(s);
}
END_TEST

/* Nothing of it is believed. */
START_TEST(what_is_damaged_is_refused_or_ends)
{
	int null = open("/dev/null", O_RDWR);
	ck_assert_ptr_null(ring_open(null));
	unsigned chance = 1;
	for (int round = 0; round < 300; round++) {
		struct ring *s = ring_new(0);
		struct seen seen = {""};
		push(s, "one", 3, false);
		push(s, "two", 3, false);
		for (int n = 0; n < 8; n++) {
			chance = chance * 1103515245 + 12345;
			uint8_t byte = (uint8_t)(chance >> 16);
			off_t at = round % 2 ? (off_t)(chance % 48) : 4096 + (off_t)(chance % 80);
			ck_assert_int_eq(pwrite(ring_fd(s), &byte, 1, at), 1);
		}
		struct ring *other = ring_open(dup(ring_fd(s)));
		if (other && round % 2)
			ring_each(other, RING_MESSAGE, see, &seen);
		ring_free(other);
		ring_free(s);
	}
}
END_TEST

START_TEST(a_damaged_record_is_told)
{
	struct ring *s = ring_new(0);
	struct seen seen = {""};
	const uint32_t too_long = UINT32_MAX - 100;
	push(s, "one", 3, false);
	push(s, "two", 3, false);
	push(s, "three", 5, false);
	off_t second = 4096 + 32, length = 8;
	ck_assert_int_eq(pwrite(ring_fd(s), &too_long, sizeof too_long, second + length), 4);
	struct ring *other = ring_open(dup(ring_fd(s)));
	ck_assert_uint_eq(ring_each(other, RING_MESSAGE, see, &seen), 2);
	ck_assert_str_eq(seen.text, ">one");
	ck_assert(push(other, "four", 4, true));
	seen = (struct seen){""};
	ck_assert_uint_eq(ring_each(other, RING_MESSAGE, see, &seen), 0);
	ck_assert_str_eq(seen.text, ">one>>four");
	ring_free(other);
	ring_free(s);
}
END_TEST

/* Whatever bit it is: what is found is what was there, and the rest is counted. */
static void last(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	snprintf(arg, 100, "%.*s", (int)length, (const char *)bytes);
}

static bool replace(struct ring *s, const char *text, size_t length)
{
	return ring_replace(s, &(const struct ring_record){RING_CARRY, .bytes = text,
	                                                   .length = (uint32_t)length});
}

/* What is read, and how much of it is lost. */
static uint64_t only(const struct ring *s, char text[100])
{
	struct ring *other = ring_open(dup(ring_fd(s)));
	strcpy(text, "nothing");
	uint64_t lost = ring_each(other, RING_CARRY, last, text);
	ring_free(other);
	return lost;
}

START_TEST(one_takes_the_place_of_all)
{
	struct ring *s = ring_new(0);
	char text[100], expected[100];
	ck_assert_uint_eq(only(s, text), 0);
	ck_assert_str_eq(text, "nothing");
	for (int n = 0; n < 100; n++) {
		snprintf(expected, sizeof expected, "%*d", n % 40, n);
		ck_assert(replace(s, expected, strlen(expected)));
		ck_assert_uint_eq(only(s, text), 0);
		ck_assert_str_eq(text, expected);
	}
	static char large[200 * 1024];
	ck_assert(!replace(s, large, sizeof large));
	ck_assert_uint_eq(only(s, text), 0);
	ck_assert_str_eq(text, expected);
	struct seen seen = {""};
	ck_assert_uint_eq(ring_each(s, RING_MESSAGE, see, &seen), 1); /* of another kind */
	ring_free(s);
}
END_TEST

/* Bytes of the new one are there, and it is not seen yet: the one before counts. */
START_TEST(of_one_that_was_not_finished_the_one_before)
{
	struct ring *s = ring_new(0);
	uint8_t page[48];
	char text[100];
	replace(s, "whole", 5);
	ck_assert_int_eq(pread(ring_fd(s), page, sizeof page, 0), sizeof page);
	replace(s, "torn", 4);
	ck_assert_int_eq(pwrite(ring_fd(s), page, sizeof page, 0), sizeof page);
	ck_assert_uint_eq(only(s, text), 0);
	ck_assert_str_eq(text, "whole");
	ring_free(s);
}
END_TEST

/* Each bit of the first page, and of the record, which then is lost. */
START_TEST(a_flipped_bit_of_the_only_one_is_found)
{
	for (off_t bit = 0; bit < 8 * (48 + 20); bit++) {
		struct ring *s = ring_new(0);
		char text[100];
		uint8_t byte;
		replace(s, "only", 4);
		off_t at = bit < 8 * 48 ? bit / 8 : 4096 + 128 * 1024 - 48 + bit / 8;
		ck_assert_int_eq(pread(ring_fd(s), &byte, 1, at), 1);
		byte ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(pwrite(ring_fd(s), &byte, 1, at), 1);
		uint64_t lost = only(s, text);
		ck_assert_str_eq(text, lost ? "nothing" : "only");
		ck_assert(bit < 8 * 48 || lost);
		ck_assert(replace(s, "next", 4));
		ck_assert_uint_eq(only(s, text), 0);
		ck_assert_str_eq(text, "next");
		ring_free(s);
	}
}
END_TEST

START_TEST(a_flipped_bit_is_found)
{
	for (off_t bit = 0; bit < 8 * (48 + 3 * 32); bit++) {
		struct ring *s = ring_new(0);
		struct seen seen = {""};
		uint8_t byte;
		push(s, "one", 3, false);
		push(s, "two", 3, false);
		push(s, "three", 5, true);
		off_t at = bit < 8 * 48 ? bit / 8 : 4096 - 48 + bit / 8;
		ck_assert_int_eq(pread(ring_fd(s), &byte, 1, at), 1);
		byte ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(pwrite(ring_fd(s), &byte, 1, at), 1);
		struct ring *other = ring_open(dup(ring_fd(s)));
		uint64_t lost = ring_each(other, RING_MESSAGE, see, &seen);
		ck_assert_ptr_nonnull(strstr(">one>two>>three", seen.text));
		ck_assert_msg(seen.count + lost == 3, "bit %d: %u and %d", (int)bit, seen.count,
		              (int)lost);
		ck_assert(push(other, "four", 4, false));
		struct seen after = found(other);
		ck_assert_str_eq(after.text + strlen(after.text) - 5, ">four");
		ring_free(other);
		ring_free(s);
	}
}
END_TEST

static struct seen found_at(const struct ring *s, const struct ring_mark *mark)
{
	struct seen seen = {""};
	struct ring *copy = ring_new(0), *other;
	char bytes[8192];
	for (off_t at = 0; at < 65536; at += (off_t)sizeof bytes) {
		ssize_t n = pread(ring_fd(s), bytes, sizeof bytes, at);
		ck_assert_int_eq(pwrite(ring_fd(copy), bytes, (size_t)n, at), n);
	}
	other = ring_open(dup(ring_fd(copy)));
	ring_free(copy);
	if (ring_go_back(other, mark))
		ck_assert(!ring_each(other, RING_MESSAGE, see, &seen));
	else
		strcpy(seen.text, "no");
	ring_free(other);
	return seen;
}

/* What is taken stays until a later cut counts, and what came after is not there. */
START_TEST(it_goes_back_to_a_cut)
{
	struct ring *s = ring_new(0);
	struct ring_mark empty = ring_note(s, 1, 0);
	push(s, "one", 3, false);
	push(s, "two", 3, false);
	struct ring_mark first = ring_note(s, 2, 1);
	ring_take(s);
	push(s, "three", 5, false);
	ck_assert_str_eq(found_at(s, &first).text, ">one>two");
	ck_assert_str_eq(found_at(s, &empty).text, "");
	ring_skip(s, 1);
	struct ring_mark second = ring_note(s, 3, 2);
	ck_assert_str_eq(found_at(s, &first).text, ">one>two");
	ring_take(s);
	ck_assert_str_eq(found_at(s, &second).text, ">wo>three");
	struct ring_mark third = ring_note(s, 4, 3);
	ck_assert_str_eq(found_at(s, &first).text, "no");
	ck_assert_str_eq(found_at(s, &third).text, ">three");
	ring_take(s);
	struct ring_mark last = ring_note(s, 5, 4);
	ring_note(s, 6, 5);
	push(s, "four", 4, false);
	ck_assert_str_eq(found_at(s, &last).text, "");
	ck_assert_str_eq(found_at(s, &third).text, "no");
	ring_free(s);
}
END_TEST

static void append(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	strncat(arg, (const char *)bytes, length);
}

static const char *both(const struct ring *s, char *text)
{
	struct ring *other = ring_open(dup(ring_fd(s)));
	text[0] = 0;
	ck_assert(!ring_each(other, RING_CARRY, append, text));
	ring_free(other);
	return text;
}

START_TEST(of_two_beside_each_other_the_first_stays)
{
	struct ring *s = ring_new(0);
	char text[100];
	const struct ring_record a = {RING_CARRY, .bytes = "a", .length = 1},
				 b = {RING_CARRY, .bytes = "b", .length = 1},
				 c = {RING_CARRY, .bytes = "c", .length = 1};
	ck_assert(ring_beside(s, &a));
	ck_assert_str_eq(both(s, text), "a");
	ck_assert(ring_beside(s, &b));
	ck_assert_str_eq(both(s, text), "ab");
	ck_assert(ring_beside(s, &c));
	ck_assert_str_eq(both(s, text), "ac");
	ring_settle(s);
	ring_settle(s);
	ck_assert_str_eq(both(s, text), "c");
	ck_assert(ring_beside(s, &b));
	ck_assert_str_eq(both(s, text), "cb");
	ck_assert(ring_replace(s, &a));
	ck_assert_str_eq(both(s, text), "a");
	ring_free(s);
}
END_TEST

static bool has(const struct ring *s, const char *text)
{
	struct stat st;
	ck_assert_int_eq(fstat(ring_fd(s), &st), 0);
	char *all = malloc((size_t)st.st_size);
	ck_assert_int_eq(pread(ring_fd(s), all, (size_t)st.st_size, 0), st.st_size);
	bool found = memmem(all, (size_t)st.st_size, text, strlen(text));
	free(all);
	return found;
}

/* It may be killed while the new one is written. */
START_TEST(the_first_of_two_lies_there_until_another_takes_its_place)
{
	struct ring *s = ring_new(0);
	const struct ring_record first = {RING_CARRY, .bytes = "first", .length = 5},
				 second = {RING_CARRY, .bytes = "second", .length = 6},
				 third = {RING_CARRY, .bytes = "third", .length = 5};
	char text[100];
	ck_assert(ring_replace(s, &first) && ring_beside(s, &second));
	ck_assert(ring_replace(s, &third));
	ck_assert_str_eq(both(s, text), "third");
	ck_assert(has(s, "first") && !has(s, "second"));
	ring_free(s);
}
END_TEST

START_TEST(it_is_as_large_as_can_be_had)
{
	struct rlimit limit, small = {.rlim_cur = 1 << 20};
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small.rlim_max = limit.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct ring *s = ring_new((size_t)1 << 40);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_ptr_nonnull(s);
	push(s, "one", 3, false);
	ck_assert_str_eq(found(s).text, ">one");
	ring_free(s);
}
END_TEST

static off_t memory_of(const struct ring *s)
{
	struct stat st;
	ck_assert_int_eq(fstat(ring_fd(s), &st), 0);
	return st.st_blocks;
}

START_TEST(what_was_much_is_given_back_when_it_is_empty)
{
	static char text[100 * 1024];
	struct ring *s = ring_new((size_t)8 * 1024 * 1024);
	unsigned count = 0;
	while (push(s, text, sizeof text, false))
		count++;
	off_t full = memory_of(s);
	for (; count > 1; count--)
		ring_pop(s);
	ck_assert_int_eq(memory_of(s), full);
	ring_pop(s);
	ck_assert_int_lt(memory_of(s), full / 2);
	push(s, "again", 5, false);
	ck_assert_str_eq(found(s).text, ">again");
	ring_free(s);
}
END_TEST

UNIT_TESTS("engine/ring", what_was_pushed_and_not_popped_is_found, one_that_was_found_goes_on,
           a_ring_comes_round, what_is_damaged_is_refused_or_ends, a_damaged_record_is_told,
           one_takes_the_place_of_all, of_one_that_was_not_finished_the_one_before,
           a_flipped_bit_of_the_only_one_is_found, a_flipped_bit_is_found, it_goes_back_to_a_cut,
           of_two_beside_each_other_the_first_stays,
           the_first_of_two_lies_there_until_another_takes_its_place, it_is_as_large_as_can_be_had,
           what_was_much_is_given_back_when_it_is_empty)
