/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipe text from the command line or a file, and errors put back to their place in it. */
#ifndef CTL_PIPE_H
#define CTL_PIPE_H

#include "ctl/world.h"

struct pipe_text {
	struct buf text;    /* the PIPE arguments, a line each, or the file */
	const char *origin; /* the file's name for messages; NULL: arguments */
	bool given;         /* though it may be empty */
	bool may_be_empty;  /* if it says so */
	struct world world;
	struct lang_program program;
};

/* Collects the text of the verb's arguments. Both PIPE and -f is wrong usage; neither is an empty
   text. The caller calls pipe_fini in every case. */
int pipe_gather(struct pipe_text *, const struct ctl *, struct pt_error *);
/* Asks for what the text is about, the blocks of `engine` too if it is not NULL, and parses it,
   once more if it was. A text without a statement, which is no graph, is refused with a hint at
   what else may be meant; NULL: it may be. */
int pipe_parse(struct pipe_text *, struct ctl *, const char *engine, const char *hint,
               struct pt_error *);
void pipe_fini(struct pipe_text *);

/* Gives the faults of a refusal ("$.ops[3].params.port") line, column and caret. Where the request
   had `blocks` and `links` and not `ops`, "$.links[1]" is found too. */
void pipe_locate(const struct pipe_text *, struct pt_error *);

/* The operations as engine.create takes them: adds `blocks` and `links` to `params`. */
void pipe_graph(const struct pipe_text *, json_t *params);

#endif
