/* SPDX-License-Identifier: BSD-2-Clause */
/* Some block types and blocks, for the parser to ask about, and short ways to ask the parser. */
#ifndef TESTS_LANG_WORLD_H
#define TESTS_LANG_WORLD_H

#include "lang/lang.h"
#include "unit.h"
#include <string.h>

static const struct pt_param world_none[] = {{0}};

static const struct pt_param world_rotate[] = {
	{.name = "size", .kind = PT_KIND_SIZE},
	{.name = "log", .kind = PT_KIND_PATH},
	{0},
};

static const struct pt_param world_file[] = {
	{.name = "fname", .kind = PT_KIND_PATH},
	{.name = "speed", .kind = PT_KIND_NUMBER},
	{.name = "rotate", .kind = PT_KIND_OBJECT, .members = world_rotate},
	{0},
};

static const struct pt_param world_function[] = {{.name = "f", .kind = PT_KIND_TRANSFORM}, {0}};

static const struct {
	const char *name;
	const struct pt_param *rows;
} world_types[] = {
	{"CLIFeeder", world_none},   {"Drain", world_none},
	{"ConsoleSink", world_none}, {"TCPConnectPipe", world_none},
	{"Inject3Sink", world_none}, {"RdpcapSource", world_file},
	{"WrpcapSink", world_file},  {"TransformDrain", world_function},
};

static inline const struct pt_param *world_params(void *arg, const char *type)
{
	for (size_t i = 0; i < sizeof world_types / sizeof *world_types; i++)
		if (!strcmp(world_types[i].name, type))
			return world_types[i].rows;
	return NULL;
}

static inline void world_each_type(void *arg, void (*each)(void *, const char *), void *each_arg)
{
	for (size_t i = 0; i < sizeof world_types / sizeof *world_types; i++)
		each(each_arg, world_types[i].name);
}

/* An engine that has the blocks "old" and "drain2". */
static inline bool world_exists(void *arg, const char *block)
{
	return !strcmp(block, "old") || !strcmp(block, "drain2");
}

static inline void world_each_block(void *arg, void (*each)(void *, const char *), void *each_arg)
{
	each(each_arg, "old");
	each(each_arg, "drain2");
}

static const struct lang_env world = {
	.params = world_params,
	.types = world_each_type,
	.exists = world_exists,
	.blocks = world_each_block,
	.directory = "/home/me",
};

/* What a text says, one operation after the other: "a=Drain{} a>b". Yours to free. */
static inline char *said(const char *text)
{
	struct lang_program program;
	struct pt_error err = PT_ERROR_INIT;
	struct buf b = BUF_INIT;
	size_t i;
	json_t *op;
	ck_assert_msg(!lang_parse(text, strlen(text), &world, &program, &err), "%s: %s", text,
	              pt_error_text(&err, ""));
	buf_reserve(&b, 0);
	json_array_foreach (program.ops, i, op) {
		const char *type = json_string_value(json_object_get(op, "type"));
		buf_adds(&b, i ? " " : "");
		if (type) {
			char *params = json_dumps(json_object_get(op, "params"), JSON_COMPACT);
			buf_addf(&b, "%s=%s%s", json_string_value(json_object_get(op, "name")),
			         type, params);
			free(params);
		} else {
			const char *canal = json_string_value(json_object_get(op, "canal"));
			buf_addf(&b, "%s%s%s", json_string_value(json_object_get(op, "from")),
			         !strcmp(canal, "low")    ? ">"
			         : !strcmp(canal, "high") ? ">>"
			                                  : "^",
			         json_string_value(json_object_get(op, "to")));
		}
	}
	lang_program_free(&program);
	return buf_steal(&b);
}

/* The complaints about a text, one a line. Yours to free. */
static inline char *complaints(const char *text)
{
	struct lang_program program;
	struct pt_error err = PT_ERROR_INIT;
	struct buf b = BUF_INIT;
	ck_assert_msg(lang_parse(text, strlen(text), &world, &program, &err) == -PT_EPARSE, "%s",
	              text);
	for (size_t i = 0; i < err.count; i++) {
		ck_assert_int_eq(err.faults[i].code, -PT_EPARSE);
		buf_addf(&b, "%s%s", i ? "\n" : "", err.faults[i].message);
	}
	pt_error_clear(&err);
	lang_program_free(&program);
	return buf_steal(&b);
}

#define expect_text(got, want)                \
	do {                                  \
		char *got_ = (got);           \
		ck_assert_str_eq(got_, want); \
		free(got_);                   \
	} while (0)

#define expect_said(text, want)      expect_text(said(text), want)
#define expect_complaint(text, want) expect_text(complaints(text), want)

#endif
