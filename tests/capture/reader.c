/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of all kinds: compressed, waiting, empty, not captures at all. */
#include "capture/file.h"

#include <fcntl.h>
#include <lz4frame.h>
#include <poll.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

static struct buf gzip(const void *bytes, size_t length)
{
	struct buf out = BUF_INIT;
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)length};
	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
	z.avail_out = (uInt)deflateBound(&z, length);
	size_t room = z.avail_out;
	z.next_out = (Bytef *)buf_reserve(&out, room);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.length = room - z.avail_out;
	deflateEnd(&z);
	return out;
}

static struct buf zstd(const void *bytes, size_t length)
{
	struct buf out = BUF_INIT;
	size_t room = ZSTD_compressBound(length);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	out.length = ZSTD_compress2(c, buf_reserve(&out, room), room, bytes, length);
	ZSTD_freeCCtx(c);
	return out;
}

static struct buf lz4(const void *bytes, size_t length)
{
	struct buf out = BUF_INIT;
	const LZ4F_preferences_t checked = {.frameInfo = {.contentChecksumFlag = 1}};
	size_t room = LZ4F_compressFrameBound(length, &checked);
	out.length = LZ4F_compressFrame(buf_reserve(&out, room), room, bytes, length, &checked);
	return out;
}

typedef struct buf pack(const void *bytes, size_t length);
static pack *const packs[] = {gzip, zstd, lz4};

static void expect_three(const struct reading *r)
{
	ck_assert_int_eq(r->end, 0);
	ck_assert_uint_eq(r->count, 3);
	expect_bytes(r, 0, "one");
	expect_bytes(r, 2, "three");
}

START_TEST(compressed_files_are_known_by_their_bytes)
{
	for (size_t i = 0; i < 3; i++) {
		struct file f = three_packets();
		struct buf packed = packs[i](f.bytes.data, f.bytes.length);
		struct reading r = read_bytes(packed.data, packed.length);
		expect_three(&r);
		ck_assert_int_eq(capture_reader_rewind(r.reader, &r.err), 0);
		read_on(&r);
		ck_assert_uint_eq(r.count, 6);
		expect_bytes(&r, 5, "three");
		reading_end(&r);
		buf_free(&packed);
		buf_free(&f.bytes);
	}
}
END_TEST

START_TEST(members_one_after_another_are_one_file)
{
	for (size_t i = 0; i < 3; i++) {
		struct file f = three_packets();
		struct buf first = packs[i](f.bytes.data, 31);
		struct buf second = packs[i](f.bytes.data + 31, f.bytes.length - 31);
		buf_add(&first, second.data, second.length);
		struct reading r = read_bytes(first.data, first.length);
		expect_three(&r);
		reading_end(&r);
		buf_free(&first);
		buf_free(&second);
		buf_free(&f.bytes);
	}
}
END_TEST

/* A block of a zstd frame (RFC 8878): of raw bytes, or of one byte so many times. */
static void zstd_block(struct buf *b, bool last, const void *bytes, uint32_t length)
{
	uint32_t head = length << 3 | (bytes ? 0 : 2) | last;
	buf_add(b, &head, 3);
	buf_add(b, bytes ? bytes : "", bytes ? length : 1);
}

/* Its window is of 2 GiB, as with zstd --long=31; behind three packets stand zeros, which are
   packets without bytes. */
static struct buf with_long_window(uint32_t blocks_of_zeros)
{
	struct file f = three_packets();
	struct buf packed = BUF_INIT;
	buf_add(&packed, "\x28\xb5\x2f\xfd\x00\xa8", 6);
	zstd_block(&packed, !blocks_of_zeros, f.bytes.data, (uint32_t)f.bytes.length);
	while (blocks_of_zeros--)
		zstd_block(&packed, !blocks_of_zeros, NULL, 128 * 1024);
	buf_free(&f.bytes);
	return packed;
}

START_TEST(a_long_window_takes_what_lies_in_it)
{
	struct buf packed = with_long_window(0);
	struct reading r = read_bytes(packed.data, packed.length);
	expect_three(&r);
	reading_end(&r);
	buf_free(&packed);
	packed = with_long_window(1100);
	r = (struct reading){.pool = pool_new(8 << 20)};
	ck_assert_int_eq(capture_reader_open_fd(memory_file(packed.data, packed.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	struct pt_msg *batch[64];
	uint64_t count = 0;
	while ((r.end = capture_reader_next(r.reader, r.pool, batch, 64, &r.err)) > 0) {
		msg_unref_many(batch, (unsigned)r.end);
		count += (unsigned)r.end;
	}
	ck_assert_int_eq(r.end, -ENOBUFS);
	expect_words(&r, "looks back over more than an engine may hold");
	ck_assert_uint_gt(count, (128 << 20) / 16 - 70000);
	reading_end(&r);
	buf_free(&packed);
}
END_TEST

START_TEST(zeros_behind_gzip_data_are_nothing)
{
	struct file f = three_packets();
	struct buf packed = gzip(f.bytes.data, f.bytes.length);
	memset(buf_reserve(&packed, 5000), 0, 5000);
	packed.length += 5000;
	struct reading r = read_bytes(packed.data, packed.length);
	expect_three(&r);
	reading_end(&r);
	buf_free(&packed);
	buf_free(&f.bytes);
}
END_TEST

static struct buf skipped(uint32_t length)
{
	struct file f = {.big = false};
	put32(&f, 0x184d2a57);
	put32(&f, length);
	memset(buf_reserve(&f.bytes, length), 'x', length);
	f.bytes.length += length;
	return f.bytes;
}

START_TEST(frames_that_are_skipped_tell_nothing)
{
	for (size_t i = 1; i < 3; i++) {
		struct file f = three_packets();
		struct buf packed = packs[i](f.bytes.data, f.bytes.length);
		struct buf all = skipped(100000), more = skipped(0);
		buf_add(&all, more.data, more.length);
		buf_add(&all, packed.data, packed.length);
		buf_add(&all, more.data, more.length);
		struct reading r = read_bytes(all.data, all.length);
		expect_three(&r);
		reading_end(&r);
		r = read_bytes(all.data, all.length - 3);
		expect_words(&r, "is cut off");
		reading_end(&r);
		r = read_bytes(all.data, 99);
		expect_words(&r, "its zstd or lz4 data ends in the middle, at byte 99");
		reading_end(&r);
		buf_free(&all);
		buf_free(&more);
		buf_free(&packed);
		buf_free(&f.bytes);
	}
	struct buf all = skipped(5);
	struct file f = three_packets();
	buf_add(&all, f.bytes.data, f.bytes.length);
	struct reading r = read_bytes(all.data, all.length);
	expect_words(&r, "no frame of zstd or lz4");
	reading_end(&r);
	buf_free(&all);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(much_that_is_skipped_delays_but_does_no_harm)
{
	struct file f = three_packets();
	struct buf packed = zstd(f.bytes.data, f.bytes.length), all = skipped(40000000);
	buf_add(&all, packed.data, packed.length);
	struct reading r = read_bytes(all.data, all.length);
	while (r.end == -EAGAIN)
		read_on(&r);
	expect_three(&r);
	reading_end(&r);
	buf_free(&all);
	buf_free(&packed);
	buf_free(&f.bytes);
}
END_TEST

/* Some hundred kilobytes that do not compress, so that a cut leaves a beginning. */
static struct file many_packets(void)
{
	struct file f = {.big = false};
	uint32_t seed = 1;
	put_pcap(&f, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t bytes[500];
		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		put_record(&f, i, 0, bytes, sizeof bytes);
	}
	return f;
}

START_TEST(a_cut_in_compressed_data_is_told_after_what_came_before)
{
	static const char *const names[] = {"gzip", "zstd", "lz4"};
	for (size_t i = 0; i < 3; i++) {
		struct file f = many_packets();
		struct buf packed = packs[i](f.bytes.data, f.bytes.length);
		struct reading r = read_bytes(packed.data, packed.length - 100000);
		ck_assert_uint_gt(r.count, 100);
		ck_assert_uint_lt(r.count, 1000);
		expect_words(&r, "data ends in the middle");
		ck_assert_ptr_nonnull(strstr(r.err.faults[0].message, names[i]));
		reading_end(&r);
		buf_free(&packed);
		buf_free(&f.bytes);
	}
}
END_TEST

START_TEST(damage_in_compressed_data_is_told_after_what_came_before)
{
	for (size_t i = 0; i < 3; i++) {
		struct file f = many_packets();
		struct buf packed = packs[i](f.bytes.data, f.bytes.length);
		memset(packed.data + 400000, 0xee, 70000);
		struct reading r = read_bytes(packed.data, packed.length);
		ck_assert_uint_gt(r.count, 100);
		expect_words(&r, "damaged");
		reading_end(&r);
		buf_free(&packed);
		buf_free(&f.bytes);
	}
}
END_TEST

START_TEST(files_that_are_no_captures_say_what_they_are)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *words;
	} cases[] = {
		{"", 0, "is empty: it has 0 bytes"},
		{"hello, world", 12, "begins with 68 65 6c 6c, as neither pcap nor pcapng"},
		{"hello", 5, "is not a capture file"},
		{"\xfd\x37zXZ\0", 6, "xz -d"},
		{"BZh91AY&SY", 10, "bzip2 -d"},
		{"PK\003\004", 4, "a zip archive"},
		{"\x1f\x9d\x90rest", 7, "compressed with compress"},
		{"\x02\x21\x4c\x18rest", 8, "legacy"},
		{"btsnoop\0\0\0\0\1", 12, "in btsnoop's format"},
		{"GMBU\0\2", 6, "editcap -F pcap"},
		{"RTSS\0\1", 6, "in Network Monitor's format"},
		{"\x78\x9c\x4b\x04", 4, "a stream of zlib"},
		{"\xd4\xc3\xb2\xa1\2\0\4\0", 8, "cut off at byte 8, in the middle of its header"},
		{"\x1f\x8b\x08", 3, "cut off: its gzip data ends in the middle"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reading r = read_bytes(cases[i].bytes, cases[i].length);
		ck_assert_ptr_null(r.reader);
		expect_words(&r, cases[i].words);
		reading_end(&r);
	}
}
END_TEST

START_TEST(paths_that_cannot_be_opened)
{
	struct reading r = read_path("/nowhere/x.pcap");
	ck_assert_int_eq(r.end, -ENOENT);
	expect_words(&r, "cannot open '/nowhere/x.pcap': no such file");
	reading_end(&r);
	r = read_path("/");
	ck_assert_int_eq(r.end, -EISDIR);
	expect_words(&r, "'/' is a folder");
	reading_end(&r);
}
END_TEST

START_TEST(a_fifo_is_not_waited_for_and_read_as_it_comes)
{
	struct file f = three_packets();
	char folder[] = "/tmp/capture-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char *path = must_printf("%s/fifo", folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	struct reading r = read_path(path);
	ck_assert_int_eq(r.end, -EAGAIN);
	ck_assert(capture_reader_may_wait(r.reader));
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	for (size_t at = 0; at < f.bytes.length; at += 7) {
		size_t rest = f.bytes.length - at, n = rest < 7 ? rest : 7;
		ck_assert_int_eq(write(fd, f.bytes.data + at, n), (ssize_t)n);
		struct pollfd p = {.fd = capture_reader_fd(r.reader), .events = POLLIN};
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		read_on(&r);
		ck_assert_int_eq(r.end, -EAGAIN);
	}
	close(fd);
	read_on(&r);
	expect_three(&r);
	ck_assert_int_eq(open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK), -1);
	ck_assert_int_eq(errno, ENXIO);
	ck_assert_int_eq(capture_reader_rewind(r.reader, &r.err), -ESPIPE);
	reading_end(&r);
	unlink(path);
	rmdir(folder);
	free(path);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(the_pools_limit_is_waited_for)
{
	struct file f = many_packets();
	struct reading r = {.pool = pool_new(300 * 1024)};
	ck_assert_int_eq(capture_reader_open_fd(memory_file(f.bytes.data, f.bytes.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	size_t total = 0;
	unsigned waits = 0;
	do {
		read_on(&r);
		ck_assert(r.end == 0 || r.end == -ENOMEM);
		waits += r.end != 0;
		total += r.count;
		msg_unref_many(r.messages, (unsigned)r.count);
		r.count = 0;
	} while (r.end);
	ck_assert_uint_eq(total, 1000);
	ck_assert_uint_gt(waits, 0);
	reading_end(&r);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(progress_goes_from_nothing_to_the_size)
{
	struct file f = three_packets();
	struct reading r = {.pool = pool_new(0)};
	uint64_t done, size;
	ck_assert_int_eq(capture_reader_open_fd(memory_file(f.bytes.data, f.bytes.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	capture_reader_progress(r.reader, 0, &done, &size);
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_eq(size, f.bytes.length);
	read_on(&r);
	capture_reader_progress(r.reader, 0, &done, &size);
	ck_assert_uint_eq(done, f.bytes.length);
	reading_end(&r);
	buf_free(&f.bytes);
}
END_TEST

START_TEST(what_was_released_ends_until_it_is_rewound)
{
	struct file f = three_packets();
	struct reading r = {.pool = pool_new(0)};
	struct pt_msg *m;
	ck_assert_int_eq(capture_reader_open_fd(memory_file(f.bytes.data, f.bytes.length), "x",
	                                        &r.reader, &r.err),
	                 0);
	ck_assert_int_eq(capture_reader_next(r.reader, r.pool, &m, 1, &r.err), 1);
	pt_msg_unref(m);
	capture_reader_release(r.reader);
	ck_assert_uint_eq(pool_bytes(r.pool), 0);
	read_on(&r);
	ck_assert_uint_eq(r.count, 0);
	ck_assert_int_eq(capture_reader_rewind(r.reader, &r.err), 0);
	read_on(&r);
	expect_three(&r);
	reading_end(&r);
	buf_free(&f.bytes);
}
END_TEST

UNIT_TESTS("capture/reader", compressed_files_are_known_by_their_bytes,
           members_one_after_another_are_one_file, zeros_behind_gzip_data_are_nothing,
           a_long_window_takes_what_lies_in_it, frames_that_are_skipped_tell_nothing,
           much_that_is_skipped_delays_but_does_no_harm,
           a_cut_in_compressed_data_is_told_after_what_came_before,
           damage_in_compressed_data_is_told_after_what_came_before,
           files_that_are_no_captures_say_what_they_are, paths_that_cannot_be_opened,
           a_fifo_is_not_waited_for_and_read_as_it_comes, the_pools_limit_is_waited_for,
           progress_goes_from_nothing_to_the_size, what_was_released_ends_until_it_is_rewound)
