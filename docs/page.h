/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tables give to the manual pages. */
#ifndef DOCS_PAGE_H
#define DOCS_PAGE_H

#include "base/buf.h"

/*
 * A page is scdoc(5) written by hand, NAME.SECTION.scd, in which @part@ stands for what a function
 * writes from a table. The program that fills in the pages about ptctl is linked with the tables of
 * ptctl, the one for all others with those of pipetoold; both have the library's.
 */
struct page_part {
	const char *name;
	void (*write)(struct buf *);
};

/* Each ends with a row without a name. */
extern const struct page_part page_common[]; /* of the library's tables, and paths */
extern const struct page_part page_parts[];  /* of the program's own */

/* Fills in a page; `own` may be NULL. NULL, or where a part stands that is unknown. */
const char *page_fill(const char *text, const struct page_part *own, struct buf *);

#endif
