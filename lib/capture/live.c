/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap on an interface; what it shows is copied into chunks, many packets to one. */
#include "capture/live.h"

#include "base/buf.h"
#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_socket.h"
#include "msg/pool.h"
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      (256 * 1024)
#define BATCH      64
#define TIMEOUT_MS 10 /* so long a packet may wait in a block of the ring */

struct live {
	char *name;
	pcap_t *pcap;
	struct live_socket *socket;
	uint16_t link_type;
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

int live_check_filter(const char *filter, struct pt_error *err)
{
	static const int kinds[] = {DLT_EN10MB, DLT_RAW, DLT_LINUX_SLL, DLT_IEEE802_11_RADIO};
	char *words = NULL;
	bool good = false;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !good; i++) {
		struct bpf_program program;
		pcap_t *dead = pcap_open_dead(kinds[i], CHUNK);
		if (!dead)
			abort();
		good = pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
		if (good)
			pcap_freecode(&program);
		else if (!words)
			words = must_strdup(pcap_geterr(dead));
		pcap_close(dead);
	}
	int rc = good ? 0 : pt_fail(err, -EINVAL, "filter", "%s", words);
	free(words);
	return rc;
}

/* DLT_ numbers that are not their LINKTYPE_ ones. */
static uint16_t link_type_of(int dlt)
{
	switch (dlt) {
	case DLT_ATM_RFC1483: return 100;
	case DLT_RAW: return 101;
	case DLT_SLIP_BSDOS: return 102;
	case DLT_PPP_BSDOS: return 103;
	case DLT_ATM_CLIP: return 106;
	case DLT_PFSYNC: return 246;
	}
	return (uint16_t)dlt;
}

static int cannot_activate(const struct live *l, int status, struct pt_error *err)
{
	const char *words = pcap_geterr(l->pcap);
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE: {
		int rc = interface_index(l->name, err);
		return rc < 0 ? rc
		              : pt_fail(err, -ENODEV, "iface", "cannot capture on '%s'", l->name);
	}
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return interface_not_permitted(l->name, "capture", err);
	case PCAP_ERROR_IFACE_NOT_UP:
		pt_fail(err, -ENETDOWN, "iface", "interface '%s' is down", l->name);
		pt_hint(err, "ip link set %s up", l->name);
		return -ENETDOWN;
	}
	return pt_fail(err, -EIO, "iface", "cannot capture on '%s': %s", l->name,
	               *words ? words : pcap_statustostr(status));
}

static int set_filter(struct live *l, const char *filter, struct pt_error *err)
{
	struct bpf_program program;
	if (pcap_compile(l->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(l->pcap));
	int rc = pcap_setfilter(l->pcap, &program);
	pcap_freecode(&program);
	if (rc < 0)
		return pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(l->pcap));
	return 0;
}

static int open_interface(struct live *l, const struct live_config *config, struct pt_error *err)
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
	l->link_type = link_type_of(pcap_datalink(l->pcap));
	int rc = config->filter ? set_filter(l, config->filter, err) : 0;
	if (rc == 0 && config->fanout)
		rc = live_fanout(pcap_fileno(l->pcap), config->fanout, err);
	if (rc)
		return rc;
	if (pcap_setnonblock(l->pcap, 1, words) < 0 || pcap_get_selectable_fd(l->pcap) < 0)
		return pt_fail(err, -EIO, "iface", "cannot wait for packets of '%s': %s", l->name,
		               words);
	return 0;
}

static int open_socket(struct live *l, const struct live_config *config, struct pt_error *err)
{
	int rc = live_socket_open(config, &l->socket, err);
	if (rc == 0)
		l->link_type = live_socket_link_type(l->socket);
	return rc;
}

int live_open(const struct live_config *config, struct live **result, struct pt_error *err)
{
	struct live *l = must_calloc(1, sizeof *l);
	if (config->socket >= 0)
		l->name = must_strdup("socket");
	else
		l->name = config->iface ? must_strdup(config->iface) : interface_default();
	int rc;
	if (!l->name)
		rc = pt_fail(err, -ENODEV, "iface", "no interface is up; name one");
	else
		rc = config->socket >= 0 ? open_socket(l, config, err)
		                         : open_interface(l, config, err);
	if (rc) {
		live_close(l);
		return rc;
	}
	*result = l;
	return 0;
}

void live_release(struct live *l)
{
	chunk_unref(l->chunk);
	l->chunk = NULL;
}

void live_close(struct live *l)
{
	if (!l)
		return;
	live_release(l);
	if (l->pcap)
		pcap_close(l->pcap);
	live_socket_close(l->socket);
	free(l->fault);
	free(l->name);
	free(l);
}

const char *live_name(const struct live *l)
{
	return l->name;
}

int live_fd(const struct live *l)
{
	return l->socket ? live_socket_fd(l->socket) : pcap_get_selectable_fd(l->pcap);
}

/* ---- reading ---- */

static bool make_room(struct live *l, size_t length)
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

static void take(struct live *l, const struct live_packet *p)
{
	if (!make_room(l, p->length)) {
		l->no_memory++;
		return;
	}
	uint8_t *at = chunk_bytes(l->chunk) + l->used;
	memcpy(at, p->bytes, p->length);
	l->used += p->length;
	struct pt_msg *m = msg_cut(l->pool, l->chunk, at, p->length);
	m->wire_length = p->wire_length;
	m->time_ns = p->time_ns;
	m->link_type = l->link_type;
	l->messages[l->count++] = m;
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *bytes)
{
	const struct live_packet packet = {
		.bytes = bytes,
		.length = h->caplen,
		.wire_length = h->len,
		.time_ns = (uint64_t)h->ts.tv_sec * UINT64_C(1000000000) + (uint64_t)h->ts.tv_usec,
	};
	take((struct live *)(void *)arg, &packet);
}

static int read_interface(struct live *l, unsigned max, struct pt_error *err)
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

static int read_socket(struct live *l, unsigned max, struct pt_error *err)
{
	struct live_packet packets[BATCH];
	int n = live_socket_read(l->socket, packets, max);
	for (int i = 0; i < n; i++)
		take(l, &packets[i]);
	if (n < 0)
		pt_fail(err, n, "socket", "cannot read the packet socket: %s", error_words(n));
	return n;
}

int live_read(struct live *l, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
              struct pt_error *err)
{
	l->pool = pool;
	l->messages = messages;
	l->count = 0;
	if (!make_room(l, 1))
		return -ENOMEM;
	int n = l->socket ? read_socket(l, max, err) : read_interface(l, max, err);
	return l->count ? (int)l->count : n > 0 ? -ENOMEM : n;
}

bool live_is_down(const struct live *l)
{
	return l->socket ? live_socket_is_down(l->socket) : interface_is_down(l->name);
}

void live_lost(struct live *l, uint64_t *kernel, uint64_t *memory)
{
	struct pcap_stat stat;
	*kernel = 0;
	if (l->socket) {
		*kernel = live_socket_drops(l->socket);
	} else if (pcap_stats(l->pcap, &stat) == 0) {
		*kernel = stat.ps_drop - l->drops_seen;
		l->drops_seen = stat.ps_drop;
	}
	*memory = l->no_memory;
	l->no_memory = 0;
}
