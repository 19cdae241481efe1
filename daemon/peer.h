/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a connection, and what that one may do. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf;

enum role {
	ROLE_NONE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ADMIN
}; /* each may what those before may */

struct peer {
	pid_t pid;
	uid_t uid;
	gid_t *groups; /* all of them */
	size_t group_count;
	bool looks; /* came by the socket for viewers: is one, whoever that is */
	bool guest; /* nobody knows who: counts as one, whatever it may do */
};

/* Who connected: the credentials that the kernel kept from the moment of the connect. */
int peer_read(int fd, struct peer *);
void peer_clear(struct peer *);

/* [access] with its names looked up, once, when the configuration is read. */
struct access;
struct access *access_new(const struct conf *); /* names that do not exist are logged */
void access_free(struct access *);

enum role access_role(const struct access *, const struct peer *);
const char *role_name(enum role);
enum role role_parse(const char *name); /* of a method's table */

#endif
