/* SPDX-License-Identifier: BSD-2-Clause */
/* From a port to the socket's inode, and from there to a process, through /proc. */
#include "net/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_LISTEN 10

/* The inode of a socket in /proc/net/{tcp,udp}{,6}: local address, state and inode are columns 2, 4
   and 10 (proc(5)). 0: none. */
static unsigned long find_inode(const char *table, int port, bool listening)
{
	char line[512];
	unsigned long inode = 0;
	FILE *f = fopen(table, "re");
	if (!f)
		return 0;
	while (!inode && fgets(line, sizeof line, f)) {
		unsigned local, state;
		unsigned long found;
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &local,
		           &state, &found) == 3 &&
		    (int)local == port && (!listening || state == TCP_LISTEN))
			inode = found;
	}
	fclose(f);
	return inode;
}

static bool holds(const char *pid, const char *socket)
{
	char path[64 + 256], link[64];
	snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
	DIR *fds = opendir(path);
	if (!fds)
		return false;
	bool found = false;
	for (struct dirent *fd; !found && (fd = readdir(fds));) {
		snprintf(path, sizeof path, "/proc/%.16s/fd/%s", pid, fd->d_name);
		ssize_t n = readlink(path, link, sizeof link - 1);
		if (n > 0) {
			link[n] = 0;
			found = !strcmp(link, socket);
		}
	}
	closedir(fds);
	return found;
}

static void describe(const char *pid, char out[HOLDER_TEXT])
{
	char path[64], name[32] = "a process";
	snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
	FILE *f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof name, f))
			name[strcspn(name, "\n")] = 0;
		fclose(f);
	}
	snprintf(out, HOLDER_TEXT, "%s (pid %.16s)", name, pid);
}

void holder_find(int type, int port, char out[HOLDER_TEXT])
{
	bool tcp = type == SOCK_STREAM;
	unsigned long inode = find_inode(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, tcp);
	if (!inode)
		inode = find_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", port, tcp);
	DIR *proc = inode ? opendir("/proc") : NULL;
	if (!proc)
		return;
	char socket[48];
	snprintf(socket, sizeof socket, "socket:[%lu]", inode);
	for (struct dirent *d; (d = readdir(proc));)
		if (isdigit((unsigned char)*d->d_name) && holds(d->d_name, socket)) {
			describe(d->d_name, out);
			break;
		}
	closedir(proc);
}
