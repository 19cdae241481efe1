/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, taking over and removing control sockets. */
#include "daemon/socket.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/named_fd.h"
#include "daemon/store.h"
#include "paths.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

int socket_default_path(char **path, struct pt_error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0)
		*path = must_strdup(PIPETOOL_RUN_DIR "/control.sock");
	else if (runtime && *runtime)
		*path = must_printf("%s/pipetool/control.sock", runtime);
	else
		return pt_fail(
			err, -ENOENT, NULL,
			"nobody said where the control socket goes, and $XDG_RUNTIME_DIR is not "
			"set; use --socket PATH");
	return 0;
}

static int fill_address(const char *path, struct sockaddr_un *address, struct pt_error *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path)
		return pt_fail(err, -EINVAL, NULL, "the control socket's path is empty");
	if (strlen(path) >= sizeof address->sun_path)
		return pt_fail(
			err, -ENAMETOOLONG, NULL,
			"the control socket's path is too long, %zu bytes of at most %zu: %s",
			strlen(path), sizeof address->sun_path - 1, path);
	strcpy(address->sun_path, path);
	return 0;
}

static int make_folder(const char *path, struct pt_error *err)
{
	char *copy = must_strdup(path);
	const char *folder = dirname(copy);
	int code = 0;
	if (mkdir(folder, geteuid() == 0 ? 0755 : 0700) && errno != EEXIST) {
		code = -errno;
		pt_fail(err, code, NULL, "the folder %s cannot be made: %s", folder,
		        error_words(code));
	}
	free(copy);
	return code;
}

/* Who listens there, in words; the answer to "is it live" is a connect. */
static int check_live(const struct sockaddr_un *address, struct pt_error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred cred = {0};
	socklen_t size = sizeof cred;
	int failed = fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address);
	int code = failed ? -errno : 0;
	if (!failed)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	if (fd >= 0)
		close(fd);
	if (code == -ECONNREFUSED || code == -ENOENT)
		return 0;
	if (code && code != -EAGAIN)
		return pt_fail(err, code, NULL, "%s is there, and whether somebody listens: %s",
		               address->sun_path, error_words(code));
	pt_fail(err, -EADDRINUSE, NULL, "process %d listens on %s already", (int)cred.pid,
	        address->sun_path);
	pt_hint(err, "stop it, or use --socket PATH for a second daemon");
	return -EADDRINUSE;
}

static int clear_way(const struct sockaddr_un *address, struct pt_error *err)
{
	struct stat st;
	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0
		                       : pt_fail(err, -errno, NULL, "%s: %s", address->sun_path,
		                                 error_words(errno));
	if (!S_ISSOCK(st.st_mode))
		return pt_fail(err, -EEXIST, NULL,
		               "%s is there and is no socket; remove it, or choose another path",
		               address->sun_path);
	int code = check_live(address, err);
	if (!code && unlink(address->sun_path) && errno != ENOENT)
		code = pt_fail(err, -errno, NULL, "%s was left behind and cannot be removed: %s",
		               address->sun_path, error_words(errno));
	return code;
}

/* One daemon at a time looks, removes and binds: two that start together must not take each
   other's socket for a stale one. Whoever may read the folder could hold the lock, so the wait
   for it ends. */
static int lock_folder(const char *path)
{
	char *copy = must_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int tries = 0; fd >= 0 && tries < 20 && flock(fd, LOCK_EX | LOCK_NB); tries++)
		usleep(50000);
	free(copy);
	return fd;
}

static void give_to_group(const char *path)
{
	struct group *group = getgrnam("pipetool");
	if (group && chown(path, (uid_t)-1, group->gr_gid) && !geteuid())
		log_warning("%s cannot be given to the group pipetool: %s", path,
		            error_words(errno));
}

static int bind_and_listen(struct control_socket *s, const struct sockaddr_un *address,
                           struct pt_error *err)
{
	struct stat st;
	mode_t before = umask(s->viewers ? 0111 : 0117);
	int failed = bind(s->fd, (const struct sockaddr *)address, sizeof *address);
	umask(before);
	if (!failed)
		failed = listen(s->fd, BACKLOG) || lstat(address->sun_path, &st);
	if (failed)
		return pt_fail(err, -errno, NULL, "cannot listen on %s: %s", address->sun_path,
		               error_words(errno));
	if (!s->viewers)
		give_to_group(address->sun_path);
	s->path = must_strdup(address->sun_path);
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return 0;
}

int socket_open(const char *path, bool viewers, struct control_socket *out, struct pt_error *err)
{
	struct sockaddr_un address;
	int code = fill_address(path, &address, err);
	if (!code)
		code = make_folder(path, err);
	if (code)
		return code;
	struct control_socket s = {.fd = -1, .viewers = viewers};
	int lock = lock_folder(path);
	code = clear_way(&address, err);
	if (!code) {
		s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		code = s.fd < 0 ? -errno : bind_and_listen(&s, &address, err);
	}
	if (lock >= 0)
		close(lock);
	if (code && s.fd >= 0)
		close(s.fd);
	if (!code)
		*out = s;
	return code;
}

static bool take(struct control_socket *s, int fd, bool viewers)
{
	if (s->fd >= 0 || sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
		return false;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*s = (struct control_socket){.fd = fd, .viewers = viewers};
	return true;
}

void socket_take_passed(struct control_socket *control, struct control_socket *viewers)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	*control = *viewers = (struct control_socket){.fd = -1};
	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		bool look = !strcmp(names[i], "readonly");
		if (store_is_name(names[i]))
			close(fd);
		else if (!take(look ? viewers : control, fd, look))
			named_fd_add(names[i], fd);
		free(names[i]);
	}
	free(names);
}

/* ---- a name that is gone ---- */

/* "": it has none. */
static const char *name_of(const struct control_socket *s, struct sockaddr_un *address)
{
	socklen_t size = sizeof *address;
	*address = (struct sockaddr_un){0};
	if (s->path)
		return s->path;
	return getsockname(s->fd, (struct sockaddr *)address, &size) ? "" : address->sun_path;
}

bool socket_is_lost(const struct control_socket *s)
{
	struct stat st;
	struct sockaddr_un address;
	const char *name = name_of(s, &address);
	if (!*name)
		return false;
	if (lstat(name, &st))
		return errno == ENOENT || errno == ENOTDIR;
	return s->path && (st.st_dev != s->device || st.st_ino != s->inode);
}

int socket_renew(struct control_socket *s, struct pt_error *err)
{
	struct sockaddr_un address;
	struct control_socket fresh;
	if (!s->path)
		return pt_fail(err, -PT_EIO, NULL,
		               "the name of the control socket is gone, %s, which systemd made: "
		               "'systemctl restart' its socket unit",
		               name_of(s, &address));
	int code = socket_open(s->path, s->viewers, &fresh, err);
	if (code)
		return code;
	if (dup3(fresh.fd, s->fd, O_CLOEXEC) < 0) {
		code = pt_fail(err, -errno, NULL, "%s: %s", s->path, error_words(errno));
		socket_close(&fresh);
		return code;
	}
	close(fresh.fd);
	free(fresh.path);
	s->device = fresh.device;
	s->inode = fresh.inode;
	return 0;
}

void socket_watch(const struct control_socket *s, int inotify)
{
	if (!s->path)
		return;
	char *copy = must_strdup(s->path);
	inotify_add_watch(inotify, dirname(copy),
	                  IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	free(copy);
}

void socket_close(struct control_socket *s)
{
	struct stat st;
	if (s->fd >= 0)
		close(s->fd);
	if (s->path && !lstat(s->path, &st) && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
	free(s->path);
	*s = (struct control_socket){.fd = -1};
}
