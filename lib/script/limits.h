/* SPDX-License-Identifier: BSD-2-Clause */
/* What a script may use, and may have of its block. */
#ifndef SCRIPT_LIMITS_H
#define SCRIPT_LIMITS_H

#include <pipetool/error.h>
#include <stddef.h>
#include <stdint.h>

struct func_limits {
	uint64_t time_ns; /* for one message, and for compiling; 0: 100 ms */
	size_t memory;    /* bytes of one Lua state; 0: 16 MiB */
};

/* [any thread] The limits for the scripts of a block's engine: engine/ tells them. */
struct pt_block;
const struct func_limits *func_limits_of(const struct pt_block *);

/* What a function may have of its block. */
struct func_site {
	const uint8_t
		*secret; /* 32 bytes: the same for all blocks of an engine, others at each start */
	int (*open)(void *arg, const char *path, struct pt_error *); /* a descriptor to read from */
	void *arg;
};

/* What a transform says beside 0 and errors: see func_transform. */
enum { FUNC_NOTHING = 1, FUNC_OPAQUE = 2 };

#endif
