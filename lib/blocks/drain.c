/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that only pass messages on, or discard them: the engine does all of it by their routes. */
#include <pipetool/block.h>

static const struct pt_type drain = {
	.api = PT_API,
	.name = "Drain",
	.summary = "Repeats messages, low to low and high to high",
	.picture = "     +-------+\n"
		   "  >>-|-------|->>\n"
		   "     |       |\n"
		   "   >-|-------|->\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"CLIFeeder() > Drain() > ConsoleSink()", NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
};

static const struct pt_type up_drain = {
	.api = PT_API,
	.name = "UpDrain",
	.summary = "Repeats messages from the low entry to the high exit",
	.picture = "     +-------+\n"
		   "     |  ,----|->>\n"
		   "     |  |    |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"s = CLIFeeder(); u = UpDrain(); c = ConsoleSink()\n"
                                          "s > u >> c",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_HIGH_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_HIGH),
};

static const struct pt_type down_drain = {
	.api = PT_API,
	.name = "DownDrain",
	.summary = "Repeats messages from the high entry to the low exit",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     |  |    |\n"
		   "     |  `----|->\n"
		   "     +-------+\n",
	.examples =
		(const char *const[]){"s = CLIHighFeeder(); d = DownDrain(); c = ConsoleSink()\n"
                                      "s >> d > c",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_HIGH_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_HIGH, PT_LOW),
};

static const struct pt_type sink = {
	.api = PT_API,
	.name = "Sink",
	.summary = "Takes and discards messages of both canals",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     | null  |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"CLIFeeder() > Sink()", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
};

PT_TYPES(drain, &drain, &up_drain, &down_drain, &sink);
