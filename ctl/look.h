/* SPDX-License-Identifier: BSD-2-Clause */
/* How engines are: what they answer, and what is wrong with that, in words. */
#ifndef CTL_LOOK_H
#define CTL_LOOK_H

#include "ctl/ctl.h"

/* Adds {NAME: {state, why, blocks, links, …}} to `all`, of each engine, or of the one that is
   named. Of one that does not answer it is what the list has, and its state is LOOK_NO_ANSWER; all
   of those together are waited for for `patience_s` seconds. */
int look_ask(struct ctl *, const char *engine, double patience_s, json_t *all, struct pt_error *);
#define LOOK_NO_ANSWER "no answer"

bool look_is_failed(const json_t *block_or_engine);
/* "12 error, 3 overflow"; nothing where the block has lost nothing. */
void look_losses(struct buf *, const json_t *block);
/* "odd dropped 12 error: script:1: no"; adds nothing where nothing is wrong. */
void look_trouble(struct buf *, const json_t *block);

/* Why no message leaves the block, or, if it is NULL, the engine's sources, as "engine 'e' is
   stopped"; nothing where that is not to be seen. `engine` is as look_ask has it. */
void look_silence(struct buf *, const char *name, const json_t *engine, const char *block);

#endif
