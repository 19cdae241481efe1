/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests graphs drawn in text. */
#include "ctl/drawing.h"

#include "unit.h"
#include <stdbool.h>
#include <string.h>

/* "s d q" and "s>d d>>q": blocks without types, links by their signs. */
static json_t *graph(const char *blocks, const char *links)
{
	json_t *graph = json_object(), *block_list = json_array(), *link_list = json_array();
	char copy[256], *save;
	strcpy(copy, blocks);
	for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save))
		json_array_append_new(block_list, json_pack("{s:s, s:s, s:s}", "name", name, "type",
		                                            "T", "state", "running"));
	strcpy(copy, links);
	for (char *link = strtok_r(copy, " ", &save); link; link = strtok_r(NULL, " ", &save)) {
		size_t sign = strcspn(link, ">^"), length = strspn(link + sign, ">^");
		const char *canal = link[sign] == '^' ? "trigger" : length == 2 ? "high" : "low";
		json_array_append_new(link_list, json_pack("{s:s%, s:s, s:s, s:i}", "from", link,
		                                           sign, "to", link + sign + length,
		                                           "canal", canal, "messages", 7));
	}
	json_object_set_new(graph, "blocks", block_list);
	json_object_set_new(graph, "links", link_list);
	return graph;
}

static void expect(const char *blocks, const char *links, bool stats, const char *expected)
{
	struct buf b = BUF_INIT;
	json_t *shown = graph(blocks, links);
	drawing_text(&b, shown, stats ? shown : NULL, false);
	ck_assert_str_eq(b.data ? b.data : "", expected);
	buf_free(&b);
	json_decref(shown);
}

START_TEST(a_tree_for_each_root)
{
	expect("s s2 d1 d2 si1 si2", "s>d1 d1>si1 d1>si2 s2>>d1 d1>>d2 d2>>si1", false,
	       "s T\n"
	       "└─ > d1 T\n"
	       "   ├─ > si1 T\n"
	       "   ├─ > si2 T\n"
	       "   └─ >> d2 T\n"
	       "      └─ >> si1\n"
	       "s2 T\n"
	       "└─ >> d1 …\n");
}
END_TEST

START_TEST(triggers_and_counts_are_shown)
{
	expect("t v s", "t>v t^v v>s", true,
	       "t T\n"
	       "├─ 7 > v T\n"
	       "│  └─ 7 > s T\n"
	       "└─ 7 ^ v …\n");
}
END_TEST

START_TEST(blocks_in_trouble_say_so)
{
	json_t *shown = json_pack("{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}], s:[]}", "blocks", "name",
	                          "w", "type", "WrpcapSink", "state", "failed", "name", "v", "type",
	                          "Valve", "state", "running", "links");
	json_t *stats = json_pack("{s:[{s:s, s:i, s:{s:i}, s:{s:i, s:i}, s:i}, "
	                          "{s:s, s:i, s:{}, s:i}]}",
	                          "blocks", "name", "w", "held", 3, "filtered", "old", 5, "dropped",
	                          "io", 2, "memory", 2, "errors", 1, "name", "v", "held", 0,
	                          "dropped", "errors", 0);
	struct buf b = BUF_INIT;
	ck_assert(shown && stats);
	drawing_text(&b, shown, stats, false);
	ck_assert_str_eq(b.data, "w WrpcapSink (failed, 3 held, 5 filtered, 4 dropped, 1 error)\n"
	                         "v Valve\n");
	b.length = 0;
	drawing_text(&b, shown, NULL, false);
	ck_assert_str_eq(b.data, "w WrpcapSink\nv Valve\n");
	buf_free(&b);
	json_decref(shown);
	json_decref(stats);
}
END_TEST

START_TEST(a_cycle_ends)
{
	expect("a b", "a>b b>a", false,
	       "a T\n"
	       "└─ > b T\n"
	       "   └─ > a …\n");
	expect("a", "a>a", false,
	       "a T\n"
	       "└─ > a …\n");
	expect("", "", false, "");
	expect("a", "", false, "a T\n");
}
END_TEST

START_TEST(a_link_to_nowhere_does_no_harm)
{
	expect("a", "a>b", false,
	       "a T\n"
	       "└─ > b\n");
}
END_TEST

UNIT_TESTS("ctl/drawing", a_tree_for_each_root, triggers_and_counts_are_shown,
           blocks_in_trouble_say_so, a_cycle_ends, a_link_to_nowhere_does_no_harm)
