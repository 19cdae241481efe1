/* SPDX-License-Identifier: BSD-2-Clause */
/* What must be true of a type's table before the engine may use it. */
#ifndef TYPE_TABLE_H
#define TYPE_TABLE_H

#include <pipetool/block.h>

/* Contradictions: api, name, picture against ports, routes against ports, functions against one
   another, parameters that C could not read or whose default their own row refuses. What is merely
   missing for people (summary, docs, examples) is only table_check_all's. 0, or the first code. */
int table_check(const struct pt_type *, struct pt_error *);

/* All that is wrong with a table, for the tests: 0, or faults. It asks for more than that:
   a summary without full stop, a picture, an example, docs with a full stop, defaults. */
int table_check_all(const struct pt_type *, struct pt_error *);

/*
 * The ports that a picture shows: enum pt_port bits.
 *
 *         +------^------+      ^ in the top border: trigger exit
 *      >>-|--[text]     |->>   an end is a port if what stands at the inner side of its border is
 *         |             |      no space: here the high entry is one and the high exit is not
 *       >-|--[text]-----|->
 *         +------^------+      ^ in the bottom border: trigger entry
 */
unsigned table_picture_ports(const char *picture);

#endif
