/* SPDX-License-Identifier: BSD-2-Clause */
/* The operation anonymize{…}: its argument, and the key that it takes when its block is opened. */
#ifndef SCRIPT_ANONYMIZE_H
#define SCRIPT_ANONYMIZE_H

#include "script/native.h"

/* As in struct native_op. */
int anonymize_read(struct native *, lua_State *, struct pt_error *);
int anonymize_open(struct native *, const struct func_site *, struct pt_error *);
const char *anonymize_file(const struct native *);
int anonymize_transform(struct native *, struct pt_msg **, struct pt_error *);

struct anonymize;
void anonymize_free(struct anonymize *); /* NULL does nothing */

#endif
