/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of the kernel's, or libpcap. */
#include "capture/live.h"

#include "base/buf.h"
#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_pcap.h"
#include "capture/live_ring.h"
#include "capture/live_socket.h"
#include "capture/live_standby.h"
#include "capture/netns.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct live {
	char *name;
	struct live_ring *ring; /* and, or NULL, … */
	struct live_standby *standby;
	struct live_pcap *pcap;    /* … or this alone */
	struct live_config config; /* of the buffer: without names */
	struct pt_origin *origin;  /* from the first packet on */
};

static struct live_ring *second_of(const struct live *l)
{
	return live_standby_ring(l->standby);
}

/* ---- opening ---- */

static char *name_of(const struct live_config *config, struct pt_error *err)
{
	char *name;
	if (config->socket >= 0)
		name = must_strdup("socket");
	else
		name = config->iface ? must_strdup(config->iface) : interface_default();
	if (!name)
		pt_fail(err, -ENODEV, "iface", "no interface is up; name one");
	return name;
}

static bool has_ring(const struct live_config *config, const char *name)
{
	return config->socket >= 0 || live_socket_is_any(name) || interface_has_frames(name);
}

static int open_here(const struct live_config *config, struct live **result,
                     struct pt_error *trouble, struct pt_error *err)
{
	struct live *l = must_calloc(1, sizeof *l);
	l->config = *config;
	l->config.netns = l->config.iface = l->config.filter = NULL;
	l->name = name_of(config, err);
	int rc;
	if (!l->name)
		rc = -ENODEV;
	else
		rc = has_ring(config, l->name) ? live_ring_open(config, l->name, &l->ring, err)
		                               : live_pcap_open(config, l->name, &l->pcap, err);
	if (rc == 0 && l->ring)
		l->standby = live_standby_open(config, l->name, l->ring, trouble);
	if (rc)
		live_close(l);
	else
		*result = l;
	return rc;
}

int live_open(const struct live_config *config, struct live **result, struct pt_error *trouble,
              struct pt_error *err)
{
	int back, rc = netns_enter(config->netns, &back, err);
	if (rc)
		return rc;
	rc = open_here(config, result, trouble, err);
	netns_leave(back);
	return rc;
}

int live_resume(const struct live_config *config, const struct live_fds *fds,
                const struct live_marks *marks, struct live **result, struct pt_error *trouble,
                struct pt_error *err)
{
	struct live *l = must_calloc(1, sizeof *l);
	char name[IF_NAMESIZE];
	l->config = *config;
	l->config.netns = l->config.iface = l->config.filter = NULL;
	l->name = must_strdup(interface_bound(fds->ring, name) ? name
	                      : config->iface                  ? config->iface
	                                                       : "socket");
	int rc = live_ring_resume(config, fds->ring, &marks->ring, &l->ring, err);
	if (rc == 0 && fds->standby >= 0)
		l->standby = live_standby_resume(config, fds->standby, &marks->standby, l->ring,
		                                 trouble);
	else if (fds->standby >= 0)
		close(fds->standby);
	if (rc)
		live_close(l);
	else
		*result = l;
	return rc;
}

void live_release(struct live *l)
{
	if (l->ring)
		live_ring_release(l->ring);
	else
		live_pcap_release(l->pcap);
	if (l->standby)
		live_ring_release(second_of(l));
	pt_origin_unref(l->origin);
	l->origin = NULL;
}

void live_close(struct live *l)
{
	if (!l)
		return;
	live_standby_close(l->standby);
	live_ring_close(l->ring);
	live_pcap_close(l->pcap);
	free(l->name);
	free(l);
}

/* ---- going on with another filter ---- */

static int compile_here(const struct live_config *config, struct live_filter **result,
                        struct pt_error *err)
{
	char *name = name_of(config, err);
	if (!name)
		return -ENODEV;
	struct live_filter *f = must_calloc(1, sizeof *f);
	int rc = has_ring(config, name) ? live_ring_compile(config, name, f, err)
	                                : live_pcap_compile(config, name, f, err);
	free(name);
	if (rc)
		live_filter_free(f);
	else
		*result = f;
	return rc;
}

int live_filter_new(const struct live_config *config, struct live_filter **result,
                    struct pt_error *err)
{
	int back, rc = netns_enter(config->netns, &back, err);
	if (rc)
		return rc;
	rc = compile_here(config, result, err);
	netns_leave(back);
	return rc;
}

void live_filter_free(struct live_filter *f)
{
	if (f)
		live_filter_clear(f);
	free(f);
}

/* First of what nothing comes to: where that refuses, nothing has changed. */
int live_change(struct live *l, const struct live_filter *f)
{
	if (!l->ring)
		return live_pcap_change(l->pcap, f);
	int rc = l->standby ? live_ring_change(second_of(l), f) : 0;
	return rc ? rc : live_ring_change(l->ring, f);
}

void live_set_direction(struct live *l, enum live_direction direction)
{
	if (l->ring)
		live_ring_set_direction(l->ring, direction);
	else
		live_pcap_set_direction(l->pcap, direction);
	if (l->standby)
		live_ring_set_direction(second_of(l), direction);
}

void live_mute(struct live *l)
{
	if (l->ring)
		live_filter_attach_none(live_ring_socket(l->ring));
	else
		live_pcap_mute(l->pcap);
	if (l->standby)
		live_filter_attach_none(live_ring_socket(second_of(l)));
}

void live_set_promisc(int fd, bool promisc)
{
	live_socket_set_promisc(fd, promisc);
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
	return l->ring ? live_ring_fd(l->ring) : live_pcap_fd(l->pcap);
}

int live_socket(const struct live *l)
{
	return l->ring ? live_ring_socket(l->ring) : live_pcap_fd(l->pcap);
}

/* ---- reading ---- */

/* A socket that was handed over is bound to one, or to all. */
static struct pt_origin *origin_of(const struct live *l)
{
	char name[IF_NAMESIZE];
	if (l->config.socket < 0)
		return pt_origin_new(l->name);
	return pt_origin_new(interface_bound(live_socket(l), name) ? name : NULL);
}

int live_read(struct live *l, struct pt_pool *pool, struct pt_msg **messages, unsigned max,
              struct pt_error *err)
{
	int n = l->ring ? live_ring_read(l->ring, pool, messages, max, err)
	                : live_pcap_read(l->pcap, pool, messages, max, err);
	if (n > 0 && !l->origin)
		l->origin = origin_of(l);
	for (int i = 0; i < n; i++)
		pt_msg_set_origin(messages[i], l->origin);
	return n;
}

bool live_is_down(const struct live *l)
{
	return l->ring ? live_ring_is_down(l->ring) : interface_is_down(-1, l->name);
}

bool live_is_there(const struct live *l)
{
	char name[IF_NAMESIZE];
	return l->ring ? interface_bound(live_ring_socket(l->ring), name)
	               : interface_exists(-1, l->name);
}

int live_standby_socket(const struct live *l)
{
	return l->standby ? live_ring_socket(second_of(l)) : -1;
}

bool live_mark(const struct live *l, struct live_marks *marks)
{
	*marks = (struct live_marks){.ring = {.count = 0}};
	if (l->ring)
		marks->ring = live_ring_mark(l->ring);
	if (l->standby)
		marks->standby = live_ring_mark(second_of(l));
	return l->ring;
}

void live_keep(struct live *l, bool keep)
{
	if (l->ring)
		live_ring_keep(l->ring, keep);
	if (l->standby)
		live_ring_keep(second_of(l), keep);
}

void live_pass(struct live *l, const struct live_marks *marks)
{
	if (l->ring)
		live_ring_pass(l->ring, marks->ring.unit);
	if (l->standby)
		live_ring_pass(second_of(l), marks->standby.unit);
	live_standby_rest(l->standby);
}

bool live_is_behind(const struct live *l)
{
	return l->ring &&
	       (live_ring_is_behind(l->ring) || (l->standby && live_ring_is_behind(second_of(l))));
}

uint64_t live_waiting(const struct live *l)
{
	return l->ring ? live_ring_waiting(l->ring) : 0;
}

uint64_t live_leave_out(struct live *l)
{
	return l->ring ? live_ring_leave_out(l->ring) : 0;
}

bool live_is_pinned(const struct live *l)
{
	return l->ring &&
	       (live_ring_pinned(l->ring) || (l->standby && live_ring_pinned(second_of(l))));
}

void live_unpin(struct live *l, uint64_t older_than_ns)
{
	if (l->ring)
		live_ring_unpin(l->ring, older_than_ns);
	if (l->standby)
		live_ring_unpin(second_of(l), older_than_ns);
}

void live_lost(struct live *l, uint64_t *kernel, uint64_t *memory)
{
	*memory = 0;
	if (l->ring)
		*kernel = live_ring_drops(l->ring);
	else
		live_pcap_lost(l->pcap, kernel, memory);
	if (l->standby)
		*kernel += live_ring_drops(second_of(l));
}
