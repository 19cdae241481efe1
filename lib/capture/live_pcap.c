/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap; what it shows is copied into chunks, many packets to one. */
#include "capture/live_pcap.h"

#include "base/buf.h"
#include "base/clock.h"
#include "capture/interface.h"
#include "capture/live_socket.h"
#include "msg/link_type.h"
#include "msg/pool.h"
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK        (256 * 1024)
#define TIMEOUT_MS   2 /* so long a packet may wait */
#define NS_PER_S     UINT64_C(1000000000)
#define SETTLE_NS    NS_PER_S
#define PROBE_BUFFER (1024 * 1024)

struct live_pcap {
	char *name;
	pcap_t *pcap;
	uint16_t link_type;
	/* What came before the filter was there has not passed it: times of the packets' clock, and
	   of the monotonic one. */
	uint64_t filtered_from_ns, settled_ns;
	unsigned drops_seen;
	uint64_t no_memory;
	char *fault; /* what ended the capture, after packets that came before it */
	struct pt_chunk *chunk;
	size_t used;
	/* While packets come. */
	struct pt_pool *pool;
	struct pt_msg **messages;
	unsigned count;
};

/* ---- opening ---- */

static int cannot_activate(const struct live_pcap *l, int status, struct pt_error *err)
{
	const char *words = pcap_geterr(l->pcap);
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE: {
		int rc = interface_index(-1, l->name, err);
		return rc < 0 ? rc
		              : pt_fail(err, -ENODEV, "iface", "cannot capture on '%s'", l->name);
	}
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return interface_not_permitted(l->name, "capture", err);
	case PCAP_ERROR_IFACE_NOT_UP: return interface_not_up(l->name, err);
	}
	return pt_fail(err, -EIO, "iface", "cannot capture on '%s': %s", l->name,
	               *words ? words : pcap_statustostr(status));
}

static int compile(struct live_pcap *l, const char *filter, struct bpf_program *program,
                   struct pt_error *err)
{
	if (pcap_compile(l->pcap, program, filter ? filter : "", 1, PCAP_NETMASK_UNKNOWN) < 0)
		return pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(l->pcap));
	return 0;
}

static int set_filter(struct live_pcap *l, const char *filter, struct pt_error *err)
{
	struct bpf_program program;
	int rc = compile(l, filter, &program, err);
	if (rc)
		return rc;
	if (pcap_setfilter(l->pcap, &program) < 0)
		rc = pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(l->pcap));
	pcap_freecode(&program);
	l->filtered_from_ns = clock_of_ns(CLOCK_REALTIME);
	l->settled_ns = clock_ns() + SETTLE_NS;
	return rc;
}

static int activate(struct live_pcap *l, const struct live_config *config, struct pt_error *err)
{
	char words[PCAP_ERRBUF_SIZE] = "";
	l->pcap = pcap_create(l->name, words);
	if (!l->pcap)
		return pt_fail(err, -EIO, "iface", "cannot capture on '%s': %s", l->name, words);
	pcap_set_snaplen(l->pcap, (int)config->snaplen);
	pcap_set_promisc(l->pcap, config->promisc);
	pcap_set_timeout(l->pcap, TIMEOUT_MS);
	pcap_set_buffer_size(l->pcap, (int)config->buffer_size);
	pcap_set_immediate_mode(l->pcap, config->immediate);
	pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO);
	int status = pcap_activate(l->pcap);
	if (status < 0)
		return cannot_activate(l, status, err);
	l->link_type = link_type_of_dlt(pcap_datalink(l->pcap));
	int rc = config->filter ? set_filter(l, config->filter, err) : 0;
	if (rc == 0 && config->fanout)
		rc = live_socket_fanout(pcap_fileno(l->pcap), config, err);
	if (rc)
		return rc;
	live_pcap_set_direction(l, config->direction);
	if (pcap_setnonblock(l->pcap, 1, words) < 0 || pcap_get_selectable_fd(l->pcap) < 0)
		return pt_fail(err, -EIO, "iface", "cannot wait for packets of '%s': %s", l->name,
		               words);
	return 0;
}

int live_pcap_open(const struct live_config *config, const char *iface, struct live_pcap **result,
                   struct pt_error *err)
{
	struct live_pcap *l = must_calloc(1, sizeof *l);
	l->name = must_strdup(iface);
	int rc = activate(l, config, err);
	if (rc)
		live_pcap_close(l);
	else
		*result = l;
	return rc;
}

void live_pcap_release(struct live_pcap *l)
{
	chunk_unref(l->chunk);
	l->chunk = NULL;
}

void live_pcap_close(struct live_pcap *l)
{
	if (!l)
		return;
	live_pcap_release(l);
	if (l->pcap)
		pcap_close(l->pcap);
	free(l->fault);
	free(l->name);
	free(l);
}

/* ---- going on with another filter ---- */

int live_pcap_compile(const struct live_config *config, const char *iface, struct live_filter *f,
                      struct pt_error *err)
{
	struct live_config probe = *config;
	struct live_pcap *l;
	struct bpf_program program;
	probe.filter = NULL;
	probe.buffer_size = PROBE_BUFFER;
	probe.fanout = 0;
	int rc = live_pcap_open(&probe, iface, &l, err);
	if (rc)
		return rc;
	rc = compile(l, config->filter, &program, err);
	live_pcap_close(l);
	if (rc)
		return rc;
	live_filter_set(f, &program, config->snaplen);
	pcap_freecode(&program);
	return 0;
}

int live_pcap_change(struct live_pcap *l, const struct live_filter *f)
{
	struct bpf_program program = f->whole;
	return pcap_setfilter(l->pcap, &program) < 0 ? -EINVAL : 0;
}

void live_pcap_set_direction(struct live_pcap *l, enum live_direction direction)
{
	static const pcap_direction_t words[] = {PCAP_D_INOUT, PCAP_D_IN, PCAP_D_OUT};
	pcap_setdirection(l->pcap, words[direction]);
}

void live_pcap_mute(struct live_pcap *l)
{
	struct bpf_insn none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct bpf_program nothing = {1, &none};
	pcap_setfilter(l->pcap, &nothing);
}

int live_pcap_fd(const struct live_pcap *l)
{
	return pcap_get_selectable_fd(l->pcap);
}

/* ---- reading ---- */

static bool make_room(struct live_pcap *l, size_t length)
{
	if (l->chunk && chunk_size(l->chunk) - l->used >= length)
		return true;
	struct pt_chunk *fresh = chunk_new(l->pool, length > CHUNK ? length : CHUNK);
	if (!fresh)
		return false;
	chunk_unref(l->chunk);
	l->chunk = fresh;
	l->used = 0;
	return true;
}

/* Only at first, so that a clock that is set back later does no harm. */
static bool is_unfiltered(struct live_pcap *l, uint64_t time_ns)
{
	if (l->filtered_from_ns && clock_ns() > l->settled_ns)
		l->filtered_from_ns = 0;
	return time_ns < l->filtered_from_ns;
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct live_pcap *l = (struct live_pcap *)(void *)arg;
	uint64_t time_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec;
	if (is_unfiltered(l, time_ns))
		return;
	if (!make_room(l, h->caplen)) {
		l->no_memory++;
		return;
	}
	uint8_t *at = chunk_bytes(l->chunk) + l->used;
	memcpy(at, bytes, h->caplen);
	l->used += h->caplen;
	struct pt_msg *m = msg_cut(l->pool, l->chunk, at, h->caplen);
	m->wire_length = h->len;
	m->time_ns = (int64_t)time_ns;
	m->link_type = l->link_type;
	l->messages[l->count++] = m;
}

static int dispatch(struct live_pcap *l, unsigned max, struct pt_error *err)
{
	int rc = l->fault ? -1 : pcap_dispatch(l->pcap, (int)max, on_packet, (u_char *)l);
	if (rc >= 0)
		return rc;
	if (!l->fault)
		l->fault = must_strdup(pcap_geterr(l->pcap));
	if (l->count)
		return 0;
	return pt_fail(err, -ENETDOWN, "iface", "the capture on '%s' ended: %s", l->name, l->fault);
}

/* Where all that was read is of before the filter there is more to be read. */
int live_pcap_read(struct live_pcap *l, struct pt_pool *pool, struct pt_msg **messages,
                   unsigned max, struct pt_error *err)
{
	uint64_t no_memory = l->no_memory;
	int n;
	l->pool = pool;
	l->messages = messages;
	l->count = 0;
	if (!make_room(l, 1))
		return -ENOMEM;
	do
		n = dispatch(l, max, err);
	while (n > 0 && !l->count && l->no_memory == no_memory);
	return l->count ? (int)l->count : n > 0 ? -ENOMEM : n;
}

void live_pcap_lost(struct live_pcap *l, uint64_t *kernel, uint64_t *memory)
{
	struct pcap_stat stat;
	*kernel = 0;
	*memory = l->no_memory;
	l->no_memory = 0;
	if (pcap_stats(l->pcap, &stat) < 0)
		return;
	*kernel = stat.ps_drop - l->drops_seen;
	l->drops_seen = stat.ps_drop;
}
