/* SPDX-License-Identifier: BSD-2-Clause */
/* Goes to the namespace, opens, and comes back. */
#include "ctl/hand_over_socket.h"

#include "capture/live_filter.h"
#include "capture/live_socket.h"
#include "capture/netns.h"
#include "type/param.h"
#include <errno.h>
#include <unistd.h>

static int open_there(const struct live_config *config, struct pt_error *err)
{
	uint16_t link_type;
	int fd = -1, rc = live_socket_new(config, config->iface, &fd, &link_type, err);
	if (rc == 0 && live_filter_attach_none(fd))
		rc = -EPERM;
	if (rc == 0)
		rc = live_socket_bind(config, config->iface, fd, err);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool has_socket(const struct pt_param *rows, const json_t *params)
{
	const struct pt_param *row = rows ? param_find(rows, "socket") : NULL;
	const json_t *given = json_object_get(params, "socket");
	return row && row->kind == PT_KIND_FD && (!given || json_is_null(given));
}

int hand_over_socket(const struct pt_param *rows, const json_t *params, struct pt_error *err)
{
	const struct live_config config = {
		.netns = json_string_value(json_object_get(params, "netns")),
		.iface = json_string_value(json_object_get(params, "iface")),
		.socket = -1,
		.promisc = !json_is_false(json_object_get(params, "promisc")),
	};
	struct pt_error why = PT_ERROR_INIT;
	int back;
	if (!config.netns || !config.iface || !has_socket(rows, params))
		return -ENOENT;
	if (netns_enter(config.netns, &back, NULL))
		return -EPERM;
	int fd = open_there(&config, &why);
	netns_leave(back);
	if (fd < 0 && fd != -EPERM)
		pt_fail(err, fd, "iface", "%s", pt_error_text(&why, "it cannot be opened"));
	pt_error_clear(&why);
	return fd;
}
