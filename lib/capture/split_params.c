/* SPDX-License-Identifier: BSD-2-Clause */
/* Parameters of sinks that write files. */
#include "capture/split_params.h"

#include <errno.h>

/* clang-format off */
const struct pt_param split_rotate_params[] = {
	{"size", "A file ends when it has so many bytes, counted before compression.",
	 PT_SIZE(struct split_rotate, size), .fallback = "None", .min = 1, .max = 1e15},
	{"seconds", "So long after its first message a file ends with the next.",
	 PT_SECONDS(struct split_rotate, seconds), .fallback = "None", .min = 0.001, .max = 1e9},
	{"files", "How many files are kept: older ones are deleted, also those of earlier runs.",
	 PT_INT(struct split_rotate, files), .fallback = "None", .min = 1, .max = 1e9},
	{NULL},
};
/* clang-format on */

int split_check(const struct split_check *c, struct pt_error *err)
{
	bool rotates = c->rotate->size || c->rotate->seconds > 0;
	if (c->append && c->pack)
		return pt_fail(err, -EINVAL, "append",
		               "cannot append to a compressed file; leave out append, or write "
		               "compress=\"none\" or another name");
	if (c->append && rotates)
		return pt_fail(
			err, -EINVAL, "append",
			"rotate never writes to a file that is there; leave out append or rotate");
	if (c->handed && rotates)
		return pt_fail(err, -EINVAL, "rotate",
		               "makes files of its own: give fname as a path, or leave out rotate");
	if (c->rotate->files && !rotates)
		return pt_fail(err, -EINVAL, "rotate.files",
		               "says how many files are kept, but not when one ends; give size or "
		               "seconds");
	return 0;
}
