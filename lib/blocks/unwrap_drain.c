/* SPDX-License-Identifier: BSD-2-Clause */
/* UnwrapDrain: the packet that a tunnel carries. */
#include <pipetool/block.h>

#include "capture/pcapng_block.h"
#include "packet/tunnel.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VECTOR 64
#define MARKS  64 /* of tunnels, that packets of the same one share */

/* What packets of an origin are marked with that came out of one tunnel. */
struct mark {
	struct pt_origin *of, *mark; /* of: NULL of an unknown one; mark: NULL if there is none */
	struct packet_inner tunnel;
	bool noted;
};

struct unwrap {
	char **kinds;
	int64_t depth;
	bool note;
	unsigned wanted; /* bits of kinds */
	int64_t unwrapped;
	struct mark marks[MARKS];
};

static const struct pt_carried carries[] = {
	{"unwrapped", PT_CARRY_INT(struct unwrap, unwrapped), .flags = PT_SHOWN},
	{NULL},
};

static void changed(struct pt_block *b)
{
	struct unwrap *u = pt_state(b);
	u->wanted = u->kinds ? 0 : UINT32_MAX;
	for (char *const *kind = u->kinds; kind && *kind; kind++)
		for (unsigned i = 0; i < PACKET_TUNNELS; i++)
			if (!strcmp(*kind, packet_tunnel_names[i]))
				u->wanted |= 1u << i;
}

static void start(struct pt_block *b)
{
	struct unwrap *u = pt_state(b);
	if (!pt_goes_on(b))
		u->unwrapped = 0;
	changed(b);
}

/* ---- marks ---- */

static void forget(struct mark *m)
{
	pt_origin_unref(m->of);
	pt_origin_unref(m->mark);
	*m = (struct mark){0};
}

static void add_comment(struct buf *options, const struct packet_inner *in)
{
	char text[32];
	const char *name = packet_tunnel_names[in->outermost];
	if (in->has_id)
		snprintf(text, sizeof text, "%s %u", name, in->id);
	else
		snprintf(text, sizeof text, "%s", name);
	pcapng_put_comment(options, text);
}

static struct pt_origin *new_mark(struct pt_block *b, struct pt_origin *of,
                                  const struct packet_inner *in, bool note)
{
	struct buf options = BUF_INIT;
	if (of)
		buf_add(&options, of->options, of->size);
	if (note)
		add_comment(&options, in);
	struct pt_origin *mark =
		origin_tunnelled(of, pt_pool(b), (const uint8_t *)options.data,
	                         (uint32_t)options.length, in->has_id ? &in->id : NULL);
	buf_free(&options);
	return mark;
}

static bool is_of(const struct mark *m, const struct pt_origin *of, const struct packet_inner *in,
                  bool note)
{
	return m->mark && m->of == of && m->noted == note && m->tunnel.id == in->id &&
	       m->tunnel.has_id == in->has_id && m->tunnel.outermost == in->outermost;
}

static struct mark *mark_for(struct pt_block *b, struct pt_origin *of,
                             const struct packet_inner *in)
{
	struct unwrap *u = pt_state(b);
	struct mark *m = &u->marks[(in->id * 0x9e3779b1u + in->outermost) >> 26];
	if (is_of(m, of, in, u->note))
		return m;
	forget(m);
	m->of = of;
	if (of)
		of->refs++;
	m->tunnel = *in;
	m->noted = u->note;
	m->mark = new_mark(b, of, in, u->note);
	return m;
}

static int set_mark(struct pt_block *b, struct pt_msg *m, const struct packet_inner *in)
{
	struct unwrap *u = pt_state(b);
	if (!in->has_id && !u->note)
		return 0;
	const struct mark *mark = mark_for(b, m->origin, in);
	if (!mark->mark)
		return -ENOMEM;
	pt_msg_set_origin(m, mark->mark);
	return 0;
}

/* ---- packets ---- */

static struct pt_msg *unwrap(struct pt_block *b, struct unwrap *u, struct pt_msg *m)
{
	struct packet_inner in;
	if (!packet_unwrap(m, u->wanted, (unsigned)u->depth, &in))
		return m;
	if (packet_unwrap_message(&m, &in) || set_mark(b, m, &in)) {
		pt_drop(b, m, "memory");
		return NULL;
	}
	u->unwrapped++;
	return m;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct unwrap *u = pt_state(b);
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		messages[left] = unwrap(b, u, messages[i]);
		left += messages[left] != NULL;
	}
	pt_carry_changed(b);
	pt_send_many(b, canal, messages, left);
}

static void stop(struct pt_block *b)
{
	struct unwrap *u = pt_state(b);
	for (unsigned i = 0; i < MARKS; i++)
		forget(&u->marks[i]);
}

static const struct pt_param params[] = {
	{"kinds",
         "What is taken off, one or a list; None: all. Those over UDP go by their standard ports.",
         PT_STRINGS(struct unwrap, kinds), .fallback = "None", .flags = PT_LIVE,
         .choices = packet_tunnel_names},
	{"depth", "At most so many tunnels of a packet.", PT_INT(struct unwrap, depth),
         .fallback = "8", .flags = PT_LIVE, .min = 1, .max = 64},
	{"note",
         "Say the outermost tunnel in a comment of each packet, as \"vxlan 42\", in a pcapng.",
         PT_BOOL(struct unwrap, note), .fallback = "False", .flags = PT_LIVE},
	{NULL},
};

static const struct pt_type unwrap_drain = {
	.api = PT_API,
	.name = "UnwrapDrain",
	.summary = "Passes the packet inside of tunnels",
	.help = "What has none of the kinds passes as it is, and so do fragments. Tags of VLANs, "
		"labels and PPPoE sessions in front of a tunnel are looked through, and go with "
		"it. Bare IP inside keeps the Ethernet header in front, with its type put right, "
		"so the link type stays; so it is with Linux's cooked captures, and other links "
		"become raw IP. Times stay, and lengths are those of the packet inside, also where "
		"it was not captured whole. m.tunnel in a function is the outermost id: a VXLAN's "
		"or Geneve's network, a GTP's tunnel, the tag of a VLAN, the first label of MPLS, "
		"the key of GRE, the session of PPPoE, L2TP and ERSPAN.",
	.picture = "     +----------+\n"
		   "  >>-|-[unwrap]-|->>\n"
		   "     |          |\n"
		   "   >-|-[unwrap]-|->\n"
		   "     +----------+\n",
	.examples =
		(const char *const[]){"RdpcapSource(\"in.pcap\") > UnwrapDrain() > "
                                      "WrpcapSink(\"out.pcap\")",
                                      "RdpcapSource(\"in.pcap\") > UnwrapDrain(kinds=\"vxlan\", "
                                      "note=True) > WrpcapSink(\"out.pcapng\")",
                                      "RdpcapSource(\"in.pcap\") > UnwrapDrain(kinds=[\"vlan\", "
                                      "\"mpls\"], depth=1) > Sink()",
                                      NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params = params,
	.carries = carries,
	.size = sizeof(struct unwrap),
	.start = start,
	.push_many = push_many,
	.changed = changed,
	.stop = stop,
};

PT_TYPES(unwrap_drain, &unwrap_drain);
