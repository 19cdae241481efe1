/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of a program: words to values, by the rows of tables. */
#ifndef TYPE_ARGV_H
#define TYPE_ARGV_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <pipetool/param.h>

/*
 * Options may stand anywhere among the arguments of a verb, those that go with all also before it.
 * "--" ends them; "-" alone is an argument. -n 2, -n2, --count 2, --count=2; letters without a
 * value may be joined. A row's '_' is typed as '-'.
 */
struct argv {
	const char *program, *verb;       /* verb: NULL, there is none, or none yet */
	const struct pt_param *own, *all; /* rows: of the verb, of every one; NULL: none */
};

/* Reads the options before the verb into `values`. Returns the verb's place in `words` (count if
   there is none), or a negative code with one fault. */
int argv_options(const struct argv *, int count, char *const *words, json_t *values,
                 struct pt_error *);

/* Reads all words, which are those behind the verb. Every value is checked by its row and stands
   under the row's name; rows with PT_MANY have an array, and those of them that are choices may be
   joined by commas. What was not given is not there; where "help" is, nothing else need be. */
int argv_read(const struct argv *, int count, char *const *words, json_t *values,
              struct pt_error *);

/* The row of an option: by "if-revision", by its letter; NULL: there is none. How it is typed:
   "--if-revision", yours to free. */
const struct pt_param *argv_option(const struct argv *, const char *name, size_t length);
const struct pt_param *argv_letter(const struct argv *, char letter);
char *argv_typed(const struct pt_param *option);
/* The row of the n-th argument that is no option, from 0; NULL: it is one too many. */
const struct pt_param *argv_argument(const struct argv *, int n);

/* "ptctl recv ENGINE.BLOCK [-n N] [--follow]", without newline. */
void argv_usage(struct buf *, const struct argv *);

#endif
