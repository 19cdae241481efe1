/* SPDX-License-Identifier: BSD-2-Clause */
/* A text in Lua that defines block types, run. */
#ifndef CUSTOM_DEFINE_H
#define CUSTOM_DEFINE_H

#include "script/sandbox.h"
#include <pipetool/block.h>

/* The functions that a definition may have. */
enum custom_call {
	CALL_PUSH,
	CALL_HIGH_PUSH,
	CALL_PUSH_MANY,
	CALL_HIGH_PUSH_MANY,
	CALL_ON_TRIGGER,
	CALL_START,
	CALL_STOP,
	CALL_CHANGED,
	CALL_SEND,
	CALL_CLOSE,
	CALL_PRODUCE,
	CALLS
};
extern const char *const custom_call_names[CALLS];

struct custom_text {
	const char *path, *chunk; /* chunk: '@' and the last part of the path */
	const char *text;
	size_t length;
};

struct custom_type {
	struct pt_type type; /* first: blocks find the rest through pt_type_of */
	const struct custom_text *text;
	bool has[CALLS];
	const char *const *carried; /* members of self.state; ends with NULL; or NULL */
};

/* Runs the text; `each` is called for every Drain{…} and its like in it, with the table as number 1
   on the stack, and may raise. */
int define_all(struct sandbox *, const struct custom_text *,
               void (*each)(void *arg, lua_State *, enum pt_role), void *arg, struct pt_error *);

/* Runs the type's text, and leaves its definition, a table, on the stack. */
int define_one(struct sandbox *, const struct custom_type *, struct pt_error *);

#endif
