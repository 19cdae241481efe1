/* SPDX-License-Identifier: BSD-2-Clause */
/* SO_PEERCRED and SO_PEERGROUPS against lists of numbers. */
#include "daemon/peer.h"

#include "base/buf.h"
#include "base/log.h"
#include "daemon/conf.h"
#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROLES = ROLE_ADMIN + 1 };

struct ids {
	id_t *items;
	size_t count;
};

struct access {
	struct ids users[ROLES], groups[ROLES];
};

static const char *const names[ROLES] = {"none", "viewer", "operator", "admin"};

const char *role_name(enum role role)
{
	return names[role];
}

enum role role_parse(const char *name)
{
	for (int role = ROLE_VIEWER; role < ROLES; role++)
		if (!strcmp(names[role], name))
			return (enum role)role;
	assert(!"a method's role is viewer, operator or admin");
	return ROLE_ADMIN;
}

static int read_groups(int fd, struct peer *peer)
{
	socklen_t size = 0;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size))
		return 0; /* none */
	while (errno == ERANGE) {
		peer->groups = must_realloc(peer->groups, size + sizeof(gid_t), 1);
		if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &size)) {
			peer->group_count = size / sizeof(gid_t);
			return 0;
		}
	}
	return -errno;
}

int peer_read(int fd, struct peer *out)
{
	struct peer peer = {0};
	struct ucred cred;
	socklen_t size = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return -errno;
	peer.pid = cred.pid;
	peer.uid = cred.uid;
	int code = read_groups(fd, &peer);
	if (code) {
		free(peer.groups);
		return code;
	}
	peer.groups = must_realloc(peer.groups, peer.group_count + 1, sizeof *peer.groups);
	peer.groups[peer.group_count++] = cred.gid;
	*out = peer;
	return 0;
}

void peer_clear(struct peer *peer)
{
	free(peer->groups);
	*peer = (struct peer){0};
}

static void add(struct ids *ids, id_t id)
{
	ids->items = must_realloc(ids->items, ids->count + 1, sizeof *ids->items);
	ids->items[ids->count++] = id;
}

static bool has(const struct ids *ids, id_t id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->items[i] == id)
			return true;
	return false;
}

static bool parse_number(const char *text, id_t *id)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end || text[0] == '-' || n >= (id_t)-1)
		return false;
	*id = (id_t)n;
	return true;
}

static void add_group(struct access *access, enum role role, const char *name)
{
	id_t id;
	struct group *group = parse_number(name, &id) ? NULL : getgrnam(name);
	if (parse_number(name, &id) || group)
		add(&access->groups[role], group ? group->gr_gid : id);
	else if (strcmp(name, "pipetool") != 0) /* the default, which not every system has */
		log_warning("[access] %s: there is no group '%s'", names[role], name);
}

static void add_user(struct access *access, enum role role, const char *name)
{
	id_t id;
	struct passwd *user = parse_number(name, &id) ? NULL : getpwnam(name);
	if (parse_number(name, &id) || user)
		add(&access->users[role], user ? user->pw_uid : id);
	else
		log_warning("[access] %s: there is no user '%s'", names[role], name);
}

static void add_list(struct access *access, enum role role, char *const *list)
{
	for (; list && *list; list++) {
		if (**list == '@')
			add_group(access, role, *list + 1);
		else
			add_user(access, role, *list);
	}
}

struct access *access_new(const struct conf *conf)
{
	struct access *access = must_calloc(1, sizeof *access);
	add(&access->users[ROLE_ADMIN], 0);
	add(&access->users[ROLE_ADMIN], geteuid());
	add_list(access, ROLE_ADMIN, conf->admin);
	add_list(access, ROLE_OPERATOR, conf->operator);
	add_list(access, ROLE_VIEWER, conf->viewer);
	return access;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	for (int role = 0; role < ROLES; role++) {
		free(access->users[role].items);
		free(access->groups[role].items);
	}
	free(access);
}

static bool is_member(const struct ids *groups, const struct peer *peer)
{
	for (size_t i = 0; i < peer->group_count; i++)
		if (has(groups, peer->groups[i]))
			return true;
	return false;
}

enum role access_role(const struct access *access, const struct peer *peer)
{
	int role = ROLE_ADMIN;
	if (peer->looks)
		return ROLE_VIEWER;
	while (role > ROLE_NONE && !has(&access->users[role], peer->uid) &&
	       !is_member(&access->groups[role], peer))
		role--;
	return (enum role)role;
}
