/* SPDX-License-Identifier: BSD-2-Clause */
/* The headers before the network layer, one step each. */
#ifndef PACKET_STEP_H
#define PACKET_STEP_H

#include "packet/cursor.h"

/*
 * A step goes over one header and returns the EtherType of what follows, be it written there or
 * not: whatever else says what follows, such as PPP's protocol, is put in these terms. 0: nobody
 * knows it.
 */
struct step;
typedef uint16_t step_function(struct cursor *, const struct step *);

struct step {
	step_function *over;
	step_function *inside; /* goes on where a vendor's header ends */
	uint16_t ether_type;   /* that announces it */
	uint8_t cookie;        /* bytes of such a header that depend on the vendor's hardware */
	uint8_t before;        /* bytes of no interest before the header */
	uint8_t size;          /* of a header that is always as long */
	uint8_t type_at;       /* where in it the type of what follows is written */
	uint8_t hardware_at;   /* where in it the type of the hardware is */
	uint8_t macs[2];       /* where hardware addresses are; 0: none */
	uint8_t other;         /* enum link_other */
};

enum {
	ETHER_TYPE_MPLS = 0x8847,
	ETHER_TYPE_MPLS_MULTICAST = 0x8848,
	ETHER_TYPE_LLC = 0x8870,
};

static inline uint32_t be24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | be16(at + 1);
}

/* Over so many bytes, if they are there, to something that is known. */
static inline uint16_t over(struct cursor *c, uint32_t size, uint16_t ether_type)
{
	if (left(c) < size)
		return 0;
	skip(c, size);
	return ether_type;
}

/* By the first four bits of IP's header. */
static inline uint16_t by_version(const struct cursor *c)
{
	switch (left(c) ? here(c)[0] >> 4 : 0) {
	case 4: return ETHER_TYPE_IP;
	case 6: return ETHER_TYPE_IP6;
	default: return 0;
	}
}

uint16_t by_ppp(uint32_t protocol);                           /* RFC 1661, 5072, 3032 */
uint16_t by_nlpid(struct cursor *);                           /* RFC 2427 */
uint16_t by_llc(struct cursor *, uint32_t padding);           /* before frames that are bridged */
bool looks_like_frame(const struct cursor *, uint32_t ahead); /* of Ethernet, by its type */

/* The functions of a step that tables of both kinds have. */
uint16_t step_frame(struct cursor *, const struct step *);
uint16_t step_llc(struct cursor *, const struct step *);
uint16_t step_ppp(struct cursor *, const struct step *); /* framed as RFC 1662 has it, or bare */
uint16_t step_pppoe(struct cursor *, const struct step *);
uint16_t step_mpls(struct cursor *, const struct step *);

/* Over what is before the header, and it. A step without a function knows nothing. */
static inline uint16_t step_take(struct cursor *c, const struct step *step)
{
	if (!step->over || left(c) < step->before)
		return 0;
	for (unsigned i = 0; i < 2 && step->macs[i] && step->macs[i] < step->before; i++)
		mac(c, step->macs[i]);
	skip(c, step->before);
	return step->over(c, step);
}

#endif
