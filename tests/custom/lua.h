/* SPDX-License-Identifier: BSD-2-Clause */
/* Block types in Lua in one line: load, or be refused with these words. */
#ifndef TESTS_CUSTOM_LUA_H
#define TESTS_CUSTOM_LUA_H

#include "rig.h"
#include "base/buf.h"
#include "custom/type.h"
#include "type/type.h"
#include "unit.h"

#include <string.h>

/* So that no other limit is ever met first. */
static const struct func_limits lua_slow = {.time_ns = UINT64_C(60000000000)};

static inline const struct pt_type *load(const char *text)
{
	const struct pt_type *const *types = NULL;
	struct pt_error err = PT_ERROR_INIT;
	int rc = custom_type_load("/etc/mine.lua", text, strlen(text), &lua_slow, &types, &err);
	ck_assert_msg(!rc, "%s: %s", text, pt_error_text(&err, "no words"));
	return types[0];
}

/* The first fault's words hold these; the code is returned. */
static inline int refused_under(const struct func_limits *limits, const char *text,
                                const char *words)
{
	struct pt_error err = PT_ERROR_INIT;
	int rc = custom_type_load("/etc/mine.lua", text, strlen(text), limits, NULL, &err);
	ck_assert_msg(rc < 0, "%s: was taken", text);
	ck_assert_uint_eq(err.count, 1);
	ck_assert_msg(strstr(err.faults[0].message, words), "%s: said '%s'", text,
	              err.faults[0].message);
	ck_assert_ptr_null(strchr(err.faults[0].message, '\n'));
	pt_error_clear(&err);
	return rc;
}

static inline int refused(const char *text, const char *words)
{
	return refused_under(&lua_slow, text, words);
}

/* A rig with a block of a type that only this test knows. */
static inline struct rig *rig_lua(const char *text, const char *arguments)
{
	return rig(load(text)->name, arguments);
}

/* With a drain that does this with each message. */
static inline struct rig *rig_push(const char *body)
{
	static unsigned count;
	char *text =
		must_printf("Drain{name='Pushes%u', push=function(self, m) %s end}", count++, body);
	struct rig *r = rig_lua(text, "");
	free(text);
	return r;
}

/* A counter of the block in the ledger: "in", "out", "held", "errors", or a reason. */
static inline long long counted(struct rig *r, const char *what)
{
	const json_t *blocks = json_object_get(ask(r, "stats", "{}"), "blocks");
	const json_t *it = json_array_get(blocks, 0);
	const json_t *value = json_object_get(it, what);
	if (!json_is_integer(value))
		value = json_object_get(json_object_get(it, "filtered"), what);
	if (!value)
		value = json_object_get(json_object_get(it, "dropped"), what);
	return json_integer_value(value);
}

#endif
