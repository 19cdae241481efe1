/* SPDX-License-Identifier: BSD-2-Clause */
/* The engines that come from files: engines.d, one for each *.pipe, named as the file. */
#ifndef DAEMON_BOOT_H
#define DAEMON_BOOT_H

#include <stddef.h>

#include "daemon/engines.h"

struct boot;

/* `settled` is called after a scan, when no engine is being made or destroyed any more. */
/* Relative paths of files that blocks write are taken from `out`. */
struct boot *boot_new(struct engines *, const char *out, void (*settled)(void *arg), void *arg);
void boot_free(struct boot *);

/* Starts what is new in the folder, applies what has changed, tries again what has failed, destroys
   what is gone, in the order of the alphabet. What is wrong with a file is logged, with its line
   and a caret, and does not stop the others; an engine whose file became bad, or cannot be read,
   stays as it is, and one that was not there is there without blocks. */
void boot_scan(struct boot *, const char *folder);

/* Reads the file of a hollow engine again, and starts it: see engines_events. */
void boot_reread(struct boot *, const char *engine, engines_done *, void *arg);

/* Makes an engine that of the file `path` of the folder: reads it, and makes the graph as it
   says. */
void boot_adopt(struct boot *, const char *engine, const char *path, engines_done *, void *arg);

const char *boot_out(const struct boot *); /* as it was given */

/* What such a file says now. */
struct lang_program;
struct pipe_fault;
int boot_read(const struct boot *, const char *path, struct lang_program *, struct pipe_fault *);

/* How many files of the last scan have no engine. */
size_t boot_bad(const struct boot *);

#endif
