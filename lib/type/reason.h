/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a message did not go on: the words that counters, events and help have for it. */
#ifndef TYPE_REASON_H
#define TYPE_REASON_H

#include <stdbool.h>

/*
 * What a graph was told to leave out is filtered, what was lost is dropped. A word is of one kind
 * wherever the project itself uses it; one that is not in the table is a block's own, and means
 * dropped unless the block says otherwise (pt_filter_out).
 */
struct reason {
	const char *word;
	bool filtered;
	const char *doc; /* one sentence */
};

extern const struct reason reasons[]; /* ends with a NULL word; what is filtered comes first */

bool reason_is_filtered(const char *word);

#endif
