/* SPDX-License-Identifier: BSD-2-Clause */
/* The faults that a check of parameters lists. */
#ifndef TYPE_PARAM_FAULT_H
#define TYPE_PARAM_FAULT_H

#include "type/param.h"

bool fault_enough(const struct pt_error *); /* no further ones are listed */
size_t fault_mark(const struct pt_error *); /* for error_prefix: those from here on */

/* Each returns -PT_EPARAM. */
int fault_wrong(const struct pt_param *, const json_t *value, struct pt_error *);
int fault_wrong_item(const struct pt_param *, const json_t *item, const char *words,
                     struct pt_error *);
int fault_missing(const struct pt_param *, struct pt_error *);
/* "unknown parameter 'ifac'; did you mean 'iface'?", with what is allowed. Takes `names`. */
int fault_unknown(const char *what, const char *path, const char *word, json_t *names,
                  struct pt_error *);

/* What the last one also has: the value as JSON, if it is not long; and what would be allowed
   (taken). */
void fault_value(struct pt_error *, const json_t *value);
void fault_allowed(struct pt_error *, json_t *names);
const char *fault_nearest(const char *wanted, json_t *names); /* or NULL */
json_t *fault_row_names(const struct pt_param *rows, const char *also);

#endif
