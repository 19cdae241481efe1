/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers that a kernel gave in its own byte order, turned as libpcap turns them (pcap-common.c:
   swap_pseudo_headers), and no others: NULL's family is told by whoever reads it. */
#include "capture/byte_order.h"

#include "capture/pcapng_block.h"

#define USB_TRANSFER_AT  9
#define USB_ISOCHRONOUS  0
#define USB_HEADER       48
#define USB_DESCRIPTORS  60 /* how many there are … */
#define USB_DESCRIPTOR   16 /* … of so many bytes, the last 4 of which are padding … */
#define USB_LONG_HEADER  64 /* … behind this */
#define NFLOG_VERSION_AT 1
#define NFLOG_HEADER     4
#define NFLOG_HEAD       4 /* of a part: its length and type */
#define SLL_CAN          0x0c
#define SLL_CAN_FD       0x0d

void byte_order_turn(uint8_t *at, size_t length, unsigned bytes)
{
	for (size_t i = 0; bytes > 1 && i + bytes <= length; i += bytes)
		for (unsigned a = 0, b = bytes - 1; a < b; a++, b--) {
			uint8_t swap = at[i + a];
			at[i + a] = at[i + b];
			at[i + b] = swap;
		}
}

/* What of it was captured. */
static void turn_part(uint8_t *packet, size_t captured, size_t from, size_t end, unsigned bytes)
{
	if (from < captured)
		byte_order_turn(packet + from, (end < captured ? end : captured) - from, bytes);
}

static void turn_usb(uint8_t *packet, size_t captured)
{
	turn_part(packet, captured, 0, 8, 8);   /* the request */
	turn_part(packet, captured, 12, 14, 2); /* the bus */
	turn_part(packet, captured, 16, 24, 8); /* seconds */
	turn_part(packet, captured, 24, 40, 4); /* the rest of the time, state and lengths */
	if (captured > USB_TRANSFER_AT && packet[USB_TRANSFER_AT] == USB_ISOCHRONOUS)
		turn_part(packet, captured, 40, USB_HEADER, 4); /* else bytes of a setup */
}

static void turn_long_usb(uint8_t *packet, size_t captured)
{
	turn_usb(packet, captured);
	turn_part(packet, captured, USB_HEADER, USB_LONG_HEADER, 4);
	if (captured < USB_LONG_HEADER || packet[USB_TRANSFER_AT] != USB_ISOCHRONOUS)
		return;
	uint32_t count = pcapng_load32(false, packet + USB_DESCRIPTORS);
	for (size_t at = USB_LONG_HEADER; count && at < captured; count--, at += USB_DESCRIPTOR)
		turn_part(packet, captured, at, at + USB_DESCRIPTOR - 4, 4);
}

static void turn_nflog(uint8_t *packet, size_t captured)
{
	if (captured < NFLOG_HEADER || packet[NFLOG_VERSION_AT])
		return;
	for (size_t at = NFLOG_HEADER, size; captured - at >= NFLOG_HEAD; at += size) {
		byte_order_turn(packet + at, NFLOG_HEAD, 2);
		size = pcapng_pad(pcapng_load16(false, packet + at));
		if (size < NFLOG_HEAD || size > captured - at)
			return;
	}
}

/* The number of a frame of CAN, behind a header that tells the protocol. */
static void turn_can(uint8_t *packet, size_t captured, size_t protocol_at, size_t header)
{
	if (captured < header || packet[protocol_at])
		return;
	uint8_t protocol = packet[protocol_at + 1];
	if (protocol == SLL_CAN || protocol == SLL_CAN_FD)
		turn_part(packet, captured, header, header + 4, 4);
}

static void turn_cooked(uint8_t *packet, size_t captured)
{
	turn_can(packet, captured, 14, 16);
}

static void turn_cooked_2(uint8_t *packet, size_t captured)
{
	turn_can(packet, captured, 0, 20);
}

static const struct {
	uint16_t link_type;
	void (*turn)(uint8_t *packet, size_t captured);
} headers[] = {
	{113, turn_cooked}, {189, turn_usb},      {220, turn_long_usb},
	{239, turn_nflog},  {276, turn_cooked_2},
};

void byte_order_turn_packet(const struct pt_msg *m)
{
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (headers[i].link_type == m->link_type)
			headers[i].turn((uint8_t *)(uintptr_t)m->bytes, m->length);
}
