/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks the kernel about interfaces. */
#include "capture/interface.h"

#include "base/buf.h"
#include "base/near.h"
#include "msg/link_type.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request about an interface; false: there is no such one. */
static bool ask(int space, const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = space >= 0 ? space : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	*ifr = (struct ifreq){.ifr_ifindex = 0};
	strncpy(ifr->ifr_name, name, sizeof ifr->ifr_name - 1);
	bool known = strlen(name) < sizeof ifr->ifr_name && ioctl(fd, request, ifr) == 0;
	if (fd != space)
		close(fd);
	return known;
}

static int no_such(const char *name, struct pt_error *err)
{
	struct if_nameindex *all = if_nameindex();
	struct near near = near_init(name);
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		near_try(&near, i->if_name);
	pt_fail(err, -ENODEV, "iface", "no interface '%s'%s", name, near_say(&near, ""));
	if (all)
		if_freenameindex(all);
	return -ENODEV;
}

int interface_index(int space, const char *name, struct pt_error *err)
{
	struct ifreq ifr;
	return ask(space, name, SIOCGIFINDEX, &ifr) ? ifr.ifr_ifindex : no_such(name, err);
}

bool interface_bound(int packet_socket, char name[IF_NAMESIZE])
{
	struct sockaddr_ll address = {.sll_ifindex = 0};
	socklen_t length = sizeof address;
	struct ifreq ifr = {.ifr_ifindex = 0};
	if (getsockname(packet_socket, (struct sockaddr *)&address, &length) < 0 ||
	    address.sll_ifindex <= 0)
		return false;
	ifr.ifr_ifindex = address.sll_ifindex;
	if (ioctl(packet_socket, SIOCGIFNAME, &ifr) < 0)
		return false;
	memcpy(name, ifr.ifr_name, IF_NAMESIZE);
	return true;
}

char *interface_default(void)
{
	struct if_nameindex *all = if_nameindex();
	char *loopback = NULL, *found = NULL;
	for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
		struct ifreq ifr;
		if (!ask(-1, i->if_name, SIOCGIFFLAGS, &ifr) || !(ifr.ifr_flags & IFF_UP))
			continue;
		if (!(ifr.ifr_flags & IFF_LOOPBACK))
			found = must_strdup(i->if_name);
		else if (!loopback)
			loopback = must_strdup(i->if_name);
	}
	if (all)
		if_freenameindex(all);
	if (!found)
		return loopback;
	free(loopback);
	return found;
}

bool interface_exists(int space, const char *name)
{
	struct ifreq ifr;
	return ask(space, name, SIOCGIFINDEX, &ifr);
}

bool interface_is_down(int space, const char *name)
{
	struct ifreq ifr;
	return ask(space, name, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP);
}

/* What a raw packet socket gives and takes there; libpcap captures as the same, or as cooked. */
static const struct {
	uint16_t hardware, link_type;
} frames[] = {
	{ARPHRD_ETHER, 1},
	{ARPHRD_LOOPBACK, 1},
	{ARPHRD_METRICOM, 1},
	{ARPHRD_EETHER, 2},
	{ARPHRD_AX25, 3},
	{ARPHRD_PRONET, 4},
	{ARPHRD_CHAOS, 5},
	{ARPHRD_IEEE802, 6},
	{ARPHRD_IEEE802_TR, 6},
	{ARPHRD_ARCNET, 129},
	{ARPHRD_FDDI, 10},
	{ARPHRD_CISCO, 104},
	{ARPHRD_FRAD, 107},
	{ARPHRD_IEEE80211, 105},
	{ARPHRD_IEEE80211_PRISM, 119},
	{ARPHRD_IEEE80211_RADIOTAP, 127},
	{ARPHRD_IEEE802154, 230},
	{280 /* CAN */, 227},
	{824 /* netlink */, 253},
	{826 /* vsock */, 271},
	{ARPHRD_NONE, 101},
	{519 /* raw IP */, 101},
	{ARPHRD_PPP, 101},
	{ARPHRD_TUNNEL, 101},
	{ARPHRD_TUNNEL6, 101},
	{ARPHRD_SIT, 101},
	{ARPHRD_IPGRE, 101},
	{823 /* GRE over IPv6 */, 101},
	{ARPHRD_SLIP, 101},
	{ARPHRD_CSLIP, 101},
	{ARPHRD_SLIP6, 101},
	{ARPHRD_CSLIP6, 101},
	{ARPHRD_ADAPT, 101},
};

uint16_t interface_hardware_link_type(unsigned hardware_type)
{
	for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
		if (frames[i].hardware == hardware_type)
			return frames[i].link_type;
	return PT_NO_LINK_TYPE;
}

uint16_t interface_link_type(int space, const char *name)
{
	struct ifreq ifr;
	return ask(space, name, SIOCGIFHWADDR, &ifr)
	               ? interface_hardware_link_type(ifr.ifr_hwaddr.sa_family)
	               : PT_NO_LINK_TYPE;
}

/* What goes out of PPP has another header than what comes in, and on the way to a switch (DSA) each
   frame has one of the switch's maker. */
bool interface_has_frames(const char *name)
{
	struct ifreq ifr;
	char tagging[sizeof "/sys/class/net//dsa/tagging" + IF_NAMESIZE];
	if (!ask(-1, name, SIOCGIFHWADDR, &ifr))
		return false;
	snprintf(tagging, sizeof tagging, "/sys/class/net/%s/dsa/tagging", name);
	return ifr.ifr_hwaddr.sa_family != ARPHRD_PPP && access(tagging, F_OK) < 0 &&
	       interface_hardware_link_type(ifr.ifr_hwaddr.sa_family) != PT_NO_LINK_TYPE;
}

const char *interface_link_words(uint16_t link_type)
{
	const char *name = link_type_name(link_type);
	return name ? name : "unknown";
}

unsigned interface_mtu(int space, const char *name)
{
	struct ifreq ifr;
	return ask(space, name, SIOCGIFMTU, &ifr) ? (unsigned)ifr.ifr_mtu : 0;
}

int interface_not_permitted(const char *name, const char *what, struct pt_error *err)
{
	pt_fail(err, -EPERM, "iface", "the daemon may not %s on '%s': it lacks CAP_NET_RAW", what,
	        name);
	pt_hint(err, "run it as root, or with AmbientCapabilities=CAP_NET_RAW in its unit");
	return -EPERM;
}

int interface_not_up(const char *name, struct pt_error *err)
{
	pt_fail(err, -ENETDOWN, "iface", "interface '%s' is down", name);
	pt_hint(err, "ip link set %s up", name);
	return -ENETDOWN;
}
