/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an engine does as well as before: terms about its counts. */
#ifndef FLEET_GATE_H
#define FLEET_GATE_H

#include "base/buf.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>

#define GATE_USUAL "dropped < before + 0.1%"

/*
 * Terms joined by `and`:
 *
 *     dropped|errors|filtered < N[%]
 *     dropped|errors|filtered < before + N[%]
 *     messages > N
 *
 * A per cent is of what the sources sent meanwhile.
 */
struct gate;

int gate_read(const char *text, struct gate **, struct pt_error *);
void gate_free(struct gate *); /* NULL does nothing */

/* What engine.stats had counted up to one moment; and between two of them, which may be read from
   gate_since. */
struct gate_counts {
	bool known; /* else all of it is 0 */
	double messages, dropped, errors, filtered;
	double time_s, uptime_s;
};
struct gate_counts gate_counts_of(const json_t *stats);
/* False, and zeros: the engine was started anew meanwhile, or one of them is not known. */
bool gate_since(const struct gate_counts *from, const struct gate_counts *to,
                struct gate_counts *between);

/* Whether all terms hold of what was counted since the change; where not, `why` says what was
   counted. `before` is of another span, maybe of another length. */
bool gate_holds(const struct gate *, const struct gate_counts *before,
                const struct gate_counts *now, struct buf *why);

/* Whether something came, unless so short a time had none before either. */
bool gate_flows(const struct gate_counts *before, const struct gate_counts *now);

#endif
