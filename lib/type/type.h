/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of block types: those built in, and those that users add. */
#ifndef TYPE_TYPE_H
#define TYPE_TYPE_H

#include <pipetool/block.h>

/* The type of that name, or NULL; [any thread]. Built-in types are there from the start. */
const struct pt_type *type_find(const char *name);

/* The same, with the fault (PT_ENOTYPE, path, nearest name) written. */
const struct pt_type *type_get(const char *name, const char *path, struct pt_error *);

/* That type's table for these parameters (NULL: none were given). */
static inline const struct pt_type *type_variant(const struct pt_type *type,
                                                 const struct json_t *params)
{
	return type->variant ? type->variant(params) : type;
}

/* Every type in the order of the alphabet: calls `each` until it returns non-zero. */
int type_each(int (*each)(void *arg, const struct pt_type *), void *arg);

/* Adds a type: its table and everything in it must live for ever. Refuses a name that is taken,
   another PT_API, and tables that contradict themselves (picture and ports, routes and ports,
   defaults that do not parse). [any thread] */
int type_add(const struct pt_type *, struct pt_error *);

/* Adds several, from a file: all of them or none. Those of a script replace what scripts added
   under these names, for blocks that are made later; no other name can be taken. `origin` must live
   for ever, too. [any thread] */
enum type_kind { TYPE_NATIVE, TYPE_SCRIPT };
int type_add_all(const struct pt_type *const *types, size_t count, enum type_kind,
                 const char *origin, struct pt_error *);

/* Those of a script are no longer there, and what they have replaced is again; NULL ends them. What
   was replaced or taken back since stays as it is. Blocks of them go on. [any thread] */
void type_take_back(const struct pt_type *const *types);

/* The file that the type of this name came from; NULL for one that is built in. [any thread] */
const char *type_origin(const char *name);

/* Of this very table, which may have been replaced since: false, if it is built in. [any thread] */
struct type_coming {
	const char *origin; /* the file; NULL: it has none */
	int64_t time_ns;    /* when it was loaded, of the day's clock */
	bool replaced;      /* another has its name by now */
};
bool type_coming(const struct pt_type *, struct type_coming *);

/* The name that a block made in place gets, without its number: TCPConnectPipe → tcp_connect_pipe.
   Yours to free. */
char *type_snake_name(const char *type_name);

/* The list that the build makes of lib/meson.build's `blocks`; ends with NULL. */
extern const struct pt_type *const *const type_builtin[];

#endif
