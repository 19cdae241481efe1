/* SPDX-License-Identifier: BSD-2-Clause */
/* Which socket, for what frames, bound to what. */
#include "capture/live_socket.h"

#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_filter.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const live_directions[] = {"inout", "in", "out", NULL};
const char *const live_fanout_words[] = {"flow", "round", "cpu", NULL};

/* ---- handed over ---- */

static int refuse(struct pt_error *err, int code, const char *what)
{
	return pt_fail(err, code, "socket", "the descriptor is not a packet socket: %s", what);
}

/* Of one that is bound to no interface it is each packet's own. */
static int link_type_of(int fd, int type, uint16_t *link_type, struct pt_error *err)
{
	struct sockaddr_ll address = {.sll_family = 0};
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	*link_type = LIVE_ETHERNET;
	if (type == SOCK_DGRAM)
		*link_type = LIVE_COOKED;
	else if (address.sll_ifindex)
		*link_type = interface_hardware_link_type(address.sll_hatype);
	if (*link_type == PT_NO_LINK_TYPE)
		return pt_fail(
			err, -EOPNOTSUPP, "socket",
			"the socket's interface has frames that nobody knows (hardware type %u); "
			"a datagram socket (SOCK_DGRAM) gives them without their headers",
			address.sll_hatype);
	return 0;
}

static int check_kind(int fd, uint16_t *link_type, struct pt_error *err)
{
	int domain, type;
	socklen_t length = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	length = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	if (domain != AF_PACKET)
		return refuse(err, -EPROTOTYPE, "its family is another one than AF_PACKET");
	return link_type_of(fd, type, link_type, err);
}

static int take_handed(const struct live_config *config, int *fd, uint16_t *link_type,
                       struct pt_error *err)
{
	*fd = fcntl(config->socket, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? refuse(err, -errno, error_words(-errno)) : check_kind(*fd, link_type, err);
}

/* ---- made ---- */

bool live_socket_is_any(const char *iface)
{
	return strcmp(iface, "any") == 0;
}

static int cannot(const char *iface, int code, struct pt_error *err)
{
	if (code == -EPERM || code == -EACCES)
		return interface_not_permitted(iface, "capture", err);
	return pt_fail(err, code, "iface", "cannot capture on '%s': %s", iface, error_words(code));
}

int live_socket_new(const struct live_config *config, const char *iface, int *fd,
                    uint16_t *link_type, struct pt_error *err)
{
	if (config->socket >= 0)
		return take_handed(config, fd, link_type, err);
	bool any = live_socket_is_any(iface);
	*fd = socket(AF_PACKET, (any ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return cannot(iface, -errno, err);
	*link_type = any ? LIVE_COOKED2 : interface_link_type(*fd, iface);
	int index = any ? 0 : interface_index(*fd, iface, err);
	return index < 0 ? index : 0;
}

int live_socket_bind(const struct live_config *config, const char *iface, int fd,
                     struct pt_error *err)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fault = 0;
	socklen_t size = sizeof fault;
	if (!live_socket_is_any(iface))
		address.sll_ifindex = interface_index(fd, iface, err);
	if (address.sll_ifindex < 0)
		return address.sll_ifindex;
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return cannot(iface, -errno, err);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 && fault)
		return fault == ENETDOWN ? interface_not_up(iface, err)
		                         : cannot(iface, -fault, err);
	int rc = config->promisc ? live_socket_set_promisc(fd, true) : 0;
	return rc ? cannot(iface, rc, err) : 0;
}

int live_socket_set_promisc(int fd, bool promisc)
{
	struct sockaddr_ll address = {.sll_ifindex = 0};
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	const struct packet_mreq wanted = {.mr_ifindex = address.sll_ifindex,
	                                   .mr_type = PACKET_MR_PROMISC};
	if (address.sll_ifindex <= 0)
		return 0;
	return setsockopt(fd, SOL_PACKET, promisc ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP,
	                  &wanted, sizeof wanted) < 0
	               ? -errno
	               : 0;
}

int live_socket_fanout(int fd, const struct live_config *config, struct pt_error *err)
{
	static const int modes[] = {PACKET_FANOUT_HASH, PACKET_FANOUT_LB, PACKET_FANOUT_CPU};
	int option = config->fanout | modes[config->fanout_by] << 16;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &option, sizeof option) == 0)
		return 0;
	return pt_fail(err, -errno, "fanout", "cannot join fanout group %d: %s", config->fanout,
	               error_words(-errno));
}
