/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into JSON that others made: what is missing, or of another kind, is empty. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

const char *text_of(const json_t *object, const char *member); /* "" */
double number_of(const json_t *object, const char *member);    /* 0 */
long long integer_of(const json_t *object, const char *member);

/* The first of a list of objects that has this text in `member`; NULL: none. Borrowed. */
json_t *item_of(const json_t *list, const char *member, const char *text);

/* To go through what is constant: jansson's loops want it otherwise. */
json_t *json_of(const json_t *);

#endif
