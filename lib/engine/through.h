/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether what was sent by hand has gone through, also where work is done elsewhere. */
#ifndef ENGINE_THROUGH_H
#define ENGINE_THROUGH_H

#include <stdbool.h>
#include <stdint.h>

struct pt_engine;
struct pt_request;

/*
 * Who has to be waited for is the feeder, and each block whose type is `elsewhere`; what comes out
 * of one may go into the next. So there are rounds: one is over when whatever was in such a block
 * at its beginning is out of it, and what is sent now has gone through after as many as there are
 * such blocks, or as soon as none holds anything. A sink that is full is waited for by nobody:
 * what is behind it stays where it is until somebody takes something out.
 */

/* Whether the request is to wait; through_settle is asked then, after each turn. */
bool through_begin(struct pt_engine *, struct pt_request *);
bool through_is_over(const struct pt_engine *, const struct pt_request *);
void through_settle(struct pt_engine *); /* once, before they are asked */

#endif
