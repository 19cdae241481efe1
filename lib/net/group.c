/* SPDX-License-Identifier: BSD-2-Clause */
/* What is one host's, and asks for nothing more, is address.c's. */
#include "net/group.h"

#include "base/error.h"
#include "net/address.h"
#include "net/resolve.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define RESOLVE_MS 8000

static bool is_group(const struct sockaddr_storage *to)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)to;
	return to->ss_family == AF_INET ? IN_MULTICAST(ntohl(in->sin_addr.s_addr))
	                                : IN6_IS_ADDR_MULTICAST(&in6->sin6_addr);
}

/* The kernel knows the addresses of its networks: without a permission it refuses. */
static bool is_broadcast(const struct sockaddr_storage *to, socklen_t length)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;
	if (to->ss_family == AF_INET && in->sin_addr.s_addr == INADDR_BROADCAST)
		return true;
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool refused =
		fd >= 0 && connect(fd, (const struct sockaddr *)to, length) && errno == EACCES;
	if (fd >= 0)
		close(fd);
	return refused;
}

static int resolve_first(const char *host, int port, int flags, struct sockaddr_storage *to,
                         socklen_t *length, struct pt_error *err)
{
	struct addrinfo *found;
	int rc = resolve(SOCK_DGRAM, "addr", host, port, flags, RESOLVE_MS, &found, err);
	if (rc)
		return rc;
	memset(to, 0, sizeof *to);
	memcpy(to, found->ai_addr, found->ai_addrlen);
	*length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static void set_number(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static void set_ttl(int fd, int family, int ttl)
{
	if (!ttl)
		return;
	if (family == AF_INET6) {
		set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
		set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
	}
	set_number(fd, IPPROTO_IP, IP_TTL, ttl);
	set_number(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
}

static int find_interface(const struct group_way *way, unsigned *index, struct pt_error *err)
{
	*index = way->interface ? if_nametoindex(way->interface) : 0;
	return way->interface && !*index
	               ? pt_fail(err, -ENODEV, "interface", "no interface '%s'", way->interface)
	               : 0;
}

static int join4(int fd, const struct sockaddr_in *group, unsigned index)
{
	const struct ip_mreqn request = {.imr_multiaddr = group->sin_addr,
	                                 .imr_ifindex = (int)index};
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) ? -errno : 0;
}

static int join6(int fd, struct sockaddr_in6 *group, unsigned index)
{
	const struct ipv6_mreq request = {.ipv6mr_multiaddr = group->sin6_addr,
	                                  .ipv6mr_interface = index ? index : group->sin6_scope_id};
	if (index)
		group->sin6_scope_id = index;
	set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)request.ipv6mr_interface);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) ? -errno : 0;
}

/* Several may listen to a group, so its port may be taken by more than one. */
static int open_group(struct sockaddr_storage *group, socklen_t length, unsigned index, bool binds,
                      int *out)
{
	int fd = socket(group->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;
	if (fd < 0)
		return -errno;
	rc = group->ss_family == AF_INET ? join4(fd, (void *)group, index)
	                                 : join6(fd, (void *)group, index);
	set_number(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (rc == 0 && binds && bind(fd, (const struct sockaddr *)group, length))
		rc = -errno;
	if (rc)
		close(fd);
	else
		*out = fd;
	return rc;
}

static int cannot_join(const char *host, const struct group_way *way, int rc, struct pt_error *err)
{
	pt_fail(err, rc, "addr", "cannot join the group %s: %s", host, error_words(rc));
	if (!way->interface)
		pt_hint(err, "say by which interface, as interface='eth0'");
	return rc;
}

/* To all hosts of a network, or by an interface that was named. */
static int open_plain(const struct sockaddr_storage *to, socklen_t length, const char *interface,
                      bool many, int *out)
{
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc = 0;
	if (fd < 0)
		return -errno;
	set_number(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)))
		rc = -errno;
	if (rc == 0 && !many && connect(fd, (const struct sockaddr *)to, length))
		rc = -errno;
	if (rc)
		close(fd);
	else
		*out = fd;
	return rc;
}

int group_connect(const char *host, int port, const struct group_way *way, int *fd,
                  struct sockaddr_storage *peer, socklen_t *peer_length, struct pt_error *err)
{
	unsigned index;
	socklen_t length = 0;
	*peer_length = 0;
	if (!port)
		return address_connect(SOCK_DGRAM, host, port, fd, err);
	int rc = find_interface(way, &index, err);
	if (rc == 0)
		rc = resolve_first(host, port, 0, peer, &length, err);
	if (rc)
		return rc;
	bool group = is_group(peer), many = group || is_broadcast(peer, length);
	if (!many && !way->interface) {
		rc = address_connect(SOCK_DGRAM, host, port, fd, err);
	} else if (group) {
		rc = open_group(peer, length, index, false, fd);
		rc = rc ? cannot_join(host, way, rc, err) : 0;
	} else {
		rc = open_plain(peer, length, way->interface, many, fd);
		if (rc)
			pt_fail(err, rc, "addr", "cannot send to %s: %s", host, error_words(rc));
	}
	if (rc == 0 && many)
		*peer_length = length;
	if (rc == 0)
		set_ttl(*fd, peer->ss_family, (int)way->ttl);
	return rc;
}

int group_bind(const char *host, int port, const struct group_way *way, int *fd,
               struct pt_error *err)
{
	struct sockaddr_storage at = {.ss_family = AF_INET6};
	socklen_t length = 0;
	unsigned index;
	int rc = find_interface(way, &index, err);
	if (rc == 0 && *host)
		rc = resolve_first(host, port, AI_PASSIVE, &at, &length, err);
	if (rc)
		return rc;
	if (*host && is_group(&at)) {
		rc = open_group(&at, length, index, true, fd);
		rc = rc ? cannot_join(host, way, rc, err) : 0;
	} else {
		rc = address_bind(SOCK_DGRAM, host, port, fd, err);
		if (rc == 0 && way->interface &&
		    setsockopt(*fd, SOL_SOCKET, SO_BINDTODEVICE, way->interface,
		               (socklen_t)strlen(way->interface))) {
			rc = pt_fail(err, -errno, "interface", "cannot listen on '%s': %s",
			             way->interface, error_words(-errno));
			close(*fd);
			*fd = -1;
		}
	}
	if (rc == 0)
		set_number(*fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (rc == 0)
		set_ttl(*fd, at.ss_family, (int)way->ttl);
	return rc;
}

/* ---- which interface it is ---- */

static bool is_same(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	if (!a || a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr) &&
	       (a6->sin6_scope_id == b6->sin6_scope_id);
}

static unsigned interface_with(const struct sockaddr_storage *address)
{
	struct ifaddrs *all;
	unsigned index = 0;
	if (getifaddrs(&all))
		return 0;
	for (const struct ifaddrs *one = all; one && !index; one = one->ifa_next)
		if (is_same(one->ifa_addr, address))
			index = if_nametoindex(one->ifa_name);
	freeifaddrs(all);
	return index;
}

static unsigned interface_towards(const struct sockaddr_storage *to)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	bool known = !connect(fd, (const struct sockaddr *)to, sizeof *to) &&
	             !getsockname(fd, (struct sockaddr *)&from, &length);
	close(fd);
	return known ? interface_with(&from) : 0;
}

unsigned group_interface(const struct group_way *way, int fd, const struct sockaddr_storage *to)
{
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof bound;
	if (way->interface)
		return if_nametoindex(way->interface);
	if (!to && getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		to = &bound;
	return to && is_group(to) ? interface_towards(to) : 0;
}
