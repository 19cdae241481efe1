/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations in C that users name in place of a function: reverse, set{…}, bpf '…'. */
#ifndef SCRIPT_NATIVE_H
#define SCRIPT_NATIVE_H

#include "base/buf.h"
#include "packet/packet.h"
#include "script/filter.h"
#include "script/limits.h"

#include <lua.h>
#include <pipetool/param.h>

struct native;

struct native_op {
	const char *name;
	const char *usage; /* with an example of its argument, if it takes one */
	const char *doc;   /* what it does, or when it is true; one sentence without full stop */
	enum pt_kind kind;
	/* Takes the argument from the top of the stack; never raises. NULL: there is none. */
	int (*read)(struct native *, lua_State *, struct pt_error *);
	int (*transform)(struct native *, struct pt_msg **, struct pt_error *);
	int (*test)(struct native *, const struct pt_msg *, struct pt_error *);
	/* Of up to 64 at once, where that is cheaper: a bit for each for which it is true, and in
	   *unsure one for each of which `test` has to tell, in turn. NULL: of all. */
	uint64_t (*test_many)(struct native *, struct pt_msg *const *, unsigned count,
	                      uint64_t *unsure);
	void (*begin)(struct native *); /* its block starts; may be NULL */
	bool pair; /* it takes two arguments, the first below the second; either may be nil */
	/* As func_open; NULL: there is nothing to do. */
	int (*open)(struct native *, const struct func_site *, struct pt_error *);
	const char *(*file)(const struct native *); /* as func_file; NULL: there is none */
	bool optional;                              /* `read` gets nil where there is no argument */
};

extern const struct native_op native_ops[]; /* ends with a row without a name */

/* An operation with its argument. It keeps nothing of the Lua state. */
struct native {
	const struct native_op *op;
	size_t length;         /* truncate */
	int64_t shift_ns;      /* shift_time */
	struct pt_bytes bytes; /* equals */
	struct packet_set *sets;
	size_t set_count;
	uint32_t set_layers; /* bits of the layers that sets are in */
	bool checksums;      /* all are computed anew */
	struct anonymize *anonymize;
	struct filter *filter;
	int64_t from_ns, to_ns; /* between */
	uint64_t every, seen;
};

/* A bpf of this text. */
int native_new_filter(const char *text, struct native **, struct pt_error *);

/* The argument, if the operation takes one, is on top of the stack. */
int native_new(const struct native_op *, lua_State *, struct native **, struct pt_error *);
void native_free(struct native *); /* NULL does nothing */

/* The operation of that name, or NULL. */
const struct native_op *native_find(const char *name, size_t length);

/* Adds the usages of all operations of the kind: "reverse, upper, …". */
void native_list(enum pt_kind, struct buf *);

#endif
