/* SPDX-License-Identifier: BSD-2-Clause */
/* One key for the socket, one for the mark. */
#include "capture/live_carry.h"

#include "base/buf.h"
#include "capture/interface.h"
#include "capture/live_config.h"
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING "ring" /* the packet socket */
#define MARK "mark" /* how far it has been read */

static char *key_of(const char *netns)
{
	return must_printf(RING "%s%s", netns ? " in " : "", netns ? netns : "");
}

/* What is read goes back to the kernel only when it is behind a checkpoint, if there are any. */
void live_carry_tell(struct live *l, const char *netns, struct live_mark *told,
                     struct pt_carry *carry)
{
	if (!l || !live_mark(l, told))
		return;
	live_keep(l, pt_carry_exact(carry));
	char *key = key_of(netns);
	pt_carry_fd(carry, key, live_socket(l));
	free(key);
	pt_carry_bytes(carry, MARK, told, sizeof *told);
}

bool live_carry_resume(struct pt_block *b, const struct live_config *config, const char *iface,
                       struct live **live)
{
	char name[IF_NAMESIZE];
	struct live_mark mark;
	size_t length;
	int fd;
	const void *carried = pt_carried_bytes(b, MARK, &length);
	char *key = key_of(config->netns);
	bool is_there = carried && length == sizeof mark && pt_carried_fd(b, key, &fd) && fd >= 0;
	free(key);
	if (!is_there)
		return false;
	memcpy(&mark, carried, length);
	bool is_other = iface && interface_bound(fd, name) && strcmp(name, iface) != 0;
	if (!is_other)
		return live_resume(config, fd, &mark, live, NULL) == 0;
	close(fd);
	return false;
}
