/* SPDX-License-Identifier: BSD-2-Clause */
/* A graph that a request gives as text. */
#ifndef DAEMON_PIPE_TEXT_H
#define DAEMON_PIPE_TEXT_H

#include "lang/lang.h"

/* The program, to be freed by pipe_text_free, or NULL with the faults. `shown` is what the engine's
   show answered, whose blocks may be linked; NULL: there are none. */
struct lang_program *pipe_text_read(const char *text, const json_t *shown, struct pt_error *);
void pipe_text_free(struct lang_program *); /* NULL does nothing */

/* Faults that came of the program's operations ("$.ops[3].params.port") get line, column and
   caret. */
void pipe_text_locate(const struct lang_program *, struct pt_error *);

#endif
