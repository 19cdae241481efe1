/* SPDX-License-Identifier: BSD-2-Clause */
/* Live capture: packets of an interface, or of a packet socket that was handed over. */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include <pipetool/error.h>
#include <pipetool/msg.h>

struct live;

enum live_direction { LIVE_INOUT, LIVE_IN, LIVE_OUT };
extern const char *const live_directions[], *const live_fanout_words[];

struct live_config {
	const char *iface;  /* NULL: the first that is up */
	int socket;         /* -1, or an AF_PACKET socket: duplicated, not owned */
	const char *filter; /* pcap-filter(7), or NULL */
	uint32_t snaplen;
	bool promisc, immediate;
	uint64_t buffer_size;
	int fanout; /* a PACKET_FANOUT group, or 0 */
	int fanout_by;
	enum live_direction direction;
};

/* Whether the filter is one for any kind of link; libpcap's words if not. May ask for names of
   hosts. [any thread] */
int live_check_filter(const char *filter, struct pt_error *);

/* Opens and begins to capture: what comes from now on is buffered by the kernel. May block. */
int live_open(const struct live_config *, struct live **, struct pt_error *);
void live_release(struct live *); /* gives back the pool's memory, on the pool's thread, before … */
void live_close(struct live *);   /* … this, on any thread; NULL does nothing */

/* For a capture that goes on. What filter, snaplen and promisc make of it: compiled, and tried on
   the interface, so that whatever would keep it from being opened is told. May block. */
struct live_filter;
int live_filter_new(const struct live_config *, struct live_filter **, struct pt_error *);
void live_filter_free(struct live_filter *); /* NULL does nothing */
/* From one packet to the next, on the reader's thread; what was captured before has passed the old
   filter, and can still be read. On cooked interfaces ("any") the kernel may drop packets for some
   microseconds meanwhile. A negative errno: the old one stays. */
int live_change(struct live *, const struct live_filter *);
/* From the next packet on. */
void live_set_direction(struct live *, enum live_direction);
/* What came before can still be read, and nothing comes any more, until live_change. */
void live_mute(struct live *);
/* Whether something in the configuration can only be had by opening it anew: the size of the
   buffer, a greater snaplen, immediate, fanout. */
bool live_is_other(const struct live *, const struct live_config *);
/* [any thread] As far as this socket is concerned; `fd` is a duplicate of live_fd. */
void live_set_promisc(int fd, bool promisc);

const char *live_name(const struct live *); /* the interface's, or "socket" */
int live_fd(const struct live *);           /* to be polled for reading */

/* Up to `max` packets that have come. Returns how many; 0: none now, poll; -ENOMEM: the pool's
   limit; another negative code with words: the interface is gone. Never waits. */
int live_read(struct live *, struct pt_pool *, struct pt_msg **messages, unsigned max,
              struct pt_error *);

/* Whether nothing can come because the interface is down; it may come up again. To be asked when
   the descriptor was readable and nothing came. */
bool live_is_down(const struct live *);

/* Packets that the kernel dropped, and that the pool had no memory for, since the last call. */
void live_lost(struct live *, uint64_t *kernel, uint64_t *memory);

#endif
