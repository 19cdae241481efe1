/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as Python writes them. */
#ifndef LANG_NUMBER_H
#define LANG_NUMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The number that all of `text` is, without its sign: 42, 0x2a, 1_000, 1.5e3, .5. Integers have 64
   bits. -EINVAL if it is none, -ERANGE if it is too large; *wrong says so. */
int number_read(const char *text, size_t length, bool negative, json_t **value, const char **wrong);

#endif
