/* SPDX-License-Identifier: BSD-2-Clause */
/* setns, there and back. */
#include "capture/netns.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static int open_anew(int place)
{
	struct statfs fs;
	if (fstatfs(place, &fs) < 0 || fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	char *path = must_printf("/proc/self/fd/%d", place);
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = errno;
	free(path);
	return fd < 0 ? -error : fd;
}

/* Whatever else the path leads to is not opened. */
static int open_namespace(const char *netns)
{
	char *path = strchr(netns, '/') ? must_strdup(netns) : must_printf("/run/netns/%s", netns);
	int place = open(path, O_PATH | O_CLOEXEC), error = errno;
	free(path);
	if (place < 0)
		return -error;
	int fd = open_anew(place);
	close(place);
	return fd;
}

static int refuse(const char *netns, int code, struct pt_error *err)
{
	if (code == -EPERM) {
		pt_fail(err, code, "netns",
		        "the daemon may not enter the network namespace '%s': it lacks "
		        "CAP_SYS_ADMIN",
		        netns);
		pt_hint(err, "pipetoold(8), PERMISSIONS, has a drop-in for its unit");
		return code;
	}
	if (code == -EINVAL)
		return pt_fail(err, code, "netns", "'%s' is no network namespace", netns);
	pt_fail(err, code, "netns", "no network namespace '%s': %s", netns, error_words(code));
	if (code == -ENOENT)
		pt_hint(err, "ip netns list has their names; or give a path (/proc/PID/ns/net)");
	return code;
}

int netns_enter(const char *netns, int *back, struct pt_error *err)
{
	*back = -1;
	if (!netns)
		return 0;
	int fd = open_namespace(netns);
	if (fd < 0)
		return refuse(netns, fd, err);
	*back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int rc = *back < 0 || setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	close(fd);
	if (rc == 0)
		return 0;
	if (*back >= 0)
		close(*back);
	return refuse(netns, rc, err);
}

/* A thread that is in the wrong namespace can do nothing right. */
void netns_leave(int back)
{
	if (back < 0)
		return;
	if (setns(back, CLONE_NEWNET) < 0)
		abort();
	close(back);
}
