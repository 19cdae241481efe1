/* SPDX-License-Identifier: BSD-2-Clause */
/* The pipe language: text to operations on a graph, and back. */
#ifndef LANG_LANG_H
#define LANG_LANG_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <pipetool/param.h>

/*
 *     s = RdpcapSource("in.pcap", speed=1)     # NAME = Type(arguments)
 *     s > d1 > ConsoleSink(); s >> d2          # links; blocks made in place get a name
 *     s > q = QueueSink()                      # a block may get its name where it is linked
 *     d ^ valve ; a % b ; a // b ; b < a ; b << a
 *     iface = "eth0"                           # a constant: SniffSource(iface)
 *
 * Statements end at a newline or `;`; inside brackets and behind an operator or `\` a line goes on.
 * Literals are JSON's and Python's: 'text' "text" '''text''' r'…' b'…' True False None numbers
 * (also 0x…, 1_000) lists, tuples, dictionaries with text keys, also as Lua has them:
 * {size="10KB"}.
 */

/* What the parser asks about the world. Every function may be NULL. */
struct lang_env {
	/* The parameters of a type, for positional arguments and paths; NULL: no such type. */
	const struct pt_param *(*params)(void *arg, const char *type);
	/* Calls `each` for every known type, for "did you mean". */
	void (*types)(void *arg, void (*each)(void *each_arg, const char *name), void *each_arg);
	/* Whether a block of that name is there already. If this is NULL, names that are linked but
	   not made in the text are let through. */
	bool (*exists)(void *arg, const char *block);
	/* Same for the names, for "did you mean". */
	void (*blocks)(void *arg, void (*each)(void *each_arg, const char *name), void *each_arg);
	const char *directory; /* relative paths are taken from here; NULL: left alone */
	const char *out;       /* those of files that are written, from here; NULL: as the others */
	const json_t *constants; /* {name: value}: they go before those of the text; or NULL */
	void *arg;
};

struct lang_place {
	unsigned line, column; /* from 1; column in characters */
};

struct lang_program {
	json_t *ops; /* as engine.change takes them: "add" and "link", in the order of the text */
	struct lang_place *places; /* of each op */
	json_t *argument_places;   /* for lang_locate */
	char *text;                /* a copy, for the caret */
};

/* Parses a program. What cannot be read is one or more faults of PT_EPARSE, each with the message
   "line 2, column 7: …" and, as its hint, the line with a caret below (two lines).
   `text` need not end in NUL. */
int lang_parse(const char *text, size_t length, const struct lang_env *, struct lang_program *,
               struct pt_error *);
void lang_program_free(struct lang_program *);

/* A text without a statement is no graph: mostly it was forgotten, or could not be made. One that
   has this line means what it says: a graph without blocks. */
#define LANG_EMPTY "# an empty graph: no blocks, no links"
bool lang_is_graph(const struct lang_program *);

/* Only links, as `ptctl unlink` takes them: {from, to, canal} each, a new reference. */
int lang_parse_links(const char *text, size_t length, json_t **links, struct pt_error *);
/* Only `Type(arguments)`, as `ptctl replace` takes it: {type, params}. */
int lang_parse_block(const char *text, size_t length, const struct lang_env *, json_t **block,
                     struct pt_error *);
/* One literal, as `ptctl set key=value` takes it; a bare word is text. */
int lang_parse_value(const char *text, size_t length, json_t **value, struct pt_error *);

/* The place of "$.ops[3].params.port" in the text, or of the nearest thing around it; line 0 if
   there is none. */
struct lang_place lang_locate(const struct lang_program *, const char *path);

/* The line of the text with a caret below: two lines, without the last newline. Tabs stay tabs. */
void lang_caret(struct buf *, const char *text, struct lang_place);

/* A graph as text that lang_parse reads back to the same: one block a line, then the links,
   chained where neighbours follow each other in order. `graph` is {blocks: [{name, type, params?}],
   links: [{from, to, canal}]}. */
void lang_print(struct buf *, const json_t *graph);
/* One literal: True, 'text', b'\xff' for {"hex": …}, [1, 2], {'size': 1}. */
void lang_print_value(struct buf *, const json_t *);

#endif
