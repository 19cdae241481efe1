/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng files: sections, interfaces, blocks of all kinds, and lies. */
#include "capture/file.h"

static void section(struct file *f)
{
	put32(f, 0x0a0d0d0a);
	put32(f, 28);
	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, 0);
	put64(f, UINT64_MAX);
	put32(f, 28);
}

static void interface(struct file *f, uint16_t link_type, uint32_t snaplen)
{
	put32(f, 1);
	put32(f, 20);
	put16(f, link_type);
	put16(f, 0);
	put32(f, snaplen);
	put32(f, 20);
}

/* With if_tsresol and if_tsoffset. */
static void timed_interface(struct file *f, uint8_t tsresol, int64_t offset_s)
{
	const uint8_t value[4] = {tsresol};
	put32(f, 1);
	put32(f, 44);
	put16(f, 1);
	put16(f, 0);
	put32(f, 0);
	put16(f, 9);
	put16(f, 1);
	buf_add(&f->bytes, value, 4);
	put16(f, 14);
	put16(f, 8);
	put64(f, (uint64_t)offset_s);
	put32(f, 0);
	put32(f, 44);
}

static void padded(struct file *f, const char *text)
{
	size_t length = strlen(text);
	buf_add(&f->bytes, text, length);
	buf_add(&f->bytes, "\0\0\0", (4 - length % 4) % 4);
}

static uint32_t up4(size_t length)
{
	return (uint32_t)(length + 3) / 4 * 4;
}

static void enhanced(struct file *f, uint32_t number, uint64_t units, const char *text)
{
	uint32_t total = 32 + up4(strlen(text));
	put32(f, 6);
	put32(f, total);
	put32(f, number);
	put32(f, (uint32_t)(units >> 32));
	put32(f, (uint32_t)units);
	put32(f, (uint32_t)strlen(text));
	put32(f, (uint32_t)strlen(text));
	padded(f, text);
	put32(f, total);
}

static uint64_t misdated; /* of time_with */

static void unknown(struct file *f, uint32_t type, uint32_t body)
{
	put32(f, type);
	put32(f, 12 + body);
	for (uint32_t i = 0; i < body / 4; i++)
		put32(f, 0xdeadbeef);
	put32(f, 12 + body);
}

static int64_t time_with(uint8_t tsresol, int64_t offset_s, uint64_t units)
{
	struct file f = {.big = false};
	section(&f);
	timed_interface(&f, tsresol, offset_s);
	enhanced(&f, 0, units, "x");
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 1);
	int64_t time_ns = r.messages[0]->time_ns;
	misdated = capture_reader_misdated(r.reader);
	ck_assert_uint_eq(capture_reader_misdated(r.reader), 0);
	reading_end(&r);
	return time_ns;
}

START_TEST(interfaces_have_their_own_link_types)
{
	for (int big = 0; big < 2; big++) {
		struct file f = {.big = big};
		section(&f);
		interface(&f, 1, 0);
		enhanced(&f, 0, 1, "ether");
		interface(&f, 101, 0);
		enhanced(&f, 1, 2, "raw");
		enhanced(&f, 0, 3, "");
		struct reading r = read_file(&f);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 3);
		expect_bytes(&r, 0, "ether");
		expect_bytes(&r, 1, "raw");
		expect_bytes(&r, 2, "");
		ck_assert_uint_eq(r.messages[0]->link_type, 1);
		ck_assert_uint_eq(r.messages[1]->link_type, 101);
		ck_assert_uint_eq(r.messages[1]->time_ns, 2000);
		reading_end(&r);
	}
}
END_TEST

START_TEST(sections_of_either_byte_order_follow_one_another)
{
	struct file f = {.big = true};
	section(&f);
	interface(&f, 1, 0);
	enhanced(&f, 0, 1, "big");
	f.big = false;
	section(&f);
	interface(&f, 113, 0);
	enhanced(&f, 0, 2, "little");
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 2);
	expect_bytes(&r, 1, "little");
	ck_assert_uint_eq(r.messages[1]->link_type, 113);
	reading_end(&r);
}
END_TEST

START_TEST(times_of_every_resolution)
{
	ck_assert_uint_eq(time_with(0, 0, 7), UINT64_C(7000000000));
	ck_assert_uint_eq(time_with(3, 0, 7), 7000000);
	ck_assert_uint_eq(time_with(6, 0, 7), 7000);
	ck_assert_uint_eq(time_with(9, 0, 7), 7);
	ck_assert_uint_eq(time_with(12, 0, 7999), 7);
	ck_assert_uint_eq(time_with(127, 0, UINT64_MAX), 0);
	ck_assert_uint_eq(time_with(0x80, 0, 7), UINT64_C(7000000000));
	ck_assert_uint_eq(time_with(0x80 | 10, 0, 512), 500000000);
	ck_assert_uint_eq(time_with(0x80 | 63, 0, UINT64_MAX), 1999999999);
	ck_assert_uint_eq(time_with(0xff, 0, UINT64_MAX), 0);
}
END_TEST

START_TEST(times_do_not_overflow)
{
	ck_assert_int_eq(time_with(0, 0, UINT64_MAX), INT64_MAX);
	ck_assert_int_eq(time_with(0x80, 0, UINT64_MAX), INT64_MAX);
	ck_assert_int_eq(time_with(9, INT64_MAX, UINT64_MAX), INT64_MAX);
	ck_assert_int_eq(time_with(9, INT64_MIN, 1), INT64_MIN);
	ck_assert_uint_eq(misdated, 1);
	ck_assert_int_eq(time_with(9, 0, INT64_MAX), INT64_MAX);
	ck_assert_uint_eq(misdated, 0);
	ck_assert_int_eq(time_with(9, 0, INT64_MAX + UINT64_C(1)), INT64_MAX);
	ck_assert_uint_eq(misdated, 1);
	ck_assert_int_eq(time_with(9, -9223372036, 0), -9223372036000000000);
	ck_assert_int_eq(time_with(6, -1700000000, 5000001), -1699999994999999000);
	ck_assert_uint_eq(misdated, 0);
	ck_assert_uint_eq(time_with(6, -1, 1500000), 500000000);
	ck_assert_uint_eq(time_with(6, 1700000000, 1), UINT64_C(1700000000000001000));
}
END_TEST

START_TEST(simple_packets_have_no_time_and_mind_the_snap_length)
{
	struct file f = {.big = false};
	section(&f);
	interface(&f, 1, 4);
	put32(&f, 3);
	put32(&f, 20);
	put32(&f, 100);
	buf_adds(&f.bytes, "abcd");
	put32(&f, 20);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 1);
	expect_bytes(&r, 0, "abcd");
	ck_assert_uint_eq(r.messages[0]->wire_length, 100);
	ck_assert_uint_eq(r.messages[0]->time_ns, 0);
	reading_end(&r);
}
END_TEST

START_TEST(obsolete_packets_are_read)
{
	struct file f = {.big = true};
	section(&f);
	interface(&f, 1, 0);
	interface(&f, 101, 0);
	put32(&f, 2);
	put32(&f, 36);
	put16(&f, 1);
	put16(&f, 99);
	put32(&f, 0);
	put32(&f, 5);
	put32(&f, 3);
	put32(&f, 60);
	padded(&f, "old");
	put32(&f, 36);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 1);
	expect_bytes(&r, 0, "old");
	ck_assert_uint_eq(r.messages[0]->link_type, 101);
	ck_assert_uint_eq(r.messages[0]->wire_length, 60);
	ck_assert_uint_eq(r.messages[0]->time_ns, 5000);
	reading_end(&r);
}
END_TEST

START_TEST(other_blocks_are_skipped_however_long)
{
	struct file f = {.big = false};
	section(&f);
	interface(&f, 1, 0);
	unknown(&f, 4, 0);
	unknown(&f, 0xbad, 2000000);
	enhanced(&f, 0, 1, "after");
	unknown(&f, 5, 40);
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 1);
	expect_bytes(&r, 0, "after");
	reading_end(&r);
}
END_TEST

START_TEST(a_packet_is_as_long_as_its_interface_says)
{
	static const struct {
		uint16_t link_type;
		uint32_t snaplen, length;
		const char *words;
	} cases[] = {{1, 0, 262144, NULL},
	             {1, 0, 262145, "a packet that claims 262145 bytes, more than 262144"},
	             {1, 300000, 300000, NULL},
	             {1, UINT32_MAX, 300000, "more than 262144"},
	             {220, 0, 3000000, NULL},
	             {279, 0, 9000000, "more than 8388608"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct file f = {.big = i % 2};
		char *text = must_calloc(1, cases[i].length + 1);
		memset(text, 'u', cases[i].length);
		section(&f);
		interface(&f, cases[i].link_type, cases[i].snaplen);
		enhanced(&f, 0, 1, text);
		enhanced(&f, 0, 2, "after");
		struct reading r = read_file(&f);
		if (cases[i].words)
			expect_words(&r, cases[i].words);
		else
			expect_bytes(&r, 0, text);
		ck_assert_uint_eq(r.count, cases[i].words ? 0 : 2);
		reading_end(&r);
		free(text);
	}
}
END_TEST

START_TEST(a_pcap_file_may_follow)
{
	struct file f = {.big = false};
	section(&f);
	interface(&f, 1, 0);
	enhanced(&f, 0, 1, "first");
	struct file second = three_packets();
	buf_add(&f.bytes, second.bytes.data, second.bytes.length);
	section(&f);
	interface(&f, 101, 0);
	enhanced(&f, 0, 2, "last");
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 5);
	expect_bytes(&r, 0, "first");
	expect_bytes(&r, 3, "three");
	expect_bytes(&r, 4, "last");
	reading_end(&r);
	buf_free(&second.bytes);
}
END_TEST

/* 3 MB of comments. */
static struct file with_many_comments(void)
{
	static char comment[60000];
	const size_t comments = 50, options = comments * (4 + sizeof comment);
	struct file f = {.big = false};
	section(&f);
	interface(&f, 1, 0);
	put32(&f, 6);
	put32(&f, (uint32_t)(32 + 4 + options));
	put32(&f, 0);
	put64(&f, 0);
	put32(&f, 4);
	put32(&f, 4);
	buf_add(&f.bytes, "much", 4);
	for (size_t i = 0; i < comments; i++) {
		put16(&f, 1);
		put16(&f, sizeof comment);
		buf_add(&f.bytes, comment, sizeof comment);
	}
	put32(&f, (uint32_t)(32 + 4 + options));
	enhanced(&f, 0, 1, "after");
	return f;
}

START_TEST(a_packet_may_have_many_comments)
{
	struct file f = with_many_comments();
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	ck_assert_uint_eq(r.count, 2);
	expect_bytes(&r, 0, "much");
	expect_bytes(&r, 1, "after");
	reading_end(&r);
}
END_TEST

START_TEST(what_never_fits_the_pools_limit_is_not_waited_for)
{
	struct file f = with_many_comments();
	struct reading r = {.pool = pool_new(1024 * 1024)};
	ck_assert_int_eq(capture_reader_open_fd(memory_file(f.bytes.data, f.bytes.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	read_on(&r);
	expect_words(&r, "has a block of 3000236 bytes at byte 48, more than an engine may hold");
	reading_end(&r);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(a_skipped_block_must_end_as_it_began)
{
	struct file f = {.big = false};
	section(&f);
	unknown(&f, 0xbad, 300000);
	f.bytes.data[f.bytes.length - 4] ^= 4;
	struct reading r = read_file(&f);
	expect_words(&r, "damaged at byte 28: a block that says 300012 bytes at its beginning");
	reading_end(&r);
}
END_TEST

START_TEST(a_block_that_claims_more_than_the_file_has_is_cut_off)
{
	struct file f = {.big = false};
	section(&f);
	put32(&f, 0xbad);
	put32(&f, 4000000000);
	put32(&f, 0);
	struct reading r = read_file(&f);
	expect_words(&r, "cut off at byte 40, in the middle of what begins at byte 28");
	reading_end(&r);
}
END_TEST

/* A packet block after one good packet, of which the word at `offset` is a lie. */
static void lie(size_t offset, uint32_t word, const char *words)
{
	struct file f = {.big = false};
	section(&f);
	interface(&f, 1, 0);
	enhanced(&f, 0, 1, "good");
	size_t at = f.bytes.length;
	enhanced(&f, 0, 2, "bad!");
	memcpy(f.bytes.data + at + offset, &word, sizeof word);
	struct reading r = read_file(&f);
	ck_assert_uint_eq(r.count, 1);
	expect_words(&r, words);
	ck_assert_ptr_nonnull(strstr(r.err.faults[0].message, "at byte 84"));
	reading_end(&r);
}

START_TEST(packet_blocks_that_lie_are_found_out)
{
	lie(4, 13, "a block that claims 13 bytes");
	lie(4, 0, "a block that claims 0 bytes");
	lie(4, 0x7ffffff0, "cut off at byte 120, in the middle of what begins");
	lie(32, 40, "36 bytes at its beginning and 40 at its end");
	lie(8, 1, "a packet of interface 1, of which there are 1 so far");
	lie(20, 5, "a packet that claims 5 bytes in a block of 36");
	lie(20, UINT32_MAX, "a packet that claims 4294967295 bytes");
}
END_TEST

START_TEST(options_cannot_reach_past_their_block)
{
	struct file f = {.big = false};
	section(&f);
	put32(&f, 1);
	put32(&f, 24);
	put32(&f, 1);
	put32(&f, 0);
	put16(&f, 9);
	put16(&f, 60000);
	put32(&f, 24);
	enhanced(&f, 0, 5, "whole");
	struct reading r = read_file(&f);
	ck_assert_int_eq(r.end, 0);
	expect_bytes(&r, 0, "whole");
	ck_assert_uint_eq(capture_reader_damaged(r.reader), 1);
	ck_assert_uint_eq(capture_reader_damaged(r.reader), 0);
	reading_end(&r);
}
END_TEST

START_TEST(bad_section_headers_are_refused_when_opened)
{
	struct file f = {.big = false};
	section(&f);
	f.bytes.data[8] = 0;
	struct reading r = read_file(&f);
	ck_assert_ptr_null(r.reader);
	expect_words(&r, "unknown byte order");
	reading_end(&r);
	f = (struct file){.big = false};
	section(&f);
	f.bytes.data[12] = 2;
	r = read_file(&f);
	expect_words(&r, "version 2 of pcapng");
	reading_end(&r);
	f = (struct file){.big = false};
	section(&f);
	f.bytes.length = 20;
	r = read_file(&f);
	expect_words(&r, "cut off at byte 20, in the middle of its header");
	reading_end(&r);
}
END_TEST

UNIT_TESTS("capture/pcapng", interfaces_have_their_own_link_types,
           sections_of_either_byte_order_follow_one_another, times_of_every_resolution,
           times_do_not_overflow, simple_packets_have_no_time_and_mind_the_snap_length,
           obsolete_packets_are_read, other_blocks_are_skipped_however_long,
           a_packet_is_as_long_as_its_interface_says, a_pcap_file_may_follow,
           a_packet_may_have_many_comments, what_never_fits_the_pools_limit_is_not_waited_for,
           a_skipped_block_must_end_as_it_began,
           a_block_that_claims_more_than_the_file_has_is_cut_off,
           packet_blocks_that_lie_are_found_out, options_cannot_reach_past_their_block,
           bad_section_headers_are_refused_when_opened)
