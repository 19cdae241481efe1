/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing captures, and reading back what was written. */
#include "base/moment.h"
#include "capture/feed.h"
#include "capture/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A folder of the test's own, a file in it, and packets to write. */
struct desk {
	char folder[32], path[64];
	struct pt_pool *pool;
	struct pt_error err;
	struct capture_writer *writer;
};

static struct desk desk(void)
{
	struct desk d = {.folder = "/tmp/writer-XXXXXX", .pool = pool_new(0)};
	ck_assert_ptr_nonnull(mkdtemp(d.folder));
	snprintf(d.path, sizeof d.path, "%s/x.pcap", d.folder);
	return d;
}

static void desk_end(struct desk *d)
{
	DIR *dir = opendir(d->folder);
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(d->folder);
	pool_free(d->pool);
	pt_error_clear(&d->err);
}

static const struct capture_writer_config plain = {.fd = -1, .link_type = -1};

static int open_writer(struct desk *d, struct capture_writer_config config)
{
	if (!config.path)
		config.path = d->path;
	return capture_writer_open(&config, &d->writer, &d->err);
}

static int put(struct desk *d, const char *text, uint16_t link_type, int64_t time_ns)
{
	size_t length = strlen(text);
	struct pt_msg *m = pt_msg_packet(d->pool, text, length, length + 10, link_type, time_ns);
	int rc = capture_writer_put(d->writer, &m, 1, &d->err);
	pt_msg_unref(m);
	return rc;
}

static void finish(struct desk *d)
{
	ck_assert_int_eq(capture_writer_close(d->writer, &d->err), 0);
}

static void expect_refusal(struct desk *d, int rc, const char *path, const char *words)
{
	ck_assert_int_lt(rc, 0);
	ck_assert_uint_ge(d->err.count, 1);
	ck_assert_str_eq(d->err.faults[0].path, path);
	ck_assert_msg(strstr(d->err.faults[0].message, words), "%s", d->err.faults[0].message);
	pt_error_clear(&d->err);
}

static off_t size_of(const char *path)
{
	struct stat st;
	return stat(path, &st) < 0 ? -1 : st.st_size;
}

START_TEST(what_is_written_is_read_back)
{
	static const struct {
		enum capture_format format;
		enum pack_kind pack;
		uint64_t time_ns;
	} cases[] = {{CAPTURE_PCAP, PACK_NONE, 1700000000123456000},
	             {CAPTURE_PCAP_NS, PACK_NONE, 1700000000123456789},
	             {CAPTURE_PCAPNG, PACK_NONE, 1700000000123456789},
	             {CAPTURE_PCAP, PACK_GZIP, 1700000000123456000},
	             {CAPTURE_PCAPNG, PACK_GZIP, 1700000000123456789},
	             {CAPTURE_PCAP, PACK_ZSTD, 1700000000123456000},
	             {CAPTURE_PCAPNG, PACK_LZ4, 1700000000123456789}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		config.format = cases[i].format;
		config.pack = cases[i].pack;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert_int_eq(put(&d, "first", 101, UINT64_C(1700000000123456789)), 1);
		ck_assert_int_eq(put(&d, "", 101, 0), 1);
		finish(&d);
		struct reading r = read_path(d.path);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 2);
		expect_bytes(&r, 0, "first");
		ck_assert_uint_eq(r.messages[0]->time_ns, cases[i].time_ns);
		ck_assert_uint_eq(r.messages[0]->wire_length, 15);
		ck_assert_uint_eq(r.messages[0]->link_type, 101);
		struct capture_facts facts;
		capture_reader_facts(r.reader, &facts);
		ck_assert_int_eq(facts.format, cases[i].format);
		ck_assert_str_eq(facts.packed, pack_words[cases[i].pack]);
		reading_end(&r);
		desk_end(&d);
	}
}
END_TEST

START_TEST(an_empty_file_is_a_valid_one)
{
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		config.format = (enum capture_format)format;
		ck_assert_int_eq(open_writer(&d, config), 0);
		finish(&d);
		struct reading r = read_path(d.path);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 0);
		reading_end(&r);
		desk_end(&d);
	}
}
END_TEST

START_TEST(pcap_holds_one_link_type_and_pcapng_many)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(put(&d, "ether", 1, 1), 1);
	int rc = put(&d, "raw", 101, 2);
	ck_assert_int_eq(rc, -EMEDIUMTYPE);
	expect_refusal(&d, rc, "linktype", "a packet of link type 101 does not fit");
	ck_assert_int_eq(put(&d, "ether", 1, 3), 1);
	finish(&d);
	config.format = CAPTURE_PCAPNG;
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(put(&d, "ether", 1, 1), 1);
	ck_assert_int_eq(put(&d, "raw", 101, 2), 1);
	finish(&d);
	struct reading r = read_path(d.path);
	ck_assert_uint_eq(r.count, 2);
	ck_assert_uint_eq(r.messages[0]->link_type, 1);
	ck_assert_uint_eq(r.messages[1]->link_type, 101);
	reading_end(&r);
	desk_end(&d);
}
END_TEST

START_TEST(a_vector_is_taken_up_to_what_does_not_fit)
{
	struct desk d = desk();
	struct pt_msg *m[3];
	ck_assert_int_eq(open_writer(&d, plain), 0);
	for (int i = 0; i < 3; i++)
		m[i] = pt_msg_packet(d.pool, "x", 1, 1, i == 1 ? 101 : 1, 1);
	ck_assert_int_eq(capture_writer_put(d.writer, m, 3, &d.err), 1);
	ck_assert_int_eq(capture_writer_put(d.writer, m + 1, 2, NULL), -EMEDIUMTYPE);
	ck_assert_int_eq(capture_writer_put(d.writer, m + 2, 1, &d.err), 1);
	msg_unref_many(m, 3);
	finish(&d);
	ck_assert_int_eq(size_of(d.path), 24 + 2 * 17);
	desk_end(&d);
}
END_TEST

START_TEST(a_plain_message_needs_a_link_type)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	struct pt_msg *m = pt_msg_new(d.pool, "text", 4);
	ck_assert_int_eq(open_writer(&d, config), 0);
	int rc = capture_writer_put(d.writer, &m, 1, &d.err);
	ck_assert_int_eq(rc, -EMEDIUMTYPE);
	expect_refusal(&d, rc, "linktype", "set linktype");
	finish(&d);
	config.link_type = 147;
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(capture_writer_put(d.writer, &m, 1, &d.err), 1);
	finish(&d);
	struct reading r = read_path(d.path);
	expect_bytes(&r, 0, "text");
	ck_assert_uint_eq(r.messages[0]->link_type, 147);
	ck_assert_uint_gt(r.messages[0]->time_ns, UINT64_C(1600000000000000000));
	reading_end(&r);
	pt_msg_unref(m);
	desk_end(&d);
}
END_TEST

START_TEST(long_packets_are_cut_and_late_times_are_the_last)
{
	struct desk d = desk();
	uint8_t *bytes;
	struct pt_msg *m = pt_msg_room(d.pool, 300000, &bytes);
	memset(bytes, 7, 300000);
	m->link_type = 1;
	m->time_ns = INT64_MAX;
	ck_assert_int_eq(open_writer(&d, plain), 0);
	ck_assert_int_eq(capture_writer_put(d.writer, &m, 1, &d.err), 1);
	ck_assert_int_eq(put(&d, "early", 1, -1), 1);
	ck_assert_int_eq(put(&d, "first", 1, 0), 1);
	ck_assert_int_eq(put(&d, "last", 1, 4294967295999999999), 1);
	struct capture_misfits misfits = capture_writer_misfits(d.writer);
	ck_assert_uint_eq(misfits.dated, 2);
	ck_assert_uint_eq(misfits.cut, 1);
	finish(&d);
	struct reading r = read_path(d.path);
	ck_assert_uint_eq(r.count, 4);
	ck_assert_int_eq(r.messages[1]->time_ns, 0);
	ck_assert_int_eq(r.messages[3]->time_ns, 4294967295999999000);
	ck_assert_uint_eq(r.messages[0]->length, LINK_TYPE_PACKET_MAX);
	ck_assert_uint_eq(r.messages[0]->wire_length, 300000);
	ck_assert_uint_eq(r.messages[0]->time_ns, UINT64_C(4294967295999999000));
	reading_end(&r);
	pt_msg_unref(m);
	desk_end(&d);
}
END_TEST

static int64_t time_near(int64_t base, int64_t seconds)
{
	return base + random() % (2 * seconds + 1) * MOMENT_S - seconds * MOMENT_S +
	       (random() % 3 - 1) * (random() % 4);
}

/* Vectors whose times jump to and fro, over the edges of seconds and of what can be written. */
START_TEST(times_are_written_as_if_each_came_alone)
{
	static const int64_t bases[] = {0, 1700000000 * MOMENT_S, UINT32_MAX * MOMENT_S};
	static const int64_t last_ns = UINT32_MAX * MOMENT_S + MOMENT_S - 1;
	enum { COUNT = 64 };
	struct pt_msg *messages[COUNT];
	srandom(5);
	for (int n = 0; n < 2 * TIMES(30); n++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		uint64_t misfits = 0;
		config.format = n % 2 ? CAPTURE_PCAP : CAPTURE_PCAP_NS;
		ck_assert_int_eq(open_writer(&d, config), 0);
		for (unsigned i = 0; i < COUNT; i++)
			messages[i] = pt_msg_packet(d.pool, "", 0, i, 1,
			                            time_near(bases[random() % 3], 2));
		ck_assert_int_eq(capture_writer_put(d.writer, messages, COUNT, &d.err), COUNT);
		struct capture_misfits told = capture_writer_misfits(d.writer);
		finish(&d);
		struct reading r = read_path(d.path);
		ck_assert_uint_eq(r.count, COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			int64_t ns = messages[i]->time_ns, at = ns < 0         ? 0
			                                        : ns > last_ns ? last_ns
			                                                       : ns;
			misfits += at != ns;
			ck_assert_int_eq(r.messages[i]->time_ns, n % 2 ? at - at % 1000 : at);
			ck_assert_uint_eq(r.messages[i]->wire_length, i);
			pt_msg_unref(messages[i]);
		}
		ck_assert_uint_eq(told.dated, misfits);
		reading_end(&r);
		desk_end(&d);
	}
}
END_TEST

/* Records of usual and odd headers, some of which are the same twice. */
static struct file file_of_records(unsigned count)
{
	struct file f = {.big = false};
	uint8_t bytes[80];
	uint32_t length = 0, part = 0;
	put_pcap(&f, 0xa1b2c3d4, 1);
	for (unsigned i = 0; i < count; i++) {
		if (i % 4) {
			length = (uint32_t)random() % sizeof bytes;
			part = (uint32_t)random() % (i % 11 ? 1000000 : 3000000);
		}
		memset(bytes, (int)i, sizeof bytes);
		put32(&f, i % 16 > 1 ? (i + 2) / 4 : 0);
		put32(&f, i % 16 > 1 ? part : 0);
		put32(&f, length);
		put32(&f, i % 13 ? length + i / 4 % 3 : length / 2);
		buf_add(&f.bytes, bytes, length);
	}
	return f;
}

/* One in four is another than it was in its file, one in eight has changed places. */
static void change_some(struct reading *r)
{
	for (size_t i = 1; i < r->count; i++) {
		struct pt_msg **m = &r->messages[i], *before = r->messages[i - 1];
		switch (random() % 16) {
		case 0: (*m)->time_ns += 1000; break;
		case 1: (*m)->wire_length++; break;
		case 2: ck_assert_int_eq(pt_msg_truncate(m, (*m)->length / 2), 0); break;
		case 3: ck_assert_ptr_nonnull(pt_msg_edit(m)); break;
		case 4:
		case 5:
			r->messages[i - 1] = *m;
			*m = before;
			break;
		default: break;
		}
	}
}

static struct buf written_in_vectors(struct reading *r, enum capture_format format, unsigned most)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	struct buf written = BUF_INIT;
	config.format = format;
	ck_assert_int_eq(open_writer(&d, config), 0);
	for (size_t i = 0; i < r->count;) {
		unsigned left = (unsigned)(r->count - i), n = 1 + (unsigned)random() % most;
		n = n < left ? n : left;
		ck_assert_int_eq(capture_writer_put(d.writer, r->messages + i, n, &d.err), (int)n);
		i += n;
	}
	finish(&d);
	int fd = open(d.path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	size_t size = (size_t)size_of(d.path);
	ck_assert_int_eq(read(fd, buf_reserve(&written, size), size), (ssize_t)size);
	written.length += size;
	close(fd);
	desk_end(&d);
	return written;
}

/* What is unchanged from a file is copied in runs, which nobody can see. */
START_TEST(packets_of_a_file_are_written_as_if_each_came_alone)
{
	srandom(7);
	for (int n = 0; n < 2 * TIMES(20); n++) {
		struct file f = file_of_records(1000);
		struct reading r = read_file(&f);
		ck_assert_uint_eq(r.count, 1000);
		if (n % 4 > 1)
			change_some(&r);
		enum capture_format format = n % 2 ? CAPTURE_PCAP : CAPTURE_PCAP_NS;
		struct buf alone = written_in_vectors(&r, format, 1);
		struct buf together = written_in_vectors(&r, format, 64);
		ck_assert_uint_eq(together.length, alone.length);
		ck_assert_mem_eq(together.data, alone.data, alone.length);
		buf_free(&alone);
		buf_free(&together);
		reading_end(&r);
	}
}
END_TEST

START_TEST(what_is_no_packet_is_of_now_also_behind_one_of_its_file)
{
	struct file f = {.big = false};
	put_pcap(&f, 0xa1b2c3d4, 1);
	put_record(&f, 0, 0, "one", 3);
	put_record(&f, 0, 0, "two", 3);
	struct reading r = read_file(&f);
	r.messages[1]->link_type = PT_NO_LINK_TYPE;
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.link_type = 1;
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(capture_writer_put(d.writer, r.messages, 2, &d.err), 2);
	finish(&d);
	struct reading again = read_path(d.path);
	ck_assert_uint_eq(again.count, 2);
	ck_assert_int_eq(again.messages[0]->time_ns, 0);
	ck_assert_int_gt(again.messages[1]->time_ns, 0);
	reading_end(&again);
	reading_end(&r);
	desk_end(&d);
}
END_TEST

START_TEST(pcapng_has_every_moment)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX, -1500000000000000000};
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.format = CAPTURE_PCAPNG;
	ck_assert_int_eq(open_writer(&d, config), 0);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		ck_assert_int_eq(put(&d, "x", 1, times[i]), 1);
	ck_assert_uint_eq(capture_writer_misfits(d.writer).dated, 0);
	finish(&d);
	struct reading r = read_path(d.path);
	ck_assert_uint_eq(r.count, sizeof times / sizeof *times);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		ck_assert_int_eq(r.messages[i]->time_ns, times[i]);
	reading_end(&r);
	desk_end(&d);
}
END_TEST

/* More than all of the writer's buffers together. */
START_TEST(a_packet_may_be_of_many_megabytes)
{
	const uint32_t length = 100 * 1000 * 1000;
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		uint8_t *bytes;
		struct pt_msg *m = pt_msg_room(d.pool, length, &bytes);
		memset(bytes, 7, length);
		m->link_type = 231;
		config.format = (enum capture_format)format;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert_int_eq(put(&d, "before", 231, 1), 1);
		ck_assert_int_eq(capture_writer_put(d.writer, &m, 1, &d.err), 1);
		while (put(&d, "after", 231, 1) == 0)
			sched_yield();
		ck_assert_uint_eq(capture_writer_misfits(d.writer).cut, 0);
		finish(&d);
		struct reading r = read_path(d.path);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 3);
		ck_assert_uint_eq(r.messages[1]->length, length);
		ck_assert_mem_eq(r.messages[1]->bytes, m->bytes, length);
		expect_bytes(&r, 2, "after");
		reading_end(&r);
		pt_msg_unref(m);
		desk_end(&d);
	}
}
END_TEST

static void write_one(struct desk *d, struct capture_writer_config config, const char *text)
{
	ck_assert_int_eq(open_writer(d, config), 0);
	ck_assert_int_eq(put(d, text, 1, 1), 1);
	finish(d);
}

START_TEST(appending_goes_on_at_the_end)
{
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		config.format = (enum capture_format)format;
		config.append = true;
		write_one(&d, config, "one");
		write_one(&d, config, "two");
		struct reading r = read_path(d.path);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_eq(r.count, 2);
		expect_bytes(&r, 1, "two");
		reading_end(&r);
		desk_end(&d);
	}
}
END_TEST

static void overwrite(const char *path, off_t at, const char *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, bytes, length, at), (ssize_t)length);
	close(fd);
}

START_TEST(appending_to_another_kind_of_file_is_refused)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.append = true;
	write_one(&d, config, "one");
	config.format = CAPTURE_PCAP_NS;
	expect_refusal(&d, open_writer(&d, config), "format", "its format is pcap, not pcap-ns");
	config.format = CAPTURE_PCAP;
	config.link_type = 101;
	expect_refusal(&d, open_writer(&d, config), "linktype", "its link type is 1, not 101");
	config.pack = PACK_ZSTD;
	expect_refusal(&d, open_writer(&d, config), "append", "compressed");
	config = plain;
	config.append = true;
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(put(&d, "raw", 101, 1), -EMEDIUMTYPE);
	pt_error_clear(&d.err);
	finish(&d);
	ck_assert_int_eq(truncate(d.path, 42), 0);
	expect_refusal(&d, open_writer(&d, config), "fname", "cut off at byte 42");
	overwrite(d.path, 0, "text", 4);
	expect_refusal(&d, open_writer(&d, config), "fname", "not a capture file");
	ck_assert_int_eq(size_of(d.path), 42);
	desk_end(&d);
}
END_TEST

static void expect_packets(const char *path, size_t count, const char *last)
{
	struct reading r = read_path(path);
	ck_assert_msg(r.end == 0, "%s", r.err.count ? r.err.faults[0].message : "");
	ck_assert_uint_eq(r.count, count);
	expect_bytes(&r, count - 1, last);
	reading_end(&r);
}

static void tear(const char *path, const char *bytes, size_t length)
{
	overwrite(path, size_of(path), bytes, length);
}

/* What is torn, or nothing, is cut off. */
START_TEST(what_is_found_is_gone_on_with)
{
	static const struct {
		const char *bytes;
		size_t length;
	} torn[] = {{"", 0}, {"\6\0\0\0\x40\0\0\0", 8}, {"\1\2\3", 3}};
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++)
		for (int pack = PACK_NONE; pack <= PACK_LZ4; pack++)
			for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
				struct desk d = desk();
				struct capture_writer_config config = plain;
				config.format = (enum capture_format)format;
				config.pack = (enum pack_kind)pack;
				config.begun = CAPTURE_FOUND;
				write_one(&d, config, "one");
				tear(d.path, torn[i].bytes, torn[i].length);
				write_one(&d, config, "two");
				write_one(&d, config, "three");
				expect_packets(d.path, 3, "three");
				desk_end(&d);
			}
}
END_TEST

START_TEST(where_not_even_a_header_is_whole_it_is_begun)
{
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++)
		for (off_t length = 0; length <= 23; length += 23) {
			struct desk d = desk();
			struct capture_writer_config config = plain;
			config.format = (enum capture_format)format;
			write_one(&d, config, "one");
			ck_assert_int_eq(truncate(d.path, length), 0);
			config.begun = CAPTURE_FOUND;
			write_one(&d, config, "two");
			expect_packets(d.path, 1, "two");
			desk_end(&d);
		}
}
END_TEST

START_TEST(another_kind_of_file_stays_and_is_written_beside)
{
	static const struct {
		struct capture_writer_config other;
		const char *words;
	} cases[] = {
		{{.fd = -1, .link_type = 1, .format = CAPTURE_PCAPNG}, "its format is pcapng"},
		{{.fd = -1, .link_type = 1, .pack = PACK_GZIP}, "its compression is gzip"},
		{{.fd = -1, .link_type = 1}, "its link type is 1, not 101"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		write_one(&d, cases[i].other, "other");
		config.begun = CAPTURE_FOUND;
		config.link_type = 101;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert_uint_eq(d.err.count, 0);
		const char *words = capture_writer_aside(d.writer);
		ck_assert_ptr_nonnull(words);
		ck_assert_msg(strstr(words, cases[i].words), "%s", words);
		ck_assert_ptr_nonnull(strstr(words, "the capture goes on in"));
		ck_assert_int_eq(put(&d, "mine", 101, 1), 1);
		finish(&d);
		expect_packets(d.path, 1, "other");
		char *beside = must_printf("%s/x.00001.pcap", d.folder);
		expect_packets(beside, 1, "mine");
		free(beside);
		desk_end(&d);
	}
}
END_TEST

START_TEST(data_without_a_whole_member_are_not_thrown_away)
{
	for (int pack = PACK_GZIP; pack <= PACK_LZ4; pack++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		config.pack = (enum pack_kind)pack;
		write_one(&d, config, "a packet that is somewhat longer");
		off_t size = size_of(d.path) - 1;
		ck_assert_int_eq(truncate(d.path, size), 0);
		config.begun = CAPTURE_FOUND;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert_ptr_nonnull(capture_writer_aside(d.writer));
		finish(&d);
		ck_assert_int_eq(size_of(d.path), size);
		desk_end(&d);
	}
}
END_TEST

/* libpcap cuts packets where the header says so. */
START_TEST(a_small_snapshot_length_is_raised)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	write_one(&d, config, "one");
	config.append = true;
	for (int appends = 0; appends < 2; appends++) {
		uint32_t snaplen;
		overwrite(d.path, 16, "\3\0\0\0", 4);
		config.fd = open(d.path, O_RDWR | O_CLOEXEC | (appends ? O_APPEND : 0));
		write_one(&d, config, "longer");
		int fd = open(d.path, O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(pread(fd, &snaplen, sizeof snaplen, 16), sizeof snaplen);
		close(fd);
		ck_assert_uint_eq(snaplen, LINK_TYPE_PACKET_MAX);
	}
	expect_packets(d.path, 3, "longer");
	desk_end(&d);
}
END_TEST

/* Without being seen as who reads it. */
static struct reading read_copy(const char *path)
{
	static char bytes[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, bytes, sizeof bytes);
	ck_assert_int_ge(length, 0);
	close(fd);
	return read_bytes(bytes, (size_t)length);
}

START_TEST(a_header_is_there_at_once)
{
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++)
		for (int pack = PACK_NONE; pack <= PACK_LZ4; pack++) {
			struct desk d = desk();
			struct capture_writer_config config = plain;
			config.format = (enum capture_format)format;
			config.pack = (enum pack_kind)pack;
			config.link_type = 101;
			ck_assert_int_eq(open_writer(&d, config), 0);
			capture_writer_head(d.writer);
			int end;
			do {
				sched_yield();
				struct reading r =
					read_copy(d.path); /* what is read is not written */
				end = r.end;
				ck_assert_uint_eq(r.count, 0);
				reading_end(&r);
			} while (end);
			finish(&d);
			desk_end(&d);
		}
}
END_TEST

START_TEST(nothing_is_touched_before_the_first_packet)
{
	struct desk d = desk();
	write_one(&d, plain, "precious");
	ck_assert_int_eq(open_writer(&d, plain), 0);
	ck_assert_int_eq(size_of(d.path), 24 + 16 + 8);
	capture_writer_cancel(d.writer);
	ck_assert_int_eq(size_of(d.path), 24 + 16 + 8);
	unlink(d.path);
	ck_assert_int_eq(open_writer(&d, plain), 0);
	capture_writer_cancel(d.writer);
	ck_assert_int_eq(size_of(d.path), -1);
	desk_end(&d);
}
END_TEST

START_TEST(a_descriptor_is_written_as_a_path_is)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.path = "what the user calls it";
	for (int round = 0; round < 3; round++) { /* anew, over it, behind it */
		config.fd = open(d.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		config.append = round == 2;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert_int_eq(size_of(d.path), round ? 24 + 16 + 3 : 0);
		ck_assert_int_eq(put(&d, "one", 1, 1), 1);
		finish(&d);
	}
	struct reading r = read_path(d.path);
	ck_assert_uint_eq(r.count, 2);
	reading_end(&r);
	config.fd = open(d.path, O_WRONLY | O_CLOEXEC);
	expect_refusal(&d, open_writer(&d, config), "append", "it is not open for reading, too");
	desk_end(&d);
}
END_TEST

START_TEST(a_pipe_that_others_use_gets_its_flags_back)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	config.path = "a pipe";
	config.fd = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(put(&d, "one", 1, 1), 1);
	finish(&d);
	ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	close(ends[0]);
	close(ends[1]);
	desk_end(&d);
}
END_TEST

START_TEST(a_file_has_one_writer)
{
	struct desk d = desk();
	ck_assert_int_eq(open_writer(&d, plain), 0);
	struct capture_writer *first = d.writer;
	int rc = open_writer(&d, plain);
	ck_assert_int_eq(rc, -EBUSY);
	expect_refusal(&d, rc, "fname", "is being written by another block or program");
	d.writer = first;
	finish(&d);
	desk_end(&d);
}
END_TEST

START_TEST(what_cannot_be_opened_says_how_to_mend_it)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.path = "/nowhere/x.pcap";
	expect_refusal(&d, open_writer(&d, config), "fname", "no such file");
	config.path = d.folder;
	expect_refusal(&d, open_writer(&d, config), "fname", "is a folder");
	ck_assert_int_eq(mkfifo(d.path, 0600), 0);
	expect_refusal(&d, open_writer(&d, plain), "fname", "nobody reads the FIFO");
	desk_end(&d);
}
END_TEST

static void fail_with(struct desk *d, struct capture_writer_config config, int code,
                      const char *words)
{
	ck_assert_int_eq(open_writer(d, config), 0);
	ck_assert_int_eq(put(d, "lost", 1, 1), 1);
	int rc = capture_writer_close(d->writer, &d->err);
	ck_assert_int_eq(rc, code);
	expect_refusal(d, rc, "fname", words);
}

START_TEST(a_full_disk_is_told)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.path = "/dev/full";
	fail_with(&d, config, -ENOSPC, "no space left");
	desk_end(&d);
}
END_TEST

START_TEST(a_size_limit_is_told)
{
	struct rlimit before, small;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){20, before.rlim_max};
	struct desk d = desk();
	ck_assert_int_eq(open_writer(&d, plain), 0);
	ck_assert_int_eq(put(&d, "lost", 1, 1), 1);
	setrlimit(RLIMIT_FSIZE, &small); /* nothing is asserted while it holds: libcheck writes */
	int rc = capture_writer_close(d.writer, &d.err);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(rc, -EFBIG);
	expect_refusal(&d, rc, "fname", "file too large");
	desk_end(&d);
}
END_TEST

static void add_lost(void *arg, uint64_t packets)
{
	*(uint64_t *)arg += packets;
}

/* Every packet that was taken is in the file, or told as lost. */
START_TEST(a_file_that_takes_a_part_has_what_was_not_lost)
{
	enum { PACKETS = 30000, LIMIT = 700001 };
	for (int format = CAPTURE_PCAP; format <= CAPTURE_PCAPNG; format++) {
		struct rlimit before, small;
		ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
		small = (struct rlimit){LIMIT, before.rlim_max};
		struct desk d = desk();
		struct capture_writer_config config = plain;
		uint64_t lost = 0, taken = 0;
		config.format = (enum capture_format)format;
		config.lost = add_lost;
		config.arg = &lost;
		ck_assert_int_eq(open_writer(&d, config), 0);
		setrlimit(RLIMIT_FSIZE, &small);
		while (taken < PACKETS && put(&d, "some bytes, and some more", 1, 1) == 1)
			taken++;
		int rc = capture_writer_close(d.writer, NULL);
		setrlimit(RLIMIT_FSIZE, &before);
		ck_assert_int_eq(rc, -EFBIG);
		struct reading r = read_path(d.path);
		ck_assert_int_eq(r.end, 0);
		ck_assert_uint_gt(r.count, LIMIT / 100);
		ck_assert_uint_eq(r.count + lost, taken);
		reading_end(&r);
		desk_end(&d);
	}
}
END_TEST

START_TEST(a_reader_that_closes_is_told)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	config.path = "a pipe";
	config.fd = ends[1];
	fail_with(&d, config, -EPIPE, "the reader has closed it");
	desk_end(&d);
}
END_TEST

START_TEST(after_a_failed_write_everything_is_refused)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.path = "/dev/full";
	ck_assert_int_eq(open_writer(&d, config), 0);
	ck_assert_int_eq(put(&d, "lost", 1, 1), 1);
	capture_writer_push(d.writer);
	while (!capture_writer_error(d.writer))
		sched_yield();
	ck_assert_int_eq(put(&d, "more", 1, 2), -ENOSPC);
	ck_assert_int_eq(capture_writer_close(d.writer, NULL), -ENOSPC);
	desk_end(&d);
}
END_TEST

static void make_file(const char *folder, const char *name)
{
	char *path = must_printf("%s/%s", folder, name);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	free(path);
}

static bool is_file(const char *folder, const char *name)
{
	char *path = must_printf("%s/%s", folder, name);
	bool is = size_of(path) >= 0;
	free(path);
	return is;
}

static bool has_bytes(const char *folder, const char *name)
{
	struct stat st;
	char *path = must_printf("%s/%s", folder, name);
	bool has = stat(path, &st) == 0 && st.st_size;
	free(path);
	return has;
}

static size_t packets_in(const char *folder, const char *name)
{
	char *path = must_printf("%s/%s", folder, name);
	struct reading r = read_path(path);
	size_t count = r.end == 0 ? r.count : SIZE_MAX;
	reading_end(&r);
	free(path);
	return count;
}

START_TEST(what_is_being_read_is_not_written)
{
	struct desk d = desk();
	struct pt_msg *m;
	ck_assert_int_eq(open_writer(&d, plain), 0);
	put(&d, "one", 1, 1);
	finish(&d);
	for (int how = 0; how < 4; how++) {
		struct capture_reader *r;
		struct capture_writer_config config = plain;
		bool opened_before = how % 2;
		config.append = how / 2;
		int rc = opened_before ? open_writer(&d, config) : 0;
		ck_assert_int_eq(capture_reader_open(d.path, &r, &d.err), 0);
		if (opened_before) {
			put(&d, "two", 1, 1);
			rc = capture_writer_close(d.writer, &d.err);
		} else {
			rc = open_writer(&d, config);
		}
		expect_refusal(&d, rc, "fname", "is being read");
		ck_assert_int_eq(capture_reader_next(r, d.pool, &m, 1, &d.err), 1);
		pt_msg_unref(m);
		ck_assert_int_eq(capture_reader_next(r, d.pool, &m, 1, &d.err), 0);
		ck_assert_int_eq(open_writer(&d, config), 0); /* it has been read */
		capture_writer_cancel(d.writer);
		capture_reader_close(r);
	}
	ck_assert_uint_eq(packets_in(d.folder, "x.pcap"), 1);
	desk_end(&d);
}
END_TEST

START_TEST(a_ring_goes_on_in_its_next_file_and_keeps_so_many)
{
	for (int pack = PACK_NONE; pack <= PACK_LZ4; pack++) {
		struct desk d = desk();
		struct capture_writer_config config = plain;
		make_file(d.folder, "x.00001.pcap");
		make_file(d.folder, "x.00003.pcap");
		config.pack = (enum pack_kind)pack;
		config.number = 4;
		config.files = 2;
		ck_assert_int_eq(open_writer(&d, config), 0);
		ck_assert(is_file(d.folder, "x.00001.pcap"));
		put(&d, "one", 101, 1);
		capture_writer_rotate(d.writer);
		ck_assert_uint_eq(capture_writer_bytes(d.writer), 0);
		put(&d, "two", 101, 2);
		put(&d, "three", 101, 3);
		capture_writer_rotate(d.writer);
		finish(&d);
		ck_assert(!is_file(d.folder, "x.00001.pcap"));
		ck_assert(!is_file(d.folder, "x.00003.pcap"));
		ck_assert(!is_file(d.folder, "x.00004.pcap"));
		ck_assert_uint_eq(packets_in(d.folder, "x.00005.pcap"), 2);
		ck_assert_uint_eq(packets_in(d.folder, "x.00006.pcap"), 0);
		desk_end(&d);
	}
}
END_TEST

START_TEST(a_ring_has_one_writer)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	config.number = 1;
	ck_assert_int_eq(open_writer(&d, config), 0);
	put(&d, "one", 1, 1);
	capture_writer_rotate(d.writer);
	put(&d, "two", 1, 2);
	capture_writer_push(d.writer);
	while (!has_bytes(d.folder, "x.00002.pcap")) /* then it is locked, too */
		sched_yield();
	struct capture_writer *first = d.writer;
	config.number = 3;
	int rc = open_writer(&d, config);
	expect_refusal(&d, rc, "fname", "x.pcap' is being written by another block or program");
	d.writer = first;
	char *third = must_printf("%s/x.00003.pcap", d.folder);
	config = plain;
	config.path = third;
	struct capture_writer *ring = d.writer;
	ck_assert_int_eq(open_writer(&d, config), 0);
	capture_writer_rotate(ring);
	rc = capture_writer_close(ring, &d.err);
	expect_refusal(&d, rc, "fname", "x.00003.pcap' is being written");
	finish(&d);
	free(third);
	desk_end(&d);
}
END_TEST

START_TEST(a_rotation_that_fails_is_told)
{
	struct desk d = desk();
	struct capture_writer_config config = plain;
	char *second = must_printf("%s/x.00002.pcap", d.folder);
	config.number = 1;
	ck_assert_int_eq(open_writer(&d, config), 0);
	put(&d, "one", 1, 1);
	ck_assert_int_eq(mkdir(second, 0700), 0);
	capture_writer_rotate(d.writer);
	put(&d, "two", 1, 2);
	int rc = capture_writer_close(d.writer, &d.err);
	ck_assert_int_eq(rc, -EISDIR);
	expect_refusal(&d, rc, "fname", "x.00002.pcap' is a folder");
	ck_assert_uint_eq(packets_in(d.folder, "x.00001.pcap"), 1);
	rmdir(second);
	free(second);
	desk_end(&d);
}
END_TEST

START_TEST(a_stream_of_pcapng_can_be_read)
{
	struct desk d = desk();
	struct buf b = BUF_INIT;
	struct pt_msg *m = pt_msg_packet(d.pool, "12345", 5, 60, 101, 42);
	struct pt_msg *old = pt_msg_packet(d.pool, "1234", 4, 4, 102, -1);
	struct feed feed;
	feed_init(&feed, "eth0", 147);
	feed_header(&feed, &b);
	feed_packet(&feed, &b, m);
	feed_packet(&feed, &b, old);
	feed_fini(&feed);
	pt_msg_unref(old);
	struct reading r = read_bytes(b.data, b.length);
	ck_assert_int_eq(r.end, 0);
	expect_bytes(&r, 0, "12345");
	ck_assert_uint_eq(r.messages[0]->time_ns, 42);
	ck_assert_uint_eq(r.messages[0]->link_type, 101);
	ck_assert_uint_eq(r.messages[0]->wire_length, 60);
	expect_bytes(&r, 1, "1234");
	ck_assert_int_eq(r.messages[1]->time_ns, -1);
	reading_end(&r);
	pt_msg_unref(m);
	buf_free(&b);
	desk_end(&d);
}
END_TEST

UNIT_TESTS("capture/writer", what_is_written_is_read_back, an_empty_file_is_a_valid_one,
           pcap_holds_one_link_type_and_pcapng_many, a_vector_is_taken_up_to_what_does_not_fit,
           a_plain_message_needs_a_link_type, long_packets_are_cut_and_late_times_are_the_last,
           times_are_written_as_if_each_came_alone,
           packets_of_a_file_are_written_as_if_each_came_alone,
           what_is_no_packet_is_of_now_also_behind_one_of_its_file, pcapng_has_every_moment,
           a_packet_may_be_of_many_megabytes, what_is_found_is_gone_on_with,
           where_not_even_a_header_is_whole_it_is_begun,
           another_kind_of_file_stays_and_is_written_beside,
           data_without_a_whole_member_are_not_thrown_away, a_small_snapshot_length_is_raised,
           a_header_is_there_at_once, appending_goes_on_at_the_end,
           appending_to_another_kind_of_file_is_refused, nothing_is_touched_before_the_first_packet,
           a_file_has_one_writer, a_descriptor_is_written_as_a_path_is,
           a_pipe_that_others_use_gets_its_flags_back, what_cannot_be_opened_says_how_to_mend_it,
           a_full_disk_is_told, a_size_limit_is_told,
           a_file_that_takes_a_part_has_what_was_not_lost, a_reader_that_closes_is_told,
           after_a_failed_write_everything_is_refused, what_is_being_read_is_not_written,
           a_ring_goes_on_in_its_next_file_and_keeps_so_many, a_ring_has_one_writer,
           a_rotation_that_fails_is_told, a_stream_of_pcapng_can_be_read)
