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
 * is missing, wrong types, values out of range. After 256 faults it stops listing.
 *
 * None (null) is taken where the row's default is None, or with PT_OR_NONE. A range with max below
 * min has no upper end. SECONDS without a range go from 0 to 1e9, so that they fit nanoseconds. An
 * object without .members may have any members, and a list without .members any items. VARIANTS
 * have one row for each variant: its name is the word that "op" has, its .members are the other
 * members.
 */

/* Checks `object` (NULL: empty) against the rows. Functions are not compiled here. */
int param_check(const struct pt_param *rows, const json_t *object, struct pt_error *);
/* Of the rows of which exactly one is given: what `given` sets unsets the others in `object`. */
void param_unset_others(const struct pt_param *rows, json_t *object, const json_t *given);

bool param_may_be_none(const struct pt_param *);

/* One value for one row; paths begin with the row's name. */
int param_check_value(const struct pt_param *row, const json_t *value, struct pt_error *);

/* What reading needs from outside. */
struct param_env {
	/* Compiles a function for PT_KIND_TRANSFORM and PT_KIND_PREDICATE; may be NULL: refused. */
	int (*compile)(void *arg, enum pt_kind, const char *text, struct pt_func **,
	               struct pt_error *);
	void (*release)(struct pt_func *); /* of what compile made */
	/* A descriptor of {"text": …, "fd": …}, for the file that the text names; it takes it over.
	   NULL: refused. */
	void (*hand)(struct pt_func *, int fd);
	/* The descriptor that came n-th (from 0) with the request; -1 unknown; -ESTALE: it came in
	   an earlier life of the daemon, and is read as PT_FD_GONE. The caller gets one of its own.
	   NULL: refused. */
	int (*descriptor)(void *arg, int n);
	/* The list for a folder that was handed over by that descriptor, which it takes over; for
	   as long as what is read is used. NULL: refused. */
	const char *const *(*lend)(void *arg, int fd, const char *folder);
	const char *const *folders; /* in which paths may lie, NULL-terminated; NULL: everywhere */
	void *arg;
};

/* Reads `object`, which param_check has passed, into `state` (zeroed), defaults for what is
   missing. None leaves a field zero, but -1 in a LINKTYPE, an FD, a FILE and a CHOICE. All faults
   are listed. What was read before a failure is released by param_release, which the caller always
   calls. */
int param_read(const struct pt_param *rows, const json_t *object, void *state,
               const struct param_env *, struct pt_error *);

/* Frees what the rows' fields hold, closes descriptors, and leaves them as None would. Only after
   param_read has begun with this state: in one that is merely zeroed, 0 would be a descriptor. */
void param_release(const struct pt_param *rows, void *state, const struct param_env *);

size_t param_size(const struct pt_param *row); /* bytes of its field */
/* How many bytes of state the rows reach into. */
size_t param_extent(const struct pt_param *rows);

/* The row's default as JSON (a new reference); NULL if it is PT_REQUIRED. Written as in the pipe
   language: true or True, None, numbers, text bare or in quotes; for lists and objects also JSON.
   A row that is neither PT_REQUIRED nor has a .fallback is null when left out. */
json_t *param_default(const struct pt_param *row);

/* What goes behind "must be": "true or false", "an integer from 1 to 9", "one of 'a', 'b'". Yours
   to free. */
char *param_kind_words(const struct pt_param *row);
const char *param_kind_name(enum pt_kind); /* "bool", "size": in type.list, stable */
int param_kind_parse(const char *name, enum pt_kind *);

/* What help says of a range: " From 1 to 9.", " At least 1.", or nothing where there is no bound
   that anybody would meet. */
struct buf;
void param_range_doc(struct buf *, double min, double max);

const struct pt_param *param_find(const struct pt_param *rows, const char *name); /* or NULL */

/* "64MiB", "10k", "1.5GB", "4096": k M G T are powers of 1000 and Ki Mi Gi Ti of 1024, with or
   without a B behind. "100ms", "5m", "1h", "0.5": ns us ms s m h d. 0 or -EINVAL. */
int param_parse_size(const char *text, uint64_t *bytes);
int param_parse_seconds(const char *text, double *seconds);

/* The same for values as they stand in requests, for whoever reads those without a table's offsets:
   a number or a text; a descriptor's number n or {"fd": n}, or its
   name (borrowed; *n is -1 then); a link type, -1 for null. 0 or -EINVAL. */
int param_size_from_json(const json_t *, uint64_t *bytes);
int param_seconds_from_json(const json_t *, double *seconds);
int param_fd_from_json(const json_t *, int *n, const char **name);
int param_link_type_from_json(const json_t *, int *number);

/* A message in JSON: text, {"base64": …} or {"hex": …}. */
int param_bytes_from_json(const json_t *, struct pt_bytes *, struct pt_error *);
json_t *param_bytes_to_json(const void *bytes, size_t length); /* text where it is UTF-8 */

#endif
