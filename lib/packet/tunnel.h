/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnels: what their headers say, and the packet inside. */
#ifndef PACKET_TUNNEL_H
#define PACKET_TUNNEL_H

#include "packet/inside.h"

enum packet_tunnel {
	PACKET_TUNNEL_VLAN,
	PACKET_TUNNEL_MPLS,
	PACKET_TUNNEL_PPPOE,
	PACKET_TUNNEL_GRE,
	PACKET_TUNNEL_ERSPAN,
	PACKET_TUNNEL_VXLAN,
	PACKET_TUNNEL_GENEVE,
	PACKET_TUNNEL_GTP,
	PACKET_TUNNEL_TZSP,
	PACKET_TUNNEL_IPIP,
	PACKET_TUNNEL_L2TP,
	PACKET_TUNNELS,
};
enum { PACKET_TUNNEL_DEPTH = 8 }; /* unless somebody says otherwise */
extern const char *const packet_tunnel_names[PACKET_TUNNELS + 1]; /* ends with NULL */

/* ---- headers ---- */

/* Bytes from `at` up to `end`, the last that are there; `cut`: on the wire there were more. */
struct tunnel_bytes {
	const uint8_t *bytes;
	uint32_t at, end;
	bool cut;
};

/* What it carries, from `at` on, up to `end`, which may be behind the bytes that are there. */
struct tunnel_head {
	enum packet_tunnel kind;
	uint32_t at, end;
	uint32_t id;
	uint16_t ether_type; /* of what it carries; 0x6558: an Ethernet frame, 0x880b: PPP */
	uint16_t link_type;  /* in its place, with PT_NO_LINK_TYPE where there is none */
	bool has_id;
};

enum tunnel_found {
	TUNNEL_CARRIES,
	TUNNEL_CUT,    /* the bytes end in the header */
	TUNNEL_OTHER,  /* no packet: control, or nothing */
	TUNNEL_OPAQUE, /* nobody knows what */
};

/* GRE (RFC 2784, 2890, 2637) and ERSPAN; VXLAN; VXLAN-GPE; Geneve; GTP (3GPP TS 29.281, and its
   first version); L2TP (RFC 2661, 3931) behind UDP and behind IP; TZSP. */
typedef enum tunnel_found tunnel_head_function(const struct tunnel_bytes *, struct tunnel_head *);
tunnel_head_function tunnel_gre, tunnel_vxlan, tunnel_vxlan_gpe, tunnel_geneve, tunnel_gtp,
	tunnel_gtp_old, tunnel_l2tp, tunnel_l2tp3, tunnel_tzsp;

/* ---- the packet inside ---- */

/* What a packet is behind its tunnels. Of what is bare, such as IP, the header of the link in front
   goes on, if there is one: it stands at `link_at` and is to be moved, with another type. */
struct packet_inner {
	uint32_t at, length, wire_length;
	uint32_t link_at;
	uint8_t link_size, type_at;
	uint16_t ether_type, link_type;
	enum packet_tunnel outermost; /* of those that were taken off */
	uint32_t id;                  /* the outermost that there is */
	bool has_id;
};

/*
 * Takes off up to `depth` tunnels of these kinds (bits 1 << kind). VLAN tags, MPLS labels and PPPoE
 * sessions in front of one are looked through; another tunnel over IP is not, nor a fragment.
 * False: there is none.
 */
bool packet_unwrap(const struct pt_msg *, unsigned kinds, unsigned depth, struct packet_inner *);

/* Makes the message that. -ENOMEM, and the message as it was: the memory limit is reached. */
int packet_unwrap_message(struct pt_msg **, const struct packet_inner *);

/* The outermost id: of what was taken off, or of what is there. False: there is none. */
bool packet_tunnel_id(const struct pt_msg *, uint32_t *id);

#endif
