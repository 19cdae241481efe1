/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a packet: layers and where they begin; fields, read and written with checksums. */
#ifndef PACKET_PACKET_H
#define PACKET_PACKET_H

#include <pipetool/error.h>
#include <pipetool/msg.h>

/* Link types that the code names; link_type.c has a table of all that are dissected. Of others
   everything is payload. */
enum packet_link_type {
	PACKET_LINK_NULL = 0,
	PACKET_LINK_EN10MB = 1,
	PACKET_LINK_PPP = 9,
	PACKET_LINK_PPP_SERIAL = 50,
	PACKET_LINK_PPP_ETHER = 51,
	PACKET_LINK_RAW = 101,
	PACKET_LINK_C_HDLC = 104,
	PACKET_LINK_LOOP = 108,
	PACKET_LINK_LINUX_SLL = 113,
	PACKET_LINK_IPV4 = 228,
	PACKET_LINK_IPV6 = 229,
	PACKET_LINK_LINUX_SLL2 = 276,
};

/*
 * Dissecting trusts nothing: lengths may lie, captures may be cut. A layer counts as present only
 * if its fixed header lies within the captured bytes. Of a tunnel, the outer headers are meant.
 * Sources: RFC 791, 8200, 768, 9293, 792, 4443, 826; IEEE 802.1Q; LINKTYPE_ numbers as registered
 * by the tcpdump group.
 */
enum packet_layer {
	PACKET_ETH,
	PACKET_VLAN, /* the outermost tag */
	PACKET_ARP,
	PACKET_IP,
	PACKET_IP6,
	PACKET_TCP,
	PACKET_UDP,
	PACKET_ICMP,
	PACKET_ICMP6,
	PACKET_PAYLOAD, /* what follows the innermost layer known, if anything does */
	PACKET_LAYERS,
};

bool packet_link_is_ip(uint16_t link_type); /* bare, in all its numbers */

enum { PACKET_MACS = 8 };

struct packet_view {
	uint32_t offset[PACKET_LAYERS]; /* of the layer's first byte; the payload's also where that
	                                   is empty */
	uint32_t present;               /* bit 1 << layer */
	uint32_t payload_length; /* captured bytes of the payload, without Ethernet's padding */
	uint32_t checksum;       /* offset of the transport layer's, also if the capture ends behind
	                            it; 0: none */
	uint16_t ether_type;     /* behind all tags; of a link without one, what it would be;
	                            0: unknown, as in a frame of IEEE 802.3 */
	uint8_t ip_proto;        /* behind IPv6's extension headers */
	bool fragment;           /* one that is not the first: no transport layer */
	bool part;               /* a fragment, be it the first */
	uint8_t mac_count; /* of hardware addresses of 6 bytes that the links' headers have, from
	                            the outermost on; more are not remembered */
	uint16_t mac[PACKET_MACS]; /* offsets */
};

void packet_dissect(const struct pt_msg *, struct packet_view *);
void packet_dissect_bytes(const uint8_t *, size_t length, uint16_t link_type, struct packet_view *);
/* What an EtherType announces, as in a tunnel's header; 0x6558: an Ethernet frame. */
void packet_dissect_ether_type(const uint8_t *, size_t length, uint16_t ether_type,
                               struct packet_view *);

static inline bool packet_has(const struct packet_view *v, enum packet_layer layer)
{
	return v->present >> layer & 1;
}

enum packet_field_kind { PACKET_NUMBER, PACKET_MAC, PACKET_IPV4, PACKET_IPV6, PACKET_FLAG };

/* A field that users name: "ip.src", "tcp.dport". */
struct packet_field {
	const char *layer, *name;
	enum packet_layer in;
	enum packet_field_kind kind;
	uint16_t offset; /* of its first byte in the layer */
	uint8_t size;    /* bytes */
	uint8_t shift;   /* of its lowest bit in those bytes, read big-endian */
	uint8_t bits;
	bool read_only; /* what says where things lie, and checksums, which are kept right */
	bool query;     /* only ICMP's queries and their replies have it */
};

static inline bool packet_field_is_address(const struct packet_field *f)
{
	return f->kind == PACKET_MAC || f->kind == PACKET_IPV4 || f->kind == PACKET_IPV6;
}

/* Ends with a row without a name. Some fields have two names, Scapy's and another. */
extern const struct packet_field packet_fields[];

const struct packet_field *packet_field(const char *layer, const char *name); /* or NULL */
/* By "ip.src"; a fault with the nearest name otherwise. */
const struct packet_field *packet_field_get(const char *dotted, struct pt_error *);

/* A field's value: a number, or bytes in network order for addresses. */
struct packet_value {
	uint64_t number;
	uint8_t bytes[16];
};

bool packet_read(const uint8_t *bytes, const struct packet_view *, const struct packet_field *,
                 struct packet_value *); /* false: the packet does not have it */

/* What the second differs in from the first: fields, by the first of their names and without
   checksums, and then "payload" (without a layer), which is all of what is no packet. */
void packet_changed(const struct pt_msg *, const struct pt_msg *,
                    void (*tell)(void *, const char *layer, const char *name), void *arg);

/* Text as users write it to a value, checked for the field's range: "1.1.1.1", "fe80::1",
   "00:11:22:33:44:55", "443", "0x10", "true"; for tcp.flags also letters: "SA". And back (out: at
   least 64 bytes). */
int packet_value_parse(const struct packet_field *, const char *text, struct packet_value *,
                       struct pt_error *);
void packet_value_print(const struct packet_field *, const struct packet_value *, char *out,
                        size_t room);

/*
 * Writes fields into a packet's bytes and adjusts every checksum that covers them incrementally
 * (RFC 1624), so that captures that are cut and fragments come out right: the IPv4 header's, and
 * through their pseudo-headers TCP's, UDP's, ICMPv6's and those of checksum.c's table. A UDP
 * checksum of 0 (none) stays 0; one that becomes 0 is written as 0xffff. One that the sender left
 * to its network card, and so has the pseudo-header's sum alone, goes on to have just that. All
 * changes of one call are taken as one delta. Fields that the packet does not have, and those that
 * are read only, are left alone; of a number that is too large the low bits are taken. A wrong
 * checksum stays as wrong as it was. Where a source route is not used up, the pseudo-header has its
 * last address and not the header's; where there is a home address, that and not the source.
 * Returns whether the bytes changed. The view must be of these bytes; nothing is done with one of
 * more bytes.
 */
struct packet_set {
	const struct packet_field *field;
	struct packet_value value;
};
bool packet_rewrite(uint8_t *bytes, size_t length, const struct packet_view *,
                    const struct packet_set *, size_t count);

/* Puts view->payload_length other bytes in the payload's place; the checksum of the transport layer
   follows as it does above. */
void packet_rewrite_payload(uint8_t *bytes, const struct packet_view *, const void *payload);

/*
 * Computes all checksums anew, of the IPv4 header and of what IP carries. Of a fragment, and where
 * the capture has not all that is covered, only the header's. UDP's 0 over IPv4 (none) stays; over
 * IPv6, which wants one, there is one then. Of a tunnel, the outer headers are meant. Returns
 * whether the bytes changed.
 */
bool packet_checksums(uint8_t *bytes, size_t length, const struct packet_view *);
/* Those of the packets in its tunnels, from the innermost on, before its own. `bytes` are the
   message's, nobody else's. */
void packet_checksums_inside(const struct pt_msg *, uint8_t *bytes, const struct packet_view *);

/* One line for people, without newline, as `tcpdump` users expect to read it:
   "IP 10.0.0.1:443 > 10.0.0.2:55312 TCP SA seq=1 ack=2 win=64 len=0". Returns the length written
   (cut at room - 1). */
size_t packet_summary(const struct pt_msg *, char *out, size_t room);

/* Adds to a line how consoles show a message, without newline: ">" or, of the higher canal, ">>";
   then a packet's summary, or other bytes in quotes. */
struct buf;
void packet_line(struct buf *, bool high, const struct pt_msg *);

/* The first `bits` of an address of `size` bytes, 4 or 16. */
struct packet_prefix {
	uint8_t address[16];
	uint8_t size, bits;
};
int packet_prefix_parse(const char *text, struct packet_prefix *, struct pt_error *);

/*
 * Prefix-preserving anonymisation of addresses: Crypto-PAn (Xu, Fan, Ammar, Moon 2002; reference
 * implementation by Fan), with AES-128; IPv6 over all 128 bits with the same scheme. The key is 32
 * bytes: the cipher's, and the pad's. libcrypto is loaded when the first one is made. Encrypted
 * prefixes are cached, and what fragments are of is remembered. One thread at a time.
 *
 * Special addresses are their own pseudonyms: 0.0.0.0, 255.255.255.255, 127/8, link-local ones and
 * groups, ::, ::1; so is what is kept. A network or host that is embedded in a group or in an
 * interface identifier gets its pseudonym there.
 */
struct packet_anonymizer;
struct packet_anonymizer_options {
	const struct packet_prefix *keep; /* copied */
	size_t keep_count;
	bool mac;         /* MAC addresses too */
	bool pass_opaque; /* what cannot be looked into is payload */
	enum { PACKET_KEEP, PACKET_ZERO, PACKET_CUT } payload; /* of applications */
};
int packet_anonymizer_new(const uint8_t key[32], const struct packet_anonymizer_options *,
                          struct packet_anonymizer **, struct pt_error *); /* NULL: none of them */
void packet_anonymizer_free(struct packet_anonymizer *);
/* A key of a passphrase, the same everywhere: scrypt (RFC 7914) with N 16384, r 8, p 1 and the salt
   "pipetool". Takes a part of a second. */
int packet_key_stretch(const char *passphrase, uint8_t key[32], struct pt_error *);
void packet_anonymize_address(struct packet_anonymizer *, uint8_t *address, size_t length);

/*
 * Every address of the packet, also of what it carries or quotes, down to the applications' bytes;
 * checksums are put right. Of headers that the capture cut, what is there of the addresses. The
 * length becomes smaller where payloads are cut. PACKET_OPAQUE: it may hold addresses where nobody
 * can look, and its bytes are half done.
 */
enum packet_anonymized { PACKET_SAME, PACKET_CHANGED, PACKET_OPAQUE };
enum packet_anonymized packet_anonymize(struct packet_anonymizer *, uint8_t *bytes, size_t *length,
                                        uint16_t link_type);

#endif
