/* SPDX-License-Identifier: BSD-2-Clause */
/* The state folder: a file of records for each engine that is kept, written by a thread of its
   own. */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include "base/mailbox.h"
#include <jansson.h>
#include <pipetool/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ENGINE.journal holds one record a line, with checksums: see records.h. A record is appended and
 * synchronised with the disk before it counts as kept; a file is made, and made anew, beside its
 * place and renamed. So the process may end at any moment: what is found is all that was kept, and
 * perhaps the beginning of one record more, which is dropped.
 *
 * All functions belong to the control loop, which never waits for the disk, but for journal_open,
 * journal_scan and journal_close, and for a rename where a file was left alone.
 */
struct journal;
struct journal_file;

/* Opens the folder, which is made if need be, for this process alone: -PT_ESTATE if another has
   it. */
int journal_open(const char *folder, struct mailbox *, struct journal **, struct pt_error *);
void journal_close(struct journal *); /* what was asked is done before; NULL does nothing */
const char *journal_folder(const struct journal *);

/* Calls `found` for each file that can be read to its end, with its records (borrowed), and `lost`
   for one that cannot: where it is damaged it has been renamed (`aside`), and `why` tells where it
   is; where the system would not read it, it stays. What is wrong otherwise is logged. `found`
   refuses, with words, what makes no sense: the file is then left alone, but for somebody who makes
   an engine of that name. */
typedef int journal_found(void *arg, const char *engine, const json_t *records, struct pt_error *);
typedef void journal_lost(void *arg, const char *engine, const char *why, bool aside);
void journal_scan(struct journal *, journal_found *, journal_lost *, void *arg);

/* An engine's file: the one that is being found (`there`, in `found` only), or else a new one,
   which begins with a rewrite (what was left alone there is renamed). `settled` is called when
   something that was asked of it is done or has failed. */
typedef void journal_settled(void *owner);
struct journal_file *journal_file_new(struct journal *, const char *engine, bool there,
                                      journal_settled *settled, void *owner);
void journal_file_free(struct journal_file *); /* settled; the file stays; NULL does nothing */

/* What is asked is carried out in order; each returns a ticket, which is settled in order, too. */
uint64_t journal_append(struct journal_file *, const json_t *record);
uint64_t journal_rewrite(struct journal_file *, const json_t *records); /* and makes it */
uint64_t journal_remove(struct journal_file *);

/* The last ticket that was given, and the last that was settled. */
uint64_t journal_asked(const struct journal_file *);
uint64_t journal_settled_until(const struct journal_file *);

/* 0, or why what was asked since the last rewrite could not be kept: records that are appended then
   are not written, since what they build on is missing. */
int journal_failed(const struct journal_file *);
bool journal_is_long(const struct journal_file *); /* a rewrite would make it much shorter */

#endif
