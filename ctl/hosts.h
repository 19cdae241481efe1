/* SPDX-License-Identifier: BSD-2-Clause */
/* Which hosts -H means: by name and label of an inventory, or as ssh takes them. */
#ifndef CTL_HOSTS_H
#define CTL_HOSTS_H

#include <jansson.h>
#include <pipetool/error.h>
#include <stddef.h>

struct host {
	char *name;   /* as it is shown */
	char *target; /* [USER@]HOST for ssh, or NULL: this host's daemon at `socket` */
	char *socket; /* a path, or NULL */
	json_t *labels;
};

struct hosts {
	struct host *all;
	size_t count;
};

/*
 * An inventory is text, a line a host, `#` begins a comment:
 *
 *     NAME  [USER@]HOST|unix:PATH  [LABEL[=VALUE]…]
 *
 * It is `path`, or NULL: $PIPETOOL_HOSTS, else $XDG_CONFIG_HOME/pipetool/hosts (~/.config), else
 * /etc/pipetool/hosts, the first that is there; none at all is an empty one.
 */
int hosts_read(const char *path, struct hosts *, struct pt_error *);

/* What the items mean, in their order, each host once: NAME, @LABEL=VALUE or @LABEL of the
   inventory, unix:PATH, or [USER@]HOST, with commas between them. */
int hosts_find(const char *items, struct hosts *, struct pt_error *);

void hosts_free(struct hosts *);

#endif
