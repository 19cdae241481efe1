/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line. */
#include "daemon/options.h"

#include "base/log.h"
#include "unit.h"
#include <string.h>

static struct options options;
static struct pt_error err;

static int read_words(char *const *words)
{
	int count = 0;
	while (words[count])
		count++;
	options_clear(&options);
	pt_error_clear(&err);
	return options_read(count, words, &options, &err);
}

#define W(text)   ((char *)(uintptr_t)(text))
#define READ(...) read_words((char *[]){W("pipetoold"), __VA_ARGS__, NULL})

START_TEST(nothing_said_is_nothing_set)
{
	ck_assert_int_eq(options_read(1, (char *[]){W("pipetoold"), NULL}, &options, &err), 0);
	ck_assert_ptr_null(options.socket);
	ck_assert_int_eq(options.log_level, -1);
	ck_assert_int_eq(options.log_times, -1);
	ck_assert(!options.check);
}
END_TEST

START_TEST(values_stand_behind_or_in_the_word)
{
	ck_assert_int_eq(READ(W("--socket"), W("/a"), W("--engines=/b"), W("-c/c")), 0);
	ck_assert_str_eq(options.socket, "/a");
	ck_assert_str_eq(options.engines, "/b");
	ck_assert_str_eq(options.config, "/c");
	ck_assert_int_eq(READ(W("-s"), W("/d"), W("--log-level"), W("debug"), W("--check")), 0);
	ck_assert_str_eq(options.socket, "/d");
	ck_assert_int_eq(options.log_level, LOG_LEVEL_DEBUG);
	ck_assert(options.check);
	ck_assert_int_eq(READ(W("--log-times"), W("no")), 0);
	ck_assert_int_eq(options.log_times, 0);
	options_clear(&options);
}
END_TEST

static void expect(int code, const char *words)
{
	ck_assert_int_lt(code, 0);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s", err.faults[0].message);
	options_clear(&options);
	pt_error_clear(&err);
}

START_TEST(what_is_wrong_is_told)
{
	expect(READ(W("--sokcet"), W("/a")), "unknown option '--sokcet'; did you mean '--socket'?");
	expect(READ(W("-x")), "unknown option '-x'");
	expect(READ(W("--socket")), "'--socket' needs a value");
	expect(READ(W("--socket=")), "'--socket' needs a value");
	expect(READ(W("--check=yes")), "'--check' takes no value");
	expect(READ(W("start")), "'start' is one argument too many");
	expect(READ(W("--log-level"), W("loud")), "'--log-level' must be one of");
}
END_TEST

START_TEST(the_help_names_every_option)
{
	struct buf text = BUF_INIT;
	options_help(&text);
	for (const struct pt_param *row = options_rows; row->name; row++) {
		ck_assert_ptr_nonnull(strstr(text.data, row->name));
		ck_assert_ptr_nonnull(strstr(text.data, row->doc));
	}
	buf_free(&text);
}
END_TEST

UNIT_TESTS("daemon/options", nothing_said_is_nothing_set, values_stand_behind_or_in_the_word,
           what_is_wrong_is_told, the_help_names_every_option)
