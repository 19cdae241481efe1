/* SPDX-License-Identifier: BSD-2-Clause */
/* SampleDrain: passes a part of what comes: of its packets, or of its flows. */
#include <pipetool/block.h>

#include "packet/flow.h"
#include <errno.h>

enum by { BY_PACKET, BY_FLOW };

struct sample {
	int64_t every;
	double share;
	int by;
	int64_t seen; /* since the last that passed */
	double owed;  /* of a share: the part of a message that the next one makes whole */
	struct packet_parts *fragments;
};

static const struct pt_carried carries[] = {
	{"seen", PT_CARRY_INT(struct sample, seen)},
	{"owed", PT_CARRY_BYTES(struct sample, owed)},
	{NULL},
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct sample *s = pt_state(b);
	if (s->by == BY_PACKET)
		return 0;
	s->fragments = packet_parts_new();
	return s->fragments ? 0 : pt_fail(err, -ENOMEM, "by", "no memory is left");
}

static void start(struct pt_block *b)
{
	struct sample *s = pt_state(b);
	if (pt_goes_on(b))
		return;
	s->seen = 0;
	s->owed = 0;
}

static bool packet_passes(struct sample *s)
{
	if (!s->every) {
		s->owed += s->share;
		bool passes = s->owed >= 1 - 1e-9;
		s->owed -= passes;
		return passes;
	}
	if (++s->seen < s->every)
		return false;
	s->seen = 0;
	return true;
}

/* The hash as a number below 1. */
static bool flow_passes(struct sample *s, const struct pt_msg *m)
{
	struct packet_flow flow;
	packet_flow(s->fragments, m, &flow);
	uint64_t hash = packet_flow_hash(&flow);
	if (s->every)
		return hash % (uint64_t)s->every == 0;
	return (double)(hash >> 11) * 0x1p-53 < s->share;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct sample *s = pt_state(b);
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		bool passes = s->by == BY_FLOW ? flow_passes(s, messages[i]) : packet_passes(s);
		if (passes)
			messages[left++] = messages[i];
		else
			pt_filter_out(b, messages[i], "sampled");
	}
	if (s->by == BY_PACKET)
		pt_carry_changed(b);
	pt_send_many(b, canal, messages, left);
}

static void fini(struct pt_block *b)
{
	struct sample *s = pt_state(b);
	packet_parts_free(s->fragments);
}

static const char *const by_words[] = {"packet", "flow", NULL};

static const struct pt_param params[] = {
	{"every", "One of so many passes, the last of them; either this or share is given.",
         PT_INT(struct sample, every), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE, .min = 1,
         .max = 1e15},
	{"share", "So large a part passes, evenly: 0.1 is a tenth.",
         PT_NUMBER(struct sample, share), .fallback = "None", .flags = PT_ONE_OF | PT_LIVE,
         .min = 1e-9, .max = 1},
	{"by", "What there are so many of: packets, or flows, of which all packets pass, or none.",
         PT_CHOICE(struct sample, by), .fallback = "packet", .choices = by_words},
	{NULL},
};

static const struct pt_type sample_drain = {
	.api = PT_API,
	.name = "SampleDrain",
	.summary = "Passes a part of the messages, or of the flows",
	.help = "The rest is filtered out (`sampled`). Whether a flow passes is said by its hash, "
		"which is the same everywhere: two daemons with the same parameters pass the same "
		"flows, both directions of each. What is no IP packet is one flow.",
	.picture = "     +---------+\n"
		   "  >>-|-[1 of n]|->>\n"
		   "     |         |\n"
		   "   >-|-[1 of n]|->\n"
		   "     +---------+\n",
	.examples = (const char *const[]){"RdpcapSource(\"in.pcap\") > SampleDrain(every=100) > "
                                          "Sink()",
                                          "RdpcapSource(\"in.pcap\") > SampleDrain(share=0.1, "
                                          "by=\"flow\") > Sink()",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = params,
	.carries = carries,
	.size = sizeof(struct sample),
	.init = init,
	.start = start,
	.push_many = push_many,
	.fini = fini,
};

PT_TYPES(sample_drain, &sample_drain);
