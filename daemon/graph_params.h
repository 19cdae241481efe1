/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request gives a graph: rows of the methods' tables, and what becomes of them. */
#ifndef DAEMON_GRAPH_PARAMS_H
#define DAEMON_GRAPH_PARAMS_H

#include <jansson.h>
#include <pipetool/error.h>
#include <pipetool/param.h>

/* End with a nameless row. */
extern const struct pt_param graph_block_rows[], graph_link_rows[], graph_op_rows[];

#define TEXT_ROW(doc_, ...)                                                     \
	{                                                                       \
		"text", doc_, PT_KIND_STRING, .fallback = "None", ##__VA_ARGS__ \
	}

#define GRAPH_ROWS                                                                               \
	{"blocks", "The blocks, in the order in which they are made.", PT_KIND_LIST,             \
	 .fallback = "[]", .members = graph_block_rows},                                         \
		{"links", "The links, in the order of fan-out.", PT_KIND_LIST, .fallback = "[]", \
	         .members = graph_link_rows},                                                    \
		TEXT_ROW("The graph in the pipe language, in place of blocks and links.")

/* The operations that make {blocks, links}: a new reference. */
json_t *graph_ops(const json_t *params);

/* The same, or those of {text}, whose program is then in *program; NULL and the faults. */
struct lang_program;
json_t *graph_read(const json_t *params, struct lang_program **program, struct pt_error *);

/* Faults told as who asked has given the graph; ends with the program. */
void graph_told(const json_t *params, struct lang_program *program, struct pt_error *);

/* Who gave blocks and links is told of them: "$.ops[3].from" is "$.links[1].from". */
void graph_paths(struct pt_error *, size_t blocks);

#endif
