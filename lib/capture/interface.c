/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks the kernel about interfaces. */
#include "capture/interface.h"

#include "base/buf.h"
#include "base/near.h"
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request about an interface; false: there is no such one. */
static bool ask(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	*ifr = (struct ifreq){.ifr_ifindex = 0};
	strncpy(ifr->ifr_name, name, sizeof ifr->ifr_name - 1);
	bool known = strlen(name) < sizeof ifr->ifr_name && ioctl(fd, request, ifr) == 0;
	close(fd);
	return known;
}

static int no_such(const char *name, struct pt_error *err)
{
	struct if_nameindex *all = if_nameindex();
	struct near near = near_init(name);
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		near_try(&near, i->if_name);
	if (near_best(&near))
		pt_fail(err, -ENODEV, "iface", "no interface '%s'; did you mean '%s'?", name,
		        near_best(&near));
	else
		pt_fail(err, -ENODEV, "iface", "no interface '%s'", name);
	if (all)
		if_freenameindex(all);
	return -ENODEV;
}

int interface_index(const char *name, struct pt_error *err)
{
	struct ifreq ifr;
	return ask(name, SIOCGIFINDEX, &ifr) ? ifr.ifr_ifindex : no_such(name, err);
}

char *interface_default(void)
{
	struct if_nameindex *all = if_nameindex();
	char *loopback = NULL, *found = NULL;
	for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
		struct ifreq ifr;
		if (!ask(i->if_name, SIOCGIFFLAGS, &ifr) || !(ifr.ifr_flags & IFF_UP))
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

bool interface_is_down(const char *name)
{
	struct ifreq ifr;
	return ask(name, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP);
}

unsigned interface_mtu(const char *name)
{
	struct ifreq ifr;
	return ask(name, SIOCGIFMTU, &ifr) ? (unsigned)ifr.ifr_mtu : 0;
}

int interface_not_permitted(const char *name, const char *what, struct pt_error *err)
{
	pt_fail(err, -EPERM, "iface", "the daemon may not %s on '%s': it lacks CAP_NET_RAW", what,
	        name);
	pt_hint(err, "run it as root, or with AmbientCapabilities=CAP_NET_RAW in its unit");
	return -EPERM;
}
