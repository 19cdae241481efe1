/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be captured, and how. */
#ifndef CAPTURE_LIVE_CONFIG_H
#define CAPTURE_LIVE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum live_direction { LIVE_INOUT, LIVE_IN, LIVE_OUT };
extern const char *const live_directions[], *const live_fanout_words[];

struct live_config {
	const char *netns;  /* the network namespace, as netns.h has it, or NULL */
	const char *iface;  /* NULL: the first that is up */
	int socket;         /* -1, or an AF_PACKET socket: duplicated, not owned */
	const char *filter; /* pcap-filter(7), or NULL */
	uint32_t snaplen;
	bool promisc, immediate;
	uint64_t buffer_size;
	bool stored;      /* its descriptors outlive the process: it is read on by another */
	unsigned hold_ms; /* at least so long blocks last that hold little; 0: 2 ms each */
	int fanout;       /* a PACKET_FANOUT group, or 0 */
	int fanout_by;
	enum live_direction direction;
};

/* Where a ring is found again by another process that has its socket, and how far it was read. */
struct live_mark {
	uint64_t unit;   /* how many were read before */
	uint32_t packet; /* of it, comes next */
	uint32_t version, unit_size, count;
	uint16_t link_type;
	uint16_t filters; /* what lies in it has not passed the filter */
};

struct live_marks {
	struct live_mark ring, standby; /* with a count of 0 where there is none */
};

#endif
