/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's log. The library itself does not log: the daemon does, where it decides to go on. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines go to standard error, with a `<3>` priority before them where systemd reads it.
   [any thread]; keeps errno. */
void log_set_level(enum log_level);
enum log_level log_get_level(void);
int log_level_parse(const char *word, enum log_level *); /* "error" "warning" "info" "debug" */
void log_write(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
