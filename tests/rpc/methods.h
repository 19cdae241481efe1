/* SPDX-License-Identifier: BSD-2-Clause */
/* Some methods, for the tests of what reads and describes them. */
#ifndef TESTS_RPC_METHODS_H
#define TESTS_RPC_METHODS_H

#include "rpc/call.h"

static const struct pt_param methods_recv[] = {
	{.name = "max",
         .doc = "How many.",
         .kind = PT_KIND_INT,
         .fallback = "1",
         .min = 1,
         .max = 9},
	{.name = "engine", .doc = "Which engine.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{.name = "block", .doc = "Which block.", .kind = PT_KIND_STRING, .flags = PT_REQUIRED},
	{0},
};

static const struct rpc_method methods_of_daemon[] = {
	{.name = "daemon.info", .summary = "Tells of it", .result = "{name}", .role = "viewer"},
	{0},
};

static const struct rpc_method methods_of_block[] = {
	{.name = "block.recv",
         .summary = "Takes messages",
         .help = "Waits.",
         .result = "{messages}",
         .role = "operator",
         .params = methods_recv},
	{0},
};

static const struct rpc_method *const methods[] = {methods_of_daemon, methods_of_block, NULL};

#endif
