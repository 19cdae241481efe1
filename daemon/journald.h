/* SPDX-License-Identifier: BSD-2-Clause */
/* The system's journal: lines with fields to look them up by, PIPETOOL_ENGINE and others. */
#ifndef DAEMON_JOURNALD_H
#define DAEMON_JOURNALD_H

#include "base/log.h"
#include <stddef.h>

/* Whether what is written to this descriptor ends up in the journal: systemd's $JOURNAL_STREAM
   names this very socket. */
bool journald_is(int fd);

/* One entry. Waits while the journal is behind. Returns 0 or a negative errno. [any thread] */
int journald_send(enum log_level, const struct log_about *, const char *text, size_t length);

/* For log_set_taker. */
bool journald_take(enum log_level, const struct log_about *, const char *line);

#endif
