/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts, then the flaws. */
#include "daemon/status.h"

#include "daemon/boot.h"
#include "daemon/console.h"
#include "daemon/daemon.h"
#include "daemon/engines.h"
#include "daemon/pull.h"
#include "daemon/watchdog.h"

struct flaws {
	struct buf *out;
	size_t count;
};

static void add_flaw(struct flaws *flaws, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add_flaw(struct flaws *flaws, const char *fmt, ...)
{
	va_list args;
	buf_adds(flaws->out, flaws->count++ ? "; " : "; degraded: ");
	va_start(args, fmt);
	buf_vaddf(flaws->out, fmt, args);
	va_end(args);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void add_flaws(const struct daemon *d, const struct engines_tally *tally, struct buf *out)
{
	struct flaws flaws = {out, 0};
	struct buf names = BUF_INIT;
	size_t bad = boot_bad(d->boot) + tally->files_wrong;
	size_t hung = watchdog_hung(d->watchdog, &names);
	if (hung)
		add_flaw(&flaws, "engine%s %s hang%s", plural(hung), names.data,
		         hung == 1 ? "s" : "");
	if (tally->failed)
		add_flaw(&flaws, "%zu engine%s did not start", tally->failed,
		         plural(tally->failed));
	if (tally->failed_blocks)
		add_flaw(&flaws, "%zu block%s of engine %s%s failed", tally->failed_blocks,
		         plural(tally->failed_blocks), tally->failed_in,
		         tally->others_failed ? " and others" : "");
	if (bad)
		add_flaw(&flaws, "%zu file%s of engines cannot be used", bad, plural(bad));
	if (d->bad_conf)
		add_flaw(&flaws, "the configuration has faults, the one before is used");
	char *pull = pull_flaw(d->pull);
	if (pull)
		add_flaw(&flaws, "%s", pull);
	free(pull);
	if (console_is_behind(d->console))
		add_flaw(&flaws, "what engines print is not read");
	buf_free(&names);
}

void status_tell(const struct daemon *d, struct buf *out)
{
	struct engines_tally tally;
	engines_count_all(d->engines, &tally);
	buf_addf(out, "%zu engine%s, %zu running, %zu block%s", tally.engines,
	         plural(tally.engines), tally.running, tally.blocks, plural(tally.blocks));
	add_flaws(d, &tally, out);
}
