/* SPDX-License-Identifier: BSD-2-Clause */
/* What the sinks that write files say of their parameters, in one way. */
#ifndef CAPTURE_SPLIT_PARAMS_H
#define CAPTURE_SPLIT_PARAMS_H

#include "capture/split.h"

extern const struct pt_param split_rotate_params[]; /* of a struct split_rotate */

#define SPLIT_OPEN(type, field)                                                                  \
	{                                                                                        \
		"open",                                                                          \
			"With fields, how many files are open at once; the one that was unused " \
			"longest is closed, and appended to when it is wanted again.",           \
			PT_INT(type, field), .fallback = "64", .min = 1, .max = 1e6              \
	}
#define SPLIT_VALUES(type, field)                                                      \
	{                                                                              \
		"values", "With fields, for how many values there is a file.",         \
			PT_INT(type, field), .fallback = "10000", .min = 1, .max = 1e7 \
	}
#define SPLIT_COMPRESS(type, field)                                                               \
	{                                                                                         \
		"compress",                                                                       \
			"How the file is compressed. None goes by the name: .gz, .zst and .lz4, " \
			"else it is not.",                                                        \
			PT_CHOICE(type, field), .fallback = "None", .choices = pack_words         \
	}
#define SPLIT_HELP                                                                               \
	"{ip.src} or another field of help fields (of the outer header, and of the outermost "   \
	"tag), {flow} (both directions are one), {iface}, {canal}, {time:%Y%m%d-%H} (UTC; as "   \
	"strftime). What a packet has not is none, and what is past `values` goes to other. "    \
	"Bytes of a value but letters, digits and ._:@+- are written %XX, and so is a dot that " \
	"it begins with; one over 200 bytes is cut, with a hash. {{ is a brace; folders in the " \
	"name are made."

struct split_check {
	const struct split_rotate *rotate;
	enum pack_kind pack;
	bool append, handed;
};
int split_check(const struct split_check *, struct pt_error *);

#endif
