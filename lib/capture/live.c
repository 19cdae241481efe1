/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap on an interface; what it shows is copied into chunks, many packets to one. */
#include "capture/live.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_socket.h"
#include "msg/link_type.h"
#include "msg/pool.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CHUNK        (256 * 1024)
#define BATCH        64
#define TIMEOUT_MS   10 /* so long a packet may wait in a block of the ring */
#define NS_PER_S     UINT64_C(1000000000)
#define SETTLE_NS    NS_PER_S
#define PROBE_BUFFER (1024 * 1024)

struct live {
	char *name;
	pcap_t *pcap;
	struct live_socket *socket;
	struct live_config config; /* of the buffer: without names */
	uint16_t link_type;
	/* What came before the filter was there has not passed it: times of the packets' clock, and
	   of the monotonic one. */
	uint64_t filtered_from_ns, settled_ns;
	bool by_libpcap; /* filters are its affair */
	unsigned drops_seen;
	uint64_t no_memory;
	char *fault; /* what ended the capture, after packets that came before it */
	struct pt_chunk *chunk;
	size_t used;
	struct pt_origin *origin; /* from the first packet on */
	/* While packets come. */
	struct pt_pool *pool;
	struct pt_msg **messages;
	unsigned count;
};

const char *const live_directions[] = {"inout", "in", "out", NULL};

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
			out_of_memory();
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

static int compile(struct live *l, const char *filter, struct bpf_program *program,
                   struct pt_error *err)
{
	if (pcap_compile(l->pcap, program, filter ? filter : "", 1, PCAP_NETMASK_UNKNOWN) < 0)
		return pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(l->pcap));
	return 0;
}

/* Not by libpcap, which would drop packets while it changes the filter. It knows what to do about
   cooked interfaces, though, and about filters that the kernel does not take; then it goes on
   to. */
static int attach(struct live *l, struct bpf_program *program)
{
	if (!l->by_libpcap && live_attach(pcap_fileno(l->pcap), program) == 0)
		return 0;
	l->by_libpcap = true;
	return pcap_setfilter(l->pcap, program) < 0 ? -EINVAL : 0;
}

static int set_filter(struct live *l, const char *filter, struct pt_error *err)
{
	struct bpf_program program;
	int rc = compile(l, filter, &program, err);
	if (rc)
		return rc;
	rc = attach(l, &program);
	pcap_freecode(&program);
	if (rc)
		return pt_fail(err, rc, "filter", "%s", pcap_geterr(l->pcap));
	l->filtered_from_ns = clock_of_ns(CLOCK_REALTIME);
	l->settled_ns = clock_ns() + SETTLE_NS;
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
	int dlt = pcap_datalink(l->pcap);
	l->link_type = link_type_of_dlt(dlt);
	l->by_libpcap = dlt == DLT_LINUX_SLL || dlt == DLT_LINUX_SLL2;
	int rc = config->filter ? set_filter(l, config->filter, err) : 0;
	if (rc == 0 && config->fanout)
		rc = live_fanout(pcap_fileno(l->pcap), config, err);
	if (rc)
		return rc;
	live_set_direction(l, config->direction);
	if (pcap_setnonblock(l->pcap, 1, words) < 0 || pcap_get_selectable_fd(l->pcap) < 0)
		return pt_fail(err, -EIO, "iface", "cannot wait for packets of '%s': %s", l->name,
		               words);
	return 0;
}

static int open_socket(struct live *l, const struct live_config *config, struct pt_error *err)
{
	return live_socket_open(config, &l->socket, err);
}

int live_open(const struct live_config *config, struct live **result, struct pt_error *err)
{
	struct live *l = must_calloc(1, sizeof *l);
	l->config = *config;
	l->config.iface = l->config.filter = NULL;
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
	pt_origin_unref(l->origin);
	l->origin = NULL;
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

/* ---- going on with another filter ---- */

struct live_filter {
	struct live_program program; /* of an interface, the bpf alone */
};

static int compile_for(const struct live_config *config, struct bpf_program *program,
                       struct pt_error *err)
{
	struct live_config probe = *config;
	struct live *l;
	probe.filter = NULL;
	probe.buffer_size = PROBE_BUFFER;
	probe.fanout = 0;
	int rc = live_open(&probe, &l, err);
	if (rc)
		return rc;
	rc = compile(l, config->filter, program, err);
	live_close(l);
	return rc;
}

int live_filter_new(const struct live_config *config, struct live_filter **result,
                    struct pt_error *err)
{
	struct live_filter *f = must_calloc(1, sizeof *f);
	int rc = config->socket >= 0 ? live_socket_compile(config, &f->program, err)
	                             : compile_for(config, &f->program.bpf, err);
	if (rc == 0)
		*result = f;
	else
		free(f);
	return rc;
}

void live_filter_free(struct live_filter *f)
{
	if (f)
		pcap_freecode(&f->program.bpf);
	free(f);
}

int live_change(struct live *l, const struct live_filter *f)
{
	struct bpf_program program = f->program.bpf;
	return l->socket ? live_socket_change(l->socket, &f->program) : attach(l, &program);
}

void live_set_direction(struct live *l, enum live_direction direction)
{
	static const pcap_direction_t words[] = {PCAP_D_INOUT, PCAP_D_IN, PCAP_D_OUT};
	if (l->socket)
		live_socket_set_direction(l->socket, direction);
	else
		pcap_setdirection(l->pcap, words[direction]);
}

void live_mute(struct live *l)
{
	struct bpf_insn none = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct bpf_program nothing = {1, &none};
	live_attach(l->socket ? live_socket_fd(l->socket) : pcap_fileno(l->pcap), &nothing);
}

void live_set_promisc(int fd, bool promisc)
{
	struct sockaddr_ll address = {.sll_ifindex = 0};
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 || address.sll_ifindex <= 0)
		return;
	const struct packet_mreq request = {.mr_ifindex = address.sll_ifindex,
	                                    .mr_type = PACKET_MR_PROMISC};
	setsockopt(fd, SOL_PACKET, promisc ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP,
	           &request, sizeof request);
}

bool live_is_other(const struct live *l, const struct live_config *config)
{
	return config->snaplen > l->config.snaplen || config->immediate != l->config.immediate ||
	       config->buffer_size != l->config.buffer_size || config->fanout != l->config.fanout ||
	       config->fanout_by != l->config.fanout_by;
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
	m->link_type = p->link_type;
	pt_msg_set_origin(m, l->origin);
	l->messages[l->count++] = m;
}

/* Only at first, so that a clock that is set back later does no harm. */
static bool is_unfiltered(struct live *l, uint64_t time_ns)
{
	if (clock_ns() > l->settled_ns)
		l->filtered_from_ns = 0;
	return time_ns < l->filtered_from_ns;
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct live *l = (struct live *)(void *)arg;
	const struct live_packet packet = {
		.bytes = bytes,
		.length = h->caplen,
		.wire_length = h->len,
		.time_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec,
		.link_type = l->link_type,
	};
	if (!l->filtered_from_ns || !is_unfiltered(l, packet.time_ns))
		take(l, &packet);
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

/* A socket that was handed over is bound to one, or to all. */
static struct pt_origin *origin_of(const struct live *l)
{
	struct sockaddr_ll address = {.sll_ifindex = 0};
	socklen_t length = sizeof address;
	char name[IF_NAMESIZE];
	if (!l->socket)
		return pt_origin_new(l->name);
	if (getsockname(live_fd(l), (struct sockaddr *)&address, &length) < 0)
		return NULL;
	return pt_origin_new(if_indextoname((unsigned)address.sll_ifindex, name));
}

/* Where all that was read is of before the filter there is more to be read. */
int live_read(struct live *l, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
              struct pt_error *err)
{
	uint64_t no_memory = l->no_memory;
	int n;
	l->pool = pool;
	l->messages = messages;
	l->count = 0;
	if (!make_room(l, 1))
		return -ENOMEM;
	if (!l->origin)
		l->origin = origin_of(l);
	do
		n = l->socket ? read_socket(l, max, err) : read_interface(l, max, err);
	while (n > 0 && !l->count && l->no_memory == no_memory);
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
