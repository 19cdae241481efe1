/* SPDX-License-Identifier: BSD-2-Clause */
/* The headers of links, and what else lies there: a table of link types. Formats as the tcpdump
   group describes them. */
#include "packet/step.h"

static uint16_t follow(struct cursor *, uint32_t link_type);

static uint32_t le16(const uint8_t *at)
{
	return (uint32_t)(at[0] | at[1] << 8);
}

static uint32_t le32(const uint8_t *at)
{
	return le16(at) | le16(at + 2) << 16;
}

/* By the numbers of whoever captured: Linux, Windows, NetBSD, Solaris, FreeBSD, Darwin. */
static uint16_t by_family(uint32_t family)
{
	switch (family) {
	case 2: return ETHER_TYPE_IP;
	case 10:
	case 23:
	case 24:
	case 26:
	case 28:
	case 30: return ETHER_TYPE_IP6;
	default: return 0;
	}
}

/* In the byte order of whoever captured. */
static uint16_t by_family_at(const uint8_t *at)
{
	uint32_t family = be32(at);

	return by_family(family >> 16 ? __builtin_bswap32(family) : family);
}

/* Of fields at fixed places an EtherType is one. */
static uint16_t typed(struct cursor *c, const struct step *step)
{
	return left(c) < step->size ? 0 : over(c, step->size, be16(here(c) + step->type_at));
}

static uint16_t raw(struct cursor *c, const struct step *step)
{
	(void)step;
	return by_version(c);
}

static uint16_t ip4(struct cursor *c, const struct step *step)
{
	(void)c, (void)step;
	return ETHER_TYPE_IP;
}

static uint16_t ip6(struct cursor *c, const struct step *step)
{
	(void)c, (void)step;
	return ETHER_TYPE_IP6;
}

/* An address family in four bytes, at the beginning. */
static uint16_t family(struct cursor *c, const struct step *step)
{
	return left(c) < step->size ? 0 : over(c, step->size, by_family_at(here(c)));
}

/* Likewise in one byte, anywhere. */
static uint16_t short_family(struct cursor *c, const struct step *step)
{
	return left(c) < step->size ? 0 : over(c, step->size, by_family(here(c)[step->type_at]));
}

/* OpenBSD's packet filter: the header says how long it is, without what aligns it. */
static uint16_t pflog(struct cursor *c, const struct step *step)
{
	(void)step;
	return left(c) < 4 ? 0 : over(c, (here(c)[0] + 3u) & ~3u, by_family(here(c)[1]));
}

/* Linux's cooked captures; of some hardware the type is of no use. */
static uint16_t cooked(struct cursor *c, const struct step *step)
{
	static const struct {
		uint16_t hardware, link_type;
	} others[] = {{770, 107}, {801, 105}, {802, 119}, {803, 127}, {824, PT_NO_LINK_TYPE}};
	enum { SLL_LLC = 4 };
	if (left(c) < step->size)
		return 0;
	uint16_t type = be16(here(c) + step->type_at);
	uint16_t hardware = be16(here(c) + step->hardware_at);

	if (here(c)[step->macs[0] - 1] == 6) /* that is its length */
		mac(c, step->macs[0]);
	skip(c, step->size);
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
		if (others[i].hardware == hardware)
			return follow(c, others[i].link_type);
	return type == SLL_LLC ? ETHER_TYPE_LLC : type < ETHER_TYPE_LEAST ? 0 : type;
}

/* PPP's type in two bytes anywhere. */
static uint16_t ppp_typed(struct cursor *c, const struct step *step)
{
	return left(c) < step->size ? 0
	                            : over(c, step->size, by_ppp(be16(here(c) + step->type_at)));
}

/* IP, at once or behind the header of some system's driver */
static uint16_t somewhere(struct cursor *c, const struct step *step)
{
	static const uint8_t ahead[] = {0, 16, 8};
	uint16_t type = 0;

	(void)step;
	for (unsigned i = 0; i < sizeof ahead && !type; i++) {
		skip(c, ahead[i]);
		type = by_version(c);
	}
	return type;
}

/* Q.922 and RFC 2427, or an EtherType in its place */
static uint16_t frame_relay(struct cursor *c, const struct step *step)
{
	(void)step;
	uint32_t address = 1;

	while (address < 4 && left(c) > address && !(here(c)[address - 1] & 1))
		address++;
	if (left(c) < address + 2)
		return 0;
	skip(c, address);
	if (here(c)[0] != 0x03)
		return over(c, 2, be16(here(c)));
	skip(c, here(c)[1] ? 1 : 2); /* padding */
	return by_nlpid(c);
}

/* FRF.16; behind a fragment's header only the first has another */
static uint16_t multilink_frame_relay(struct cursor *c, const struct step *step)
{
	bool first = left(c) > 2 && (here(c)[0] & 0x81) == 0x80;

	skip(c, 2);
	return first ? frame_relay(c, step) : 0;
}

/* IEEE 802.11's data frame that is neither empty nor encrypted; of joined ones the first. */
static uint16_t wireless_aligned(struct cursor *c, uint32_t alignment)
{
	enum { TYPE = 0x0c, CONTROL = 0x04, DATA = 0x08, EMPTY = 0x40, QUALITY = 0x80 };
	enum { TO_AND_FROM = 3, PROTECTED = 0x40, ORDER = 0x80, JOINED = 0x80 };
	uint8_t kind = left(c) < 2 ? CONTROL : here(c)[0], flags = left(c) < 2 ? 0 : here(c)[1];
	bool four = (flags & TO_AND_FROM) == TO_AND_FROM, quality = kind & QUALITY;
	uint32_t plain = four ? 30 : 24;
	uint32_t size = plain + (quality ? 2 : 0) + (quality && flags & ORDER ? 4 : 0);

	for (unsigned at = 4; at < 22 && !(at > 10 && (kind & TYPE) == CONTROL); at += 6)
		mac(c, at);
	if ((kind & (TYPE | EMPTY)) != DATA || left(c) < size)
		return 0;
	if (four)
		mac(c, 24);
	bool joined = quality && here(c)[plain] & JOINED;
	size = (size + alignment - 1) / alignment * alignment;
	return flags & PROTECTED ? 0 : over(c, size, joined ? ETHER_TYPE_FRAME : ETHER_TYPE_LLC);
}

static uint16_t wireless(struct cursor *c, const struct step *step)
{
	(void)step;
	return wireless_aligned(c, 1);
}

/* Its flags, the second of the fields that the words of bits tell to be there. */
static uint8_t radiotap_flags(const uint8_t *header, uint32_t size)
{
	enum { TIME = 1, FLAGS = 2 };
	uint32_t at = 4;

	while (at + 8 <= size && header[at + 3] & 0x80)
		at += 4;
	at += 4;
	if (header[4] & TIME)
		at = ((at + 7) & ~7u) + 8;
	return header[4] & FLAGS && at < size ? header[at] : 0;
}

static uint16_t radiotap(struct cursor *c, const struct step *step)
{
	(void)step;
	enum { PADDED = 0x20 };
	uint32_t size = left(c) < 8 ? UINT32_MAX : le16(here(c) + 2);
	if (size < 8 || left(c) < size)
		return 0;
	uint8_t flags = radiotap_flags(here(c), size);

	skip(c, size);
	return wireless_aligned(c, flags & PADDED ? 4 : 1);
}

/* The header of a driver: AVS' begins with its length, the other one has a fixed one. */
static uint16_t prism(struct cursor *c, const struct step *step)
{
	enum { AVS = 0x80211000, SIZE = 144 };
	if (left(c) < 8)
		return 0;
	uint32_t size = (be32(here(c)) & 0xfffff000) == AVS ? be32(here(c) + 4) : SIZE;
	if (left(c) < size)
		return 0;
	skip(c, size);
	return wireless(c, step);
}

static uint16_t per_packet_information(struct cursor *c, const struct step *step)
{
	uint32_t size = left(c) < step->size ? 0 : le16(here(c) + 2);
	uint32_t link_type = size ? le32(here(c) + 4) : 0;

	return size < step->size || left(c) < size ? 0 : (skip(c, size), follow(c, link_type));
}

/* Darwin's; only the type 1 is a packet. */
static uint16_t pktap(struct cursor *c, const struct step *step)
{
	uint32_t size = left(c) < step->size || le32(here(c) + 4) != 1 ? 0 : le32(here(c));
	uint32_t link_type = size ? le32(here(c) + 8) : 0;

	return size < step->size || left(c) < size ? 0 : (skip(c, size), follow(c, link_type));
}

/* Tagged fields, of which the first byte 1 is the last. */
static uint16_t tzsp(struct cursor *c, const struct step *step)
{
	enum { PADDING = 0, END = 1 };
	uint32_t at = step->size;
	if (left(c) < step->size || here(c)[0] != 1 || here(c)[1] > 1)
		return 0;
	uint16_t link_type = be16(here(c) + 2);

	while (at + 1 < left(c) && here(c)[at] != END)
		at += here(c)[at] == PADDING ? 1 : 2u + here(c)[at + 1];
	if (left(c) <= at)
		return 0;
	skip(c, at + 1);
	return link_type == 18 ? wireless(c, step) : follow(c, link_type == 127 ? 163 : link_type);
}

/* Endace's: eight bytes more for each extension, and what is captured by kind. */
static uint16_t endace(struct cursor *c, const struct step *step)
{
	uint32_t at = step->size;
	if (left(c) < step->size)
		return 0;
	uint8_t type = here(c)[8], more = type;

	for (; more & 0x80 && at + 8 <= left(c); at += 8)
		more = here(c)[at];
	skip(c, at);
	switch (type & 0x7f) {
	case 2:
	case 11:
	case 16:
	case 20: return over(c, 2, ETHER_TYPE_FRAME);
	case 1:
	case 10:
	case 19: return step_ppp(c, step);
	case 22:
	case 23: return by_version(c);
	default: return 0;
	}
}

/* Amateur radio's: addresses up to one whose last bit is set */
static uint16_t ax25(struct cursor *c, const struct step *step)
{
	(void)step;
	uint32_t at = 7;

	while (at < left(c) && !(here(c)[at - 1] & 1))
		at += 7;
	if (left(c) < at + 2 || (here(c)[at] & ~0x10) != 0x03)
		return 0;
	uint8_t protocol = here(c)[at + 1];
	return over(c, at + 2,
	            protocol == 0xcc   ? ETHER_TYPE_IP
	            : protocol == 0xcd ? ETHER_TYPE_ARP
	                               : 0);
}

/* RFC 1201 and 1051; the header is longer with sequence numbers, which the older has not. */
static uint16_t arcnet(struct cursor *c, const struct step *step)
{
	enum { OLD_IP = 0xf0, OLD_ARP = 0xf1, IP = 0xd4, ARP = 0xd5, IP6 = 0xc4, EXCEPTION = 0xff };
	uint32_t at = step->type_at;
	if (left(c) < at + 2)
		return 0;
	uint8_t type = here(c)[at], flag = here(c)[at + 1];

	if (type == OLD_IP || type == OLD_ARP)
		return over(c, at + 1, type == OLD_IP ? ETHER_TYPE_IP : ETHER_TYPE_ARP);
	if (flag && !(flag & 1)) /* a fragment that is not the first */
		return 0;
	return over(c, at + (flag == EXCEPTION ? 8 : 4),
	            type == IP    ? ETHER_TYPE_IP
	            : type == IP6 ? ETHER_TYPE_IP6
	            : type == ARP ? ETHER_TYPE_ARP
	                          : 0);
}

/* Source routes follow where the source address says so. */
static uint16_t token_ring(struct cursor *c, const struct step *step)
{
	bool routed = left(c) > step->size && here(c)[8] & 0x80;

	for (unsigned i = 0; i < 2; i++)
		mac(c, step->macs[i]);
	skip(c, step->size + (routed ? here(c)[step->size] & 31u : 0));
	return step_llc(c, step);
}

/* RFC 2684; what a virtual circuit carries bare is not written anywhere, nor what Juniper's do. */
static uint16_t guess(struct cursor *c, const struct step *step)
{
	uint16_t type = by_llc(c, 2);

	if (!type && left(c) && here(c)[0] == 0x03)
		return skip(c, 1), by_nlpid(c);
	if (!type)
		type = by_version(c);
	if (!type)
		type = step_ppp(c, step);
	return !type && looks_like_frame(c, 0) ? ETHER_TYPE_FRAME : type;
}

static uint16_t sun_atm(struct cursor *c, const struct step *step)
{
	enum { LANE = 1, LLC = 2, LANE_HEADER = 2 };
	uint8_t kind = left(c) < step->size ? 0 : here(c)[0] & 15;

	skip(c, step->size);
	return kind == LANE  ? over(c, LANE_HEADER, ETHER_TYPE_FRAME)
	       : kind == LLC ? guess(c, step)
	                     : 0;
}

/* A switch's tag stands between the addresses and the type. */
static uint16_t tagged_frame(struct cursor *c, const struct step *step)
{
	if (left(c) < (uint32_t)ETH_SIZE + step->size)
		return 0;
	found(c, PACKET_ETH);
	mac(c, 0);
	mac(c, 6);
	skip(c, (uint32_t)ETH_SIZE + step->size);
	return be16(here(c) - 2);
}

/* Netfilter's: attributes in the byte order of whoever captured. */
struct attribute {
	uint32_t size, type;
};

static struct attribute attribute(const struct cursor *c, uint32_t at)
{
	const uint8_t *header = here(c) + at;
	bool big = !(header[2] & 0x7f); /* no type is larger than a byte */

	return big ? (struct attribute){be16(header), be16(header + 2) & 0x7fff}
	           : (struct attribute){le16(header), le16(header + 2) & 0x7fff};
}

static uint16_t netfilter(struct cursor *c, const struct step *step)
{
	enum { PACKET = 1, PAYLOAD = 9 };
	uint16_t type = left(c) < step->size ? 0 : by_family(here(c)[0]);

	skip(c, step->size);
	while (left(c) >= 4) {
		struct attribute a = attribute(c, 0);
		if (a.size < 4)
			return 0;
		if (a.type == PAYLOAD) {
			limit(c, a.size, 4);
			skip(c, 4);
			return type;
		}
		if (a.type == PACKET && !type && left(c) >= 6)
			type = be16(here(c) + 4);
		skip(c, (a.size + 3) & ~3u);
	}
	return 0;
}

/* A header with extensions if a bit says so, another one if another says so, and a cookie, which is
   longer if its first byte says so. */
static uint16_t juniper(struct cursor *c, const struct step *step)
{
	enum { MAGIC = 0x4d4743, EXTENDED = 0x80, NO_LINK = 0x02 };
	if (left(c) < 6 || be24(here(c)) != MAGIC)
		return 0;
	uint8_t flags = here(c)[3];

	skip(c, flags & EXTENDED ? 6u + be16(here(c) + 4) : 4);
	if (flags & NO_LINK)
		return skip(c, 4), by_version(c);
	uint8_t kind = left(c) ? here(c)[0] : 0;
	if (step->cookie)
		skip(c, kind == 0x47 ? 8 : kind == 0x54 ? step->cookie + 2u : step->cookie);
	return step->inside(c, step);
}

/* clang-format off */
static const struct step link_types[] = { /* by LINKTYPE_ numbers */
	[0]   = {.over = family, .size = 4},                    /* loopback of BSD */
	[1]   = {.over = step_frame},
	[3]   = {.over = ax25},
	[6]   = {.over = token_ring, .size = 14, .macs = {2, 8}, .other = OTHER_LLC},
	[7]   = {.over = arcnet, .type_at = 2},
	[8]   = {.over = somewhere},                            /* SLIP */
	[9]   = {.over = step_ppp, .other = OTHER_PPP},
	[10]  = {.over = step_llc, .before = 13, .macs = {1, 7}, .other = OTHER_LLC}, /* FDDI */
	[12]  = {.over = raw},                                  /* as systems number it */
	[14]  = {.over = raw},
	[50]  = {.over = step_ppp, .other = OTHER_PPP},
	[51]  = {.over = step_pppoe, .other = OTHER_PPP},
	[99]  = {.over = typed, .size = 44, .type_at = 6},      /* Symantec's firewall */
	[100] = {.over = guess},                                /* ATM */
	[101] = {.over = raw},
	[102] = {.over = somewhere},                            /* SLIP of BSD/OS */
	[103] = {.over = ppp_typed, .size = 24, .type_at = 5, .other = OTHER_PPP}, /* BSD/OS */
	[104] = {.over = typed, .size = 4, .type_at = 2},       /* Cisco's HDLC */
	[105] = {.over = wireless, .other = OTHER_WIRELESS},
	[106] = {.over = guess},                                /* IP over ATM */
	[107] = {.over = frame_relay},
	[108] = {.over = family, .size = 4},
	[109] = {.over = family, .size = 12},                   /* OpenBSD's enc */
	[113] = {.over = cooked, .size = 16, .type_at = 14, .hardware_at = 2, .macs = {6}},
	[117] = {.over = pflog},
	[119] = {.over = prism, .other = OTHER_WIRELESS},
	[122] = {.over = step_llc, .before = 16, .macs = {2, 10}, .other = OTHER_LLC}, /* FC */
	[123] = {.over = sun_atm, .size = 4},
	[127] = {.over = radiotap, .other = OTHER_WIRELESS},
	[128] = {.over = tzsp, .size = 4},
	[129] = {.over = arcnet, .type_at = 4},
	[130] = {.over = juniper, .inside = guess, .cookie = 2},  /* MLPPP */
	[131] = {.over = juniper, .inside = guess, .cookie = 2},  /* MLFR */
	[132] = {.over = juniper, .inside = somewhere},         /* ES */
	[133] = {.over = juniper, .inside = guess, .cookie = 8},  /* GGSN */
	[134] = {.over = juniper, .inside = guess, .cookie = 4},  /* MFR */
	[135] = {.over = juniper, .inside = guess, .cookie = 8},  /* ATM2 */
	[136] = {.over = juniper, .inside = guess, .cookie = 8},  /* services */
	[137] = {.over = juniper, .inside = guess, .cookie = 4},  /* ATM1 */
	[138] = {.over = typed, .size = 18, .type_at = 16},     /* IEEE 1394 */
	[149] = {.over = pktap, .size = 108},                   /* Darwin's, without a number yet */
	[163] = {.over = prism, .other = OTHER_WIRELESS}, /* AVS alone */
	[164] = {.over = juniper, .inside = guess, .cookie = 8},  /* monitor */
	[166] = {.over = step_ppp, .before = 2, .other = OTHER_PPP}, /* direction and control */
	[167] = {.over = juniper, .inside = step_frame},        /* PPPoE */
	[168] = {.over = juniper, .inside = typed, .size = 2},  /* PPPoE over ATM */
	[175] = {.over = endace, .size = 16},
	[176] = {.over = endace, .size = 16},
	[177] = {.other = OTHER_HARMLESS}, /* LAPD */
	[178] = {.over = juniper, .inside = step_frame},
	[179] = {.over = juniper, .inside = step_ppp},
	[180] = {.over = juniper, .inside = frame_relay},
	[181] = {.over = juniper, .inside = typed, .size = 4, .type_at = 2}, /* Cisco's HDLC */
	[182] = {.over = multilink_frame_relay},
	[183] = {.over = juniper, .inside = guess},
	[190] = {.other = OTHER_HARMLESS}, /* CAN */
	[192] = {.over = per_packet_information, .size = 8, .other = OTHER_WIRELESS},
	[194] = {.over = juniper, .inside = guess},
	[197] = {.over = endace, .size = 16},
	[199] = {.other = OTHER_HARMLESS}, /* IPMB */
	[200] = {.over = juniper, .inside = guess},
	[202] = {.over = ax25, .before = 1},
	[203] = {.other = OTHER_HARMLESS}, /* LAPD */
	[204] = {.over = step_ppp, .before = 1, .other = OTHER_PPP}, /* with direction: 3 of them */
	[205] = {.over = typed, .before = 1, .size = 4, .type_at = 2},
	[206] = {.over = frame_relay, .before = 1},
	[210] = {.other = OTHER_HARMLESS}, /* FlexRay */
	[211] = {.other = OTHER_HARMLESS}, /* MOST */
	[212] = {.other = OTHER_HARMLESS}, /* LIN */
	[219] = {.over = step_mpls},
	[226] = {.over = short_family, .size = 24, .type_at = 1}, /* Solaris' ipnet */
	[227] = {.other = OTHER_HARMLESS}, /* CAN */
	[228] = {.over = ip4},
	[229] = {.over = ip6},
	[231] = {.other = OTHER_HARMLESS}, /* D-Bus */
	[232] = {.over = juniper, .inside = guess},
	[233] = {.over = juniper, .inside = guess},
	[234] = {.over = juniper, .inside = guess},
	[238] = {.over = juniper, .inside = guess},
	[239] = {.over = netfilter, .size = 4},
	[240] = {.over = step_frame, .before = 4},              /* netANALYZER */
	[241] = {.over = step_frame, .before = 12},
	[242] = {.over = typed, .size = 44, .type_at = 40},     /* IP over InfiniBand */
	[243] = {.other = OTHER_HARMLESS}, /* MPEG */
	[245] = {.other = OTHER_HARMLESS}, /* NFC */
	[248] = {.other = OTHER_SCTP},
	[250] = {.other = OTHER_HARMLESS}, /* RTAC */
	[258] = {.over = pktap, .size = 12},
	[259] = {.over = step_frame, .before = 8},              /* EPON */
	[274] = {.over = step_frame, .before = 8},              /* IEEE 802.3br */
	[276] = {.over = cooked, .size = 20, .type_at = 0, .hardware_at = 8, .macs = {12}},
	[281] = {.over = tagged_frame, .size = 4},              /* switches: Broadcom */
	[282] = {.over = step_frame, .before = 4},
	[284] = {.over = tagged_frame, .size = 4},              /* Marvell */
	[285] = {.over = tagged_frame, .size = 8},
};
/* clang-format on */

enum { LINK_TYPES = sizeof link_types / sizeof link_types[0] };

/* What holds packets of any other link type holds none that do so themselves. */
static uint16_t follow(struct cursor *c, uint32_t link_type)
{
	const struct step *step = link_type < LINK_TYPES ? &link_types[link_type] : NULL;
	bool follows = step && (step->over == per_packet_information || step->over == pktap ||
	                        step->over == tzsp || step->over == cooked);

	return step && !follows ? step_take(c, step) : 0;
}

struct cursor link_first(struct cursor c, uint16_t link_type)
{
	c.ether_type = link_type < LINK_TYPES ? step_take(&c, &link_types[link_type]) : 0;
	return c;
}

bool packet_link_is_ip(uint16_t link_type)
{
	step_function *first = link_type < LINK_TYPES ? link_types[link_type].over : NULL;
	return first == raw || first == ip4 || first == ip6;
}

bool link_type_at(uint16_t link_type, uint8_t *size, uint8_t *type_at)
{
	const struct step *step = link_type < LINK_TYPES ? &link_types[link_type] : NULL;
	bool frame = link_type == PACKET_LINK_EN10MB;

	if (!frame && (!step || (step->over != cooked && link_type != PACKET_LINK_C_HDLC)))
		return false;
	*size = frame ? ETH_SIZE : step->size;
	*type_at = frame ? ETH_SIZE - 2 : step->type_at;
	return true;
}

enum link_other link_other(uint16_t link_type)
{
	return link_type < LINK_TYPES ? (enum link_other)link_types[link_type].other : OTHER_OPAQUE;
}
