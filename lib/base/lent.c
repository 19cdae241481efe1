/* SPDX-License-Identifier: BSD-2-Clause */
/* Wishes, each with a socket of its own for the answer: so any thread may have one. */
#include "base/lent.h"

#include "base/buf.h"
#include "base/fds.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX      "lent:"
#define PATIENCE_MS 10000

struct lent {
	struct lent *next;
	int fd;
	char *folder, *text;
	const char *list[2];
};

/* ---- lists ---- */

static struct lent *new_one(struct lent **all, int fd, const char *folder)
{
	struct lent *l = must_calloc(1, sizeof *l);
	l->fd = fd;
	l->folder = must_strdup(folder);
	l->text = must_printf(PREFIX "%d:%s", fd, folder);
	l->list[0] = l->text;
	l->next = *all;
	*all = l;
	return l;
}

const char *const *lent_add(struct lent **all, int fd, const char *folder)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&mutex);
	struct lent *l = *all;
	while (l && strcmp(l->folder, folder) != 0)
		l = l->next;
	if (l) {
		dup3(fd, l->fd, O_CLOEXEC);
		close(fd);
	} else
		l = new_one(all, fd, folder);
	pthread_mutex_unlock(&mutex);
	return l->list;
}

void lent_free(struct lent *all)
{
	for (struct lent *l; (l = all);) {
		all = l->next;
		close(l->fd);
		free(l->folder);
		free(l->text);
		free(l);
	}
}

const char *lent_folder(const char *const *folders)
{
	if (!folders || !*folders || strncmp(*folders, PREFIX, strlen(PREFIX)) != 0)
		return NULL;
	const char *colon = strchr(*folders + strlen(PREFIX), ':');
	return colon ? colon + 1 : NULL;
}

bool lent_has(const char *folder, const char *path)
{
	size_t length = strlen(folder);
	while (length && folder[length - 1] == '/')
		length--;
	if (strncmp(path, folder, length) != 0 || path[length] != '/')
		return false;
	for (const char *at = strchr(path + length, '/'); at; at = strchr(at + 1, '/'))
		if (!strncmp(at, "/..", 3) && (!at[3] || at[3] == '/'))
			return false;
	return true;
}

/* ---- asking ---- */

static bool is_ready(int fd, short events)
{
	struct pollfd polled = {fd, events, 0};
	int n;
	do
		n = poll(&polled, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Who did not answer once is asked no more. */
static int give_up(int fd)
{
	shutdown(fd, SHUT_RDWR);
	return -EOWNERDEAD;
}

static int send_wish(int fd, const struct buf *wish, const int *fds, int count)
{
	while (fds_send(fd, wish->data, wish->length, fds, count) < 0) {
		if (errno != EAGAIN)
			return errno == EMSGSIZE ? -ENAMETOOLONG : -EOWNERDEAD;
		if (!is_ready(fd, POLLOUT))
			return give_up(fd);
	}
	return 0;
}

static int receive_answer(int fd, int answers)
{
	int fds[FDS_MAX], count = 0;
	int32_t code = 0;
	if (!is_ready(answers, POLLIN))
		return give_up(fd);
	ssize_t n = fds_receive(answers, &code, sizeof code, fds, &count);
	bool has_fd = n == sizeof code && count == 1 && code >= 0;
	for (int i = has_fd; i < count; i++)
		close(fds[i]);
	return n != sizeof code ? -EOWNERDEAD : has_fd ? fds[0] : code;
}

int lent_ask(const char *const *folders, enum lent_verb verb, int flags, const char *path,
             const int *fds, int fd_count)
{
	int fd = atoi(*folders + strlen(PREFIX)), ends[2], all[LENT_FDS_MAX];
	const struct lent_wish wish = {verb, flags};
	struct buf text = BUF_INIT;
	if (strlen(path) + 1 + sizeof wish > LENT_WISH_MAX)
		return -ENAMETOOLONG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	buf_add(&text, &wish, sizeof wish);
	buf_add(&text, path, strlen(path) + 1);
	all[0] = ends[1];
	for (int i = 0; i < fd_count; i++)
		all[1 + i] = fds[i];
	int code = send_wish(fd, &text, all, 1 + fd_count);
	close(ends[1]);
	if (!code)
		code = receive_answer(fd, ends[0]);
	close(ends[0]);
	buf_free(&text);
	return code;
}
