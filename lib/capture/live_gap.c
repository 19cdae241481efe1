/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface's own counters, then and now. */
#include "capture/live_gap.h"

#include "base/buf.h"
#include "base/clock.h"
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEN "seen"

struct seen {
	uint64_t time_s, packets; /* time 0: unknown */
};

static struct seen look(const char *iface)
{
	static const char *const which[] = {"rx", "tx"};
	struct seen seen = {.time_s = clock_of_ns(CLOCK_BOOTTIME) / 1000000000};
	for (int i = 0; i < 2; i++) {
		char *path =
			must_printf("/sys/class/net/%s/statistics/%s_packets", iface, which[i]);
		unsigned long long packets = 0;
		FILE *file = fopen(path, "re");
		if (file && fscanf(file, "%llu", &packets) == 1)
			seen.packets += packets;
		if (file)
			fclose(file);
		free(path);
	}
	return seen;
}

void live_gap_carry(struct pt_carry *carry, const char *iface)
{
	const struct seen seen = iface ? look(iface) : (struct seen){0};
	pt_carry_bytes(carry, SEEN, &seen, sizeof seen);
}

void live_gap_tell(struct pt_block *b, const char *iface, bool is_filtered)
{
	struct seen before, now = look(iface);
	size_t length;
	const void *carried = pt_carried_bytes(b, SEEN, &length);
	if (!carried || length != sizeof before)
		return;
	memcpy(&before, carried, length);
	if (!before.time_s) {
		pt_note(b, "'%s' was not captured between the daemon's crash and its start", iface);
		return;
	}
	uint64_t missed = now.packets > before.packets ? now.packets - before.packets : 0;
	pt_note(b,
	        "'%s' was not captured for some %" PRIu64 " s while the daemon was started anew: "
	        "%" PRIu64 " packets passed meanwhile%s",
	        iface, now.time_s > before.time_s ? now.time_s - before.time_s : 0, missed,
	        is_filtered ? ", some of which the filter would have left out" : "");
	if (missed && !is_filtered)
		pt_lost(b, missed, "restart");
}
