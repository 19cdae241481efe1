/* SPDX-License-Identifier: BSD-2-Clause */
/* What can lie between a link's header and the network layer: a table of EtherTypes. */
#include "packet/step.h"

/* RFC 1661, 5072, 3032 */
uint16_t by_ppp(uint32_t protocol)
{
	switch (protocol) {
	case 0x0021: return ETHER_TYPE_IP;
	case 0x0057: return ETHER_TYPE_IP6;
	case 0x0281: return ETHER_TYPE_MPLS;
	case 0x0283: return ETHER_TYPE_MPLS_MULTICAST;
	default: return 0;
	}
}

uint16_t step_frame(struct cursor *c, const struct step *step)
{
	(void)step;
	return ethernet(c);
}

/* Nothing but a frame, whose header is a step of its own. */
static uint16_t framed(struct cursor *c, const struct step *step)
{
	(void)c, (void)step;
	return ETHER_TYPE_FRAME;
}

/* The type is in the tag's last two bytes. */
static uint16_t tag(struct cursor *c, const struct step *step)
{
	return left(c) < step->size ? 0 : over(c, step->size, be16(here(c) + step->size - 2));
}

static uint16_t vlan(struct cursor *c, const struct step *step)
{
	if (left(c) >= step->size && !packet_has(c->view, PACKET_VLAN))
		found(c, PACKET_VLAN);
	return tag(c, step);
}

static uint16_t ppp(struct cursor *c, const struct step *step)
{
	(void)step;
	uint32_t size = left(c) && here(c)[0] & 1 ? 1 : 2; /* compressed, or not */
	if (left(c) < size)
		return 0;
	uint16_t type = by_ppp(size == 1 ? here(c)[0] : be16(here(c)));
	return type ? over(c, size, type) : 0;
}

/* RFC 1662, and Cisco's in its place; or neither */
uint16_t step_ppp(struct cursor *c, const struct step *step)
{
	uint16_t framing = left(c) < 4 ? 0 : be16(here(c));

	if (framing == 0x0f00 || framing == 0x8f00)
		return over(c, 4, be16(here(c) + 2));
	if (framing == 0xff03)
		skip(c, 2);
	return ppp(c, step);
}

/* RFC 2516 */
uint16_t step_pppoe(struct cursor *c, const struct step *step)
{
	if (left(c) < 6 || here(c)[0] != 0x11 || here(c)[1] != 0)
		return 0;
	limit(c, 6u + be16(here(c) + 4), 6);
	skip(c, 6);
	return ppp(c, step);
}

/* IEEE 802's subnetwork access, RFC 1042; and bridged frames, RFC 2684, some with padding. */
static uint16_t snap(struct cursor *c, uint32_t padding)
{
	enum { ENCAPSULATED = 0x000000, BRIDGE_TUNNEL = 0x0000f8, BRIDGED = 0x0080c2 };
	if (left(c) < 5)
		return 0;
	uint32_t organization = be24(here(c));
	uint16_t type = be16(here(c) + 3);

	if (organization == BRIDGED && (type == 1 || type == 7))
		return over(c, 5 + padding, ETHER_TYPE_FRAME);
	bool known = organization == ENCAPSULATED || organization == BRIDGE_TUNNEL ||
	             type == ETHER_TYPE_IP || type == ETHER_TYPE_IP6;
	return known && type >= ETHER_TYPE_LEAST ? over(c, 5, type) : 0;
}

/* RFC 2427 */
uint16_t by_nlpid(struct cursor *c)
{
	enum { SNAP = 0x80, IP6 = 0x8e, IP = 0xcc, PPP = 0xcf };

	switch (left(c) ? here(c)[0] : 0) {
	case IP: return over(c, 1, ETHER_TYPE_IP);
	case IP6: return over(c, 1, ETHER_TYPE_IP6);
	case PPP: return over(c, 1, ETHER_TYPE_PPP);
	case SNAP: skip(c, 1); return snap(c, 0);
	default: return 0;
	}
}

/* IEEE 802.2, unnumbered information; the two numbers before are service access points. */
uint16_t by_llc(struct cursor *c, uint32_t padding)
{
	enum { IP = 0x060603, ARP = 0x989803, SNAP = 0xaaaa03, OSI = 0xfefe03 };
	struct cursor inside = *c;
	uint16_t type = 0;

	skip(&inside, 3);
	switch (left(c) < 3 ? 0 : be24(here(c))) {
	case IP: type = ETHER_TYPE_IP; break;
	case ARP: type = ETHER_TYPE_ARP; break;
	case SNAP: type = snap(&inside, padding); break;
	case OSI: type = by_nlpid(&inside); break;
	}
	if (type)
		*c = inside;
	return type;
}

uint16_t step_llc(struct cursor *c, const struct step *step)
{
	(void)step;
	return by_llc(c, 0);
}

/* ---- between frame and packet ---- */

/* Whether an Ethernet frame may begin there, by the type that it would have. */
bool looks_like_frame(const struct cursor *c, uint32_t ahead)
{
	if (left(c) < ahead + ETH_SIZE)
		return false;
	switch (be16(here(c) + ahead + ETH_SIZE - 2)) {
	case ETHER_TYPE_IP:
	case ETHER_TYPE_IP6:
	case ETHER_TYPE_ARP:
	case ETHER_TYPE_MPLS:
	case ETHER_TYPE_PPPOE:
	case 0x8100:
	case 0x88a8: return true;
	default: return false;
	}
}

/* RFC 3032: the labels do not tell what they carry; RFC 4385: frames, some behind a word of 0. */
uint16_t step_mpls(struct cursor *c, const struct step *step)
{
	(void)step;
	bool bottom = false;

	while (!bottom && left(c) >= 4) {
		bottom = here(c)[2] & 1;
		skip(c, 4);
	}
	uint16_t type = bottom ? by_version(c) : 0;
	if (!bottom || type)
		return type;
	uint32_t word = left(c) && here(c)[0] >> 4 == 0 ? 4 : 0;
	if (looks_like_frame(c, word))
		return over(c, word, ETHER_TYPE_FRAME);
	return looks_like_frame(c, 0) ? ETHER_TYPE_FRAME : 0;
}

/* IEEE 802.1AE: what is only signed, not encrypted */
static uint16_t macsec(struct cursor *c, const struct step *step)
{
	(void)step;
	uint8_t control = left(c) < 8 ? 0x08 : here(c)[0];
	uint32_t size = control & 0x20 ? 16 : 8;

	if (control & 0x0c || left(c) < size)
		return 0;
	return over(c, size, be16(here(c) + size - 2));
}

/* RFC 6325 */
static uint16_t trill(struct cursor *c, const struct step *step)
{
	(void)step;
	uint32_t options = left(c) < 6 ? 0 : be16(here(c)) >> 6 & 31;

	return over(c, 6 + options * 4, ETHER_TYPE_FRAME);
}

/* RFC 8300 */
static uint16_t service_header(struct cursor *c, const struct step *step)
{
	static const uint16_t types[] = {[1] = ETHER_TYPE_IP,
	                                 [2] = ETHER_TYPE_IP6,
	                                 [3] = ETHER_TYPE_FRAME,
	                                 [5] = ETHER_TYPE_MPLS};
	(void)step;
	if (left(c) < 8 || here(c)[3] >= sizeof types / sizeof types[0])
		return 0;
	return over(c, (here(c)[1] & 63u) * 4, types[here(c)[3]]);
}

/* Arista's time of a frame, longer or shorter */
static uint16_t stamped(struct cursor *c, const struct step *step)
{
	enum { TIMESTAMP = 1, FORMAT = 0xf0, LONG = 0x10, SHORT = 0x20 };
	uint32_t format = left(c) < 4 || be16(here(c)) != TIMESTAMP ? 0 : here(c)[3] & FORMAT;
	uint32_t size = format == LONG ? 14 : format == SHORT ? 12 : 0;

	(void)step;
	return !size || left(c) < size ? 0 : over(c, size, be16(here(c) + size - 2));
}

/* clang-format off */
static const struct step ether_types[] = {
	/* IEEE 802.1Q's tag, and what providers use */
	{.ether_type = 0x8100, .over = vlan, .size = 4},
	{.ether_type = 0x88a8, .over = vlan, .size = 4},
	{.ether_type = 0x9100, .over = vlan, .size = 4},
	{.ether_type = 0x9200, .over = vlan, .size = 4},
	{.ether_type = 0x9300, .over = vlan, .size = 4},
	{.ether_type = ETHER_TYPE_MPLS, .over = step_mpls},
	{.ether_type = ETHER_TYPE_MPLS_MULTICAST, .over = step_mpls},
	{.ether_type = ETHER_TYPE_PPPOE, .over = step_pppoe},
	{.ether_type = ETHER_TYPE_PPP, .over = step_ppp},
	{.ether_type = ETHER_TYPE_LLC, .over = step_llc},
	{.ether_type = ETHER_TYPE_FRAME, .over = step_frame},
	{.ether_type = 0x88e7, .over = framed, .before = 4}, /* a provider's backbone, 802.1ah */
	{.ether_type = 0x8903, .over = framed, .before = 2}, /* FabricPath */
	{.ether_type = 0x22f3, .over = trill},
	{.ether_type = 0x894f, .over = service_header},
	{.ether_type = 0x88e5, .over = macsec},
	{.ether_type = 0x8909, .over = tag, .size = 8}, /* Cisco's metadata */
	{.ether_type = 0x8988, .over = tag, .size = 8}, /* Cisco's time of a frame */
	{.ether_type = 0x8926, .over = tag, .size = 6}, /* VN-Tag */
	{.ether_type = 0x892f, .over = tag, .size = 6}, /* HSR, IEC 62439-3 */
	{.ether_type = 0x893f, .over = tag, .size = 8}, /* E-Tag, IEEE 802.1BR */
	{.ether_type = 0xd28b, .over = stamped},
	{.ether_type = 0xf1c1, .over = tag, .size = 6}, /* R-Tag, IEEE 802.1CB */
	{0},
};
/* clang-format on */

static const struct step *announced(uint16_t ether_type)
{
	const struct step *step = ether_types;

	while (step->over && step->ether_type != ether_type)
		step++;
	return step;
}

/* IEEE 802.3: a length in the type's place */
static uint16_t by_length(struct cursor *c)
{
	limit(c, c->ether_type, 1);
	c->ether_type = 0;
	return by_llc(c, 0);
}

enum { HEADERS_MAX = 64 }; /* more in one packet are not followed */

uint16_t link_step(struct cursor *c)
{
	return c->ether_type < ETHER_TYPE_LEAST ? by_length(c)
	                                        : step_take(c, announced(c->ether_type));
}

bool link_is_known(uint16_t ether_type)
{
	return announced(ether_type)->over;
}

bool link_is_tag(uint16_t ether_type)
{
	return announced(ether_type)->over == vlan;
}

struct cursor link_rest(struct cursor c)
{
	for (unsigned n = 0; n < HEADERS_MAX; n++) {
		uint16_t type = link_step(&c);
		if (!type)
			break;
		c.ether_type = type;
	}
	return c;
}
