/* SPDX-License-Identifier: BSD-2-Clause */
/* Comments of the pipe language in a script. */
#ifndef SCRIPT_COMMENT_H
#define SCRIPT_COMMENT_H

/* Whoever writes a script in a pipe file may comment it as the rest of the file. Blanks out what
   stands behind a '#' with white space before and behind it, outside of Lua's strings and comments.
   Lua's own '#' may look the same, so this is for texts that Lua does not take as they are. */
void comment_blank(char *text);

#endif
