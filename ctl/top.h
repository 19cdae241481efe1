/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ptctl top` shows: engines, or an engine's blocks, with rates, sorted. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "base/map.h"
#include "ctl/ctl.h"

enum top_key { TOP_RATE, TOP_BYTES, TOP_DROPS, TOP_HELD, TOP_CPU, TOP_NAME };
extern const char *const top_keys[]; /* "rate" …; ends with NULL */

struct top_row {
	char *name, *state, *waits_for;
	char *trouble;                       /* what is wrong, in words; "": nothing */
	bool bad;                            /* it has failed, or something in it has */
	double uptime_s, in, out, bits;      /* the last three a second; below 0: not known yet */
	double filtered, dropped, held, cpu; /* per cent; so too */
	json_t *waiting;                     /* the same as waits_for, a list */
};

enum { TOP_SAMPLES = 600, TOP_MINUTE_S = 60 };

/* The last minute of one engine, or of all: what came in a second. */
struct top_past {
	char *name;
	double at_s[TOP_SAMPLES], rate[TOP_SAMPLES];
	unsigned first, count;
	bool seen; /* in this look */
};

struct top {
	struct ctl *ctl;
	char *engine; /* NULL: all */
	enum top_key key;
	bool turned;
	char filter[64];      /* only rows that have it in their name */
	json_t *before, *now; /* {engine: stats} */
	double before_s, now_s;
	struct top_row *rows;               /* as they are to be shown */
	size_t count, running, failed, all; /* engines; rows with those that are filtered out */
	struct top_row total;
	struct map past; /* {name: struct top_past}; "" is all of them */
};

void top_fini(struct top *);
/* Another engine, or all (NULL): what is known of them stays. */
void top_enter(struct top *, const char *engine);
/* Asks, and makes the rows. An engine that does not answer at once is shown so. */
int top_look(struct top *, struct pt_error *);
/* The rows anew, after the key, the filter or the engine has changed. */
void top_arrange(struct top *);
void top_sort_by(struct top *, enum top_key); /* again turns it round */

/* What came in a second during the last minute, the oldest first; below 0: not known. */
void top_minute(const struct top *, double *rates, unsigned count);

/* Cells as text. */
enum top_column {
	TOP_C_NAME,
	TOP_C_STATE,
	TOP_C_UPTIME,
	TOP_C_IN,
	TOP_C_OUT,
	TOP_C_BITS,
	TOP_C_FILTERED,
	TOP_C_DROPPED,
	TOP_C_HELD,
	TOP_C_CPU,
	TOP_C_WAITS,
	TOP_COLUMNS,
};
const char *top_head(const struct top *, enum top_column);
bool top_is_right(enum top_column);                       /* a number */
bool top_is_red(const struct top_row *, enum top_column); /* it is a loss or a fault */
void top_cell(struct buf *, const struct top *, const struct top_row *, enum top_column);

/* Rounds as text, or JSON, without a screen. The exit status. */
int top_print(struct top *, double delay_s, int64_t rounds);
/* On the terminal, until q. */
int top_screen(struct top *, double delay_s, int64_t rounds);

#endif
