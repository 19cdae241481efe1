/* SPDX-License-Identifier: BSD-2-Clause */
/* A program of classic BPF over a vector of packets: each instruction runs once, on all those that
   stand at it. */
#ifndef SCRIPT_BPF_LANES_H
#define SCRIPT_BPF_LANES_H

#include <pcap/pcap.h>
#include <pipetool/msg.h>

#define BPF_LANES_MAX 64 /* packets at once */

struct bpf_lanes;

/* NULL: it jumps back, or is not what libpcap compiles; bpf_filter runs such a program. The program
   must live as long. */
struct bpf_lanes *bpf_lanes_new(const struct bpf_program *);
void bpf_lanes_free(struct bpf_lanes *); /* NULL does nothing */

/* A bit for each packet for which bpf_filter gives anything but 0: of those at the front that have
   the first one's link type, which *count then says. One thread at a time. */
uint64_t bpf_lanes_run(struct bpf_lanes *, struct pt_msg *const *messages, unsigned *count);

#endif
