/* SPDX-License-Identifier: BSD-2-Clause */
/* The difference of two sums is the sum of the differences. */
#include "script/payload.h"

#include <string.h>

/* Where each transport layer has its checksum, which covers all that follows the layer's start. */
static const struct {
	enum packet_layer layer;
	uint32_t offset;
} sums[] = {{PACKET_TCP, 16}, {PACKET_UDP, 6}, {PACKET_ICMP, 2}, {PACKET_ICMP6, 2}};

/* Of 16-bit words, big-endian, as if it began on one; `odd`: half a word later. */
static uint64_t sum(const uint8_t *bytes, size_t length, bool odd)
{
	uint64_t total = 0;
	for (size_t i = 0; i < length; i++)
		total += (i & 1) == odd ? (uint64_t)bytes[i] << 8 : bytes[i];
	return total;
}

static uint16_t fold(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

/* How many bytes of the payload a UDP header's length takes in; behind it may be others. */
static uint32_t covered(const uint8_t *udp, uint32_t header, uint32_t length)
{
	uint32_t all = (uint32_t)(udp[4] << 8 | udp[5]);
	uint32_t said = all > header ? all - header : 0;
	return said && said < length ? said : length;
}

void payload_write(uint8_t *bytes, const struct packet_view *v, const void *payload)
{
	uint32_t start = v->offset[PACKET_PAYLOAD], length = v->payload_length;
	for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
		if (!packet_has(v, sums[i].layer))
			continue;
		uint8_t *at = bytes + v->offset[sums[i].layer] + sums[i].offset;
		uint16_t old = (uint16_t)(at[0] << 8 | at[1]);
		uint32_t header = start - v->offset[sums[i].layer], count = length;
		bool udp = sums[i].layer == PACKET_UDP, odd = header & 1;
		if (udp && !old)
			break;
		if (udp)
			count = covered(at - sums[i].offset, header, length);
		uint16_t gone = fold(sum(bytes + start, count, odd));
		uint16_t come = fold(sum(payload, count, odd));
		uint16_t now = (uint16_t)~fold((uint16_t)~old + (uint64_t)(uint16_t)~gone + come);
		if (udp && !now)
			now = 0xffff;
		at[0] = (uint8_t)(now >> 8);
		at[1] = (uint8_t)now;
		break;
	}
	memcpy(bytes + start, payload, length);
}
