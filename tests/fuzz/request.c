/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole requests: any lines to a daemon in this process, which answers, and still answers after
   them. In a network of its own, with a folder of its own, and without programs. */
#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	PATIENCE_MS = 60000, /* only a hang gets there */
	WAIT_MS = 500,       /* for what may wait for ever: a receiver, a clean stop */
};

static char folder[100];
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static char *inside(const char *name, bool is_folder)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (is_folder)
		mkdir(path, 0700);
	return strdup(path);
}

static void *serve(void *options)
{
	daemon_run(options);
	return NULL;
}

static int dial(void)
{
	for (int n = 0; n < PATIENCE_MS; n++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
			return fd;
		close(fd);
		poll(NULL, 0, 1);
	}
	abort();
}

/* libFuzzer's alarm is no reason to go. */
static int await(struct pollfd *p, int patience_ms)
{
	int n;
	do
		n = poll(p, 1, patience_ms);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Returns how many bytes came, until the daemon was through or the time was over. */
static size_t ask(const void *bytes, size_t length, int patience_ms)
{
	char room[4096];
	size_t got = 0;
	int fd = dial();
	for (size_t sent = 0; sent < length;) {
		struct pollfd p = {fd, POLLIN | POLLOUT, 0};
		if (await(&p, patience_ms) <= 0)
			break;
		if (p.revents & POLLIN && recv(fd, room, sizeof room, MSG_DONTWAIT) <= 0)
			break;
		ssize_t n = send(fd, (const char *)bytes + sent, length - sent,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0 && p.revents & (POLLHUP | POLLERR))
			break;
	}
	shutdown(fd, SHUT_WR);
	for (ssize_t n = 1; n > 0; got += n > 0 ? (size_t)n : 0) {
		struct pollfd p = {fd, POLLIN, 0};
		if (await(&p, patience_ms) <= 0)
			break;
		n = recv(fd, room, sizeof room, 0);
	}
	close(fd);
	return got;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct options options = {.log_level = 0};
	pthread_t thread;
	setenv("PATH", "/nowhere", 1);
	unsetenv("DISPLAY");
	unsetenv("NOTIFY_SOCKET");
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		fprintf(stderr, "no network of its own: nothing is tried\n");
		exit(EXIT_SUCCESS);
	}
	const char *place = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/pipetool-fuzz-XXXXXX", place ? place : "/tmp");
	if (!mkdtemp(folder))
		abort();
	options.config = inside("conf", false);
	options.socket = inside("socket", false);
	options.engines = inside("engines.d", true);
	options.blocks = inside("blocks.d", true);
	options.state = inside("state", true);
	FILE *conf = fopen(options.config, "w");
	fprintf(conf,
	        "[files]\nallow = %s\n[limits]\nengines = 8\nblocks = 64\nmemory = 16MiB\n"
	        "[script]\ntime = 10ms\n",
	        folder);
	fclose(conf);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", options.socket);
	if (pthread_create(&thread, NULL, serve, &options))
		abort();
	pthread_detach(thread);
	close(dial());
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char after[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"engine.destroy\","
				    "\"params\":{\"engine\":\"e\"}}\n"
				    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"daemon.info\"}\n";
	ask(data, size, WAIT_MS);
	assert(ask(after, sizeof after - 1, PATIENCE_MS) > 0);
	return 0;
}
