/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's log. The library itself does not log: the daemon does, where it decides to go
   on. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines go to standard error, "pipetoold: warning: …". [any thread]; keeps errno. */
void log_set_times(bool); /* each begins with the time; to be said before there is another thread */
void log_add_time(struct buf *); /* now, as 2026-11-29T10:00:00.123+01:00 */
void log_set_level(enum log_level);
void log_write(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a line is about, for those who look for lines by that; the line says it, too. */
struct log_about {
	const char *engine, *block; /* NULL: none */
	uint64_t revision;          /* of the engine's graph; 0: none */
	const char *event;          /* a catalogued event's id, 32 hex digits; NULL: none */
};
void log_about(const struct log_about *, enum log_level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Who takes the lines instead of standard error; to be said before there is another thread.
   Returns whether it took the line; else it goes where it always went. [any thread] */
typedef bool log_taker(enum log_level, const struct log_about *, const char *line);
void log_set_taker(log_taker *);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
