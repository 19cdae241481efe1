/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in shared memory is whole, whatever happened to the last of it. */
#include "daemon/keep_memory.h"

#include "unit.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int new_memory(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void write_one(int fd, uint64_t number, const char *key, const char *bytes)
{
	struct buf records = BUF_INIT;
	keep_record_add(&records, KEEP_TYPE, 0, "Sink", NULL, 0);
	keep_record_add(&records, KEEP_BYTES, 7, key, bytes, strlen(bytes));
	keep_memory_write(fd, number, &records);
	buf_free(&records);
}

/* The second record's key and bytes, as "key=bytes", of the number that is expected. */
static void expect_one(int fd, uint64_t number, const char *text)
{
	uint64_t read;
	size_t length;
	char *records = keep_memory_read(fd, &read, &length), *key;
	struct keep_record r;
	ck_assert_ptr_nonnull(records);
	ck_assert_uint_eq(read, number);
	const char *end = records + length, *at = keep_record_next(records, end, &r, &key);
	ck_assert_ptr_nonnull(at);
	ck_assert(r.kind == KEEP_TYPE && !r.length && !strcmp(key, "Sink"));
	free(key);
	at = keep_record_next(at, end, &r, &key);
	ck_assert_ptr_nonnull(at);
	ck_assert(r.kind == KEEP_BYTES && r.number == 7);
	char *found = must_printf("%s=%.*s", key, (int)r.length, at);
	ck_assert_str_eq(found, text);
	free(found);
	free(key);
	ck_assert_ptr_null(keep_record_next(at + r.length, end, &r, &key));
	free(records);
}

static void expect_nothing(int fd)
{
	uint64_t number;
	size_t length;
	ck_assert_ptr_null(keep_memory_read(fd, &number, &length));
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

START_TEST(of_one_that_was_not_finished_the_one_before)
{
	const off_t second = (off_t)1 << 40; /* where an odd one stands */
	for (off_t at = 0; at < 80; at++) {
		int fd = new_memory();
		uint8_t byte;
		write_one(fd, 2, "a", "whole");
		write_one(fd, 3, "b", "torn");
		ck_assert_int_eq(pread(fd, &byte, 1, second + at), 1);
		byte ^= 0x40;
		ck_assert_int_eq(pwrite(fd, &byte, 1, second + at), 1);
		uint64_t number;
		size_t length;
		char *records = keep_memory_read(fd, &number, &length);
		ck_assert_ptr_nonnull(records);
		/* Four bytes mean nothing, and a greater number is still the greater one. */
		if (number == 2)
			expect_one(fd, 2, "a=whole");
		else
			ck_assert_msg(at >= 4 && at < 16, "byte %d", (int)at);
		free(records);
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
	static const struct keep_record lies = {.kind = KEEP_BYTES, .key_length = UINT32_MAX};
	struct keep_record r;
	char *key;
	ck_assert_ptr_null(
		keep_record_next((const char *)&lies, (const char *)&lies + sizeof lies, &r, &key));
}
END_TEST

UNIT_TESTS("daemon/keep_memory", the_last_one_counts, of_one_that_was_not_finished_the_one_before,
           what_is_cut_or_strange_is_nothing)
