/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks, with a rest between them. */
#include "ctl/watch.h"

#include "base/clock.h"
#include "ctl/follow.h"
#include "ctl/out.h"

/* Over what stands there, line by line, so that nothing flickers. */
static void redraw(struct buf *b, bool first)
{
	struct buf lines = BUF_INIT;
	buf_adds(&lines, first ? "\033[2J\033[H" : "\033[H");
	for (size_t i = 0; i < b->length; i++) {
		buf_adds(&lines, b->data[i] == '\n' ? "\033[K" : "");
		buf_addc(&lines, b->data[i]);
	}
	buf_adds(&lines, "\033[J");
	buf_free(b);
	*b = lines;
}

static void rest(const struct ctl *ctl)
{
	const json_t *delay = json_object_get(ctl->values, "delay");
	clock_rest(delay ? json_number_value(delay) : 1);
}

int watch(struct ctl *ctl, watch_look *look, void *arg)
{
	struct pt_error err = PT_ERROR_INIT;
	bool again = ctl_flag(ctl, "watch");
	double then = 0;
	int code;
	if (again)
		follow_begin(ctl, true);
	do {
		struct buf b = BUF_INIT;
		double now = clock_s();
		if (then > 0)
			rest(ctl), now = clock_s();
		code = look(ctl, arg, then > 0 ? now - then : 0, &b, &err);
		if (!code && again && !ctl->json && out_is_terminal())
			redraw(&b, !(then > 0));
		out_buf(&b);
		then = now;
	} while (again && !code);
	return code ? ctl_refused(ctl, &err) : EXIT_DONE;
}
