/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels of a host: {name: value}, "" where it has none. */
#ifndef FLEET_LABEL_H
#define FLEET_LABEL_H

#include <jansson.h>
#include <stdbool.h>

/* Takes "role=web" or "all" apart. False: it has no name, or one that is there. */
bool label_set(json_t *labels, const char *text);

/* The same of a list that ends with NULL; NULL is none. A new reference. */
json_t *label_set_all(char *const *texts);

/* Whether "role=web", or "role" with whatever value, is among them. */
bool label_held(const json_t *labels, const char *wanted);

/* What has to hold: a list of lists of labels, of which all that stand together hold in at least
   one of them. NULL or empty: nothing has to. `text` adds one more list to *wanted, which is made
   where it is NULL: "role=web, site=north". False: there is no label in it. */
bool label_want(json_t **wanted, const char *text);
bool label_fits(const json_t *labels, const json_t *wanted);

#endif
