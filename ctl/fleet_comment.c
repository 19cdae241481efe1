/* SPDX-License-Identifier: BSD-2-Clause */
/* What the revisions that fleet makes say of themselves. */
#include "ctl/fleet_comment.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/moment.h"
#include "base/program.h"
#include "ctl/child.h"
#include "fleet/plan.h"
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAVE ", wave "

enum { GIT_MS = 10000 };

/* What git says of the folder; a folder of none, or no git, is nothing. */
static void add_commit(struct buf *b, const char *folder)
{
	static const char script[] = "exec git -C \"$0\" describe --always --dirty --abbrev=40 "
				     "--exclude='*' 2>/dev/null";
	char *const words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
	                       (char *)(uintptr_t)script, (char *)(uintptr_t)folder, NULL};
	struct buf said = BUF_INIT;
	int ends[2], nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	if (nothing >= 0 && !pipe2(ends, O_CLOEXEC)) {
		int rc = child_start(words, nothing, ends[1], -1, false, &pid, NULL);
		close(ends[1]);
		if (!rc && !io_read(ends[0], 4096, &said) && said.length > 1)
			buf_addf(b, "@%.*s", (int)strcspn(said.data, "\n"), said.data);
		close(ends[0]);
		if (!rc)
			program_end(pid, GIT_MS);
	}
	if (nothing >= 0)
		close(nothing);
	buf_free(&said);
}

static void add_operator(struct buf *b)
{
	char host[256] = "", when[32];
	int64_t now_ns = moment_now();
	time_t now = now_ns / MOMENT_S;
	struct tm tm;
	const struct passwd *user = getpwuid(getuid());
	gethostname(host, sizeof host - 1);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	if (user)
		buf_addf(b, " by %s@%s", user->pw_name, host);
	else
		buf_addf(b, " by uid %u@%s", (unsigned)getuid(), host);
	buf_addf(b, " at %s.%03dZ", when, (int)(now_ns % MOMENT_S / 1000000));
}

char *fleet_comment(const char *folder)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, FLEET_COMMENT "%s", folder);
	add_commit(&b, folder);
	add_operator(&b);
	return buf_steal(&b);
}

char *fleet_comment_wave(const char *comment, size_t wave, size_t waves)
{
	return must_printf("%s" WAVE "%zu of %zu", comment, wave, waves);
}

char *fleet_comment_of(const char *text)
{
	const char *wave = NULL;
	for (const char *at = text; (at = strstr(at, WAVE)); at++)
		wave = at;
	unsigned long number, waves;
	int end = 0;
	if (strncmp(text, FLEET_COMMENT, strlen(FLEET_COMMENT)) != 0 || !wave ||
	    sscanf(wave, WAVE "%lu of %lu%n", &number, &waves, &end) < 2 || wave[end])
		return NULL;
	return must_printf("%.*s", (int)(wave - text), text);
}

char *fleet_comment_undo(const char *comment)
{
	struct buf b = BUF_INIT;
	buf_adds(&b, FLEET_COMMENT "undo");
	add_operator(&b);
	buf_addf(&b, ": %s", comment);
	return buf_steal(&b);
}
