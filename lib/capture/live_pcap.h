/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of what is no network interface, or one of a kind that libpcap knows better: USB, D-Bus,
   nflog, Bluetooth, PPP. They are copied. */
#ifndef CAPTURE_LIVE_PCAP_H
#define CAPTURE_LIVE_PCAP_H

#include "capture/live_filter.h"
#include <pipetool/msg.h>

struct live_pcap;

int live_pcap_open(const struct live_config *, const char *iface, struct live_pcap **,
                   struct pt_error *);
void live_pcap_release(struct live_pcap *); /* as live_release and live_close */
void live_pcap_close(struct live_pcap *);

int live_pcap_compile(const struct live_config *, const char *iface, struct live_filter *,
                      struct pt_error *);
int live_pcap_change(struct live_pcap *, const struct live_filter *);
void live_pcap_set_direction(struct live_pcap *, enum live_direction);
void live_pcap_mute(struct live_pcap *);
int live_pcap_fd(const struct live_pcap *);
int live_pcap_read(struct live_pcap *, struct pt_pool *, struct pt_msg **messages, unsigned max,
                   struct pt_error *);
void live_pcap_lost(struct live_pcap *, uint64_t *kernel, uint64_t *memory);

#endif
