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
	put32(&f, CAPTURE_PACKET_MAX + 1);
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
	uint8_t *long_one = must_calloc(1, CAPTURE_PACKET_MAX);
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 1, 0, "a", 1);
	put_record(&f, 2, 0, long_one, CAPTURE_PACKET_MAX);
	put_record(&f, 3, 0, "b", 1);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 3);
	ck_assert_uint_eq(r.messages[1]->length, CAPTURE_PACKET_MAX);
	expect_bytes(&r, 2, "b");
	reading_end(&r);
	free(long_one);
}
END_TEST

START_TEST(modified_formats_are_refused_by_name)
{
	static const struct {
		uint32_t magic;
		const char *words;
	} cases[] = {{0xa1b2cd34, "modified"}, {0x1c0001ac, "IXIA"}, {0xa1b234cd, "modified"}};
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
	expect_words(&r, "version 3 of pcap");
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
           the_longest_packet_there_may_be, modified_formats_are_refused_by_name,
           unknown_versions_and_link_types_are_refused, records_that_straddle_chunks_come_out_whole)
