/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may ask: a page of elsewhere may not, also where its name has come to lead here. */
#include "daemon/http_inside.h"
#include "net/address.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- where it listens ---- */

static bool is_loopback(int fd)
{
	char text[ADDRESS_TEXT];
	return address_of(fd, false, text) &&
	       (!strncmp(text, "127.", 4) || !strncmp(text, "[::1]:", 6));
}

/* The port, and *length of what stands before it. */
static int port_of(const char *listen, size_t *length)
{
	char *end;
	const char *colon = strrchr(listen, ':');
	if (!colon || colon == listen)
		return -1;
	long port = strtol(colon + 1, &end, 10);
	*length = (size_t)(colon - listen);
	return end == colon + 1 || *end || port < 0 || port > 65535 ? -1 : (int)port;
}

int http_listen(const char *listen, bool public, int *fd, struct pt_error *err)
{
	size_t length;
	int port = port_of(listen, &length);
	if (port < 0)
		return pt_fail(
			err, -PT_EPARAM, NULL,
			"[http] listen = %s: it is an address with a port, as 127.0.0.1:8739 "
			"or [::1]:8739, or the path of a socket, from / on",
			listen);
	bool bracketed = *listen == '[' && listen[length - 1] == ']';
	char *host = must_printf("%.*s", (int)(length - 2 * bracketed), listen + bracketed);
	int code = address_bind(SOCK_STREAM, host, port, fd, err);
	free(host);
	if (code || public || is_loopback(*fd))
		return code;
	close(*fd);
	return pt_fail(err, -PT_EPARAM, NULL,
	               "[http] listen = %s: others than this host could reach it, and nobody is "
	               "asked who he is; if that is meant, say public = yes",
	               listen);
}

/* ---- what it is called ---- */

/* "[::1]:80", "localhost:80": without the port. */
static size_t name_length(const char *host)
{
	const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
	return colon && colon > bracket ? (size_t)(colon - host) : strlen(host);
}

static bool is_named(const char *host, const char *name, size_t length)
{
	return name_length(host) == length && !strncasecmp(host, name, length);
}

/* Whoever has a browser ask a Unix socket has another port lead there, as `ssh -L` does. A page of
   elsewhere can have a name lead here, but no address. */
static bool is_local_address(const char *host)
{
	return is_named(host, "127.0.0.1", strlen("127.0.0.1")) ||
	       is_named(host, "[::1]", strlen("[::1]"));
}

static bool is_own_address(struct MHD_Connection *c, const char *host)
{
	char own[ADDRESS_TEXT];
	struct sockaddr_storage a = {0};
	socklen_t length = sizeof a;
	const union MHD_ConnectionInfo *info =
		mhd.get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info || getsockname(info->connect_fd, (struct sockaddr *)&a, &length))
		return false;
	if (a.ss_family == AF_UNIX)
		return is_local_address(host);
	address_print(&a, own);
	return is_named(host, own, name_length(own));
}

static bool is_ours(struct MHD_Connection *c, const char *host, char *const *hosts)
{
	if (is_named(host, "localhost", strlen("localhost")) || is_own_address(c, host))
		return true;
	for (; hosts && *hosts; hosts++)
		if (is_named(host, *hosts, strlen(*hosts)))
			return true;
	return false;
}

static bool is_same_origin(const char *origin, const char *host)
{
	const char *at = strstr(origin, "://");
	return at && !strncmp(origin, "http", 4) && !strcasecmp(at + 3, host);
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return mhd.lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* Somebody follows a link to the page, which is not what another page reads. */
static bool is_visit(struct MHD_Connection *c)
{
	const char *mode = header(c, "Sec-Fetch-Mode");
	return mode && !strcmp(mode, "navigate");
}

unsigned http_gate(struct MHD_Connection *c, char *const *hosts, const char **why)
{
	const char *host = header(c, "Host"), *origin = header(c, "Origin");
	const char *site = header(c, "Sec-Fetch-Site");
	*why = "this is the page of another site, which may not ask here";
	if (!host || !is_ours(c, host, hosts)) {
		*why = "not under this name: hosts = in the section [http] of the daemon's "
		       "configuration lists those that it may have";
		return MHD_HTTP_FORBIDDEN;
	}
	if (origin && !is_same_origin(origin, host))
		return MHD_HTTP_FORBIDDEN;
	if (site && !strcmp(site, "cross-site") && !is_visit(c))
		return MHD_HTTP_FORBIDDEN;
	return 0;
}
