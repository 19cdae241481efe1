/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that only pass messages on, or discard them: the engine does all of it by their routes. */
#include <pipetool/block.h>

static const struct pt_type drain = {
	.api = PT_API,
	.name = "Drain",
	.summary = "Repeats messages, low to low and high to high",
	.help = "The plainest block: a place to link several sources and sinks to, which can be "
		"replaced later.",
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
	.help = "With it the sinks behind can tell one stream from the other: a ConsoleSink prints "
		"what went through it with '>>'.",
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
	.help = "For what takes messages on its low entry alone, as WrpcapSink and InjectSink do.",
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
	.help = "`ptctl stats` counts what arrived; the sinks that users write begin as this one.",
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
