/* SPDX-License-Identifier: BSD-2-Clause */
/* Definitions in Lua: what becomes of them, and what is wrong with them. */
#include "lua.h"

#include "type/table.h"

#include "type/help.h"

START_TEST(a_definition_is_a_type_as_any)
{
	const struct pt_type *t =
		load("Drain{name='Sample', doc='Does a thing.\\n\\nMore of it.',\n"
	             "params={{name='n', kind='int', default=3, min=1, doc='N.'}},\n"
	             "on_trigger=function() end}");
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(!table_check_all(t, &err), "%s", pt_error_text(&err, ""));
	ck_assert_str_eq(t->summary, "Does a thing");
	ck_assert_str_eq(t->help, "More of it.");
	ck_assert_uint_eq(t->ports, PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT |
	                                    PT_TRIGGER_ENTRY | PT_TRIGGER_EXIT);
	ck_assert_uint_eq(table_picture_ports(t->picture), t->ports);
	ck_assert_str_eq(t->examples[0], "CLIFeeder() > Sample() > ConsoleSink()");
	ck_assert_str_eq(t->params[0].fallback, "3");
	ck_assert_ptr_eq(type_find("Sample"), t);
	ck_assert_str_eq(type_origin("Sample"), "/etc/mine.lua");
	ck_assert_ptr_null(type_origin("Drain"));
}
END_TEST

START_TEST(ports_follow_the_role_and_the_functions)
{
	ck_assert_uint_eq(load("Sink{name='S1', push=function() end}")->ports, PT_LOW_ENTRY);
	ck_assert_uint_eq(load("Sink{name='S2', high_push_many=function() end}")->ports,
	                  PT_HIGH_ENTRY);
	ck_assert_uint_eq(load("Sink{name='S3'}")->ports, PT_LOW_ENTRY | PT_HIGH_ENTRY);
	ck_assert_uint_eq(load("Source{name='S4', send=function() end}")->ports,
	                  PT_LOW_EXIT | PT_HIGH_EXIT | PT_TRIGGER_EXIT);
	const struct pt_type *t =
		load("Drain{name='S5', ports={'low_entry', 'high_exit'}, push=function() end}");
	ck_assert_uint_eq(t->ports, PT_LOW_ENTRY | PT_HIGH_EXIT);
	ck_assert_uint_eq(t->routes, PT_ROUTE(PT_LOW, PT_HIGH));
	for (unsigned ports = 0; ports < 64; ports++) {
		char text[256] = "Sink{name='All', ports={";
		static const char *const names[] = {"low_entry", "low_exit",      "high_entry",
		                                    "high_exit", "trigger_entry", "trigger_exit"};
		for (unsigned i = 0; i < 6; i++)
			if (ports >> i & 1)
				sprintf(text + strlen(text), "'%s', ", names[i]);
		strcat(text, "}}");
		ck_assert_uint_eq(load(text)->ports, ports);
	}
}
END_TEST

START_TEST(short_parameters_are_sorted)
{
	const struct pt_param *rows =
		load("Drain{name='Short', params={z=1, a='x', m=true, k={kind='size', default=5}}}")
			->params;
	ck_assert_str_eq(rows[0].name, "a");
	ck_assert_int_eq(rows[0].kind, PT_KIND_STRING);
	ck_assert_int_eq(rows[1].kind, PT_KIND_SIZE);
	ck_assert_int_eq(rows[2].kind, PT_KIND_BOOL);
	ck_assert_int_eq(rows[3].kind, PT_KIND_INT);
	ck_assert_ptr_null(rows[4].name);
}
END_TEST

START_TEST(what_is_wrong_is_told_with_its_line)
{
	static const char *const cases[][2] = {
		{"Drain{name='A'", "mine.lua:1: "},
		{"\n\nDrain{name='A', psh=function() end}",
	         "mine.lua:3: a definition cannot have 'psh'; did you mean 'push'?"},
		{"Drain{}", "mine.lua:1: a definition has a name"},
		{"Drain()", "mine.lua:1: write Drain{"},
		{"Drain{name='lower'}", "begins with a capital"},
		{"Drain{name='A', push=3}", "'push' is a function, not a number"},
		{"Drain{name='A', counter=3}", "is in self.state"},
		{"Drain{name='A', ports={'low_enty'}}", "did you mean 'low_entry'?"},
		{"Drain{name='A', ports={'low_exit'}, push=function() end}", "has no low_entry"},
		{"Drain{name='A', send=function() end}", "'send' is for a Source"},
		{"Drain{name='A', push=next or pairs, push_many=pairs}", "there are both"},
		{"Drain{name='A', picture='nothing'}", "the picture lacks a low entry"},
		{"Drain{name='A', params={{name='n', kind='itn'}}}", "did you mean 'int'?"},
		{"Drain{name='A', params={{name='n', kind='int'}}}", "needs a default"},
		{"Drain{name='A', params={{name='n', kind='int', default='x'}}}", "is no default"},
		{"Drain{name='A', params={{name='n', kind='int', default=9, min=1, max=3}}}",
	         "its default"},
		{"Drain{name='A', params={{name='n', kind='size', default='many'}}}",
	         "its default"},
		{"Drain{name='A', params={{name='state', default=1}}}", "the block's own"},
		{"Drain{name='A', params={{name='n', default=1}, {name='n', default=1}}}",
	         "two parameters have this name"},
		{"Drain{name='A', params={{name='n', defualt=1}}}", "cannot have 'defualt'"},
		{"Drain{name='A', params={{name='c', kind='choice'}}}", "choices"},
		{"Drain{name='A', params={f='transform'}}",
	         "parameter 'f': 'transform' is a kind; write f={kind=\"transform\"}, or"},
		{"Drain{name='A', params={1}}", "parameter 1 is no table"},
		{"Drain{name='A', params=3}", "params is a table"},
		{"Drain{name='A', doc='\\255'}", "'doc' is not UTF-8 text"},
		{"local x = 1", "mine.lua: it defines no type"},
		{"error('no')", "mine.lua:1: no"},
		{"error({})", "raised an error that is a table"},
		{"local t = {} for i = 1, 1e9 do t[i] = i end", "mine.lua: not enough memory"},
		{"for i = 1, 100 do Drain{name='A' .. i} end", "more than 64 types"},
		{"\x1bLua", "binary"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(cases[i][0], cases[i][1]);
	refused_under(NULL, "while true do end", "time limit of 100 ms");
	ck_assert_ptr_null(type_find("A"));
	ck_assert_ptr_null(type_find("A1"));
}
END_TEST

START_TEST(a_file_adds_all_or_nothing)
{
	ck_assert_int_eq(refused("Drain{name='Fresh'} Drain{name='Drain'}",
	                         "there is a block type 'Drain' already: it is built in"),
	                 -PT_EEXISTS);
	ck_assert_ptr_null(type_find("Fresh"));
	refused("Drain{name='Twin'} Sink{name='Twin'}", "two types have the name 'Twin'");
	const struct pt_type *before = load("Drain{name='Stays'}");
	refused("Sink{name='Stays'} Drain{name='ConsoleSink'}", "already");
	ck_assert_ptr_eq(type_find("Stays"), before);
}
END_TEST

START_TEST(a_file_that_changes_its_mind_is_told)
{
	const char *name = load("Drain{name='Mind' .. math.random(1, 1 << 60)}")->name;
	struct rig *r = rig_graph("a = RigSource()");
	char change[128];
	snprintf(change, sizeof change, "b = %s()", name);
	ck_assert_ptr_null(ask_change(r, change));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "each time that it is run"));
	rig_end(r);
}
END_TEST

UNIT_TESTS("custom/type", a_definition_is_a_type_as_any, ports_follow_the_role_and_the_functions,
           short_parameters_are_sorted, what_is_wrong_is_told_with_its_line,
           a_file_adds_all_or_nothing, a_file_that_changes_its_mind_is_told)
