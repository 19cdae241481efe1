/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of the pipe language. */
#include "world.h"

START_TEST(statements_make_and_link)
{
	expect_said("a = Drain(); b = Drain()\na > b  # linked\n", "a=Drain{} b=Drain{} a>b");
	expect_said("", "");
	expect_said("\n;;\n# nothing\n", "");
	expect_said("a=Drain();a>old\r\nold>a\r\n", "a=Drain{} a>old old>a");
	expect_said("\xef\xbb\xbf"
	            "a = Drain()",
	            "a=Drain{}");
}
END_TEST

START_TEST(every_operator_links)
{
	const char *blocks = "a = Drain(); b = Drain(); ";
	static const char *const cases[][2] = {
		{"a > b", "a>b"},         {"a >> b", "a>>b"},
		{"a ^ b", "a^b"},         {"b < a", "a>b"},
		{"b << a", "a>>b"},       {"a % b", "a>b b>a"},
		{"a//b", "a>>b b>>a"},    {"a > b >> a ^ b", "a>b b>>a a^b"},
		{"a < b > a", "b>a b>a"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = must_printf("%s%s", blocks, cases[i][0]);
		char *want = must_printf("a=Drain{} b=Drain{} %s", cases[i][1]);
		expect_said(text, want);
		free(text);
		free(want);
	}
}
END_TEST

START_TEST(lines_go_on_inside_brackets_and_behind_operators)
{
	expect_said("old >\n\n# where to?\n  drain2", "old>drain2");
	expect_said("old \\\n > drain2", "old>drain2");
	expect_said("x = RdpcapSource(\n'/a',\n# fast\nspeed=\n2\n)\nold > x",
	            "x=RdpcapSource{\"fname\":\"/a\",\"speed\":2} old>x");
	expect_said("x =\nDrain()", "x=Drain{}");
}
END_TEST

START_TEST(arguments_have_a_place_or_a_name)
{
	expect_said("x = RdpcapSource('/a', 2)", "x=RdpcapSource{\"fname\":\"/a\",\"speed\":2}");
	expect_said("x = RdpcapSource('/a', speed=None,)",
	            "x=RdpcapSource{\"fname\":\"/a\",\"speed\":null}");
	expect_said("x = WrpcapSink(rotate={'size': '1k', \"log\": '/l'})",
	            "x=WrpcapSink{\"rotate\":{\"size\":\"1k\",\"log\":\"/l\"}}");
}
END_TEST

START_TEST(relative_paths_are_taken_from_the_directory)
{
	expect_said("x = RdpcapSource('in.pcap')",
	            "x=RdpcapSource{\"fname\":\"/home/me/in.pcap\"}");
	expect_said("x = RdpcapSource('./a//./b/../c/')",
	            "x=RdpcapSource{\"fname\":\"/home/me/a/b/../c/\"}");
	expect_said("x = RdpcapSource('-')", "x=RdpcapSource{\"fname\":\"-\"}");
	expect_said("x = RdpcapSource('')", "x=RdpcapSource{\"fname\":\"\"}");
	expect_said("x = WrpcapSink('/o', rotate={'log': 'l'})",
	            "x=WrpcapSink{\"fname\":\"/o\",\"rotate\":{\"log\":\"/home/me/l\"}}");
}
END_TEST

START_TEST(blocks_made_in_place_get_names)
{
	expect_said("RdpcapSource('/a') > Inject3Sink()",
	            "rdpcap_source1=RdpcapSource{\"fname\":\"/a\"} inject3_sink1=Inject3Sink{} "
	            "rdpcap_source1>inject3_sink1");
	expect_said("TCPConnectPipe() % CLIFeeder()",
	            "tcp_connect_pipe1=TCPConnectPipe{} cli_feeder1=CLIFeeder{} "
	            "tcp_connect_pipe1>cli_feeder1 cli_feeder1>tcp_connect_pipe1");
	expect_said("Drain()", "drain1=Drain{}");
	expect_said("Drain(name='x') > old", "x=Drain{} x>old");
	expect_said("Drain(name=None)", "drain1=Drain{}");
}
END_TEST

START_TEST(names_in_place_pass_over_those_taken)
{
	expect_said("Drain() > Drain()", "drain1=Drain{} drain3=Drain{} drain1>drain3");
	expect_said("Drain(); drain1 = Drain()", "drain3=Drain{} drain1=Drain{}");
	expect_said("Drain(); Drain(name='drain1')", "drain3=Drain{} drain1=Drain{}");
}
END_TEST

START_TEST(a_block_may_be_linked_before_its_line)
{
	expect_said("a > b; b = Drain(); old > b; a = Drain()", "a=Drain{} b=Drain{} a>b old>b");
}
END_TEST

START_TEST(faults_name_the_place_and_the_nearest_name)
{
	expect_complaint("old >\n\tDrian()",
	                 "line 2, column 2: no block type 'Drian'; did you mean 'Drain'?");
	expect_complaint(
		"x = WrpcapSink(fnam='a')",
		"line 1, column 16: WrpcapSink has no parameter 'fnam'; did you mean 'fname'?");
	expect_complaint("x = WrpcapSink(path='a')",
	                 "line 1, column 16: WrpcapSink has no parameter "
	                 "'path'; it has fname, speed, rotate");
	expect_complaint("x = Drain(path='a')",
	                 "line 1, column 11: Drain has no parameter 'path'; it has none");
	expect_complaint("feed = CLIFeeder()\nfeed > drain3",
	                 "line 2, column 8: no block 'drain3'; did you mean 'drain2'?");
	expect_complaint(
		"old > Drain",
		"line 1, column 7: no block 'Drain'; to make one of that type, write Drain()");
	expect_complaint("é", "line 1, column 1: a block is expected here, not 'é'");
	expect_complaint("old > '\xff'",
	                 "line 1, column 8: the byte '\\xff' is not text; text is UTF-8");
}
END_TEST

START_TEST(wrong_arguments_are_told)
{
	expect_complaint(
		"RdpcapSource('a', {}, {}, 4)",
		"line 1, column 27: RdpcapSource takes no further argument; see 'ptctl help "
		"RdpcapSource'");
	expect_complaint(
		"Drain('a')",
		"line 1, column 7: Drain takes no argument but name; see 'ptctl help Drain'");
	expect_complaint(
		"RdpcapSource(speed=1, 'a')",
		"line 1, column 23: an argument without a name cannot stand behind one with a "
		"name");
	expect_complaint("RdpcapSource('a', fname='b')",
	                 "line 1, column 19: 'fname' is given twice");
	expect_complaint(
		"Drain(name='a b')",
		"line 1, column 12: a name has letters, digits and _, no digit first, and at "
		"most 64 of them");
	expect_complaint("x = Drain(name='y')",
	                 "line 1, column 5: the block has two names, 'x' and 'y'");
	expect_complaint(
		"TransformDrain(lambda p: p)",
		"line 1, column 16: a Python function cannot run here; write it in Lua, as "
		"text: \"function(m) return m:reverse() end\"");
}
END_TEST

START_TEST(what_is_no_statement_is_refused)
{
	expect_complaint(
		"x = Drain() > old",
		"line 1, column 13: a name is for one block; link it in a statement of its own: "
		"x > …");
	expect_complaint("x = Drain",
	                 "line 1, column 5: a block is made by its type with brackets: "
	                 "x = Drain()");
	expect_complaint("x = ;",
	                 "line 1, column 5: a block, as Drain(), or a value is expected here, not "
	                 "';'");
	expect_complaint("old -> drain2",
	                 "line 1, column 5: '->' is no operator; a link is written '>': a > b");
	expect_complaint("old | drain2",
	                 "line 1, column 5: '|' is no operator; a link is written '>': a > b");
	expect_complaint("old > drain2 → old",
	                 "line 1, column 14: '→' is no operator; a link is written '>': a > b");
	expect_complaint("old => drain2",
	                 "line 1, column 5: '=>' is no operator; a link is written '>': a > b");
	expect_complaint("old", "line 1, column 1: 'old' alone does nothing; link it: old > …");
	expect_complaint(
		"old\n> drain2",
		"line 1, column 1: 'old' alone does nothing; link it: old > …\n"
		"line 2, column 1: a block is expected before this; a line goes on below if it "
		"ends with an operator");
	expect_complaint(
		"old > (x = Drain())",
		"line 1, column 7: brackets stand behind a type only; write a block that has a "
		"name as a statement of its own");
	expect_complaint("old drain2",
	                 "line 1, column 5: an operator or the end of the statement is "
	                 "expected here, not 'drain2'");
	expect_complaint("old >",
	                 "line 1, column 6: a block is expected here, not the end of the text");
	expect_complaint("x = Drain()\nx = Drain()",
	                 "line 2, column 1: the name 'x' is taken: a block gets it on line 1");
}
END_TEST

START_TEST(a_block_gets_its_name_where_it_is_linked)
{
	expect_said("old > q = Drain()", "q=Drain{} old>q");
	expect_said("old > a = Drain() > b = Drain() >> old; a > old",
	            "a=Drain{} old>a b=Drain{} a>b b>>old a>old");
	expect_said("old >\n  f = RdpcapSource('/x', speed=2)",
	            "f=RdpcapSource{\"fname\":\"/x\",\"speed\":2} old>f");
	expect_complaint("old > q = 5",
	                 "line 1, column 11: a block, as Drain(), is expected here, not '5'");
	expect_complaint("old > q = Drain() > q = Drain()",
	                 "line 1, column 21: the name 'q' is taken: a block gets it on line 1");
	expect_complaint("old > q = Drain",
	                 "line 1, column 11: a block is made by its type with brackets: "
	                 "q = Drain()");
}
END_TEST

START_TEST(constants_stand_for_values)
{
	expect_said("fast = 2; RdpcapSource('/x', fast) > old",
	            "rdpcap_source1=RdpcapSource{\"fname\":\"/x\",\"speed\":2} rdpcap_source1>old");
	expect_said(
		"file = 'in'\nsize = None\nsame = file\nold > WrpcapSink(same, rotate={size=size})",
		"wrpcap_sink1=WrpcapSink{\"fname\":\"/home/me/in\",\"rotate\":{\"size\":null}} "
		"old>wrpcap_sink1");
	expect_said("r = {'size': 1, log='l'}\nold > WrpcapSink('/x', rotate=r) > WrpcapSink('/y', "
	            "rotate=r)",
	            "wrpcap_sink1=WrpcapSink{\"fname\":\"/x\",\"rotate\":{\"size\":1,\"log\":\"/"
	            "home/me/l\"}} "
	            "old>wrpcap_sink1 "
	            "wrpcap_sink2=WrpcapSink{\"fname\":\"/y\",\"rotate\":{\"size\":1,\"log\":\"/"
	            "home/me/l\"}} "
	            "wrpcap_sink1>wrpcap_sink2");
	expect_complaint("fast = 2; fast = 3",
	                 "line 1, column 11: 'fast' has a value already, by line 1");
	expect_complaint(
		"fast = 2\nfast = Drain()",
		"line 2, column 1: the name 'fast' is taken: a constant gets it on line 1");
	expect_complaint("fast = 2; old > fast",
	                 "line 1, column 17: 'fast' is a constant, and no block");
	expect_complaint("fast = 2; RdpcapSource('/x', speed=fats) > old",
	                 "line 1, column 36: 'fats' is no value; did you mean 'fast'? Text stands "
	                 "in quotes");
	expect_complaint("RdpcapSource('/x', speed=fast) > old; fast = 2",
	                 "line 1, column 26: 'fast' is no value; text stands in quotes");
	expect_complaint("f = lambda m: m",
	                 "line 1, column 5: a Python function cannot run here; write it in Lua, as "
	                 "text: \"function(m) return m:reverse() end\"");
}
END_TEST

static json_t *parsed_under(const char *text, json_t *constants, struct pt_error *err)
{
	struct lang_env env = world;
	struct lang_program program;
	env.constants = constants;
	json_t *ops = lang_parse(text, strlen(text), &env, &program, err)
	                      ? NULL
	                      : json_incref(program.ops);
	lang_program_free(&program);
	return ops;
}

START_TEST(given_constants_go_before_those_of_the_text)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *constants = json_pack("{s:i}", "fast", 7);
	static const char *const texts[] = {"fast = 2; RdpcapSource('/x', fast) > old",
	                                    "RdpcapSource('/x', speed=fast) > old"};
	for (size_t i = 0; i < 2; i++) {
		json_t *ops = parsed_under(texts[i], constants, &err), *params;
		ck_assert_msg(ops, "%s: %s", texts[i], pt_error_text(&err, ""));
		params = json_object_get(json_array_get(ops, 0), "params");
		ck_assert_int_eq(json_integer_value(json_object_get(params, "speed")), 7);
		json_decref(ops);
	}
	ck_assert_ptr_null(
		parsed_under("fats = 2; RdpcapSource('/x', fats) > old", constants, &err));
	ck_assert_str_eq(pt_error_text(&err, ""),
	                 "the text has no constant 'fast'; did you mean 'fats'?");
	pt_error_clear(&err);
	ck_assert_ptr_null(parsed_under("old > Drain()", constants, &err));
	ck_assert_str_eq(pt_error_text(&err, ""),
	                 "the text has no constant 'fast': nothing says it");
	pt_error_clear(&err);
	json_decref(constants);
}
END_TEST

START_TEST(all_faults_are_told_in_their_order)
{
	expect_complaint(
		"a > old; x = Drian(\n1\n); 'b'\ny = Drain() y\nz = Drain(\nold > zz\nw = Drain()",
		"line 1, column 1: no block 'a'; make it first: a = Type(…)\n"
		"line 1, column 14: no block type 'Drian'; did you mean 'Drain'?\n"
		"line 3, column 4: a block is expected here, not text in quotes\n"
		"line 4, column 13: an operator or the end of the statement is expected here, "
		"not 'y'\n"
		"line 5, column 10: this '(' is never closed\n"
		"line 6, column 7: no block 'zz'; make it first: zz = Type(…)");
	expect_complaint("z = Drain(\nw = Drain()\nold > ww",
	                 "line 1, column 10: this '(' is never closed\n"
	                 "line 3, column 7: no block 'ww'; make it first: ww = Type(…)");
}
END_TEST

START_TEST(at_most_twenty_faults_are_told)
{
	struct buf text = BUF_INIT;
	struct lang_program program;
	struct pt_error err = PT_ERROR_INIT;
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "> ;");
	ck_assert_int_eq(lang_parse(text.data, text.length, &world, &program, &err), -PT_EPARSE);
	ck_assert_uint_eq(err.count, 20);
	pt_error_clear(&err);
	buf_free(&text);
}
END_TEST

START_TEST(a_name_of_any_length_is_told_in_few_words)
{
	static char text[100001];
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "old > ", 6);
	char *told = complaints(text);
	ck_assert_uint_lt(strlen(told), 400);
	free(told);
}
END_TEST

START_TEST(without_an_environment_names_are_let_through)
{
	struct lang_program program;
	const char *text = "a > Some(thing=1)";
	ck_assert_int_eq(lang_parse(text, strlen(text), NULL, &program, NULL), 0);
	ck_assert_uint_eq(json_array_size(program.ops), 2);
	lang_program_free(&program);
	ck_assert_int_eq(lang_parse("Some(1)", 7, NULL, &program, NULL), -PT_EPARSE);
}
END_TEST

START_TEST(links_alone)
{
	json_t *links;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_eq(lang_parse_links("a > b ^ c", 9, &links, &err), 0);
	char *text = json_dumps(links, JSON_COMPACT);
	ck_assert_str_eq(text, "[{\"from\":\"a\",\"to\":\"b\",\"canal\":\"low\"},"
	                       "{\"from\":\"b\",\"to\":\"c\",\"canal\":\"trigger\"}]");
	free(text);
	json_decref(links);
	ck_assert_int_eq(lang_parse_links("a > Drain()", 11, &links, &err), -PT_EPARSE);
	pt_error_clear(&err);
}
END_TEST

START_TEST(a_block_alone)
{
	static const char *const wrong[] = {
		"", "Drain", "Drain() > a", "x = Drain()", "Drain(name='x')", "Drian()"};
	json_t *block;
	struct pt_error err = PT_ERROR_INIT;
	const char *text = " RdpcapSource('in')\n";
	ck_assert_int_eq(lang_parse_block(text, strlen(text), &world, &block, &err), 0);
	ck_assert_str_eq(json_string_value(json_object_get(block, "type")), "RdpcapSource");
	const json_t *fname = json_object_get(json_object_get(block, "params"), "fname");
	ck_assert_str_eq(json_string_value(fname), "/home/me/in");
	json_decref(block);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int code = lang_parse_block(wrong[i], strlen(wrong[i]), &world, &block, &err);
		ck_assert_msg(code == -PT_EPARSE, "%s", wrong[i]);
	}
	pt_error_clear(&err);
}
END_TEST

START_TEST(many_blocks_take_no_long)
{
	struct buf text = BUF_INIT;
	struct lang_program program;
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "Drain() > old; ");
	ck_assert_int_eq(lang_parse(text.data, text.length, &world, &program, NULL), 0);
	const json_t *last = json_array_get(program.ops, 39999);
	ck_assert_str_eq(json_string_value(json_object_get(last, "from")), "drain20001");
	lang_program_free(&program);
	buf_free(&text);
}
END_TEST

UNIT_TESTS("lang/parse", statements_make_and_link, every_operator_links,
           lines_go_on_inside_brackets_and_behind_operators, arguments_have_a_place_or_a_name,
           relative_paths_are_taken_from_the_directory, blocks_made_in_place_get_names,
           names_in_place_pass_over_those_taken, a_block_may_be_linked_before_its_line,
           faults_name_the_place_and_the_nearest_name, wrong_arguments_are_told,
           what_is_no_statement_is_refused, all_faults_are_told_in_their_order,
           at_most_twenty_faults_are_told, a_name_of_any_length_is_told_in_few_words,
           without_an_environment_names_are_let_through, links_alone, a_block_alone,
           many_blocks_take_no_long, a_block_gets_its_name_where_it_is_linked,
           constants_stand_for_values, given_constants_go_before_those_of_the_text)
