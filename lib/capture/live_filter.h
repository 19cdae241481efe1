/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of what is captured: compiled by libpcap, run by the kernel where it can. */
#ifndef CAPTURE_LIVE_FILTER_H
#define CAPTURE_LIVE_FILTER_H

#include "capture/live_config.h"
#include <pcap/pcap.h>
#include <pipetool/error.h>

#define LIVE_ETHERNET 1
#define LIVE_COOKED   113
#define LIVE_COOKED2  276

/* Of a cooked link type, else 0. */
static inline uint32_t live_cooked_size(uint16_t link_type)
{
	return link_type == LIVE_COOKED ? 16 : link_type == LIVE_COOKED2 ? 20 : 0;
}

/*
 * The kernel has taken the outer VLAN tag off what it filters, and of cooked packets it filters
 * what comes behind their header. So there are two programs; both give `snaplen`, or 0.
 */
struct live_filter {
	struct bpf_program whole; /* for frames as they are sent on */
	struct bpf_program
		kernel; /* for what the kernel has; without instructions: it cannot tell */
	uint32_t snaplen;
};

/* Whether the filter is one for any kind of link; libpcap's words if not. May ask for names of
   hosts. [any thread] */
int live_check_filter(const char *filter, struct pt_error *);

/* For an interface, or socket, of this link type. */
int live_filter_compile(const struct live_config *, uint16_t link_type, struct live_filter *,
                        struct pt_error *);
void live_filter_set(struct live_filter *, const struct bpf_program *whole, uint32_t snaplen);
void live_filter_clear(struct live_filter *);
void live_filter_copy(struct live_filter *to, const struct live_filter *);

/* From one packet to the next; 0 or a negative errno. */
int live_filter_attach(int fd, const struct bpf_program *);
int live_filter_attach_all(int fd);  /* all pass */
int live_filter_attach_none(int fd); /* none does */

/* How many bytes of the packet pass; 0: it does not. */
uint32_t live_filter_run(const struct bpf_program *, const uint8_t *bytes, uint32_t length,
                         uint32_t wire_length);

#endif
