/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of link types, as libpcap knows them. */
#include "msg/link_type.h"

#include <pipetool/msg.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

/* libpcap names its own DLT_ numbers, which are those of files except for these. */
static const struct {
	uint16_t link_type, dlt;
} others[] = {
	{100, DLT_ATM_RFC1483}, {101, DLT_RAW},      {102, DLT_SLIP_BSDOS},
	{103, DLT_PPP_BSDOS},   {106, DLT_ATM_CLIP},
};

enum { OTHERS = sizeof others / sizeof others[0] };

const char *link_type_name(uint16_t link_type)
{
	for (unsigned i = 0; i < OTHERS; i++) {
		if (others[i].link_type == link_type)
			return pcap_datalink_val_to_name(others[i].dlt);
		if (others[i].dlt == link_type)
			return NULL;
	}
	return pcap_datalink_val_to_name(link_type);
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
	for (unsigned i = 0; i < OTHERS; i++)
		if (others[i].dlt == dlt)
			dlt = others[i].link_type;
	*link_type = (uint16_t)dlt;
	return 0;
}
