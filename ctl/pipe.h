/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipe text from the command line or a file, and errors put back to their place in it. */
#ifndef CTL_PIPE_H
#define CTL_PIPE_H

#include "ctl/world.h"

struct pipe_text {
	struct buf text;    /* the PIPE arguments, a line each, or the file */
	const char *origin; /* the file's name for messages; NULL: arguments */
	bool given;         /* though it may be empty */
	struct lang_program program;
};

/* Rows for verbs that take pipe text, and what they become. */
#define PIPE_ARGUMENTS(...)                                                                       \
	{                                                                                         \
		.name = "pipe", .doc = "The graph in the pipe language; several are one a line.", \
		.kind = PT_KIND_STRING, .flags = PT_MANY __VA_ARGS__                              \
	}
#define PIPE_FILE                                                                             \
	{                                                                                     \
		.name = "file", .doc = "Read the graph from this file; - is standard input.", \
		.kind = PT_KIND_PATH, .flags = PT_OPTION, .letter = 'f'                       \
	}

#define PIPE_DEFINE                                                                            \
	{                                                                                      \
		.name = "define",                                                              \
		.doc = "A constant of the text, NAME=VALUE; it goes before the text's own. A " \
		       "bare word is text.",                                                   \
		.kind = PT_KIND_STRING, .flags = PT_OPTION | PT_MANY, .letter = 'D'            \
	}

/* Collects the text. Both PIPE and -f is wrong usage; neither is an empty text. The caller calls
   pipe_fini in every case. */
int pipe_gather(struct pipe_text *, const struct ctl *, struct pt_error *);
int pipe_parse(struct pipe_text *, struct world *, struct pt_error *);
/* Refuses a text without a statement, which is no graph, with a hint at what else may be meant. */
int pipe_require(const struct pipe_text *, const char *hint, struct pt_error *);
void pipe_fini(struct pipe_text *);

/* Gives the faults of a refusal ("$.ops[3].params.port") line, column and caret. Where the request
   had `blocks` and `links` and not `ops`, "$.links[1]" is found too. */
void pipe_locate(const struct pipe_text *, struct pt_error *);

/* The operations as engine.create takes them: adds `blocks` and `links` to `params`. */
void pipe_graph(const struct pipe_text *, json_t *params);

#endif
