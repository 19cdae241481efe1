/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of pipetoold. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "base/buf.h"
#include <pipetool/error.h>
#include <pipetool/param.h>

struct options {
	char *socket, *config, *engines, *blocks, *state;
	int log_level;     /* enum log_level; -1: not said */
	int log_times;     /* 0, 1; -1: not said */
	int64_t ends_with; /* a descriptor; -1: none */
	bool check, version, help;
};

/* For the manual: the options, and what stands for the value of one, "" for none. */
extern const struct pt_param options_rows[];
const char *options_value_word(const struct pt_param *row);

/* Reads the arguments. What is wrong is one fault for people; exit status 2. */
int options_read(int argc, char *const *argv, struct options *, struct pt_error *);
void options_clear(struct options *);

void options_help(struct buf *); /* what --help prints */

#endif
