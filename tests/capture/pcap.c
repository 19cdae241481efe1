/* SPDX-License-Identifier: BSD-2-Clause */
/* pcap files, as they should be and as they should not. */
#include "capture/file.h"

START_TEST(microseconds_become_nanoseconds)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 1700000000, 123456, "abc", 3);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 1);
	expect_bytes(&r, 0, "abc");
	ck_assert_uint_eq(r.messages[0]->time_ns, UINT64_C(1700000000123456000));
	ck_assert_uint_eq(r.messages[0]->link_type, 1);
	reading_end(&r);
}
END_TEST

START_TEST(nanoseconds_of_the_other_byte_order)
{
	struct file f = {.big = true};
	put_pcap(&f, 0xa1b23c4d, 101);
	put_record(&f, UINT32_MAX, 999999999, "abc", 3);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_uint_eq(r.messages[0]->time_ns, UINT64_C(4294967295999999999));
	ck_assert_uint_eq(r.messages[0]->link_type, 101);
	reading_end(&r);
}
END_TEST

START_TEST(a_cut_packet_keeps_its_length_on_the_wire)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put64(&f, 0);
	put32(&f, 2);
	put32(&f, 1500);
	buf_add(&f.bytes, "ab", 2);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.messages[0]->length, 2);
	ck_assert_uint_eq(r.messages[0]->wire_length, 1500);
	reading_end(&r);
}
END_TEST

START_TEST(a_length_on_the_wire_below_the_captured_one_is_not_believed)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put64(&f, 0);
	put32(&f, 2);
	put32(&f, 1);
	buf_add(&f.bytes, "ab", 2);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.messages[0]->wire_length, 2);
	reading_end(&r);
}
END_TEST

START_TEST(the_bits_of_the_check_sequence_are_no_link_type)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 0x24000000 | 105);
	put_record(&f, 1, 0, "a", 1);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.messages[0]->link_type, 105);
	reading_end(&r);
}
END_TEST

START_TEST(a_file_without_packets_is_a_file)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 0);
	reading_end(&r);
}
END_TEST

START_TEST(what_comes_before_a_cut_is_delivered)
{
	struct file f = three_packets();
	f.bytes.length -= 1;
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 2);
	expect_words(&r, "cut off at byte 82, in the middle of what begins at byte 62");
	reading_end(&r);
}
END_TEST

START_TEST(a_length_that_lies_ends_the_reading)
{
	struct file f = three_packets();
	put32(&f, 4);
	put32(&f, 0);
	put32(&f, LINK_TYPE_PACKET_MAX + 1);
	put32(&f, 0);
	put_record(&f, 5, 0, "more", 4);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 3);
	expect_words(&r, "damaged at byte 83: a packet that claims 262145 bytes");
	struct pt_msg *m;
	ck_assert_int_lt(capture_reader_next(r.reader, r.pool, &m, 1, NULL), 0);
	reading_end(&r);
}
END_TEST

START_TEST(the_longest_packet_there_may_be)
{
	struct file f = {.big = false};
	uint8_t *long_one = must_calloc(1, LINK_TYPE_PACKET_MAX);
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 1, 0, "a", 1);
	put_record(&f, 2, 0, long_one, LINK_TYPE_PACKET_MAX);
	put_record(&f, 3, 0, "b", 1);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 3);
	ck_assert_uint_eq(r.messages[1]->length, LINK_TYPE_PACKET_MAX);
	expect_bytes(&r, 2, "b");
	reading_end(&r);
	free(long_one);
}
END_TEST

static void put_old_pcap(struct file *f, uint16_t major, uint16_t minor, uint32_t link_type)
{
	put32(f, 0xa1b2c3d4);
	put16(f, major);
	put16(f, minor);
	put64(f, 0);
	put32(f, 96);
	put32(f, link_type);
}

static void put_lengths(struct file *f, uint32_t first, uint32_t second, const char *text)
{
	put32(f, 7);
	put32(f, 9);
	put32(f, first);
	put32(f, second);
	buf_adds(&f->bytes, text);
}

START_TEST(old_versions_have_the_lengths_the_other_way_round)
{
	static const struct {
		uint16_t major, minor;
		bool either;
	} cases[] = {{2, 0, false}, {2, 1, false}, {2, 2, false}, {2, 3, true}, {543, 0, false}};
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		struct file f = {.big = i % 2};
		put_old_pcap(&f, cases[i / 2].major, cases[i / 2].minor, 1);
		put_lengths(&f, 60, 3, "one");
		if (cases[i / 2].either)
			put_lengths(&f, 3, 60, "two");
		put_lengths(&f, 5, 5, "three");
		struct reading r = read_file(&f);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, cases[i / 2].either ? 3 : 2);
		for (size_t k = 0; k < r.count - 1; k++)
			ck_assert_uint_eq(r.messages[k]->wire_length, 60);
		expect_bytes(&r, 0, "one");
		expect_bytes(&r, r.count - 1, "three");
		ck_assert_int_eq(r.messages[0]->time_ns, 7000009000);
		reading_end(&r);
	}
}
END_TEST

START_TEST(aix_counts_nanoseconds_and_types_of_interfaces)
{
	static const uint16_t types[][2] = {{6, 1}, {9, 6}, {15, 10}, {24, 0}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct file f = {.big = true};
		put_old_pcap(&f, 2, 2, types[i][0]);
		put_lengths(&f, 60, 3, "one");
		struct reading r = read_file(&f);
		ck_assert_uint_eq(r.count, 1);
		ck_assert_int_eq(r.messages[0]->time_ns, 7000000009);
		ck_assert_uint_eq(r.messages[0]->link_type, types[i][1]);
		reading_end(&r);
	}
}
END_TEST

START_TEST(kuznetzovs_records_have_more_in_their_heads)
{
	for (int big = 0; big < 2; big++) {
		struct file f = {.big = big};
		put_pcap(&f, 0xa1b2cd34, 1);
		for (int i = 0; i < 3; i++)
			put_lengths(&f, 3, 60, "\1\2\3\4\5\6\7\10one");
		struct reading r = read_file(&f);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 3);
		expect_bytes(&r, 2, "one");
		ck_assert_uint_eq(r.messages[2]->wire_length, 60);
		reading_end(&r);
	}
}
END_TEST

START_TEST(files_one_behind_the_other_are_one)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
	struct file f = three_packets();
	for (size_t i = 0; i < 2 * sizeof magics / sizeof *magics; i++) {
		f.big = i % 2;
		put_pcap(&f, magics[i / 2], 101 + (uint32_t)i);
		put_lengths(&f, 3, 60,
		            magics[i / 2] == 0xa1b2cd34 ? "\1\2\3\4\5\6\7\10one" : "one");
	}
	put_pcap(&f, magics[0], 1);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 9);
	for (size_t i = 3; i < 9; i++) {
		expect_bytes(&r, i, "one");
		ck_assert_uint_eq(r.messages[i]->link_type, 98 + i);
		ck_assert_int_eq(r.messages[i]->time_ns,
		                 i == 5 || i == 6 ? 7000000009 : 7000009000);
	}
	reading_end(&r);
}
END_TEST

START_TEST(a_packet_of_2055_is_no_other_file)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 0xa1b2c3d4, 0x00040002, "one", 3);
	put_record(&f, 0xa1b2c3d4, 7, "two", 3);
	put_record(&f, 0x0a0d0d0a, 7, "three", 5);
	put_record(&f, 0xa1b2c3d4, 1, "", 0);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 4);
	expect_bytes(&r, 0, "one");
	ck_assert_int_eq(r.messages[0]->time_ns, 2712847316262146000);
	reading_end(&r);
}
END_TEST

START_TEST(a_header_that_follows_may_be_cut)
{
	struct file f = three_packets();
	uint64_t end = f.bytes.length;
	put_pcap(&f, 0xa1b2c3d4, 1);
	f.bytes.length -= 4;
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 3);
	ck_assert_uint_eq(end, 83);
	expect_words(&r, "cut off at byte 103, in the middle of what begins at byte 83");
	reading_end(&r);
}
END_TEST

START_TEST(packets_are_as_long_as_their_type_allows)
{
	static const uint16_t types[] = {186, 189, 220, 231, 249, 266, 279};
	char *long_one = must_calloc(1, 1000000);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct file f = {.big = i % 2};
		put_pcap(&f, 0xa1b2c3d4, types[i]);
		put_record(&f, 1, 0, long_one, 1000000);
		put_record(&f, 2, 0, "b", 1);
		struct reading r = read_file(&f);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 2);
		ck_assert_uint_eq(r.messages[0]->length, 1000000);
		reading_end(&r);
	}
	free(long_one);
}
END_TEST

START_TEST(a_lie_about_much_asks_for_no_memory)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 189);
	put_record(&f, 1, 0, "one", 3);
	put_lengths(&f, 128 << 20, 128 << 20, "two");
	struct reading r = {.pool = pool_new(1024 * 1024)};
	ck_assert_int_eq(capture_reader_open_fd(memory_file(f.bytes.data, f.bytes.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	read_on(&r);
	ck_assert_uint_eq(r.count, 1);
	expect_words(&r, "cut off at byte 62, in the middle of what begins at byte 43");
	reading_end(&r);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(modified_formats_are_refused_by_name)
{
	static const struct {
		uint32_t magic;
		const char *words;
	} cases[] = {{0x1c0001ac, "IXIA"}, {0xa1b234cd, "modified"}};
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		struct file f = {.big = i % 2};
		put_pcap(&f, cases[i / 2].magic, 1);
		struct reading r = read_file(&f);
		ck_assert_ptr_null(r.reader);
		expect_words(&r, cases[i / 2].words);
		reading_end(&r);
	}
}
END_TEST

START_TEST(unknown_versions_and_link_types_are_refused)
{
	struct file f = {.big = false};
	put32(&f, 0xa1b2c3d4);
	put16(&f, 3);
	put16(&f, 0);
	put64(&f, 0);
	put64(&f, 0);
	struct reading r = read_file(&f);
	expect_words(&r, "version 3.0 of pcap");
	reading_end(&r);
	f = (struct file){.big = false};
	put_pcap(&f, 0xa1b2c3d4, 65536);
	r = read_file(&f);
	expect_words(&r, "no link type 65536");
	reading_end(&r);
}
END_TEST

START_TEST(records_that_straddle_chunks_come_out_whole)
{
	struct file f = {.big = false};
	uint8_t bytes[997];
	put_pcap(&f, 0xa1b2c3d4, 1);
	for (unsigned i = 0; i < 2000; i++) {
		memset(bytes, (int)i, sizeof bytes);
		put_record(&f, i, 0, bytes, sizeof bytes - i % 100);
	}
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 2000);
	for (unsigned i = 0; i < 2000; i++) {
		const struct pt_msg *m = r.messages[i];
		ck_assert_uint_eq(m->length, sizeof bytes - i % 100);
		ck_assert_uint_eq(m->time_ns, i * UINT64_C(1000000000));
		memset(bytes, (int)i, sizeof bytes);
		ck_assert_mem_eq(m->bytes, bytes, m->length);
	}
	reading_end(&r);
}
END_TEST

UNIT_TESTS("capture/pcap", microseconds_become_nanoseconds, nanoseconds_of_the_other_byte_order,
           a_cut_packet_keeps_its_length_on_the_wire,
           a_length_on_the_wire_below_the_captured_one_is_not_believed,
           the_bits_of_the_check_sequence_are_no_link_type, a_file_without_packets_is_a_file,
           what_comes_before_a_cut_is_delivered, a_length_that_lies_ends_the_reading,
           the_longest_packet_there_may_be, old_versions_have_the_lengths_the_other_way_round,
           aix_counts_nanoseconds_and_types_of_interfaces,
           kuznetzovs_records_have_more_in_their_heads, files_one_behind_the_other_are_one,
           a_packet_of_2055_is_no_other_file, a_header_that_follows_may_be_cut,
           packets_are_as_long_as_their_type_allows, a_lie_about_much_asks_for_no_memory,
           modified_formats_are_refused_by_name, unknown_versions_and_link_types_are_refused,
           records_that_straddle_chunks_come_out_whole)
