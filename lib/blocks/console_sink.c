/* SPDX-License-Identifier: BSD-2-Clause */
/* ConsoleSink and RawConsoleSink: messages as lines, for people and for pipes. */
#include <pipetool/block.h>

#include "base/buf.h"
#include "packet/packet.h"

struct console {
	struct buf line; /* kept from message to message */
	bool newlines;
};

static struct pt_msg *act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct console *c = pt_state(b);
	buf_clear(&c->line);
	packet_line(&c->line, canal == PT_HIGH, m);
	buf_addc(&c->line, '\n');
	pt_print(b, canal, c->line.data, c->line.length);
	return m;
}

static struct pt_msg *act_raw(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct console *c = pt_state(b);
	buf_clear(&c->line);
	buf_add(&c->line, m->bytes, m->length);
	if (c->newlines)
		buf_addc(&c->line, '\n');
	if (c->line.length)
		pt_print(b, canal, c->line.data, c->line.length);
	return m;
}

static void fini(struct pt_block *b)
{
	struct console *c = pt_state(b);
	buf_free(&c->line);
}

static const struct pt_type console_sink = {
	.api = PT_API,
	.name = "ConsoleSink",
	.summary = "Prints the messages of both canals",
	.help = "A line each: >'text' for the low entry and >>'text' for the high one, escaped as "
		"in Python; a packet as a summary. They go to the daemon's standard output and to "
		"`ptctl attach`.",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     | print |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"CLIFeeder() > ConsoleSink()", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
	.outside = "console",
	.size = sizeof(struct console),
	.act = act,
	.fini = fini,
};

static const struct pt_type raw_console_sink = {
	.api = PT_API,
	.name = "RawConsoleSink",
	.summary = "Prints the bytes of messages of both canals as they are",
	.help = "They go to the daemon's standard output and to `ptctl attach`.",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     | write |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"CLIFeeder() > RawConsoleSink()",
                                          "CLIFeeder() > RawConsoleSink(newlines=False)", NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
	.outside = "console",
	.params = (const struct pt_param[]){{"newlines", "Ends each message with a newline.",
                                             PT_BOOL(struct console, newlines), "true",
                                             .flags = PT_LIVE},
                                            {NULL}},
	.size = sizeof(struct console),
	.act = act_raw,
	.fini = fini,
};

PT_TYPES(console_sink, &console_sink, &raw_console_sink);
