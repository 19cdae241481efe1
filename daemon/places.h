/* SPDX-License-Identifier: BSD-2-Clause */
/* Where things lie if nobody says: for the system's daemon, and for a user's own. */
#ifndef DAEMON_PLACES_H
#define DAEMON_PLACES_H

#include <stdbool.h>

struct conf;
struct options;

/* The path of the configuration, to be freed: $XDG_CONFIG_HOME/pipetool (~/.config/pipetool) or
   /etc/pipetool. */
char *places_config(const struct options *);

/* Folders that a user's own daemon has not been told take the place of the system's. */
void places_fill(const struct options *, struct conf *);

/* $XDG_STATE_HOME/pipetool (~/.local/state/pipetool), with the folders above it, $STATE_DIRECTORY
   or /var/lib/pipetool; to be freed. */
char *places_state(const struct options *);

/* Whether the folder of engines is where it is if nobody says: it need not be there. */
bool places_is_usual(const char *engines);

#endif
