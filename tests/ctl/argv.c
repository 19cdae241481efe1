/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the reading of the command line. */
#include "ctl/verb.h"

#include "unit.h"
#include <string.h>

static int nothing(struct ctl *ctl)
{
	return 0;
}

static const struct pt_param rows[] = {
	{.name = "engine", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "pipe", .kind = PT_KIND_STRING, .flags = PT_MANY},
	{.name = "file", .kind = PT_KIND_PATH, .flags = PT_OPTION, .letter = 'f'},
	{.name = "count", .kind = PT_KIND_INT, .flags = PT_OPTION, .letter = 'n', .min = 1},
	{.name = "dry_run", .kind = PT_KIND_BOOL, .flags = PT_OPTION, .letter = 'd'},
	{.name = "wait", .kind = PT_KIND_SECONDS, .flags = PT_OPTION},
	{NULL},
};
static const struct verb verb = {"make", "makes", NULL, rows, VERB_REST, .run = nothing};

static char *words[32];

static int split(const char *line, char *copy)
{
	int count = 0;
	strcpy(copy, line);
	for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|"))
		words[count++] = word;
	return count;
}

static void reads(const char *line, const char *expected)
{
	char copy[256];
	struct pt_error err = PT_ERROR_INIT;
	json_t *values = json_object(), *wanted = json_loads(expected, 0, NULL);
	const struct argv behind = verb_argv(&verb);
	int code = argv_read(&behind, split(line, copy), words, values, &err);
	char *text = json_dumps(values, JSON_COMPACT);
	ck_assert_msg(!code, "%s: %s", line, pt_error_text(&err, "?"));
	ck_assert_msg(json_equal(values, wanted), "%s: %s", line, text);
	free(text);
	json_decref(values);
	json_decref(wanted);
}

static void refuses(const char *line, const char *said)
{
	char copy[256];
	struct pt_error err = PT_ERROR_INIT;
	json_t *values = json_object();
	const struct argv behind = verb_argv(&verb);
	ck_assert_int_eq(argv_read(&behind, split(line, copy), words, values, &err), -PT_EREQUEST);
	ck_assert_uint_eq(err.count, 1);
	ck_assert_msg(strstr(err.faults[0].message, said), "%s: %s", line, err.faults[0].message);
	pt_error_clear(&err);
	json_decref(values);
}

START_TEST(options_stand_anywhere)
{
	reads("p", "{\"engine\": \"p\"}");
	reads("p|-n|2|a|b", "{\"engine\": \"p\", \"count\": 2, \"pipe\": [\"a\", \"b\"]}");
	reads("-n2|p", "{\"engine\": \"p\", \"count\": 2}");
	reads("p|--count=2|--dry-run", "{\"engine\": \"p\", \"count\": 2, \"dry_run\": true}");
	reads("--count|2|p|-f|-", "{\"engine\": \"p\", \"count\": 2, \"file\": \"-\"}");
	reads("p|-djn3", "{\"engine\": \"p\", \"dry_run\": true, \"json\": true, \"count\": 3}");
	reads("p|--wait|100ms", "{\"engine\": \"p\", \"wait\": 0.1}");
	reads("p|-s|/x|--fd|3|--fd=4", "{\"engine\": \"p\", \"socket\": \"/x\", \"fd\": [3, 4]}");
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	reads("p|--|-n|--dry-run|--",
	      "{\"engine\": \"p\", \"pipe\": [\"-n\", \"--dry-run\", \"--\"]}");
	reads("p|-", "{\"engine\": \"p\", \"pipe\": [\"-\"]}");
	reads("-d|--|p", "{\"engine\": \"p\", \"dry_run\": true}");
}
END_TEST

START_TEST(wrong_usage_is_told_in_one_line)
{
	refuses("-d", "ENGINE is missing: ptctl make ENGINE [PIPE…] [-f FILE] [-n N] [-d]");
	refuses("p|--dry-rnu", "unknown option '--dry-rnu'; did you mean '--dry-run'?");
	refuses("p|--jsn=1", "unknown option '--jsn'; did you mean '--json'?");
	refuses("p|-x", "unknown option '-x'");
	refuses("p|-n", "'--count' needs a value");
	refuses("p|--count", "'--count' needs a value");
	refuses("p|-nx", "'--count' must be an integer of at least 1, not 'x'");
	refuses("p|-n|0", "not 0");
	refuses("p|-n|99999999999999999999", "must be an integer");
	refuses("p|-n|", "'--count' needs a value");
	refuses("p|--dry-run=yes", "'--dry-run' takes no value");
	refuses("p|--wait|soon", "'--wait' must be a time");
	refuses("p|a\xff", "not UTF-8");
}
END_TEST

START_TEST(an_argument_too_many_is_refused)
{
	char *word[] = {(char[]){"x"}};
	const struct argv list = verb_argv(verb_find("types"));
	struct pt_error err = PT_ERROR_INIT;
	json_t *values = json_object();
	ck_assert_int_eq(argv_read(&list, 1, word, values, &err), -PT_EREQUEST);
	ck_assert_str_eq(err.faults[0].message, "'x' is one argument too many: ptctl types");
	ck_assert_int_eq(argv_read(&list, 0, word, values, NULL), 0);
	pt_error_clear(&err);
	json_decref(values);
}
END_TEST

START_TEST(options_before_the_verb_end_at_it)
{
	char copy[256];
	const struct argv none = verb_argv(NULL);
	json_t *values = json_object();
	ck_assert_int_eq(argv_options(&none, split("-j|-s|/x|list|-n", copy), words, values, NULL),
	                 3);
	ck_assert_str_eq(json_string_value(json_object_get(values, "socket")), "/x");
	ck_assert_int_eq(argv_options(&none, split("--json", copy), words, values, NULL), 1);
	ck_assert_int_eq(argv_options(&none, split("-n|2|list", copy), words, values, NULL),
	                 -PT_EREQUEST);
	json_decref(values);
}
END_TEST

START_TEST(every_verb_has_a_good_table)
{
	for (const struct verb *v = verbs; v->name; v++) {
		const struct pt_param *row = v->params;
		bool many = false;
		size_t length = strlen(v->summary);
		ck_assert_msg((v->run || v->method) && length && v->summary[length - 1] != '.',
		              "%s", v->name);
		ck_assert_ptr_eq(verb_find(v->name), v);
		for (; row && row->name; row++) {
			ck_assert_msg(row->doc && row->doc[strlen(row->doc) - 1] == '.', "%s: %s",
			              v->name, row->name);
			if (row->flags & PT_OPTION)
				continue;
			ck_assert_msg(!many, "%s: nothing can follow what takes all", v->name);
			many = row->flags & PT_MANY;
		}
	}
}
END_TEST

UNIT_TESTS("ctl/argv", options_stand_anywhere, two_dashes_end_the_options,
           wrong_usage_is_told_in_one_line, an_argument_too_many_is_refused,
           options_before_the_verb_end_at_it, every_verb_has_a_good_table)
