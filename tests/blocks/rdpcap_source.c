/* SPDX-License-Identifier: BSD-2-Clause */
/* RdpcapSource: rounds, timing, ends and damage. */
#include "rig.h"
#include "unit.h"

#include "base/buf.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/rdpcap-XXXXXX";

/* A file of packets "a", "b", "c" … one second after another; `cut` bytes are missing at the
   end. */
static void file_of(unsigned packets, unsigned cut)
{
	struct buf b = BUF_INIT;
	const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	buf_add(&b, header, sizeof header);
	for (unsigned i = 0; i < packets; i++) {
		const uint32_t record[4] = {1000 + i, 0, 1, 1};
		buf_add(&b, record, sizeof record);
		buf_addc(&b, (char)('a' + i));
	}
	strcpy(path + strlen(path) - 6, "XXXXXX");
	int fd = mkstemp(path);
	ck_assert_int_eq(write(fd, b.data, b.length - cut), (ssize_t)(b.length - cut));
	close(fd);
	buf_free(&b);
}

static struct rig *bench(const char *more)
{
	char arguments[128];
	snprintf(arguments, sizeof arguments, "'%s'%s", path, more);
	return rig("RdpcapSource", arguments);
}

static void bench_end(struct rig *r)
{
	rig_end(r);
	unlink(path);
}

static void expect_exhausted(struct rig *r)
{
	ck_assert(rig_block(r, "it")->exhausted);
}

START_TEST(a_file_is_read_and_exhausted)
{
	file_of(3, 0);
	struct rig *r = bench("");
	turn(r);
	expect(r, LOW, "a");
	expect(r, LOW, "b");
	expect(r, LOW, "c");
	expect_nothing(r);
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

START_TEST(rounds_follow_one_another)
{
	file_of(1, 0);
	struct rig *r = bench(", loop=3");
	turn(r);
	for (int i = 0; i < 3; i++)
		expect(r, LOW, "a");
	expect_nothing(r);
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

START_TEST(an_empty_file_does_not_loop_for_ever)
{
	file_of(0, 0);
	struct rig *r = bench(", loop=0");
	turn(r);
	expect_nothing(r);
	expect_report(r, "holds nothing");
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

START_TEST(what_comes_before_the_damage_is_sent)
{
	file_of(2, 1);
	struct rig *r = bench(", loop=0");
	turn(r);
	expect(r, LOW, "a");
	expect_nothing(r);
	expect_report(r, "is cut off at byte 57");
	ck_assert(rig_block(r, "it")->failed);
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

START_TEST(the_files_timing_is_kept)
{
	file_of(3, 0);
	struct rig *r = bench(", speed=2, loop=2");
	turn(r);
	for (int round = 0; round < 2; round++) {
		expect(r, LOW, "a");
		pass_time(r, 0.4);
		expect_nothing(r);
		pass_time(r, 0.1);
		expect(r, LOW, "b");
		pass_time(r, 0.5);
		expect(r, LOW, "c");
	}
	expect_nothing(r);
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

START_TEST(stopped_in_the_middle_nothing_is_left)
{
	file_of(3, 0);
	struct rig *r = bench(", speed=1");
	turn(r);
	expect(r, LOW, "a");
	bench_end(r);
}
END_TEST

START_TEST(so_many_of_all_rounds_and_no_more)
{
	file_of(3, 0);
	struct rig *r = bench(", loop=0, count=4");
	turn(r);
	for (const char *text = "a\0b\0c\0a\0"; *text; text += 2)
		expect(r, LOW, text);
	expect_nothing(r);
	expect_exhausted(r);
	bench_end(r);
}
END_TEST

static void expect_one_each(const char *pace, double after_s)
{
	file_of(3, 0);
	struct rig *r = bench(pace);
	turn(r);
	expect(r, LOW, "a");
	for (const char *text = "b\0c\0"; *text; text += 2) {
		pass_time(r, after_s - 0.001);
		expect_nothing(r);
		pass_time(r, 0.001);
		expect(r, LOW, text);
	}
	expect_nothing(r);
	bench_end(r);
}

START_TEST(a_pace_is_kept_whatever_the_times_say)
{
	expect_one_each(", pps=4", 0.25);
	expect_one_each(", rate='8bit'", 1);
	expect_one_each(", rate='0.08 kbit/s'", 0.1);
}
END_TEST

UNIT_TESTS("blocks/rdpcap_source", a_file_is_read_and_exhausted, rounds_follow_one_another,
           an_empty_file_does_not_loop_for_ever, what_comes_before_the_damage_is_sent,
           the_files_timing_is_kept, stopped_in_the_middle_nothing_is_left,
           so_many_of_all_rounds_and_no_more, a_pace_is_kept_whatever_the_times_say)
