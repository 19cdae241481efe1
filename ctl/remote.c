/* SPDX-License-Identifier: BSD-2-Clause */
/* ssh as the way to the socket. */
#include "ctl/remote.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As one word for the shell over there. */
static char *quoted(const char *word)
{
	struct buf b = BUF_INIT;
	buf_addc(&b, '\'');
	for (; *word; word++)
		buf_adds(&b, *word == '\'' ? "'\\''" : (const char[]){*word, 0});
	buf_addc(&b, '\'');
	return buf_steal(&b);
}

static char *command_of(const char *socket)
{
	if (!socket)
		return must_strdup("ptctl proxy");
	char *path = quoted(socket), *command = must_printf("ptctl -s %s proxy", path);
	free(path);
	return command;
}

static int spawn(const char *host, const char *socket, int end, struct pt_error *err)
{
	const char *given = getenv("PTCTL_SSH"), *program = given && *given ? given : "ssh";
	char *command = command_of(socket);
	char *const arguments[] = {(char *)(uintptr_t)program,
	                           (char *)(uintptr_t) "-T",
	                           (char *)(uintptr_t) "--",
	                           (char *)(uintptr_t)host,
	                           command,
	                           NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO);
	pid_t child;
	int rc = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(command);
	if (rc)
		return pt_fail(err, -rc, NULL, "cannot run '%s': %s", program, error_words(rc));
	return 0;
}

int remote_open(const char *host, const char *socket, struct pt_client **client,
                struct pt_error *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return pt_fail(err, -errno, NULL, "no pipe to ssh: %s", error_words(errno));
	int rc = spawn(host, socket, ends[1], err);
	close(ends[1]);
	if (!rc)
		rc = pt_client_open_fds(ends[0], ends[0], client);
	else
		close(ends[0]);
	return rc;
}
