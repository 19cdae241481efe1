/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as text, and looking into what others made: what is missing, or of another kind, is
   empty. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

struct buf;
void json_add(struct buf *, const json_t *); /* on one line, without newline; any value */

/* Text from elsewhere, a file's name say, may be no UTF-8: then all but ASCII is escaped. */
json_t *json_text(const char *);

const char *text_of(const json_t *object, const char *member); /* "" */
double number_of(const json_t *object, const char *member);    /* 0 */
long long integer_of(const json_t *object, const char *member);

double sum_of(const json_t *numbers); /* of an object's members */

/* The first of a list of objects that has this text in `member`; NULL: none. Borrowed. */
json_t *item_of(const json_t *list, const char *member, const char *text);

bool json_has(const json_t *list, const json_t *item); /* one that is equal */

/* Goes through an array; NULL is none. `break` and `continue` are as in any loop:
 *     json_each (block, json_object_get(shown, "blocks"))
 *             puts(text_of(block, "name")); */
#define json_each(item, list)                                                                     \
	for (size_t item##_at = 0, item##_on = 1; item##_on && item##_at < json_array_size(list); \
	     item##_at++)                                                                         \
		for (json_t *item = (item##_on = 0, json_array_get(list, item##_at)); !item##_on; \
		     item##_on = 1)

/* To go through what is constant: jansson's loops want it otherwise. */
json_t *json_of(const json_t *);

#endif
