/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change did, in one line. */
#include "ctl/change.h"

#include "unit.h"
#include <string.h>

static json_t *ops_of(const char *text)
{
	json_error_t fault;
	json_t *ops = json_loads(text, 0, &fault);
	ck_assert_msg(ops, "%s", fault.text);
	return ops;
}

static void expect(const char *text, size_t width, const char *line)
{
	struct buf b = BUF_INIT;
	json_t *ops = ops_of(text);
	change_summary(&b, 2, ops, width);
	ck_assert_str_eq(b.data, line);
	buf_free(&b);
	json_decref(ops);
}

#define OP(op, name) "{\"op\": \"" op "\", \"name\": \"" name "\"}"
#define LINK(op, from, to, canal) \
	"{\"op\": \"" op "\", \"from\": \"" from "\", \"to\": \"" to "\", \"canal\": \"" canal "\"}"

START_TEST(each_kind_has_its_word)
{
	expect("[]", 80, "no change");
	expect("[{\"op\": \"order\"}]", 80, "revision 2: only how it is written differs");
	expect("[" OP("set", "a") ", " OP("remove", "b") ", " OP("replace", "c") ", " OP(
		       "add", "d") ", " OP("add", "e") "]",
	       80, "revision 2: added d, e; removed b; replaced c; set a");
}
END_TEST

START_TEST(links_are_chained_where_they_go_on)
{
	expect("[" OP("add", "b") ", " LINK("link", "a", "b", "low") ", " OP("add", "c") ", " LINK(
		       "link", "b", "c", "low") ", " LINK("link", "a", "c", "low") "]",
	       80, "revision 2: added b, c; linked a > b > c, a > c");
	expect("[" LINK("unlink", "a", "b", "high") ", " LINK(
		       "unlink", "b", "c", "trigger") ", " LINK("link", "c", "d", "low") "]",
	       80, "revision 2: linked c > d; unlinked a >> b, b ^ c");
}
END_TEST

START_TEST(a_line_is_cut_to_the_width)
{
	const char ops[] = "[" OP("add", "first") ", " OP("add", "second") ", " OP(
		"add", "third") ", " LINK("link", "first", "second", "low") "]";
	expect(ops, 61, "revision 2: added first, second, third; linked first > second");
	expect(ops, 45, "revision 2: added first, second and 2 more");
	expect(ops, 5, "revision 2: added first and 3 more");
}
END_TEST

UNIT_TESTS("ctl/change", each_kind_has_its_word, links_are_chained_where_they_go_on,
           a_line_is_cut_to_the_width)
