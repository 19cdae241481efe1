/* SPDX-License-Identifier: BSD-2-Clause */
/* WrpcapSink: what reaches the file, when, and what does not. */
#include "rig.h"
#include "unit.h"

#include "base/buf.h"
#include <stdio.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "capture/unpack.h"

static char folder[] = "/tmp/wrpcap-XXXXXX";
static char path[64];

static struct rig *bench_of(const char *name, const char *more)
{
	char arguments[160];
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(arguments, sizeof arguments, "'%s/%s'%s", folder, name, more);
	return rig("WrpcapSink", arguments);
}

static struct rig *bench(const char *more)
{
	struct rig *r = bench_of("x.pcap", more);
	snprintf(path, sizeof path, "%s/x.pcap", folder);
	return r;
}

static void bench_end(struct rig *r)
{
	rig_end(r);
	unlink(path);
	rmdir(folder);
}

static long size_of(const char *name)
{
	struct stat st;
	return stat(name, &st) < 0 ? -1 : (long)st.st_size;
}

static void expect_drop(struct rig *r, const char *why)
{
	const struct gone *drops = rig_block(r, "it")->count.gone;
	ck_assert_ptr_nonnull(drops[0].why);
	ck_assert_str_eq(drops[0].why, why);
	ck_assert_uint_eq(drops[0].count, 1);
}

START_TEST(a_stop_leaves_everything_in_the_file)
{
	struct rig *r = bench("");
	push_packet(r, "ab", 2, 1);
	push_packet(r, "c", 1, 1);
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 2);
	ck_assert_ptr_nonnull(ask(r, "stop", "{}"));
	ck_assert_int_eq(size_of(path), 24 + 18 + 17);
	bench_end(r);
}
END_TEST

START_TEST(after_a_second_what_is_buffered_reaches_the_file)
{
	struct rig *r = bench("");
	push_packet(r, "ab", 2, 1);
	while (size_of(path) < 24 + 18) /* the first one at once, with the header */
		sched_yield();
	push_packet(r, "c", 1, 1);
	ck_assert_int_eq(size_of(path), 24 + 18);
	pass_time(r, 1);
	while (size_of(path) < 24 + 18 + 17)
		sched_yield(); /* the writer is a thread */
	bench_end(r);
}
END_TEST

static bool holds_packed(const char *name, const char *text)
{
	static uint8_t packed[1 << 20], bytes[1 << 20];
	FILE *file = fopen(name, "re");
	ck_assert_ptr_nonnull(file);
	struct unpack_span span = {packed, fread(packed, 1, sizeof packed, file), bytes,
	                           sizeof bytes};
	fclose(file);
	const struct unpack_kind *kind = unpack_kind(packed, span.in_left);
	if (!kind)
		return false;
	bool whole = false;
	void *state = kind->make();
	for (size_t left = 0; span.in_left && span.in_left != left;) { /* piece by piece */
		left = span.in_left;
		ck_assert_ptr_null(kind->run(state, &span, &whole));
	}
	kind->free(state);
	return memmem(bytes, sizeof bytes - span.out_left, text, strlen(text));
}

/* More than zlib gives back by itself. */
START_TEST(after_a_second_so_does_what_is_compressed)
{
	static char much[100000];
	static const char *const ways[] = {", gz=True", ", compress='zstd'", ", compress='lz4'"};
	for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
		struct rig *r = bench(ways[way]);
		for (int i = 0; i < 8; i++)
			push_packet(r, much, sizeof much, 1);
		push_packet(r, "the last", 8, 1);
		pass_time(r, 1);
		while (!holds_packed(path, "the last"))
			sched_yield();
		bench_end(r);
	}
}
END_TEST

START_TEST(what_does_not_fit_the_file_is_dropped_and_told)
{
	struct rig *r = bench("");
	push_packet(r, "ab", 2, 1);
	push_packet(r, "ab", 2, 101);
	expect_report(r, "link type 101");
	expect_drop(r, "link-type");
	bench_end(r);
}
END_TEST

START_TEST(plain_messages_need_a_link_type)
{
	struct rig *r = bench("");
	push(r, LOW, "text");
	expect_report(r, "set linktype");
	expect_drop(r, "link-type");
	bench_end(r);
	r = bench(", linktype=147");
	push(r, LOW, "text");
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 1);
	bench_end(r);
}
END_TEST

START_TEST(a_failed_write_is_told_once_and_the_rest_dropped)
{
	struct rig *r = rig("WrpcapSink", "'/dev/full'");
	push_packet(r, "ab", 2, 1);
	pass_time(r, 1);
	while (!rig_block(r, "it")->failed)
		turn(r);
	expect_report(r, "no space left on device");
	push_packet(r, "ab", 2, 1);
	expect_drop(r, "write-error");
	ck_assert_uint_eq(rig_block(r, "it")->count.errors, 1);
	rig_end(r);
}
END_TEST

/* What `ptctl stats` shows, once the engine has stopped. */
static void expect_lost(const char *arguments, unsigned lost)
{
	struct rig *r = rig("WrpcapSink", arguments);
	for (unsigned i = 0; i < lost; i++)
		push_packet(r, "ab", 2, 1);
	ask(r, "stop", "{}");
	const json_t *stats = ask(r, "stats", "{}");
	const json_t *block = json_array_get(json_object_get(stats, "blocks"), 0);
	const json_t *drops = json_object_get(block, "dropped");
	ck_assert_int_eq(json_integer_value(json_object_get(block, "out")), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(drops, "write-error")), lost);
	ck_assert_int_eq(json_integer_value(json_object_get(stats, "unexplained")), 0);
	rig_end(r);
}

START_TEST(what_lay_in_the_buffer_of_a_failed_write_was_not_delivered)
{
	expect_lost("'/dev/full'", 3);
	expect_lost("'/dev/full', format='pcapng'", 3);
	expect_lost("'/dev/full', gz=True", 3);
}
END_TEST

START_TEST(what_a_file_cannot_say_is_told_also_of_one_that_is_opened_anew)
{
	struct rig *r = bench_of("{canal}.pcap", "");
	struct pt_block *b = rig_block(r, "it");
	for (unsigned i = 1; i <= 2; i++) {
		struct pt_msg *m = pt_msg_packet(rig_engine(r)->pool, "ab", 2, 2, 1, -1);
		push_messages(r, LOW, &m, 1);
		ck_assert_uint_eq(b->count.errors, i);
		b->type->reopen(b);
	}
	snprintf(path, sizeof path, "%s/low.pcap", folder);
	bench_end(r);
}
END_TEST

START_TEST(a_ring_of_files_keeps_the_newest)
{
	struct rig *r = bench(", rotate={'size': 40, 'files': 2}");
	for (int i = 0; i < 5; i++)
		push_packet(r, "ab", 2, 1);
	ck_assert_ptr_nonnull(ask(r, "stop", "{}"));
	for (int i = 1; i <= 5; i++) {
		char name[96];
		snprintf(name, sizeof name, "%s/x.%05d.pcap", folder, i);
		ck_assert_int_eq(size_of(name), i >= 4 ? 24 + 18 : -1);
		unlink(name);
	}
	bench_end(r);
}
END_TEST

START_TEST(contradictions_are_refused)
{
	struct rig *r = rig_graph("it = Sink()");
	ck_assert_ptr_null(ask_change(r, "w = WrpcapSink('/tmp/x', gz=True, append=True)"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "compressed"));
	ck_assert_ptr_null(ask_change(r, "w = WrpcapSink('/tmp/x.zst', append=True)"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "write compress=\"none\""));
	ck_assert_ptr_null(ask_change(r, "w = WrpcapSink('/tmp/x', gz=True, compress='lz4')"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "'lz4' is not what gz says"));
	ck_assert_ptr_null(ask_change(r, "w = WrpcapSink('/tmp/x', rotate={'files': 3})"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "give size or seconds"));
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/wrpcap_sink", a_stop_leaves_everything_in_the_file,
           after_a_second_what_is_buffered_reaches_the_file,
           after_a_second_so_does_what_is_compressed,
           what_does_not_fit_the_file_is_dropped_and_told, plain_messages_need_a_link_type,
           a_failed_write_is_told_once_and_the_rest_dropped,
           what_lay_in_the_buffer_of_a_failed_write_was_not_delivered,
           what_a_file_cannot_say_is_told_also_of_one_that_is_opened_anew,
           a_ring_of_files_keeps_the_newest, contradictions_are_refused)
