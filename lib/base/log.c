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

static const struct {
	const char *word, *systemd;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "<3>"},
	[LOG_LEVEL_WARNING] = {"warning", "<4>"},
	[LOG_LEVEL_INFO] = {"info", "<6>"},
	[LOG_LEVEL_DEBUG] = {"debug", "<7>"},
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
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (!strcmp(levels[i].word, word)) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level > log_get_level())
		return;
	int saved = errno;
	struct buf line = BUF_INIT;
	if (getenv("JOURNAL_STREAM"))
		buf_adds(&line, levels[level].systemd);
	else
		buf_addf(&line, "pipetoold: %s%s",
		         level > LOG_LEVEL_WARNING ? "" : levels[level].word,
		         level > LOG_LEVEL_WARNING ? "" : ": ");
	va_list args;
	va_start(args, fmt);
	buf_vaddf(&line, fmt, args);
	va_end(args);
	buf_addc(&line, '\n');
	ssize_t written = write(STDERR_FILENO, line.data, line.length);
	(void)written; /* nobody is left to tell */
	buf_free(&line);
	errno = saved;
}
