/* SPDX-License-Identifier: BSD-2-Clause */
/* A list, made once. */
#include "base/named_fd.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

static struct named {
	char *name;
	int fd;
} * all;
static size_t count;
static bool any;

void named_fd_add(const char *name, int fd)
{
	all = must_realloc(all, count + 1, sizeof *all);
	all[count++] = (struct named){must_strdup(name), fd};
}

void named_fd_add_any(void)
{
	any = true;
}

static int unknown(const char *name, const char *param, struct pt_error *err)
{
	struct near near = near_init(name);
	for (size_t i = 0; i < count; i++)
		near_try(&near, all[i].name);
	pt_fail(err, -PT_EPARAM, param, "the daemon was given no descriptor named '%s'", name);
	if (near_best(&near))
		pt_hint(err, "did you mean '%s'?", near_best(&near));
	else
		pt_hint(err,
		        "systemd hands one over by OpenFile= or a socket with FileDescriptorName=");
	return -PT_EPARAM;
}

int named_fd_get(const char *name, const char *param, struct pt_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(all[i].name, name)) {
			int fd = fcntl(all[i].fd, F_DUPFD_CLOEXEC, 0);
			return fd >= 0 ? fd
			               : pt_fail(err, -errno, param, "descriptor '%s': %s", name,
			                         error_words(errno));
		}
	return any ? open("/dev/null", O_RDWR | O_CLOEXEC) : unknown(name, param, err);
}
