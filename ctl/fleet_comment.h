/* SPDX-License-Identifier: BSD-2-Clause */
/* What the revisions that fleet makes say of themselves. */
#ifndef CTL_FLEET_COMMENT_H
#define CTL_FLEET_COMMENT_H

#include <stddef.h>

/* "fleet /srv/sensors@COMMIT by ann@desk at 2026-11-30T10:00:00.000Z": of one apply; yours to
   free, as all of these are. */
char *fleet_comment(const char *folder);
/* "…, wave 2 of 3": of what one of its waves does. */
char *fleet_comment_wave(const char *comment, size_t wave, size_t waves);
/* Of which apply it is; NULL: of none, or of what went back. */
char *fleet_comment_of(const char *text);
/* "fleet undo by …: THAT". */
char *fleet_comment_undo(const char *comment);

#endif
