/* SPDX-License-Identifier: BSD-2-Clause */
/* Two writers over {name, summary, help, picture, parameters, examples}; the third is in man.h. */
#ifndef TYPE_HELP_H
#define TYPE_HELP_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/block.h>

/* For people: what `ptctl help TYPE` shows, as plain text. */
void help_type(struct buf *, const struct pt_type *);
/* The same from what type.show answered, so that ptctl can show types that it was not built
   with. */
void help_type_json(struct buf *, const json_t *type);
/* Parameters, one a line or more: name, kind, default, doc. `indent` is spaces. */
void help_params(struct buf *, const struct pt_param *rows, const char *indent);
/* Paragraphs, parted by empty lines, wrapped to the same width; lines that begin with a space stay
   as they are. */
void help_prose(struct buf *, const char *text);
/* One paragraph behind so many spaces; ends with a newline. */
void help_paragraph(struct buf *, const char *text, size_t indent);

/* How wide all of that is: 80 columns unless told. */
void help_set_columns(size_t);

/* What stands for the value of a verb's option: "N", "SECONDS", "FILE", "TEXT"; "" for a bool. */
const char *help_value_word(const struct pt_param *row);

/* For programs: JSON Schema (draft 7) of an object with these members, and a type as type.show
   answers it: {name, summary, help?, role, picture, ports: ["low_entry", "trigger_exit", …],
   params: [{name, doc, kind, default?, required?, live?, min?, max?, choices?, members?, schema}],
   examples}; rows of a verb also have option, many and letter. New references. */
json_t *schema_params(const struct pt_param *rows);
json_t *schema_param(const struct pt_param *row);
json_t *schema_rows(const struct pt_param *rows);
json_t *schema_type(const struct pt_type *);

#endif
