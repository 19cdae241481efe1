/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of everything, in a line and as a verdict. */
#include "ctl/account.h"

#include "base/buf.h"
#include "unit.h"

static json_t *stats_of(const char *text)
{
	json_error_t fault;
	json_t *stats = json_loads(text, 0, &fault);
	ck_assert_msg(stats, "%s", fault.text);
	return stats;
}

static void expect_line(const char *text, const char *line)
{
	struct buf b = BUF_INIT;
	json_t *stats = stats_of(text);
	account_line(stats, &b);
	ck_assert_str_eq(b.data, line);
	buf_free(&b);
	json_decref(stats);
}

static const char lossy[] =
	"{\"blocks\": [{\"name\": \"a\", \"dropped\": {\"error\": 1200, \"own\": 1}},"
	"{\"name\": \"b\", \"dropped\": {\"kernel\": 3}, \"triggers_dropped\": 2}],"
	"\"total\": {\"in\": 5000, \"out\": 0, \"filtered\": 7, \"dropped\": 1206}}";

START_TEST(the_line_has_what_is_not_nothing)
{
	expect_line("{\"blocks\": [], \"total\": {\"in\": 0, \"out\": 0, \"filtered\": 0, "
	            "\"dropped\": 0}}",
	            "0 in, 0 out");
	expect_line(lossy,
	            "5,000 in, 0 out, 7 filtered, 1,206 dropped (1,200 error at a, 1 own at a, "
	            "3 kernel at b, 2 too-deep at b)");
}
END_TEST

START_TEST(many_places_are_counted)
{
	struct buf text = BUF_INIT, line = BUF_INIT;
	buf_adds(&text, "{\"blocks\": [");
	for (int i = 0; i < 20; i++)
		buf_addf(&text, "%s{\"name\": \"b%d\", \"dropped\": {\"error\": 1}}", i ? ", " : "",
		         i);
	buf_adds(&text,
	         "], \"total\": {\"in\": 20, \"out\": 0, \"filtered\": 0, \"dropped\": 20}}");
	json_t *stats = stats_of(text.data);
	account_line(stats, &line);
	ck_assert_ptr_nonnull(strstr(line.data, "20 dropped (1 error at b0, "));
	ck_assert_ptr_nonnull(strstr(line.data, "1 error at b7, and at 12 more)"));
	json_decref(stats);
	buf_free(&text);
	buf_free(&line);
}
END_TEST

START_TEST(what_is_allowed_is_no_loss)
{
	const struct {
		const char *allowed;
		bool lost;
	} cases[] = {{NULL, true},
	             {"error,own,kernel,too-deep", false},
	             {"error,own,kernel", true},
	             {"err,own,kernel,too-deep", true},
	             {"", true}};
	json_t *stats = stats_of(lossy), *none = stats_of("{\"blocks\": []}");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *allowed = cases[i].allowed ? json_string(cases[i].allowed) : NULL;
		ck_assert_int_eq(account_has_losses(stats, allowed), cases[i].lost);
		ck_assert(!account_has_losses(none, allowed));
		json_decref(allowed);
	}
	ck_assert(!account_has_losses(stats, json_true()));
	json_decref(stats);
	json_decref(none);
}
END_TEST

UNIT_TESTS("ctl/account", the_line_has_what_is_not_nothing, many_places_are_counted,
           what_is_allowed_is_no_loss)
