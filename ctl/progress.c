/* SPDX-License-Identifier: BSD-2-Clause */
/* The line that `ptctl run` keeps on a terminal: packets, bytes, rate, percentage, time left. */
#include "ctl/progress.h"

#include "base/json.h"
#include "ctl/out.h"
#include <string.h>

void progress_init(struct progress *p, double now_s)
{
	*p = (struct progress){.began_s = now_s, .last_s = now_s};
}

static bool is_source(const json_t *links, const char *name)
{
	json_each (link, links)
		if (!strcmp(text_of(link, "to"), name) && strcmp(text_of(link, "canal"), "trigger"))
			return false;
	return true;
}

/* Fan-out carries the same bytes again: of each exit the link that has most counts. */
static double bytes_from(const json_t *links, const char *name)
{
	static const char *const canals[] = {"low", "high"};
	double total = 0;
	for (size_t c = 0; c < 2; c++) {
		double most = 0;
		json_each (link, links)
			if (!strcmp(text_of(link, "from"), name) &&
			    !strcmp(text_of(link, "canal"), canals[c]) &&
			    number_of(link, "bytes") > most)
				most = number_of(link, "bytes");
		total += most;
	}
	return total;
}

static void take_counts(struct progress *p, const json_t *stats)
{
	const json_t *links = json_object_get(stats, "links");
	p->messages = p->bytes = 0;
	json_each (block, json_object_get(stats, "blocks")) {
		if (!is_source(links, text_of(block, "name")))
			continue;
		p->messages += number_of(block, "made");
		p->bytes += bytes_from(links, text_of(block, "name"));
	}
}

static void take_sizes(struct progress *p, const json_t *shown)
{
	p->done = p->size = 0;
	json_each (block, json_object_get(shown, "blocks")) {
		const json_t *progress = json_object_get(block, "progress");
		p->done += number_of(progress, "done");
		p->size += number_of(progress, "size");
	}
}

void progress_update(struct progress *p, const json_t *shown, const json_t *stats, double now_s)
{
	take_counts(p, stats);
	take_sizes(p, shown);
	if (now_s <= p->last_s)
		return;
	double rate = (p->messages - p->last_messages) / (now_s - p->last_s);
	p->rate = p->rate > 0 ? 0.7 * p->rate + 0.3 * rate : rate;
	p->last_messages = p->messages;
	p->last_s = now_s;
}

void progress_line(const struct progress *p, double now_s, struct buf *b)
{
	out_count(b, p->messages);
	buf_adds(b, " packets, ");
	out_bytes(b, p->bytes);
	buf_adds(b, ", ");
	out_count(b, p->rate);
	buf_adds(b, "/s");
	if (p->size <= 0)
		return;
	double part = p->done < p->size ? p->done / p->size : 1;
	buf_addf(b, ", %.0f%%", part * 100);
	if (part > 0 && part < 1 && now_s - p->began_s > 0.5) {
		buf_adds(b, ", ");
		out_duration(b, (now_s - p->began_s) * (1 - part) / part);
		buf_adds(b, " left");
	}
}
