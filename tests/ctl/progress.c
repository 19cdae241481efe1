/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the line that `ptctl run` keeps on a terminal. */
#include "ctl/progress.h"

#include "unit.h"

static void update(struct progress *p, int messages, int done, double now_s)
{
	json_t *shown = json_pack("{s:[{s:s, s:{s:i, s:i}}, {s:s}]}", "blocks", "name", "s",
	                          "progress", "done", done, "size", 1000, "name", "d");
	json_t *stats =
		json_pack("{s:[{s:s, s:i}, {s:s, s:i}], s:[{s:s, s:s, s:s, s:i}, "
	                  "{s:s, s:s, s:s, s:i}]}",
	                  "blocks", "name", "s", "made", messages, "name", "d", "made", 5, "links",
	                  "from", "s", "to", "d", "canal", "low", "bytes", messages * 100, "from",
	                  "s", "to", "e", "canal", "low", "bytes", messages * 90);
	ck_assert(shown && stats);
	progress_update(p, shown, stats, now_s);
	json_decref(shown);
	json_decref(stats);
}

static void expect_line(const struct progress *p, double now_s, const char *expected)
{
	struct buf b = BUF_INIT;
	progress_line(p, now_s, &b);
	ck_assert_str_eq(b.data, expected);
	buf_free(&b);
}

START_TEST(it_tells_rate_part_and_what_is_left)
{
	struct progress p;
	progress_init(&p, 100);
	update(&p, 2000, 250, 102);
	expect_line(&p, 102, "2,000 packets, 200.0 kB, 1,000/s, 25%, 0:06 left");
	update(&p, 4000, 1000, 104);
	expect_line(&p, 104, "4,000 packets, 400.0 kB, 1,000/s, 100%");
}
END_TEST

START_TEST(without_a_size_there_is_no_part)
{
	struct progress p;
	json_t *empty = json_object();
	progress_init(&p, 0);
	progress_update(&p, empty, empty, 1);
	expect_line(&p, 1, "0 packets, 0 B, 0/s");
	json_decref(empty);
}
END_TEST

START_TEST(the_rate_is_smoothed)
{
	struct progress p;
	progress_init(&p, 0);
	update(&p, 1000, 0, 1);
	ck_assert_double_eq(p.rate, 1000);
	update(&p, 1000, 0, 2);
	ck_assert_double_eq_tol(p.rate, 700, 1e-6);
	update(&p, 1000, 0, 2);
	ck_assert_double_eq_tol(p.rate, 700, 1e-6);
}
END_TEST

UNIT_TESTS("ctl/progress", it_tells_rate_part_and_what_is_left, without_a_size_there_is_no_part,
           the_rate_is_smoothed)
