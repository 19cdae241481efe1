/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong, in words for a person and in a kind for a program. */
#ifndef PIPETOOL_ERROR_H
#define PIPETOOL_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A function that can fail returns 0 or a negative code: -errno, or one of the codes below where
 * errno has no word. Where a user's wish is refused, its last argument is a struct pt_error, and
 * the deepest place that knows writes one line: what, where, and how to mend it:
 *
 *     return pt_fail(err, -ENODEV, "iface", "no interface 'eth9'; did you mean 'eth0'?");
 *
 * Whoever passes the error on leaves it as it is. Several faults may be added to one error: a
 * request is told all that is wrong with it. An error belongs to one thread at a time.
 */
enum pt_code {
	PT_CODES = 4096, /* above every errno */
#define PT_ERROR(name, code, ...) name = code,
#include <pipetool/errors.def>
#undef PT_ERROR
};

struct pt_fault {
	int code;   /* negative */
	char *path; /* where: "iface", "$.ops[3].from"; NULL where there is nothing to point at */
	char *message;         /* one line, without a full stop */
	char *hint;            /* how to mend it, or NULL */
	char *value;           /* what was given, as JSON text, or NULL */
	char *allowed;         /* what may stand there, as JSON text of an array, or NULL */
	unsigned line, column; /* of a text in the pipe language; 0: of none */
	char *caret;           /* that line with a caret below, or NULL */
};

struct pt_error {
	struct pt_fault *faults;
	size_t count;
};

#define PT_ERROR_INIT   \
	{               \
		NULL, 0 \
	}

/* Adds a fault and returns its code. `err` may be NULL: then only the code is left.
   `path` may be NULL. */
int pt_fail(struct pt_error *err, int code, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Says how the fault that was added last can be mended. */
void pt_hint(struct pt_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Frees what the error holds and leaves it empty, as PT_ERROR_INIT. */
void pt_error_clear(struct pt_error *err);

/* The first fault's message, or `otherwise` where there is none. Valid until the error changes. */
const char *pt_error_text(const struct pt_error *err, const char *otherwise);

#ifdef __cplusplus
}
#endif
#endif
