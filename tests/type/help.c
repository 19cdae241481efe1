/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests help for the terminal. */
#include "type/help.h"

#include "unit.h"
#include <string.h>

static const char *const overflows[] = {"drop-oldest", "block", NULL};
static const struct pt_param rows[] = {
	{.name = "start_state",
         .kind = PT_KIND_BOOL,
         .fallback = "True",
         .doc = "Open at first.",
         .flags = PT_LIVE},
	{.name = "overflow",
         .kind = PT_KIND_CHOICE,
         .fallback = "block",
         .choices = overflows,
         .doc = "What is done with a message when the queue is full and no more can be taken, told "
                "at some length."},
	{.name = "f", .kind = PT_KIND_TRANSFORM, .flags = PT_REQUIRED, .doc = "Applied to each."},
	{NULL},
};
static const struct pt_param options[] = {
	{.name = "engine", .kind = PT_KIND_STRING, .flags = PT_REQUIRED, .doc = "Its name."},
	{.name = "block", .kind = PT_KIND_STRINGS, .flags = PT_MANY, .doc = "Which ones."},
	{.name = "dry_run",
         .kind = PT_KIND_BOOL,
         .flags = PT_OPTION,
         .letter = 'n',
         .fallback = "False",
         .doc = "Only tells."},
	{.name = "timeout",
         .kind = PT_KIND_SECONDS,
         .flags = PT_OPTION,
         .fallback = "10",
         .doc = "At the longest."},
	{NULL},
};
static const char *const examples[] = {"a = CLIFeeder()\na > Valve() > ConsoleSink()", NULL};
static const struct pt_type valve = {
	.name = "Valve",
	.summary = "passes or discards",
	.help = "Words on two\nlines are one paragraph.\n\n  kept as it is",
	.picture = "      +---+\n   >-|-_*-|->\n      +---+\n",
	.examples = examples,
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.params = rows,
};

START_TEST(a_type_is_shown_whole)
{
	struct buf b = BUF_INIT;
	help_set_columns(96);
	help_type(&b, &valve);
	help_set_columns(80);
	/* clang-format off */
	ck_assert_str_eq(b.data,
		"Valve — passes or discards\n"
		"\n"
		"       +---+\n"
		"    >-|-_*-|->\n"
		"       +---+\n"
		"\n"
		"Words on two lines are one paragraph.\n"
		"\n"
		"  kept as it is\n"
		"\n"
		"Parameters:\n"
		"  start_state  bool       True      Open at first. Can be set while the engine "
		"runs.\n"
		"  overflow     choice     'block'   What is done with a message when the queue is "
		"full and no\n"
		"                                    more can be taken, told at some length. One "
		"of 'drop-oldest'\n"
		"                                    or 'block'.\n"
		"  f            transform  required  Applied to each.\n"
		"\n"
		"Example:\n"
		"  a = CLIFeeder()\n"
		"  a > Valve() > ConsoleSink()\n");
	/* clang-format on */
	buf_free(&b);
}
END_TEST

START_TEST(options_look_as_they_are_typed)
{
	struct buf b = BUF_INIT;
	help_params(&b, options, "  ");
	/* clang-format off */
	ck_assert_str_eq(b.data,
		"  engine         string   required  Its name.\n"
		"  block…         strings            Which ones.\n"
		"  -n, --dry-run                     Only tells.\n"
		"  --timeout      seconds  10        At the longest.\n");
	/* clang-format on */
	buf_free(&b);
}
END_TEST

START_TEST(no_line_is_wider_than_a_terminal)
{
	struct buf b = BUF_INIT;
	help_type(&b, &valve);
	for (char *line = strtok(b.data, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_uint_le(strlen(line), 100);
	buf_free(&b);
}
END_TEST

START_TEST(where_a_users_type_comes_from_is_told)
{
	json_t *json = json_loads("{\"name\": \"Mine\", \"origin\": \"/etc/mine.lua\"}", 0, NULL);
	struct buf b = BUF_INIT;
	help_type_json(&b, json);
	ck_assert_str_eq(b.data, "Mine — \n\nFrom /etc/mine.lua\n");
	buf_clear(&b);
	json_object_set_new(json, "origin", json_string("built-in"));
	help_type_json(&b, json);
	ck_assert_str_eq(b.data, "Mine — \n\n");
	buf_free(&b);
	json_decref(json);
}
END_TEST

START_TEST(what_a_foreign_daemon_answers_does_no_harm)
{
	static const char *const odd[] = {
		"{}",
		"[]",
		"7",
		"{\"params\": [1, {}, {\"default\": []}], \"examples\": [null, \"\"]}",
		"{\"name\": 1, \"params\": [{\"name\": \"x\", \"choices\": [1]}]}",
	};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct buf b = BUF_INIT;
		json_t *json = json_loads(odd[i], JSON_DECODE_ANY, NULL);
		ck_assert_ptr_nonnull(json);
		help_type_json(&b, json);
		ck_assert_ptr_nonnull(strstr(b.data, " — "));
		json_decref(json);
		buf_free(&b);
	}
}
END_TEST

UNIT_TESTS("type/help", a_type_is_shown_whole, options_look_as_they_are_typed,
           no_line_is_wider_than_a_terminal, where_a_users_type_comes_from_is_told,
           what_a_foreign_daemon_answers_does_no_harm)
