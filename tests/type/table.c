/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests what is asked of a type's table. */
#include "type/table.h"

#include "type/type.h"
#include "unit.h"
#include <string.h>

#define DRAIN                 \
	"     +-------+\n"    \
	"  >>-|-------|->>\n" \
	"     |       |\n"    \
	"   >-|-------|->\n"  \
	"     +-------+\n"

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	pt_send(b, canal, m);
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **m, unsigned count)
{
	pt_send_many(b, canal, m, count);
}

static void trigger(struct pt_block *b)
{
	pt_trigger(b);
}

struct state {
	int64_t n;
};

static const char *const example[] = {"CLIFeeder() > ConsoleSink()", NULL};

static struct pt_type good(void)
{
	return (struct pt_type){
		.api = PT_API,
		.name = "Drain2",
		.summary = "passes things on",
		.picture = DRAIN,
		.examples = example,
		.role = PT_DRAIN,
		.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
		.routes = PT_STRAIGHT,
		.size = sizeof(struct state),
	};
}

static void refused(const struct pt_type *type, const char *path, const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_lt(table_check(type, &err), 0);
	ck_assert_str_eq(err.faults[0].path, path);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s", err.faults[0].message);
	pt_error_clear(&err);
}

START_TEST(a_good_table_passes)
{
	struct pt_type t = good();
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(!table_check_all(&t, &err), "%s", pt_error_text(&err, "?"));
}
END_TEST

START_TEST(pictures_show_their_ports)
{
	ck_assert_uint_eq(table_picture_ports(DRAIN),
	                  PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT);
	ck_assert_uint_eq(table_picture_ports("\n"
	                                      "     +-------+\n"
	                                      "  >>-|--.    |->>\n"
	                                      "     | print |\n"
	                                      "   >-|--'    |->\n"
	                                      "     +-------+\n"),
	                  PT_HIGH_ENTRY | PT_LOW_ENTRY);
	ck_assert_uint_eq(table_picture_ports("   +--------+\n"
	                                      ">>-|   .----|->>\n"
	                                      "   | send() |\n"
	                                      " >-|        |->\n"
	                                      "   +--------+"),
	                  PT_HIGH_EXIT);
	ck_assert_uint_eq(table_picture_ports("     +------^------+\n"
	                                      "  >>-|    +-[peer]-|->>\n"
	                                      "     |   /         |\n"
	                                      "   >-|-[addr:port]-|->\n"
	                                      "     +-------------+\n"),
	                  PT_TRIGGER_EXIT | PT_HIGH_EXIT | PT_LOW_ENTRY | PT_LOW_EXIT);
	ck_assert_uint_eq(table_picture_ports("     +-------------+\n"
	                                      "  >>-|      |      |->>\n"
	                                      "   >-|-[message]---|->\n"
	                                      "     +------^------+\n"),
	                  PT_TRIGGER_ENTRY | PT_LOW_ENTRY | PT_LOW_EXIT);
	ck_assert_uint_eq(table_picture_ports(NULL), 0);
	ck_assert_uint_eq(table_picture_ports("|"), 0);
	ck_assert_uint_eq(table_picture_ports("|->>|"), 0);
}
END_TEST

START_TEST(picture_and_ports_must_agree)
{
	struct pt_type t = good();
	t.ports &= ~(unsigned)PT_HIGH_EXIT;
	t.routes = PT_ROUTE(PT_LOW, PT_LOW);
	refused(&t, "picture", "shows a high exit");
	t = good();
	t.ports |= PT_TRIGGER_EXIT;
	refused(&t, "picture", "lacks a trigger exit");
}
END_TEST

START_TEST(routes_need_their_ports)
{
	struct pt_type t = good();
	t.routes |= PT_ROUTE(PT_TRIGGER, PT_LOW);
	refused(&t, "routes", "ports that the block has not");
	t.routes = 1u << 20;
	refused(&t, "routes", "three canals");
}
END_TEST

START_TEST(functions_must_fit)
{
	struct pt_type t = good();
	t.push = push;
	ck_assert_int_eq(table_check(&t, NULL), 0);
	t.push_many = push_many;
	refused(&t, "push", "more than one");
	t = good();
	t.trigger = trigger;
	refused(&t, "trigger", "no trigger entry");
}
END_TEST

START_TEST(api_and_name_are_checked_first)
{
	struct pt_type t = good();
	t.api = PT_API + 1;
	refused(&t, "api", "version 2");
	t = good();
	t.name = "drain";
	refused(&t, "name", "capital");
	t.name = NULL;
	refused(&t, "name", "capital");
}
END_TEST

static void refused_row(struct pt_param row, const char *path, const char *words)
{
	struct pt_type t = good();
	struct pt_param rows[] = {row, {NULL}};
	t.params = rows;
	refused(&t, path, words);
}

START_TEST(rows_are_checked)
{
	static const struct pt_param inner[] = {
		{.name = "files", .kind = PT_KIND_INT, .fallback = "many"}, {NULL}};
	refused_row((struct pt_param){.name = "n", .kind = PT_KIND_INT, .fallback = "'x'"}, "n",
	            "its default: 'n' must be an integer");
	refused_row((struct pt_param){.name = "n", .kind = PT_KIND_INT, .fallback = "0", .min = 1},
	            "n", "of at least 1");
	refused_row((struct pt_param){.name = "n", .kind = PT_KIND_CHOICE, .fallback = "a"}, "n",
	            "without choices");
	refused_row(
		(struct pt_param){
			.name = "n", .kind = PT_KIND_INT, .fallback = "1", .flags = PT_REQUIRED},
		"n", "required, but has a default");
	refused_row((struct pt_param){.name = "a-b", .kind = PT_KIND_INT}, "params", "'a-b'");
	refused_row((struct pt_param){.name = "n", .kind = (enum pt_kind)77}, "n", "unknown");
	refused_row((struct pt_param){.name = "name", .kind = PT_KIND_INT, .fallback = "1"}, "name",
	            "every block has 'name'");
	refused_row(
		(struct pt_param){.name = "n", .kind = PT_KIND_INT, .offset = 8, .fallback = "1"},
		"size", "beyond");
	refused_row(
		(struct pt_param){
			.name = "o", .kind = PT_KIND_OBJECT, .fallback = "None", .members = inner},
		"o.files", "its default");
}
END_TEST

START_TEST(what_is_carried_is_checked)
{
	static const struct pt_carried far[] = {
		{"n", PT_CARRIED_BYTES, .offset = 4, .size = sizeof(int64_t)}, {NULL}};
	static const struct pt_carried twice[] = {
		{"n", PT_CARRY_INT(struct state, n)}, {"n", PT_CARRY_INT(struct state, n)}, {NULL}};
	static const struct pt_carried shown[] = {
		{"n", PT_CARRY_BYTES(struct state, n), .flags = PT_SHOWN}, {NULL}};
	static const struct pt_carried queues[] = {
		{"a", PT_CARRIED_QUEUE}, {"b", PT_CARRIED_QUEUE}, {NULL}};
	static const struct pt_carried unknown[] = {{"n", PT_CARRIED_QUEUE + 1}, {NULL}};
	static const struct pt_carried fine[] = {
		{"n", PT_CARRY_INT(struct state, n), .flags = PT_SHOWN}, {NULL}};
	struct pt_type type = good();
	type.carries = fine;
	ck_assert_int_eq(table_check(&type, NULL), 0);
	type.carries = far;
	refused(&type, "n", "not in the state");
	type.carries = twice;
	refused(&type, "n", "twice");
	type.carries = shown;
	refused(&type, "n", "no bool and no int");
	type.carries = queues;
	refused(&type, "b", "a second queue");
	type.carries = unknown;
	refused(&type, "n", "kind is unknown");
}
END_TEST

START_TEST(names_of_rows_are_unique)
{
	struct pt_type t = good();
	static const struct pt_param rows[] = {
		{.name = "n", .kind = PT_KIND_INT, .fallback = "1"},
		{.name = "n", .kind = PT_KIND_INT, .fallback = "1"},
		{NULL},
	};
	t.params = rows;
	refused(&t, "n", "two parameters");
}
END_TEST

START_TEST(manners_are_asked_of_what_is_built_in)
{
	struct pt_type t = good();
	struct pt_param rows[] = {{.name = "n", .doc = "No full stop", .kind = PT_KIND_INT},
	                          {NULL}};
	struct pt_error err = PT_ERROR_INIT;
	t.summary = "Ends with a full stop.";
	t.examples = NULL;
	t.params = rows;
	ck_assert_int_eq(table_check(&t, NULL), 0);
	ck_assert_int_eq(table_check_all(&t, &err), -PT_EPARAM);
	ck_assert_uint_eq(err.count, 4);
	pt_error_clear(&err);
}
END_TEST

UNIT_TESTS("type/table", a_good_table_passes, pictures_show_their_ports,
           picture_and_ports_must_agree, routes_need_their_ports, functions_must_fit,
           api_and_name_are_checked_first, rows_are_checked, what_is_carried_is_checked,
           names_of_rows_are_unique, manners_are_asked_of_what_is_built_in)
