/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and numbers of link types, as libpcap knows them. */
#include "msg/link_type.h"

#include <pipetool/msg.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>

/* libpcap's DLT_ numbers are those of files except for these. */
static const struct {
	uint16_t link_type, dlt;
} others[] = {
	{100, DLT_ATM_RFC1483}, {101, DLT_RAW},      {102, DLT_SLIP_BSDOS},
	{103, DLT_PPP_BSDOS},   {106, DLT_ATM_CLIP}, {246, DLT_PFSYNC},
};

enum { OTHERS = sizeof others / sizeof others[0] };

int link_type_dlt(uint16_t link_type)
{
	for (unsigned i = 0; i < OTHERS; i++)
		if (others[i].link_type == link_type)
			return others[i].dlt;
	return link_type;
}

uint16_t link_type_of_dlt(int dlt)
{
	for (unsigned i = 0; i < OTHERS; i++)
		if (others[i].dlt == dlt)
			return others[i].link_type;
	return (uint16_t)dlt;
}

const char *link_type_name(uint16_t link_type)
{
	bool in_files = link_type_of_dlt(link_type_dlt(link_type)) == link_type;
	return in_files ? pcap_datalink_val_to_name(link_type_dlt(link_type)) : NULL;
}

uint32_t link_type_packet_max(uint16_t link_type)
{
	switch (link_type) {
	case 186: /* USB_FREEBSD */
	case 189: /* USB_LINUX */
	case 220: /* USB_LINUX_MMAPPED */
	case 231: /* DBUS */
	case 249: /* USBPCAP */
	case 266: /* USB_DARWIN */ return 128 * 1024 * 1024;
	case 279: /* EBHSCR */ return 8 * 1024 * 1024;
	default: return LINK_TYPE_PACKET_MAX;
	}
}

static int parse_number(const char *text, uint16_t *link_type)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*end || number >= PT_NO_LINK_TYPE)
		return -EINVAL;
	*link_type = (uint16_t)number;
	return 0;
}

int link_type_parse(const char *name, uint16_t *link_type)
{
	if (name[0] >= '0' && name[0] <= '9')
		return parse_number(name, link_type);

	int dlt = pcap_datalink_name_to_val(name);
	if (dlt < 0 || dlt >= PT_NO_LINK_TYPE)
		return -EINVAL;
	*link_type = link_type_of_dlt(dlt);
	return 0;
}
