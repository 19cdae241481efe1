/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be the name of a block or of an engine. */
#ifndef BASE_NAME_H
#define BASE_NAME_H

#include <stdbool.h>

#define NAME_MAX_LENGTH 64 /* bytes */

bool name_is_block(const char *);  /* a letter or _, then letters, digits, _ */
bool name_is_engine(const char *); /* letters, digits, _, and - inside */
/* It once could be: letters, digits, _, - and '.', which now parts an engine from a block. */
bool name_was_engine(const char *);

#endif
