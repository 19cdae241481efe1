/* SPDX-License-Identifier: BSD-2-Clause */
/* What leads from one graph, as lists, to another. No I/O. */
#ifndef DAEMON_DIFF_H
#define DAEMON_DIFF_H

#include <jansson.h>
#include <pipetool/error.h>

/* As engine.show has them, or what makes them; all borrowed, NULL is empty. */
struct diff_side {
	const json_t *blocks, *links;
	const json_t *ops;
};

/* The operations, as engine.change takes them: a new reference. A fault if a type that one of them
   has is not there any more. */
int diff_ops(struct diff_side from, struct diff_side to, json_t **ops, struct pt_error *);

/* For each of the operations what it takes the place of in these blocks (or operations that add
   them): of a set {name: value} with defaults spelled out, of a replace {type, params}, else null.
   A new reference; NULL: there is nothing of the kind. */
json_t *diff_was(const json_t *ops, const json_t *blocks);

#endif
