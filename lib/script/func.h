/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that users write as text: native operations and Lua. */
#ifndef SCRIPT_FUNC_H
#define SCRIPT_FUNC_H

#include "script/limits.h"
#include <pipetool/error.h>
#include <pipetool/msg.h>
#include <pipetool/param.h>

/*
 * The text is a Lua 5.4 expression whose value is a function, or one of the native operations:
 * reverse, truncate(n), set{…} and so on to transform; always, equals 'bytes', bpf 'filter' and so
 * on as predicates: native_ops has them. It is evaluated once, when it is compiled, in a
 * sandbox without files, processes, network, load, debug or bytecode, under limits.
 * A native operation keeps no Lua state.
 */

/* [any thread] Compiles for PT_KIND_TRANSFORM or PT_KIND_PREDICATE, or the capture filter that the
   text is for PT_KIND_FILTER. An operation of the other
   kind is refused, as is a text that is not an expression, with Lua's words and the nearest
   name. */
int func_compile(enum pt_kind, const char *text, const struct func_limits *, struct pt_func **,
                 struct pt_error *);
void func_free(struct pt_func *);

/* The path of the file that it reads when it is opened; NULL: none. */
const char *func_file(const struct pt_func *);
/* A descriptor in place of that file, the function's own from now on (or PT_FD_GONE, or -1: none);
   and which it is. */
void func_hand(struct pt_func *, int fd);
int func_handed(const struct pt_func *);

/* One thread at a time, from here on. */

/* The function's block starts: what is counted is counted anew. NULL does nothing. */
void func_begin(struct pt_func *);

/* [worker] Its block is opened: keys are made, files read. Before the first message, each time. */
int func_open(struct pt_func *, const struct func_site *, struct pt_error *);

/* Applies a transform to *m in place. 0; FUNC_NOTHING if the function returned nil (the message is
   filtered); FUNC_OPAQUE if nobody can look where it must be looked (it is dropped);
   a negative code with the script's traceback in `err` (-PT_ESCRIPT), or -ENOMEM. *m stays yours
   in every case. */
int func_transform(struct pt_func *, struct pt_msg **m, struct pt_error *);
/* The same of many, in turn, until one is not 0: returns of how many, and what is said of the last
   in *rc. */
unsigned func_transform_many(struct pt_func *, struct pt_msg **messages, unsigned count, int *rc,
                             struct pt_error *);

/* Whether a predicate is true: 1, 0, or a negative code. */
int func_test(struct pt_func *, const struct pt_msg *, struct pt_error *);
/* The same of up to 64, in turn: a bit for each for which it is true. Returns how many there are
   of which it is known; if they are not all, the next one has failed, with the code *rc. */
unsigned func_test_many(struct pt_func *, struct pt_msg *const *messages, unsigned count,
                        uint64_t *passed, int *rc, struct pt_error *);

#endif
