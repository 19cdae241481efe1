/* SPDX-License-Identifier: BSD-2-Clause */
/* Help as scdoc source, for the manual pages. */
#ifndef TYPE_MAN_H
#define TYPE_MAN_H

#include "base/buf.h"
#include <pipetool/block.h>

/*
 * Text of the tables becomes scdoc(5): what would be markup there is escaped, and what stands in
 * `backquotes` is bold. `depth` is how far it is indented, in tabs. Each ends with an empty line,
 * but for the first two, which are part of a line.
 */
void man_inline(struct buf *, const char *text);
void man_sentence(struct buf *, const char *text); /* with a capital and a full stop */
/* Paragraphs, parted by empty lines; lines that begin with a space are an example. */
void man_prose(struct buf *, const char *text, unsigned depth);

/* A definition for each row: of a block type, a method or the configuration, by name and kind; of a
   verb as it is typed, "-f, --file FILE". `value` stands behind a single option, "" for nothing. */
void man_params(struct buf *, const struct pt_param *rows, unsigned depth);
void man_verb_params(struct buf *, const struct pt_param *rows, unsigned depth);
void man_option(struct buf *, const struct pt_param *row, const char *value, unsigned depth);

/* A subsection of pipetool-blocks(7): call, summary, picture, help, parameters, examples. */
void man_type(struct buf *, const struct pt_type *);

#endif
