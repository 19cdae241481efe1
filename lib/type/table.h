/* SPDX-License-Identifier: BSD-2-Clause */
/* What must be true of a type's table before the engine may use it. */
#ifndef TYPE_TABLE_H
#define TYPE_TABLE_H

#include <pipetool/block.h>

/* Contradictions: api, name, picture against ports, routes against ports, functions against one
   another, parameters that C could not read or whose default their own row refuses. What is merely
   missing for people (summary, docs, examples) is only type_check's. 0, or the first code. */
int table_check(const struct pt_type *, struct pt_error *);

#endif
