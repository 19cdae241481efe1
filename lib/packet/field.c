/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields that users name: the table, and values as text. */
#include "packet/packet.h"
#include "packet/inside.h"
#include "base/near.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_ONLY true
#define QUERY     false, true

/* clang-format off */
const struct packet_field packet_fields[] = {
	/* layer  name        in            kind      offset size shift bits */
	{"eth",   "dst",      PACKET_ETH,   PACKET_MAC,    0,  6,  0, 48},
	{"eth",   "src",      PACKET_ETH,   PACKET_MAC,    6,  6,  0, 48},
	{"eth",   "type",     PACKET_ETH,   PACKET_NUMBER, 12, 2,  0, 16},

	{"vlan",  "id",       PACKET_VLAN,  PACKET_NUMBER, 0,  2,  0, 12},
	{"vlan",  "vlan",     PACKET_VLAN,  PACKET_NUMBER, 0,  2,  0, 12},
	{"vlan",  "priority", PACKET_VLAN,  PACKET_NUMBER, 0,  2, 13,  3},
	{"vlan",  "prio",     PACKET_VLAN,  PACKET_NUMBER, 0,  2, 13,  3},
	{"vlan",  "dei",      PACKET_VLAN,  PACKET_FLAG,   0,  2, 12,  1},
	{"vlan",  "type",     PACKET_VLAN,  PACKET_NUMBER, 2,  2,  0, 16},

	{"arp",   "hwtype",   PACKET_ARP,   PACKET_NUMBER, 0,  2,  0, 16},
	{"arp",   "ptype",    PACKET_ARP,   PACKET_NUMBER, 2,  2,  0, 16, READ_ONLY},
	{"arp",   "hwlen",    PACKET_ARP,   PACKET_NUMBER, 4,  1,  0,  8, READ_ONLY},
	{"arp",   "plen",     PACKET_ARP,   PACKET_NUMBER, 5,  1,  0,  8, READ_ONLY},
	{"arp",   "op",       PACKET_ARP,   PACKET_NUMBER, 6,  2,  0, 16},
	{"arp",   "hwsrc",    PACKET_ARP,   PACKET_MAC,    8,  6,  0, 48},
	{"arp",   "psrc",     PACKET_ARP,   PACKET_IPV4,   14, 4,  0, 32},
	{"arp",   "hwdst",    PACKET_ARP,   PACKET_MAC,    18, 6,  0, 48},
	{"arp",   "pdst",     PACKET_ARP,   PACKET_IPV4,   24, 4,  0, 32},

	{"ip",    "src",      PACKET_IP,    PACKET_IPV4,   12, 4,  0, 32},
	{"ip",    "dst",      PACKET_IP,    PACKET_IPV4,   16, 4,  0, 32},
	{"ip",    "ttl",      PACKET_IP,    PACKET_NUMBER, 8,  1,  0,  8},
	{"ip",    "tos",      PACKET_IP,    PACKET_NUMBER, 1,  1,  0,  8},
	{"ip",    "dscp",     PACKET_IP,    PACKET_NUMBER, 1,  1,  2,  6},
	{"ip",    "ecn",      PACKET_IP,    PACKET_NUMBER, 1,  1,  0,  2},
	{"ip",    "id",       PACKET_IP,    PACKET_NUMBER, 4,  2,  0, 16},
	{"ip",    "len",      PACKET_IP,    PACKET_NUMBER, 2,  2,  0, 16, READ_ONLY},
	{"ip",    "proto",    PACKET_IP,    PACKET_NUMBER, 9,  1,  0,  8},
	{"ip",    "flags",    PACKET_IP,    PACKET_NUMBER, 6,  2, 13,  3},
	{"ip",    "df",       PACKET_IP,    PACKET_FLAG,   6,  2, 14,  1},
	{"ip",    "mf",       PACKET_IP,    PACKET_FLAG,   6,  2, 13,  1},
	{"ip",    "frag",     PACKET_IP,    PACKET_NUMBER, 6,  2,  0, 13},
	{"ip",    "chksum",   PACKET_IP,    PACKET_NUMBER, 10, 2,  0, 16, READ_ONLY},
	{"ip",    "version",  PACKET_IP,    PACKET_NUMBER, 0,  1,  4,  4, READ_ONLY},
	{"ip",    "ihl",      PACKET_IP,    PACKET_NUMBER, 0,  1,  0,  4, READ_ONLY},

	{"ip6",   "src",      PACKET_IP6,   PACKET_IPV6,   8, 16,  0, 128},
	{"ip6",   "dst",      PACKET_IP6,   PACKET_IPV6,   24, 16, 0, 128},
	{"ip6",   "hlim",     PACKET_IP6,   PACKET_NUMBER, 7,  1,  0,  8},
	{"ip6",   "tc",       PACKET_IP6,   PACKET_NUMBER, 0,  2,  4,  8},
	{"ip6",   "dscp",     PACKET_IP6,   PACKET_NUMBER, 0,  2,  6,  6},
	{"ip6",   "ecn",      PACKET_IP6,   PACKET_NUMBER, 0,  2,  4,  2},
	{"ip6",   "fl",       PACKET_IP6,   PACKET_NUMBER, 0,  4,  0, 20},
	{"ip6",   "plen",     PACKET_IP6,   PACKET_NUMBER, 4,  2,  0, 16, READ_ONLY},
	{"ip6",   "nh",       PACKET_IP6,   PACKET_NUMBER, 6,  1,  0,  8},
	{"ip6",   "version",  PACKET_IP6,   PACKET_NUMBER, 0,  1,  4,  4, READ_ONLY},

	{"tcp",   "sport",    PACKET_TCP,   PACKET_NUMBER, 0,  2,  0, 16},
	{"tcp",   "dport",    PACKET_TCP,   PACKET_NUMBER, 2,  2,  0, 16},
	{"tcp",   "seq",      PACKET_TCP,   PACKET_NUMBER, 4,  4,  0, 32},
	{"tcp",   "ack",      PACKET_TCP,   PACKET_NUMBER, 8,  4,  0, 32},
	{"tcp",   "dataofs",  PACKET_TCP,   PACKET_NUMBER, 12, 1,  4,  4, READ_ONLY},
	{"tcp",   "reserved", PACKET_TCP,   PACKET_NUMBER, 12, 1,  1,  3},
	{"tcp",   "flags",    PACKET_TCP,   PACKET_NUMBER, 12, 2,  0,  9},
	{"tcp",   "fin",      PACKET_TCP,   PACKET_FLAG,   13, 1,  0,  1},
	{"tcp",   "syn",      PACKET_TCP,   PACKET_FLAG,   13, 1,  1,  1},
	{"tcp",   "rst",      PACKET_TCP,   PACKET_FLAG,   13, 1,  2,  1},
	{"tcp",   "psh",      PACKET_TCP,   PACKET_FLAG,   13, 1,  3,  1},
	{"tcp",   "ackflag",  PACKET_TCP,   PACKET_FLAG,   13, 1,  4,  1},
	{"tcp",   "urg",      PACKET_TCP,   PACKET_FLAG,   13, 1,  5,  1},
	{"tcp",   "ece",      PACKET_TCP,   PACKET_FLAG,   13, 1,  6,  1},
	{"tcp",   "cwr",      PACKET_TCP,   PACKET_FLAG,   13, 1,  7,  1},
	{"tcp",   "ns",       PACKET_TCP,   PACKET_FLAG,   12, 1,  0,  1},
	{"tcp",   "window",   PACKET_TCP,   PACKET_NUMBER, 14, 2,  0, 16},
	{"tcp",   "chksum",   PACKET_TCP,   PACKET_NUMBER, 16, 2,  0, 16, READ_ONLY},
	{"tcp",   "urgptr",   PACKET_TCP,   PACKET_NUMBER, 18, 2,  0, 16},

	{"udp",   "sport",    PACKET_UDP,   PACKET_NUMBER, 0,  2,  0, 16},
	{"udp",   "dport",    PACKET_UDP,   PACKET_NUMBER, 2,  2,  0, 16},
	{"udp",   "len",      PACKET_UDP,   PACKET_NUMBER, 4,  2,  0, 16, READ_ONLY},
	{"udp",   "chksum",   PACKET_UDP,   PACKET_NUMBER, 6,  2,  0, 16, READ_ONLY},

	{"icmp",  "type",     PACKET_ICMP,  PACKET_NUMBER, 0,  1,  0,  8},
	{"icmp",  "code",     PACKET_ICMP,  PACKET_NUMBER, 1,  1,  0,  8},
	{"icmp",  "chksum",   PACKET_ICMP,  PACKET_NUMBER, 2,  2,  0, 16, READ_ONLY},
	{"icmp",  "id",       PACKET_ICMP,  PACKET_NUMBER, 4,  2,  0, 16, QUERY},
	{"icmp",  "seq",      PACKET_ICMP,  PACKET_NUMBER, 6,  2,  0, 16, QUERY},

	{"icmp6", "type",     PACKET_ICMP6, PACKET_NUMBER, 0,  1,  0,  8},
	{"icmp6", "code",     PACKET_ICMP6, PACKET_NUMBER, 1,  1,  0,  8},
	{"icmp6", "chksum",   PACKET_ICMP6, PACKET_NUMBER, 2,  2,  0, 16, READ_ONLY},
	{"icmp6", "id",       PACKET_ICMP6, PACKET_NUMBER, 4,  2,  0, 16, QUERY},
	{"icmp6", "seq",      PACKET_ICMP6, PACKET_NUMBER, 6,  2,  0, 16, QUERY},
	{NULL},
};
/* clang-format on */

enum { FIELDS = sizeof packet_fields / sizeof packet_fields[0] - 1 };

const struct packet_field *packet_field(const char *layer, const char *name)
{
	for (const struct packet_field *f = packet_fields; f->name; f++)
		if (!strcmp(f->name, name) && !strcmp(f->layer, layer))
			return f;
	return NULL;
}

static const struct packet_field *find(const char *dotted)
{
	for (const struct packet_field *f = packet_fields; f->name; f++) {
		size_t size = strlen(f->layer);
		if (!strncmp(dotted, f->layer, size) && dotted[size] == '.' &&
		    !strcmp(dotted + size + 1, f->name))
			return f;
	}
	return NULL;
}

const struct packet_field *packet_field_get(const char *dotted, struct pt_error *err)
{
	char names[FIELDS][24];
	struct near near = near_init(dotted);
	const struct packet_field *field = find(dotted);

	if (field)
		return field;
	for (unsigned i = 0; i < FIELDS; i++) {
		snprintf(names[i], sizeof names[i], "%s.%s", packet_fields[i].layer,
		         packet_fields[i].name);
		near_try(&near, names[i]);
	}
	pt_fail(err, -PT_EPARAM, NULL, "packets have no field '%s'%s", dotted,
	        near_say(&near, "; fields are written as 'ip.src' or 'tcp.dport'"));
	return NULL;
}

bool icmp_is_query(enum packet_layer layer, uint8_t type)
{
	if (layer == PACKET_ICMP6)
		return type == 128 || type == 129;
	return type == 0 || type == 8 || (type >= 13 && type <= 18);
}

bool packet_read(const uint8_t *bytes, const struct packet_view *view,
                 const struct packet_field *field, struct packet_value *value)
{
	struct packet_value v = {0};

	if (!packet_has(view, field->in))
		return false;
	const uint8_t *layer = bytes + view->offset[field->in];
	if (field->query && !icmp_is_query(field->in, layer[0]))
		return false;
	if (field->kind == PACKET_NUMBER || field->kind == PACKET_FLAG) {
		for (unsigned i = 0; i < field->size; i++)
			v.number = v.number << 8 | layer[field->offset + i];
		v.number = v.number >> field->shift & ((1ull << field->bits) - 1);
	} else {
		memcpy(v.bytes, layer + field->offset, field->size);
	}
	*value = v;
	return true;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	char separator = strchr(text, '-') ? '-' : ':';

	for (unsigned i = 0; i < 6; i++) {
		char *end;
		unsigned long byte = strtoul(text, &end, 16);
		if (end == text || end > text + 2 || strchr("+- \t\n\v\f\rxX", text[0]) ||
		    (end[0] != (i < 5 ? separator : '\0')))
			return false;
		mac[i] = (uint8_t)byte;
		text = end + 1;
	}
	return true;
}

static bool parse_tcp_flags(const char *text, uint64_t *number)
{
	static const char letters[] = "FSRPAUECN";
	uint64_t flags = 0;

	for (; *text; text++) {
		const char *letter = strchr(letters, *text);
		if (!letter)
			return false;
		flags |= 1ull << (letter - letters);
	}
	*number = flags;
	return true;
}

static bool parse_number(const char *text, uint64_t *number)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!digits[0] || strchr("+- \t\n\v\f\r", digits[0]) || (hex && strpbrk(digits, "xX")))
		return false;
	errno = 0;
	*number = strtoull(digits, &end, hex ? 16 : 10);
	if (errno == ERANGE)
		*number = UINT64_MAX;
	return !*end;
}

static bool parse_flag(const char *text, uint64_t *number)
{
	bool yes = !strcasecmp(text, "true") || !strcmp(text, "1");

	*number = yes;
	return yes || !strcasecmp(text, "false") || !strcmp(text, "0");
}

static bool is_tcp_flags(const struct packet_field *field)
{
	return field->in == PACKET_TCP && field->bits == 9;
}

static bool parse(const struct packet_field *field, const char *text, struct packet_value *v)
{
	switch (field->kind) {
	case PACKET_MAC: return parse_mac(text, v->bytes);
	case PACKET_IPV4: return inet_pton(AF_INET, text, v->bytes) == 1;
	case PACKET_IPV6: return inet_pton(AF_INET6, text, v->bytes) == 1;
	case PACKET_FLAG: return parse_flag(text, &v->number);
	case PACKET_NUMBER:
		return parse_number(text, &v->number) ||
		       (is_tcp_flags(field) && parse_tcp_flags(text, &v->number));
	}
	return false;
}

static const char *expected(const struct packet_field *field)
{
	switch (field->kind) {
	case PACKET_MAC: return "a hardware address such as 00:11:22:33:44:55";
	case PACKET_IPV4: return "an IPv4 address such as 192.0.2.1";
	case PACKET_IPV6: return "an IPv6 address such as 2001:db8::1";
	case PACKET_FLAG: return "true or false";
	case PACKET_NUMBER: break;
	}
	return is_tcp_flags(field) ? "a number or letters such as SA" : "a number";
}

int packet_value_parse(const struct packet_field *field, const char *text,
                       struct packet_value *value, struct pt_error *err)
{
	struct packet_value v = {0};

	if (!parse(field, text, &v))
		return pt_fail(err, -PT_EPARAM, NULL, "%s.%s: '%s' is not %s", field->layer,
		               field->name, text, expected(field));
	if (field->bits < 64 && v.number >> field->bits)
		return pt_fail(err, -PT_EPARAM, NULL, "%s.%s: %s is too large; at most %" PRIu64,
		               field->layer, field->name, text, ((uint64_t)1 << field->bits) - 1);
	*value = v;
	return 0;
}

void packet_value_print(const struct packet_field *field, const struct packet_value *v, char *out,
                        size_t room)
{
	const uint8_t *b = v->bytes;

	switch (field->kind) {
	case PACKET_MAC:
		snprintf(out, room, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		         b[5]);
		break;
	case PACKET_IPV4: inet_ntop(AF_INET, b, out, (socklen_t)room); break;
	case PACKET_IPV6: inet_ntop(AF_INET6, b, out, (socklen_t)room); break;
	case PACKET_FLAG: snprintf(out, room, "%s", v->number ? "true" : "false"); break;
	case PACKET_NUMBER: snprintf(out, room, "%" PRIu64, v->number); break;
	}
}
