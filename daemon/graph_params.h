/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request gives a graph: rows of the methods' tables, and what becomes of them. */
#ifndef DAEMON_GRAPH_PARAMS_H
#define DAEMON_GRAPH_PARAMS_H

#include "daemon/call.h"

/* End with a nameless row. */
extern const struct pt_param graph_block_rows[], graph_link_rows[], graph_op_rows[];

#define TEXT_ROW(doc_, ...)                                                            \
	{                                                                              \
		"text", doc_, PT_STRING(struct call, params.text), .fallback = "None", \
								   ##__VA_ARGS__       \
	}

#define GRAPH_ROWS                                                                                 \
	{"blocks", "The blocks, in the order in which they are made.",                             \
	 PT_LIST(struct call, ask.request.blocks), .fallback = "[]", .members = graph_block_rows}, \
		{"links", "The links, in the order of fan-out.",                                   \
	         PT_LIST(struct call, ask.request.links), .fallback = "[]",                        \
	         .members = graph_link_rows},                                                      \
		TEXT_ROW("The graph in the pipe language, in place of blocks and links.")

/* Of what a call gives in blocks and links, or in a text, whose program is then in call->state, a
   request. False: the call has been refused. */
bool graph_read(struct call *);

/* An engines_done, for who has asked for that: tells faults as the graph was given. */
void graph_done(void *call, int code, json_t *result, struct pt_error *);

#endif
