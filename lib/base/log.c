/* SPDX-License-Identifier: BSD-2-Clause */
/* One line a call, written whole. */
#include "base/log.h"

#include "base/buf.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int limit = LOG_LEVEL_INFO;

static log_taker *taker;
static bool with_times;

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

void log_set_taker(log_taker *take)
{
	taker = take;
}

void log_set_times(bool times)
{
	with_times = times;
}

void log_add_time(struct buf *b)
{
	char date[32], offset[8];
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(offset, sizeof offset, "%z", &tm);
	buf_addf(b, "%s.%03d%.3s:%s", date, (int)(now.tv_nsec / 1000000), offset, offset + 3);
}

static void add_line(struct buf *b, const char *before, const char *text, size_t length)
{
	if (with_times) {
		log_add_time(b);
		buf_addc(b, ' ');
	}
	buf_addf(b, "pipetoold: %s%.*s\n", before, (int)length, text);
}

/* All of its lines at once, so that no other comes between them. */
static void print(enum log_level level, const char *text)
{
	bool bad = level <= LOG_LEVEL_WARNING;
	struct buf lines = BUF_INIT;
	char *before = must_printf("%s%s", bad ? words[level] : "", bad ? ": " : "");
	for (const char *line = text, *end; line; line = *end ? end + 1 : NULL) {
		end = line + strcspn(line, "\n");
		add_line(&lines, line == text ? before : "", line, (size_t)(end - line));
	}
	ssize_t written = write(STDERR_FILENO, lines.data, lines.length);
	(void)written; /* nobody is left to tell */
	free(before);
	buf_free(&lines);
}

static void log_valist(const struct log_about *about, enum log_level level, const char *fmt,
                       va_list args)
{
	if ((int)level > atomic_load_explicit(&limit, memory_order_relaxed))
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
