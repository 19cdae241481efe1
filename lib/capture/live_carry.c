/* SPDX-License-Identifier: BSD-2-Clause */
/* For each of two rings one key for the socket, one for the mark. */
#include "capture/live_carry.h"

#include "base/buf.h"
#include "base/error.h"
#include "capture/interface.h"
#include "capture/live_config.h"
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct kind {
	const char *ring, *mark; /* the packet socket, and how far it has been read */
} kinds[] = {{"ring", "mark"}, {"standby ring", "standby mark"}};

static char *key_of(const struct kind *kind, const char *netns)
{
	return must_printf("%s%s%s", kind->ring, netns ? " in " : "", netns ? netns : "");
}

static void tell(const struct kind *kind, const char *netns, int fd, const struct live_mark *mark,
                 struct pt_carry *carry)
{
	char *key = key_of(kind, netns);
	pt_carry_fd(carry, key, fd);
	free(key);
	pt_carry_bytes(carry, kind->mark, mark, sizeof *mark);
}

/* What is read goes back to the kernel only when it is behind a checkpoint, if there are any. */
void live_carry_tell(struct live *l, const char *netns, struct live_marks *told,
                     struct pt_carry *carry)
{
	if (!l || !live_mark(l, told))
		return;
	live_keep(l, pt_carry_exact(carry));
	tell(&kinds[0], netns, live_socket(l), &told->ring, carry);
	if (told->standby.count)
		tell(&kinds[1], netns, live_standby_socket(l), &told->standby, carry);
}

static int take(struct pt_block *b, const struct kind *kind, const char *netns,
                struct live_mark *mark)
{
	size_t length;
	int fd = -1;
	const void *carried = pt_carried_bytes(b, kind->mark, &length);
	char *key = key_of(kind, netns);
	bool is_there = carried && length == sizeof *mark && pt_carried_fd(b, key, &fd);
	free(key);
	if (is_there)
		memcpy(mark, carried, length);
	return fd;
}

bool live_carry_resume(struct pt_block *b, const struct live_config *config, const char *iface,
                       struct live **live, struct pt_error *trouble)
{
	char name[IF_NAMESIZE];
	struct live_marks marks;
	struct live_fds fds = {take(b, &kinds[0], config->netns, &marks.ring), -1};
	if (fds.ring < 0)
		return false;
	fds.standby = take(b, &kinds[1], config->netns, &marks.standby);
	bool is_other = iface && interface_bound(fds.ring, name) && strcmp(name, iface) != 0;
	if (!is_other)
		return live_resume(config, &fds, &marks, live, trouble, trouble) == 0;
	close(fds.ring);
	if (fds.standby >= 0)
		close(fds.standby);
	return false;
}

void live_carry_tell_trouble(struct pt_block *b, struct pt_error *trouble)
{
	for (size_t i = 0; i < trouble->count; i++)
		pt_report(b, trouble->faults[i].code, "%s", trouble->faults[i].message);
	pt_error_clear(trouble);
}
