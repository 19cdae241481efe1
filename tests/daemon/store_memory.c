/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in shared memory is whole, whatever happened to the last of it. */
#include "daemon/store_memory.h"

#include "unit.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND ((off_t)1 << 40) /* where an odd one stands */

static int new_memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void write_one(int fd, uint64_t number, const char *key, const char *bytes)
{
	struct buf records = BUF_INIT;
	store_record_add(&records, STORE_TYPE, 0, "Sink", NULL, 0);
	store_record_add(&records, STORE_BYTES, 7, key, bytes, strlen(bytes));
	store_memory_write(fd, number, &records);
	buf_free(&records);
}

/* The second record's key and bytes, as "key=bytes", of the number that is expected. */
static void expect_one(int fd, uint64_t number, const char *text)
{
	uint64_t read;
	size_t length;
	bool damaged;
	char *records = store_memory_read(fd, &read, &length, &damaged), *key;
	struct store_record r;
	ck_assert_ptr_nonnull(records);
	ck_assert_uint_eq(read, number);
	const char *end = records + length, *at = store_record_next(records, end, &r, &key);
	ck_assert_ptr_nonnull(at);
	ck_assert(r.kind == STORE_TYPE && !r.length && !strcmp(key, "Sink"));
	free(key);
	at = store_record_next(at, end, &r, &key);
	ck_assert_ptr_nonnull(at);
	ck_assert(r.kind == STORE_BYTES && r.number == 7);
	char *found = must_printf("%s=%.*s", key, (int)r.length, at);
	ck_assert_str_eq(found, text);
	free(found);
	free(key);
	ck_assert_ptr_null(store_record_next(at + r.length, end, &r, &key));
	free(records);
}

static void expect_nothing(int fd)
{
	uint64_t number;
	size_t length;
	bool damaged;
	ck_assert_ptr_null(store_memory_read(fd, &number, &length, &damaged));
}

START_TEST(the_last_one_counts)
{
	int fd = new_memory();
	expect_nothing(fd);
	write_one(fd, 1, "a", "first");
	expect_one(fd, 1, "a=first");
	write_one(fd, 2, "b", "second, and longer");
	expect_one(fd, 2, "b=second, and longer");
	write_one(fd, 3, "c", "");
	expect_one(fd, 3, "c=");
	close(fd);
}
END_TEST

static bool is_damaged(int fd, uint64_t expected)
{
	uint64_t number;
	size_t length;
	bool damaged;
	char *records = store_memory_read(fd, &number, &length, &damaged);
	ck_assert(!records == !expected);
	ck_assert_uint_eq(number, expected);
	free(records);
	return damaged;
}

/* Killed before the header, which comes last, was written. */
START_TEST(of_one_that_was_not_finished_the_one_before)
{
	static const char none[32];
	int fd = new_memory();
	write_one(fd, 2, "a", "whole");
	write_one(fd, 3, "b", "torn");
	ck_assert_int_eq(pwrite(fd, none, sizeof none, SECOND), sizeof none);
	ck_assert(!is_damaged(fd, 2));
	expect_one(fd, 2, "a=whole");
	close(fd);
}
END_TEST

static void flip(int fd, off_t at, int bit)
{
	uint8_t byte;
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= (uint8_t)(1 << bit);
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
}

/* Each bit, in the newest, in the one before, and in the only one. */
START_TEST(a_flipped_bit_is_found)
{
	for (off_t bit = 0; bit < 80 * 8; bit++) {
		int fd = new_memory();
		write_one(fd, 1, "a", "only");
		flip(fd, SECOND + bit / 8, bit % 8);
		ck_assert(is_damaged(fd, 0));
		write_one(fd, 1, "a", "again");
		write_one(fd, 2, "b", "newest");
		flip(fd, SECOND + bit / 8, bit % 8);
		is_damaged(fd, 2);
		expect_one(fd, 2, "b=newest");
		write_one(fd, 3, "c", "whole");
		flip(fd, bit / 8, bit % 8);
		expect_one(fd, 3, "c=whole");
		write_one(fd, 4, "d", "damaged");
		flip(fd, bit / 8, bit % 8);
		expect_one(fd, 3, "c=whole");
		close(fd);
	}
}
END_TEST

START_TEST(what_is_cut_or_strange_is_nothing)
{
	int fd = new_memory();
	write_one(fd, 2, "a", "whole");
	ck_assert_int_eq(ftruncate(fd, 60), 0);
	expect_nothing(fd);
	static const char noise[200] = "kpip, or whatever stands here";
	ck_assert_int_eq(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
	expect_nothing(fd);
	close(fd);
	static const struct store_record lies = {.kind = STORE_BYTES, .key_length = UINT32_MAX};
	struct store_record r;
	char *key;
	ck_assert_ptr_null(store_record_next((const char *)&lies, (const char *)&lies + sizeof lies,
	                                     &r, &key));
}
END_TEST

UNIT_TESTS("daemon/store_memory", the_last_one_counts, of_one_that_was_not_finished_the_one_before,
           a_flipped_bit_is_found, what_is_cut_or_strange_is_nothing)
