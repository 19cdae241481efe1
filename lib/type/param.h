/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters: values that users give, checked and read by the rows of a table. */
#ifndef TYPE_PARAM_H
#define TYPE_PARAM_H

#include <jansson.h>
#include <pipetool/error.h>
#include <pipetool/param.h>

/*
 * Values are JSON (the pipe language's literals become JSON first: None is null, b'…' is
 * {"hex": "…"}). Checking has no side effects and lists every fault with its path, relative to the
 * object ("port", "rotate.size", "ops[3].from"): unknown members with the nearest known name, what
 * is missing, wrong types, values out of range.
 */

/* Checks `object` (NULL: empty) against the rows. Functions are not compiled here. */
int param_check(const struct pt_param *rows, const json_t *object, struct pt_error *);

/* One value for one row. */
int param_check_value(const struct pt_param *row, const json_t *value, struct pt_error *);

/* What reading needs from outside. */
struct param_env {
	/* Compiles a function for PT_KIND_TRANSFORM and PT_KIND_PREDICATE; may be NULL: refused. */
	int (*compile)(void *arg, enum pt_kind, const char *text, struct pt_func **,
	               struct pt_error *);
	void (*release)(struct pt_func *); /* of what compile made */
	/* The descriptor for {"fd": n}; -1 unknown. The caller gets one of its own. NULL: refused. */
	int (*descriptor)(void *arg, int n);
	void *arg;
};

/* Reads `object`, which param_check has passed, into `state`, defaults for what is missing.
   What was read before a failure is released by param_release, which the caller always calls. */
int param_read(const struct pt_param *rows, const json_t *object, void *state,
               const struct param_env *, struct pt_error *);

/* Reads only the members that are in `object`: for `set`. Old values are released. */
int param_update(const struct pt_param *rows, const json_t *object, void *state,
                 const struct param_env *, struct pt_error *);

/* Frees what the rows' fields hold and zeroes them. */
void param_release(const struct pt_param *rows, void *state, const struct param_env *);

/* The row's default as JSON (a new reference); NULL if it is PT_REQUIRED. */
json_t *param_default(const struct pt_param *row);

/* "bool", "size", "one of 'a', 'b'", … for messages and help. Yours to free. */
char *param_kind_words(const struct pt_param *row);
const char *param_kind_name(enum pt_kind); /* "bool", "size": in type.list, stable */
int param_kind_parse(const char *name, enum pt_kind *);

const struct pt_param *param_find(const struct pt_param *rows, const char *name); /* or NULL */

/* A value as the pipe language writes it, `'text'`, `64`, `True`: lang/literal does it, for types
   that may not know lang. Parses "64MiB" and "100ms"; 0 or -EINVAL. */
int param_parse_size(const char *text, uint64_t *bytes);
int param_parse_seconds(const char *text, double *seconds);

/* A message in JSON: text, {"base64": …} or {"hex": …}. */
int param_bytes_from_json(const json_t *, struct pt_bytes *, struct pt_error *);
json_t *param_bytes_to_json(const void *bytes, size_t length); /* text where it is UTF-8 */

#endif
