/* SPDX-License-Identifier: BSD-2-Clause */
/* Three sockets in a group, and a program of one instruction that chooses. */
#include "capture/live_standby.h"

#include "base/buf.h"
#include "base/error.h"
#include "capture/netns.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The members are counted from 0, in the order in which they have come, which the kernel keeps when
 * their interface goes down and up: the ring, the standby, and the third. What the program says is
 * taken modulo their number: it is 0 of three, and 1 of two.
 */
#define CHOICE 3

/* Numbers of groups from here on, by chance: those that the kernel gives (UNIQUEID) count from 0,
   and who names one that is in use, as with `fanout`, is refused. */
#define GROUPS 0x8000u
#define TRIES  8

struct live_standby {
	struct live_ring *ring;
	int third;
};

/* ---- the group ---- */

static int socket_like(int fd)
{
	struct sockaddr_ll address;
	socklen_t length = sizeof address;
	int rc = getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? -errno : 0,
	    made = rc ? rc : socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (made < 0)
		return rc ? rc : -errno;
	rc = live_filter_attach_none(made);
	if (rc == 0 && bind(made, (const struct sockaddr *)&address, sizeof address) < 0)
		rc = -errno;
	if (rc == 0)
		return made;
	close(made);
	return rc;
}

static int join(int fd, uint32_t group)
{
	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) < 0 ? -errno : 0;
}

static int group_of(int fd, uint32_t *group)
{
	socklen_t length = sizeof *group;
	int rc = getsockopt(fd, SOL_PACKET, PACKET_FANOUT, group, &length) < 0 ? -errno : 0;
	return rc || *group ? rc : -ENOENT;
}

static int choose(int fd)
{
	struct sock_filter choice = BPF_STMT(BPF_RET | BPF_K, CHOICE);
	const struct sock_fprog program = {1, &choice};
	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program) < 0 ? -errno
	                                                                                    : 0;
}

/* A group is of one kind, and nobody's is of this one. */
static int probe(int like, uint32_t number)
{
	int fd = socket_like(like);
	int rc = fd < 0 ? fd : join(fd, (uint32_t)PACKET_FANOUT_ROLLOVER << 16 | number);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int begin_group(int first, uint32_t *group)
{
	int rc = -EINVAL;
	for (unsigned i = 0; rc == -EINVAL && i < TRIES; i++) {
		uint16_t number;
		if (getrandom(&number, sizeof number, 0) != sizeof number)
			return -EIO;
		number |= GROUPS;
		*group = (uint32_t)PACKET_FANOUT_CBPF << 16 | number;
		rc = probe(first, number);
	}
	return rc == 0 ? join(first, *group) : rc;
}

/* Until the program is there the first has all. */
static int make_group(const struct live_standby *s, int first)
{
	uint32_t group;
	int rc = begin_group(first, &group);
	if (rc == 0)
		rc = join(live_ring_socket(s->ring), group);
	if (rc == 0)
		rc = join(s->third, group);
	return rc == 0 ? choose(first) : rc;
}

static int join_group(const struct live_standby *s, int first)
{
	uint32_t group;
	int rc = group_of(first, &group);
	return rc == 0 ? join(s->third, group) : rc;
}

/* ---- the ring ---- */

static int let_through(const struct live_standby *s, const struct live_config *config,
                       const struct live_ring *like)
{
	struct live_filter filter = {.snaplen = 0};
	int rc = live_filter_compile(config, live_ring_mark(like).link_type, &filter, NULL);
	if (rc == 0)
		rc = live_ring_change(s->ring, &filter);
	live_filter_clear(&filter);
	return rc;
}

static int open_beside(struct live_standby *s, const struct live_config *config, const char *iface,
                       struct live_ring *first)
{
	struct live_config wanted = *config;
	wanted.immediate = wanted.promisc = false;
	wanted.hold_ms = LIVE_STANDBY_MS;
	int rc = live_ring_open(&wanted, iface, &s->ring, NULL);
	if (rc)
		return rc;
	s->third = socket_like(live_ring_socket(first));
	rc = s->third < 0 ? s->third : make_group(s, live_ring_socket(first));
	if (rc == 0)
		rc = let_through(s, config, first);
	if (rc == 0)
		rc = live_ring_set_second(first, s->ring);
	live_ring_fold(s->ring);
	return rc;
}

struct live_standby *live_standby_open(const struct live_config *config, const char *iface,
                                       struct live_ring *first, struct pt_error *trouble)
{
	if (!config->stored || config->fanout || config->socket >= 0 ||
	    live_ring_holds_ms(first) >= LIVE_STANDBY_MS)
		return NULL;
	struct live_standby *s = must_calloc(1, sizeof *s);
	s->third = -1;
	int rc = open_beside(s, config, iface, first);
	if (rc == 0)
		return s;
	live_standby_close(s);
	pt_fail(trouble, rc, NULL,
	        "a second ring cannot be had (%s): while no daemon is there, a slow link too fills "
	        "the one that there is within seconds",
	        error_words(rc));
	return NULL;
}

static int join_third(struct live_standby *s, int first)
{
	s->third = socket_like(first);
	int rc = s->third < 0 ? s->third : join_group(s, first);
	if (rc == 0 || s->third < 0)
		return rc;
	close(s->third);
	s->third = -1;
	return rc;
}

/* Where it cannot be had, what comes goes on to the standby, and is read there. */
static void have_third(struct live_standby *s, const struct live_config *config, int first,
                       struct pt_error *trouble)
{
	int back, rc = netns_enter(config->netns, &back, NULL);
	if (rc == 0) {
		rc = join_third(s, first);
		netns_leave(back);
	}
	if (rc)
		pt_fail(trouble, rc, NULL,
		        "the first ring gets nothing any more (%s): what comes is read out of the "
		        "second, where it waits longer",
		        error_words(rc));
}

struct live_standby *live_standby_resume(const struct live_config *config, int fd,
                                         const struct live_mark *mark, struct live_ring *first,
                                         struct pt_error *trouble)
{
	struct live_standby *s = must_calloc(1, sizeof *s);
	s->third = -1;
	int rc = live_ring_resume(config, fd, mark, &s->ring, NULL);
	if (rc == 0)
		rc = live_ring_set_second(first, s->ring);
	if (rc == 0) {
		have_third(s, config, live_ring_socket(first), trouble);
		return s;
	}
	live_standby_close(s);
	pt_fail(trouble, rc, NULL, "what came while no daemon was there cannot be read: %s",
	        error_words(rc));
	return NULL;
}

void live_standby_close(struct live_standby *s)
{
	if (!s)
		return;
	if (s->third >= 0)
		close(s->third);
	live_ring_close(s->ring);
	free(s);
}

struct live_ring *live_standby_ring(struct live_standby *s)
{
	return s ? s->ring : NULL;
}

void live_standby_rest(struct live_standby *s)
{
	if (s && s->third >= 0 && live_ring_is_idle(s->ring))
		live_ring_fold(s->ring);
}
