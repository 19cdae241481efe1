/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring that the kernel fills, lent to the pool unit by unit. */
#include "capture/live_ring.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_frame.h"
#include "capture/live_socket.h"
#include "capture/live_units.h"
#include "msg/pool.h"
#include <errno.h>
#include <pipetool/outside.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADERS   256         /* of a unit and of its first packet, and more */
#define BLOCK_MIN (16 * 1024) /* so that a turn of the loop is worth its while */
#define SEGMENTS  (64 * 1024) /* what the kernel puts together, or does not yet take apart */
#define UNITS_MIN 4
#define RETIRE_MS 2 /* so long a packet may wait in a block */
#define NS_PER_S  INT64_C(1000000000)
#define KERNEL    ((uint32_t)TP_STATUS_KERNEL)

struct live_ring {
	int fd, epoll;
	bool handed;            /* the socket is somebody else's, too */
	char name[IF_NAMESIZE]; /* at the beginning, or "" */
	struct live_units units;
	struct live_view view;
	bool down, gone;
	struct live_ring *second; /* or NULL */
	/* Of the unit that has been entered. */
	uint32_t left;
	uint8_t *next;
};

/* ---- opening ---- */

static size_t unit_size(const struct live_config *config, unsigned mtu)
{
	size_t packet = mtu && mtu <= SEGMENTS - 1024 ? SEGMENTS - HEADERS : 2 * SEGMENTS - HEADERS,
	       size = (size_t)sysconf(_SC_PAGESIZE);
	if (packet > config->snaplen)
		packet = config->snaplen;
	while (size < packet + HEADERS || (!config->immediate && size < BLOCK_MIN))
		size *= 2;
	return size;
}

static int option(const struct live_ring *r, int name, int value)
{
	return setsockopt(r->fd, SOL_PACKET, name, &value, sizeof value) < 0 ? -errno : 0;
}

static unsigned retire_ms(unsigned hold_ms, uint32_t count)
{
	unsigned each = hold_ms / count + 1;
	return hold_ms && each > RETIRE_MS ? each : RETIRE_MS;
}

static struct tpacket_req3 request(const struct live_ring *r, unsigned hold_ms)
{
	return (struct tpacket_req3){
		.tp_block_size = (unsigned)r->units.unit_size,
		.tp_block_nr = r->units.count,
		.tp_frame_size = (unsigned)r->units.unit_size,
		.tp_frame_nr = r->units.count,
		.tp_retire_blk_tov = retire_ms(hold_ms, r->units.count),
	};
}

static int set_ring(const struct live_ring *r, const struct tpacket_req3 *wanted)
{
	socklen_t size =
		r->units.version == TPACKET_V3 ? sizeof *wanted : sizeof(struct tpacket_req);
	return setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, wanted, size) < 0 ? -errno : 0;
}

/* The socket is ready for ever while a unit is out, so it is asked for what is new alone. */
static int watch(const struct live_ring *r, struct live_ring *other)
{
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data.ptr = other};
	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, other->fd, &wanted) < 0 ? -errno : 0;
}

static int make_epoll(struct live_ring *r)
{
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	return r->epoll < 0 ? -errno : watch(r, r);
}

static int make_ring(struct live_ring *r, const struct live_config *config, struct pt_error *err)
{
	unsigned mtu = interface_bound(r->fd, r->name) ? interface_mtu(r->fd, r->name) : 0;
	r->units.version = config->immediate ? TPACKET_V2 : TPACKET_V3;
	r->units.unit_size = unit_size(config, mtu);
	r->units.count = (uint32_t)(config->buffer_size / r->units.unit_size);
	if (r->units.count < UNITS_MIN)
		r->units.count = UNITS_MIN;
	const struct tpacket_req3 wanted = request(r, config->hold_ms), none = {.tp_block_size = 0};
	if (r->handed)
		set_ring(r, &none); /* an earlier one of ours */
	int rc = option(r, PACKET_VERSION, r->units.version);
	if (rc == 0)
		rc = option(r, PACKET_RESERVE, LIVE_FRAME_RESERVE);
	if (rc == 0)
		rc = set_ring(r, &wanted);
	if (rc == 0)
		rc = units_map(&r->units, r->fd);
	if (rc == 0)
		rc = make_epoll(r);
	if (rc == -EBUSY)
		return pt_fail(err, rc, "socket", "the socket has a ring: somebody captures by it");
	return rc ? pt_fail(err, rc, "buffer_size", "cannot have a ring of %zu MiB: %s",
	                    (r->units.unit_size * r->units.count) >> 20, error_words(rc))
	          : 0;
}

static int attach(struct live_ring *r, const struct live_filter *f)
{
	bool by_kernel = !r->view.filters && f->kernel.bf_insns;
	int rc = by_kernel ? live_filter_attach(r->fd, &f->kernel) : live_filter_attach_all(r->fd);
	if (rc)
		return rc;
	r->view.snaplen = f->snaplen;
	if (!by_kernel) {
		r->view.filters = true;
		live_filter_copy(&r->view.filter, f);
	}
	return 0;
}

/* Nothing comes before it has passed the filter, and had its place in the group. */
static int open_all(struct live_ring *r, const struct live_config *config, const char *iface,
                    struct pt_error *err)
{
	struct live_filter filter = {.snaplen = 0};
	int rc = live_socket_new(config, iface, &r->fd, &r->view.link_type, err);
	if (rc == 0)
		rc = live_filter_compile(config, r->view.link_type, &filter, err);
	if (rc == 0 && (rc = live_filter_attach_none(r->fd)) < 0)
		pt_fail(err, rc, "filter", "the socket takes no filter: %s", error_words(rc));
	if (rc == 0 && config->socket < 0)
		rc = live_socket_bind(config, iface, r->fd, err);
	if (rc == 0)
		rc = make_ring(r, config, err);
	if (rc == 0 && config->fanout)
		rc = live_socket_fanout(r->fd, config, err);
	if (rc == 0 && !config->hold_ms && (rc = attach(r, &filter)) < 0)
		pt_fail(err, rc, "filter", "the kernel refuses the filter: %s", error_words(rc));
	live_filter_clear(&filter);
	return rc;
}

int live_ring_open(const struct live_config *config, const char *iface, struct live_ring **result,
                   struct pt_error *err)
{
	struct live_ring *r = must_calloc(1, sizeof *r);
	r->fd = r->epoll = -1;
	r->handed = config->socket >= 0;
	r->view.direction = config->direction;
	int rc = open_all(r, config, iface, err);
	if (rc)
		live_ring_close(r);
	else
		*result = r;
	return rc;
}

int live_ring_compile(const struct live_config *config, const char *iface, struct live_filter *f,
                      struct pt_error *err)
{
	uint16_t link_type;
	int fd, rc = live_socket_new(config, iface, &fd, &link_type, err);
	if (rc == 0)
		rc = live_filter_compile(config, link_type, f, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Once it is done here it stays so: what lies in the ring has passed no filter. */
int live_ring_change(struct live_ring *r, const struct live_filter *f)
{
	return attach(r, f);
}

void live_ring_set_direction(struct live_ring *r, enum live_direction direction)
{
	r->view.direction = direction;
}

/* ---- closing ---- */

void live_ring_close(struct live_ring *r)
{
	const struct tpacket_req3 none = {.tp_block_size = 0};
	if (!r)
		return;
	bool lets_go = r->units.map && r->handed && !r->units.keeps;
	units_unmap(&r->units);
	if (lets_go)
		set_ring(r, &none); /* the socket stays somebody else's */
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->fd >= 0)
		close(r->fd);
	live_filter_clear(&r->view.filter);
	free(r);
}

/* ---- going on exactly ---- */

struct live_mark live_ring_mark(const struct live_ring *r)
{
	return (struct live_mark){
		.unit = r->units.unit,
		.packet = r->units.taken,
		.version = (uint32_t)r->units.version,
		.unit_size = (uint32_t)r->units.unit_size,
		.count = r->units.count,
		.link_type = r->view.link_type,
		.filters = r->view.filters,
	};
}

static int take_ring(struct live_ring *r, const struct live_config *config,
                     const struct live_mark *mark, struct pt_error *err)
{
	struct live_filter filter = {.snaplen = 0};
	r->units.version = (int)mark->version;
	r->units.unit_size = mark->unit_size;
	r->units.count = mark->count;
	r->units.unit = r->units.passed = mark->unit;
	r->units.taken = mark->packet;
	r->view.link_type = mark->link_type;
	r->view.filters = mark->filters;
	r->units.keeps = true;
	interface_bound(r->fd, r->name);
	int rc = r->units.count && r->units.unit_size ? units_map(&r->units, r->fd) : -EINVAL;
	if (rc == 0)
		rc = make_epoll(r);
	if (rc)
		return pt_fail(err, rc, "iface", "cannot go on with the ring: %s", error_words(rc));
	units_give_back_rest(&r->units);
	rc = live_filter_compile(config, r->view.link_type, &filter, err);
	if (rc == 0 && (rc = attach(r, &filter)) < 0)
		pt_fail(err, rc, "filter", "the kernel refuses the filter: %s", error_words(rc));
	live_filter_clear(&filter);
	return rc;
}

int live_ring_resume(const struct live_config *config, int fd, const struct live_mark *mark,
                     struct live_ring **result, struct pt_error *err)
{
	struct live_ring *r = must_calloc(1, sizeof *r);
	r->fd = fd;
	r->epoll = -1;
	r->handed = config->socket >= 0;
	r->view.direction = config->direction;
	int rc = take_ring(r, config, mark, err);
	if (rc)
		live_ring_close(r);
	else
		*result = r;
	return rc;
}

/* ---- a second one ---- */

int live_ring_set_second(struct live_ring *r, struct live_ring *second)
{
	int rc = watch(r, second);
	if (rc == 0)
		r->second = second;
	return rc;
}

bool live_ring_is_idle(const struct live_ring *r)
{
	const struct live_units *u = &r->units;
	return u->map && !u->lent && (!u->keeps || u->passed == u->unit) && !units_has_more(u);
}

void live_ring_fold(struct live_ring *r)
{
	units_unmap(&r->units);
}

unsigned live_ring_holds_ms(const struct live_ring *r)
{
	return r->units.version == TPACKET_V3 ? r->units.count * RETIRE_MS : 0;
}

void live_ring_release(struct live_ring *r)
{
	units_leave(&r->units);
	units_unpin(&r->units, 0);
}

/* ---- reading ---- */

/* Where the packet lies that comes next, and how many are left in its unit. */
static bool find_next(const struct live_ring *r, uint8_t **next, uint32_t *left)
{
	if (!units_is_filled(&r->units, r->units.unit))
		return false;
	*next = unit_at(&r->units, r->units.unit);
	*left = 1;
	if (r->units.version == TPACKET_V3) {
		const struct tpacket_block_desc *d = (const void *)*next;
		*left = d->hdr.bh1.num_pkts;
		*next += d->hdr.bh1.offset_to_first_pkt;
	}
	for (uint32_t i = 0; i < r->units.taken && *left; i++, --*left)
		*next += ((const struct tpacket3_hdr *)(const void *)*next)->tp_next_offset;
	return true;
}

static bool enter(struct live_ring *r, struct pt_pool *pool)
{
	if (!find_next(r, &r->next, &r->left))
		return false;
	units_lend(&r->units, pool);
	return true;
}

static int64_t time_of(const struct live_ring *r, const uint8_t *packet)
{
	const struct tpacket3_hdr *block = (const void *)packet;
	const struct tpacket2_hdr *frame = (const void *)packet;
	return r->units.version == TPACKET_V3 ? block->tp_sec * NS_PER_S + block->tp_nsec
	                                      : frame->tp_sec * NS_PER_S + frame->tp_nsec;
}

static void take_block_packet(struct live_ring *r, struct live_frame *f)
{
	struct tpacket3_hdr *h = (void *)r->next;
	*f = (struct live_frame){
		.bytes = r->next + h->tp_mac,
		.length = h->tp_snaplen,
		.wire_length = h->tp_len,
		.from = (const void *)(r->next + TPACKET_ALIGN(sizeof *h)),
		.tagged = h->tp_status & TP_STATUS_VLAN_VALID,
		.tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : 0x8100,
		.tci = (uint16_t)h->hv1.tp_vlan_tci,
		.mark = h->tp_padding,
	};
	r->next += h->tp_next_offset;
}

static void take_frame_packet(struct live_ring *r, struct live_frame *f)
{
	struct tpacket2_hdr *h = (void *)r->next;
	*f = (struct live_frame){
		.bytes = r->next + h->tp_mac,
		.length = h->tp_snaplen,
		.wire_length = h->tp_len,
		.from = (const void *)(r->next + TPACKET_ALIGN(sizeof *h)),
		.tagged = h->tp_status & TP_STATUS_VLAN_VALID,
		.tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : 0x8100,
		.tci = h->tp_vlan_tci,
		.mark = h->tp_padding,
	};
}

static struct pt_msg *take(struct live_ring *r, struct pt_pool *pool)
{
	struct live_frame f;
	int64_t time_ns = time_of(r, r->next);
	if (r->units.version == TPACKET_V3)
		take_block_packet(r, &f);
	else
		take_frame_packet(r, &f);
	r->left--;
	r->units.taken++;
	if (!live_frame_see(&f, &r->view))
		return NULL;
	struct pt_msg *m = msg_cut(pool, r->units.chunk, f.bytes, f.length);
	m->wire_length = f.wire_length;
	m->time_ns = time_ns;
	m->link_type = f.link_type;
	return m;
}

static unsigned take_many(struct live_ring *r, struct pt_pool *pool, struct pt_msg **messages,
                          unsigned max, int64_t until_ns)
{
	unsigned count = 0;
	while (count < max && (r->units.chunk || enter(r, pool))) {
		while (count < max && r->left &&
		       (until_ns == INT64_MAX || time_of(r, r->next) <= until_ns))
			if ((messages[count] = take(r, pool)))
				count++;
		if (r->left)
			break;
		units_leave(&r->units);
	}
	return count;
}

/* The time of what comes next; 0: it is there, and not to be seen yet. INT64_MAX: there is none. */
static int64_t next_ns(const struct live_ring *r)
{
	uint8_t *next = r->next;
	uint32_t left = r->left;
	if (r->units.chunk || find_next(r, &next, &left))
		return time_of(r, next);
	return units_has_more(&r->units) ? 0 : INT64_MAX;
}

static bool is_folded(const struct live_ring *r)
{
	return !r->units.map;
}

static unsigned take_both(struct live_ring *r, struct pt_pool *pool, struct pt_msg **messages,
                          unsigned max)
{
	if (!r->second || is_folded(r->second))
		return take_many(r, pool, messages, max, INT64_MAX);
	for (;;) {
		int64_t mine = next_ns(r), other = next_ns(r->second);
		/* it does not wait for what is in another, which may take longer than it lasts */
		if (!other && units_are_half_full(&r->units))
			other = INT64_MAX;
		unsigned count = mine <= other
		                         ? take_many(r, pool, messages, max, other)
		                         : take_many(r->second, pool, messages, max, mine - 1);
		if (count || !mine || !other || (mine == other && mine == INT64_MAX))
			return count;
	}
}

/* What has come, if anything, but a fault of the interface, is news from now on. */
static void look(struct live_ring *r)
{
	struct epoll_event events[2];
	char name[IF_NAMESIZE];
	int fault = 0, count = epoll_wait(r->epoll, events, 2, 0);
	socklen_t size = sizeof fault;
	bool is_wrong = false;
	for (int i = 0; i < count; i++) {
		struct live_ring *of = events[i].data.ptr;
		if (is_folded(of))
			units_map(&of->units, of->fd);
		is_wrong |= of == r && events[i].events & EPOLLERR;
	}
	if (!is_wrong || getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &fault, &size) < 0 || !fault)
		return;
	r->gone = !interface_bound(r->fd, name);
	r->down = !r->gone;
}

/* One that is taken away goes down first, and of the rest no news comes. */
static bool is_gone(struct live_ring *r)
{
	char name[IF_NAMESIZE];
	r->gone |= r->down && !interface_bound(r->fd, name);
	return r->gone;
}

static bool has_more(const struct live_ring *r)
{
	const struct live_ring *s = r->second;
	return units_has_more(&r->units) || (s && !is_folded(s) && units_has_more(&s->units));
}

int live_ring_read(struct live_ring *r, struct pt_pool *pool, struct pt_msg **messages,
                   unsigned max, struct pt_error *err)
{
	unsigned count = take_both(r, pool, messages, max);
	if (!count) {
		look(r);
		count = take_both(r, pool, messages, max);
	}
	if (count)
		r->down = false;
	else if (is_gone(r) && !has_more(r))
		return pt_fail(err, -ENETDOWN, "iface", "interface '%s' is gone", r->name);
	return (int)count;
}

int live_ring_fd(const struct live_ring *r)
{
	return r->epoll;
}

int live_ring_socket(const struct live_ring *r)
{
	return r->fd;
}

bool live_ring_is_down(const struct live_ring *r)
{
	char name[IF_NAMESIZE];
	return r->down && (!interface_bound(r->fd, name) || interface_is_down(r->fd, name));
}

uint64_t live_ring_drops(struct live_ring *r)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof stats;
	if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
		return 0;
	return stats.tp_drops;
}

uint64_t live_ring_waiting(const struct live_ring *r)
{
	return units_ready(&r->units, UINT32_MAX) + (r->second ? live_ring_waiting(r->second) : 0);
}

uint64_t live_ring_leave_out(struct live_ring *r)
{
	const uint32_t units = r->units.version == TPACKET_V3 ? 1 : PT_POISON;
	if (r->second && next_ns(r->second) < next_ns(r))
		return live_ring_leave_out(r->second);
	uint64_t count = units_ready(&r->units, units);
	units_leave_out(&r->units, units);
	return count;
}

void live_ring_keep(struct live_ring *r, bool keep)
{
	units_keep(&r->units, keep);
}

void live_ring_pass(struct live_ring *r, uint64_t unit)
{
	units_pass(&r->units, unit);
}

bool live_ring_is_behind(const struct live_ring *r)
{
	return units_are_behind(&r->units);
}

unsigned live_ring_pinned(const struct live_ring *r)
{
	return units_pinned(&r->units);
}

void live_ring_unpin(struct live_ring *r, uint64_t older_than_ns)
{
	units_unpin(&r->units, older_than_ns);
}
