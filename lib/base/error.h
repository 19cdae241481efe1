/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors inside the project: what <pipetool/error.h> leaves to the program's own layers. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <pipetool/error.h>
#include <stdarg.h>

enum { ERROR_FAULTS_MAX = 256 }; /* what one request is told */

struct error_kind {
	const char *name; /* "no-such-block" */
	int code;         /* positive: PT_ENOBLOCK */
	int rpc;          /* on the wire */
	int exit;         /* of ptctl */
	const char *sentence;
};

/* All kinds, ends with a row without a name. */
extern const struct error_kind error_kinds[];

/* The kind of a (negative or positive) code; a plain errno is PT_EIO, but EINVAL is PT_EPARAM,
   ENOMEM is PT_ELIMIT and ETIMEDOUT is PT_ETIMEOUT. */
const struct error_kind *error_kind(int code);
const struct error_kind *error_kind_by_name(const char *name); /* NULL: unknown */
const struct error_kind *error_kind_by_rpc(int rpc);           /* NULL: unknown */

int error_vfail(struct pt_error *, int code, const char *path, const char *fmt, va_list)
	__attribute__((format(printf, 4, 0)));

/* Adds to the fault that was added last. `json` is copied. */
void error_value(struct pt_error *, const char *json);
void error_allowed(struct pt_error *, const char *json);
void error_place(struct pt_fault *, unsigned line, unsigned column, const char *caret);

/* Puts `prefix` before the paths of the faults from number `from` on: a path "iface" behind
   "$.blocks[2].params" becomes "$.blocks[2].params.iface"; one that begins with '[' gets no dot;
   a fault without a path gets `prefix` alone. */
void error_prefix(struct pt_error *, size_t from, const char *prefix);

/* The same with their words: "block 'd1'" before "no such file" becomes "block 'd1': no such
   file". */
void error_introduce(struct pt_error *, size_t from, const char *words);

/* Moves all faults of `from` to the end of `to`. */
void error_move(struct pt_error *to, struct pt_error *from);

/* strerror without locale and thread trouble, in lower case: "no such file or directory". */
const char *error_words(int code);

#endif
