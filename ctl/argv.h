/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: words to values, by the rows of a table. */
#ifndef CTL_ARGV_H
#define CTL_ARGV_H

#include "base/buf.h"
#include "ctl/verb.h"
#include <pipetool/error.h>

/*
 * Options may stand anywhere behind the verb, those of verb_globals also before it. "--" ends them;
 * "-" alone is an argument. -n 2, -n2, --count 2, --count=2; letters without a value may be joined.
 */

/* Reads the options before the verb into `values`. Returns the verb's place in `words` (count if
   there is none), or a negative code with one fault. */
int argv_globals(int count, char *const *words, json_t *values, struct pt_error *);

/* Reads what follows the verb. Every value is checked by its row and stands under the row's name;
   rows with PT_MANY have an array. What was not given is not there. */
int argv_read(const struct verb *, int count, char *const *words, json_t *values,
              struct pt_error *);

/* The row of an option, of the verb (NULL: none yet) or for every verb: by "if-revision", by its
   letter; NULL: there is none. How it is typed: "--if-revision", yours to free. */
const struct pt_param *argv_option(const struct verb *, const char *name, size_t length);
const struct pt_param *argv_letter(const struct verb *, char letter);
char *argv_typed(const struct pt_param *option);
/* The row of the n-th argument that is no option, from 0; NULL: it is one too many. */
const struct pt_param *argv_argument(const struct verb *, int n);

/* "ptctl recv ENGINE.BLOCK [-n N] [--follow]", without newline. */
void argv_usage(struct buf *, const struct verb *);

#endif
