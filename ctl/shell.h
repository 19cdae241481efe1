/* SPDX-License-Identifier: BSD-2-Clause */
/* A line that is typed into a shell, taken apart; and words put as bash wants them. */
#ifndef CTL_SHELL_H
#define CTL_SHELL_H

#include <stdbool.h>

struct shell_line {
	int count;
	char **words; /* without quotes; the last is being typed, and may be empty */
	char quote;   /* that is open at the end: ' or " or 0 */
};

/* One command, up to the cursor: blanks, '…', "…" and \ as shells have them. Nothing is
   expanded. */
struct shell_line shell_split(const char *text);
void shell_free(struct shell_line *);

/* What bash is to put in place of `typed`, which is what it takes for the last word: the end of it,
   where there are quotes or characters such as = and : in it. NULL: it cannot be put there. Yours
   to free. `open`: more is to follow, so that quotes are not closed. */
char *shell_replacement(const struct shell_line *, const char *typed, const char *word, bool open);

#endif
