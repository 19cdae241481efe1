/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as Python and JSON write them. */
#include "world.h"

/* The value of a text as JSON, or, behind "!", why there is none. Yours to free. */
static char *value_of(const char *text)
{
	json_t *value;
	struct pt_error err = PT_ERROR_INIT;
	char *shown;
	if (lang_parse_value(text, strlen(text), &value, &err)) {
		shown = must_printf("!%s", err.faults[0].message);
		pt_error_clear(&err);
		return shown;
	}
	shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(value);
	return shown;
}

static void expect_values(const char *const cases[][2])
{
	for (size_t i = 0; cases[i][0]; i++) {
		char *value = value_of(cases[i][0]);
		ck_assert_msg(!strcmp(value, cases[i][1]), "%s is %s, not %s", cases[i][0], value,
		              cases[i][1]);
		free(value);
	}
}

START_TEST(numbers)
{
	static const char *const cases[][2] = {
		{"42", "42"},
		{"-0x2A", "-42"},
		{"0o17", "15"},
		{"0b1_01", "5"},
		{"1_000", "1000"},
		{"+7", "7"},
		{"1.5", "1.5"},
		{".5", "0.5"},
		{"5.", "5.0"},
		{"-2e3", "-2000.0"},
		{"1_0.0_1", "10.01"},
		{"007.5", "7.5"},
		{"00", "0"},
		{"1e-400", "0.0"},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"[9223372036854775808]",
	         "!line 1, column 2: this number is too large; integers have "
	         "64 bits"},
		{"-9223372036854775809",
	         "!line 1, column 2: this number is too large; integers have 64 "
	         "bits"},
		{"1e400", "!line 1, column 1: this number is too large; integers have 64 bits"},
		{"[1__0]", "!line 1, column 2: this is not a number; text stands in quotes"},
		{"[010]", "!line 1, column 2: this is not a number; text stands in quotes"},
		{"[0x]", "!line 1, column 2: this is not a number; text stands in quotes"},
		{"[1e]", "!line 1, column 2: this is not a number; text stands in quotes"},
		{NULL, NULL},
	};
	expect_values(cases);
}
END_TEST

START_TEST(text)
{
	static const char *const cases[][2] = {
		{"'it'", "\"it\""},
		{"\"it's\"", "\"it's\""},
		{"'''two\nlines'''", "\"two\\nlines\""},
		{"\"\"\"a\"b\"\"\"", "\"a\\\"b\""},
		{"'\\n\\t\\\\\\'\\\"\\x41\\101\\a'", "\"\\n\\t\\\\'\\\"AA\\u0007\""},
		{"'\\xe9\\u4e16\\U0001f600'", "\"é世😀\""},
		{"\"\\ud83d\\ude00\\/\"", "\"😀/\""},
		{"'\\/\\d'", "\"\\\\/\\\\d\""},
		{"r'\\n\\''", "\"\\\\n\\\\'\""},
		{"'a' \"b\" r'\\c'", "\"ab\\\\c\""},
		{"('a'\n 'b')", "\"ab\""},
		{"'a\\\nb'", "\"ab\""},
		{"'''a\r\nb'''", "\"a\\nb\""},
		{"''", "\"\""},
		{"'\\0'", "{\"hex\":\"00\"}"},
		{"'é\\x00'", "{\"hex\":\"c3a900\"}"},
		{"'\\x4'", "!line 1, column 2: \\x needs two hex digits"},
		{"'\\u12'", "!line 1, column 2: \\u needs four hex digits"},
		{"'\\U00110000'", "!line 1, column 2: there is no such character"},
		{"'a\\ud800'", "!line 1, column 3: there is no such character"},
		{"'a", "!line 1, column 1: this text has no closing quote on its line"},
		{"'''a\n", "!line 1, column 1: this text in triple quotes never ends"},
		{"f'a'", "!line 1, column 1: f'…' is not known here: nothing is computed in text"},
		{"'a' b", "!line 1, column 5: the end is expected here, not 'b'"},
		{NULL, NULL},
	};
	expect_values(cases);
}
END_TEST

START_TEST(bytes)
{
	static const char *const cases[][2] = {
		{"b'a\\xff\\0'", "{\"hex\":\"61ff00\"}"},
		{"b\"\"", "{\"hex\":\"\"}"},
		{"rb'\\x'", "{\"hex\":\"5c78\"}"},
		{"b'\\u0041'", "{\"hex\":\"5c7530303431\"}"},
		{"b'a' b'b'", "{\"hex\":\"6162\"}"},
		{"b'é'", "!line 1, column 3: b'…' takes ASCII and \\x escapes only"},
		{"b'a' 'b'", "!line 1, column 6: text and bytes cannot be joined"},
		{NULL, NULL},
	};
	expect_values(cases);
}
END_TEST

START_TEST(lists_and_dictionaries)
{
	static const char *const cases[][2] = {
		{"[1, 'a', None, [True, false,],]", "[1,\"a\",null,[true,false]]"},
		{"(1, 2)", "[1,2]"},
		{"(1,)", "[1]"},
		{"(1)", "1"},
		{"()", "[]"},
		{"{'a': 1, \"b\": {'c': null}}", "{\"a\":1,\"b\":{\"c\":null}}"},
		{"{\n# empty\n}", "{}"},
		{"{'a': 1, 'a': 2}", "!line 1, column 10: the key stands here twice"},
		{"{b'a': 1}", "!line 1, column 2: a key is text, not bytes"},
		{"{1: 1}", "!line 1, column 2: a key in quotes is expected here, not '1'"},
		{"{size='a', ['b c']=1, d = {e=2,},}",
	         "{\"size\":\"a\",\"b c\":1,\"d\":{\"e\":2}}"},
		{"{'a': 1, a=2}", "!line 1, column 10: the key stands here twice"},
		{"{a: 1}", "!line 1, column 3: '=' is expected here, not ':'"},
		{"{'a'=1}", "!line 1, column 5: ':' is expected here, not '='"},
		{"{[a]=1}", "!line 1, column 3: a key in quotes is expected here, not 'a'"},
		{"{['a'=1}", "!line 1, column 6: ']' is expected here, not '='"},
		{"[1 2]", "!line 1, column 4: ',' or ']' is expected here, not '2'"},
		{"[1,", "!line 1, column 1: this '[' is never closed"},
		{"{'a': ", "!line 1, column 7: a value is expected here, not the end of the text"},
		{"[reverse]", "!line 1, column 2: 'reverse' is no value; text stands in quotes"},
		{"[Drain()]",
	         "!line 1, column 2: a value is expected here; make the block 'Drain' in a "
	         "statement of its own"},
		{NULL, NULL},
	};
	expect_values(cases);
}
END_TEST

START_TEST(bare_words_are_text)
{
	static const char *const cases[][2] = {
		{"reverse", "\"reverse\""},
		{"tcp port 80", "\"tcp port 80\""},
		{"64MiB", "\"64MiB\""},
		{"10.0.0.1", "\"10.0.0.1\""},
		{"/tmp/in.pcap", "\"/tmp/in.pcap\""},
		{"-", "\"-\""},
		{"5 minutes", "\"5 minutes\""},
		{"True story", "\"True story\""},
		{"", "\"\""},
		{"true", "true"},
		{"None", "null"},
		{"5\n", "5"},
		{NULL, NULL},
	};
	expect_values(cases);
}
END_TEST

START_TEST(depth_is_bounded)
{
	char deep[131];
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	deep[130] = 0;
	expect_text(value_of(deep),
	            "!line 1, column 65: values within values are more than 64 deep here");
	deep[129] = 0;
	char *value = value_of(deep + 1);
	ck_assert_str_eq(value, deep + 1);
	free(value);
}
END_TEST

UNIT_TESTS("lang/literal", numbers, text, bytes, lists_and_dictionaries, bare_words_are_text,
           depth_is_bounded)
