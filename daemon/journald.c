/* SPDX-License-Identifier: BSD-2-Clause */
/* One datagram an entry, by libsystemd. */
#include "daemon/journald.h"

#include "base/buf.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

enum { FIELDS = 7 };

static const char *const priorities[] = {
	[LOG_LEVEL_ERROR] = "PRIORITY=3",
	[LOG_LEVEL_WARNING] = "PRIORITY=4",
	[LOG_LEVEL_INFO] = "PRIORITY=6",
	[LOG_LEVEL_DEBUG] = "PRIORITY=7",
};

struct entry {
	struct iovec fields[FIELDS];
	int count, owned; /* the first `owned` are ours to free */
};

bool journald_is(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;
	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       !fstat(fd, &st) && st.st_dev == device && st.st_ino == inode;
}

static void add_made(struct entry *e, const char *name, const char *value, size_t length)
{
	size_t name_length = strlen(name);
	char *field = must_calloc(1, name_length + length + 1);
	char *end = stpcpy(field, name);
	if (length)
		memcpy(end, value, length);
	e->fields[e->count++] = (struct iovec){field, name_length + length};
	e->owned = e->count;
}

static void add_text(struct entry *e, const char *name, const char *value)
{
	if (value)
		add_made(e, name, value, strlen(value));
}

static void add_constant(struct entry *e, const char *field)
{
	e->fields[e->count++] = (struct iovec){(char *)(uintptr_t)field, strlen(field)};
}

int journald_send(enum log_level level, const struct log_about *about, const char *text,
                  size_t length)
{
	struct entry e = {.count = 0};
	char revision[24];
	snprintf(revision, sizeof revision, "%" PRIu64, about->revision);
	add_made(&e, "MESSAGE=", text, length);
	add_text(&e, "MESSAGE_ID=", about->event);
	add_text(&e, "PIPETOOL_ENGINE=", about->engine);
	add_text(&e, "PIPETOOL_BLOCK=", about->block);
	add_text(&e, "PIPETOOL_REVISION=", about->revision ? revision : NULL);
	add_constant(&e, priorities[level]);
	add_constant(&e, "SYSLOG_IDENTIFIER=pipetoold");
	int code = sd_journal_sendv(e.fields, e.count);
	for (int i = 0; i < e.owned; i++)
		free(e.fields[i].iov_base);
	return code;
}

bool journald_take(enum log_level level, const struct log_about *about, const char *line)
{
	return !journald_send(level, about, line, strlen(line));
}
