/* SPDX-License-Identifier: BSD-2-Clause */
/* One line a call, written whole. */
#include "base/log.h"

#include "base/buf.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int limit = LOG_LEVEL_INFO;

static log_taker *taker;

static const char *const words[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&limit, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&limit, memory_order_relaxed);
}

int log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!strcmp(words[i], word)) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_taker(log_taker *take)
{
	taker = take;
}

static void print(enum log_level level, const char *text)
{
	bool bad = level <= LOG_LEVEL_WARNING;
	struct buf line = BUF_INIT;
	buf_addf(&line, "pipetoold: %s%s%s\n", bad ? words[level] : "", bad ? ": " : "", text);
	ssize_t written = write(STDERR_FILENO, line.data, line.length);
	(void)written; /* nobody is left to tell */
	buf_free(&line);
}

static void log_valist(const struct log_about *about, enum log_level level, const char *fmt,
                       va_list args)
{
	if (level > log_get_level())
		return;
	int saved = errno;
	struct buf text = BUF_INIT;
	buf_vaddf(&text, fmt, args);
	if (!taker || !taker(level, about, text.data))
		print(level, text.data);
	buf_free(&text);
	errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	const struct log_about nothing = {0};
	va_list args;
	va_start(args, fmt);
	log_valist(&nothing, level, fmt, args);
	va_end(args);
}

void log_about(const struct log_about *about, enum log_level level, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	log_valist(about, level, fmt, args);
	va_end(args);
}
