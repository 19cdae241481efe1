/* SPDX-License-Identifier: BSD-2-Clause */
/* Resolving, connecting and binding, in words that tell what to mend. */
#include "net/address.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/holder.h"
#include "net/resolve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHOLE_MS 8000 /* less than clients wait for an answer */

static int finish_connect(int fd, long until_ms)
{
	struct pollfd wait = {fd, POLLOUT, 0};
	long left = until_ms - clock_ms();
	int error = 0, ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
	socklen_t length = sizeof error;
	if (ready == 0)
		return -ETIMEDOUT;
	if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
		return -errno;
	return -error;
}

static int connect_one(const struct addrinfo *a, long until_ms, int *out)
{
	int fd =
		socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, a->ai_addr, a->ai_addrlen) ? -errno : 0;
	if (rc == -EINPROGRESS)
		rc = finish_connect(fd, until_ms);
	if (rc) {
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

/* The next address gets half of the time that is left, if there is one. */
static int connect_first(const struct addrinfo *a, int family, long until_ms, int *fd)
{
	int rc = -EADDRNOTAVAIL;
	for (; a; a = a->ai_next) {
		long left_ms = until_ms - clock_ms();
		if (family != AF_UNSPEC && a->ai_family != family)
			continue;
		rc = connect_one(a, until_ms - (a->ai_next ? left_ms / 2 : 0), fd);
		if (!rc)
			break;
	}
	return rc;
}

/* A datagram socket is connected to anything: IPv4 first there, since most servers have it. */
static int connect_any(int type, const struct addrinfo *found, long until_ms, int *fd)
{
	int rc = type == SOCK_DGRAM ? connect_first(found, AF_INET, until_ms, fd) : -1;
	return rc ? connect_first(found, AF_UNSPEC, until_ms, fd) : 0;
}

int address_connect(int type, const char *host, int port, int *fd, struct pt_error *err)
{
	struct addrinfo *found;
	long until_ms = clock_ms() + WHOLE_MS;
	if (!port) {
		pt_fail(err, -EINVAL, "port", "nobody listens on port 0");
		pt_hint(err, "say which port to connect to, as port=5555");
		return -EINVAL;
	}
	int rc = resolve(type, "addr", host, port, 0, WHOLE_MS, &found, err);
	if (rc)
		return rc;
	rc = connect_any(type, found, until_ms, fd);
	freeaddrinfo(found);
	if (!rc) {
		if (type == SOCK_STREAM)
			address_tune(*fd);
		return 0;
	}
	pt_fail(err, rc, "addr", "cannot connect to %s port %d: %s", *host ? host : "localhost",
	        port, error_words(rc));
	if (rc == -ECONNREFUSED)
		pt_hint(err, "is the server running there? with retry_s the pipe waits for it");
	return rc;
}

static int route_to(const struct addrinfo *a, struct sockaddr_storage *from)
{
	socklen_t length = sizeof *from;
	int fd, rc = connect_one(a, 0, &fd);
	if (rc)
		return rc;
	rc = getsockname(fd, (struct sockaddr *)from, &length) ? -errno : 0;
	close(fd);
	return rc;
}

int address_route(const char *param, const char *host, int port, struct sockaddr_storage *from,
                  struct sockaddr_storage *to, struct pt_error *err)
{
	struct addrinfo *found;
	int rc = resolve(SOCK_DGRAM, param, host, port, 0, WHOLE_MS, &found, err);
	if (rc)
		return rc;
	rc = -ENETUNREACH;
	for (int ip6 = 0; ip6 < 2; ip6++)
		for (const struct addrinfo *a = found; rc && a; a = a->ai_next) {
			if ((a->ai_family == AF_INET6) != ip6)
				continue;
			rc = route_to(a, from);
			memcpy(to, a->ai_addr, a->ai_addrlen);
		}
	freeaddrinfo(found);
	return rc ? pt_fail(err, rc, param, "no way to send to '%s': %s", host, error_words(rc))
	          : 0;
}

void address_tune(int fd)
{
	const int yes = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
}

void address_keepalive(int fd, double after_s)
{
	const int on = after_s > 0, count = 3;
	const int idle = after_s > 2 ? (int)(after_s / 2) : 1;
	const int every = after_s > 6 ? (int)(after_s / 6) : 1;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static int bind_one(const struct addrinfo *a, int *out)
{
	int fd =
		socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (fd < 0)
		return -errno;
	const int yes = 1, no = 0;
	if (a->ai_socktype == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
	if (bind(fd, a->ai_addr, a->ai_addrlen) ||
	    (a->ai_socktype == SOCK_STREAM && listen(fd, SOMAXCONN))) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int bind_first(const struct addrinfo *a, int family, int *fd)
{
	int rc = -EADDRNOTAVAIL;
	for (; a; a = a->ai_next)
		if (a->ai_family == family && (rc = bind_one(a, fd)) == 0)
			break;
	return rc;
}

/* Without a host, IPv6 first: its socket takes both. With a name, IPv4 first: whoever connects to
   the name tries both. */
static int bind_any(const struct addrinfo *found, bool both, int *fd)
{
	int rc = bind_first(found, both ? AF_INET6 : AF_INET, fd);
	if (rc == 0 || rc == -EADDRINUSE || rc == -EACCES)
		return rc;
	int second = bind_first(found, both ? AF_INET : AF_INET6, fd);
	return second == -EADDRNOTAVAIL ? rc : second;
}

int address_bind(int type, const char *host, int port, int *fd, struct pt_error *err)
{
	struct addrinfo *found;
	int rc = resolve(type, "addr", host, port, AI_PASSIVE, WHOLE_MS, &found, err);
	if (rc)
		return rc;
	rc = bind_any(found, !*host, fd);
	freeaddrinfo(found);
	if (!rc)
		return 0;
	char holder[HOLDER_TEXT] = "";
	if (rc == -EADDRINUSE)
		holder_find(type, port, holder);
	pt_fail(err, rc, rc == -EADDRNOTAVAIL ? "addr" : "port",
	        "cannot listen on %s%sport %d: %s%s%s", host, *host ? " " : "", port,
	        error_words(rc), *holder ? ", held by " : "", holder);
	if (rc == -EACCES)
		pt_hint(err, "ports below 1024 need CAP_NET_BIND_SERVICE");
	return rc;
}

void address_print(const struct sockaddr_storage *a, char out[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
		return;
	}
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof host);
		snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in6->sin6_port));
		return;
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
}

bool address_of(int fd, bool peer, char out[ADDRESS_TEXT])
{
	struct sockaddr_storage a;
	socklen_t length = sizeof a;
	memset(&a, 0, sizeof a); /* it may come shorter than its family's */
	int rc = peer ? getpeername(fd, (struct sockaddr *)&a, &length)
	              : getsockname(fd, (struct sockaddr *)&a, &length);
	if (rc == 0)
		address_print(&a, out);
	return rc == 0;
}

/* ---- handing over ---- */

static int port_of(int fd)
{
	struct sockaddr_storage a = {0};
	socklen_t length = sizeof a;
	getsockname(fd, (struct sockaddr *)&a, &length);
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
	                                     : ((struct sockaddr_in *)&a)->sin_port);
}

static char *key_of(const char *what, const char *host, int port)
{
	return must_printf("%s %s:%d", what, host, port);
}

void address_carry(struct pt_carry *carry, const char *what, const char *host, int port, int fd)
{
	char *key = key_of(what, host, port);
	pt_carry_fd(carry, key, fd);
	free(key);
}

void address_carry_bound(struct pt_carry *carry, const char *what, const char *host, int port,
                         int fd)
{
	address_carry(carry, what, host, port, fd);
	if (pt_carry_to(carry) == PT_TO_SUCCESSOR)
		address_carry(carry, what, host, port ? 0 : port_of(fd), fd);
}

bool address_carried(struct pt_block *b, const char *what, const char *host, int port, int *fd)
{
	char *key = key_of(what, host, port);
	bool carried = pt_carried_fd(b, key, fd);
	free(key);
	return carried;
}
