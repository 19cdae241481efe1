/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of files that follow one another. */
#include "unit.h"

#include "base/buf.h"
#include "capture/rotate.h"
#include <fcntl.h>
#include <unistd.h>

static void expect_name(const char *path, uint64_t number, const char *name)
{
	char *made = rotate_name(path, number);
	ck_assert_str_eq(made, name);
	free(made);
}

START_TEST(the_number_stands_before_the_ending)
{
	expect_name("out.pcap", 1, "out.00001.pcap");
	expect_name("/a.b/out", 42, "/a.b/out.00042");
	expect_name("out.pcap.gz", 3, "out.00003.pcap.gz");
	expect_name("x.y.pcapng", 123456, "x.y.123456.pcapng");
	expect_name("./.hidden", 1, "./.hidden.00001");
	expect_name("d/.gz", 1, "d/.00001.gz");
	expect_name("./.hidden.zst", 1, "./.hidden.00001.zst");
	expect_name("out.PCAP.LZ4", 7, "out.00007.PCAP.LZ4");
}
END_TEST

START_TEST(the_highest_number_is_found_among_others)
{
	char folder[] = "/tmp/rotate-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = must_printf("%s/out.pcap", folder);
	ck_assert_uint_eq(rotate_highest(NULL, path), 0);
	static const char *const names[] = {
		"out.00003.pcap", "out.00012.pcap",   "out.99.pcap", "out.00099.pcap.gz",
		"out.000x9.pcap", "other.00077.pcap", "out.00098",   NULL};
	for (size_t i = 0; names[i]; i++) {
		char *name = must_printf("%s/%s", folder, names[i]);
		close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		free(name);
	}
	ck_assert_uint_eq(rotate_highest(NULL, path), 12);
	ck_assert_uint_eq(rotate_next(NULL, path), 12);
	char *last = rotate_name(path, 12);
	int fd = open(last, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	free(last);
	ck_assert_uint_eq(rotate_next(NULL, path), 13);
	for (size_t i = 0; names[i]; i++) {
		char *name = must_printf("%s/%s", folder, names[i]);
		unlink(name);
		free(name);
	}
	rmdir(folder);
	free(path);
	ck_assert_uint_eq(rotate_highest(NULL, "/nowhere/out.pcap"), 0);
	ck_assert_uint_eq(rotate_next(NULL, "/nowhere/out.pcap"), 1);
}
END_TEST

UNIT_TESTS("capture/rotate", the_number_stands_before_the_ending,
           the_highest_number_is_found_among_others)
