/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what. */
#include "daemon/peer.h"

#include "base/log.h"
#include "daemon/conf.h"
#include "unit.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct conf conf;

static struct access *access_of(const char *text)
{
	conf_clear(&conf);
	ck_assert_int_eq(conf_read_text(text, strlen(text), &conf, NULL), 0);
	return access_new(&conf);
}

static enum role role_of(const struct access *access, uid_t uid, gid_t gid)
{
	gid_t groups[] = {gid};
	struct peer peer = {.uid = uid, .groups = groups, .group_count = 1};
	return access_role(access, &peer);
}

START_TEST(root_and_the_own_user_are_always_admin)
{
	struct access *access = access_of("[access]\nadmin =\n");
	ck_assert_int_eq(role_of(access, 0, 0), ROLE_ADMIN);
	ck_assert_int_eq(role_of(access, geteuid(), 12345), ROLE_ADMIN);
	ck_assert_int_eq(role_of(access, 54321, 12345), ROLE_NONE);
	access_free(access);
	conf_clear(&conf);
}
END_TEST

START_TEST(the_highest_role_that_matches_counts)
{
	struct access *access =
		access_of("[access]\nadmin = 1001\noperator = 1002, @2002\nviewer = @2003, 1001\n");
	ck_assert_int_eq(role_of(access, 1001, 1), ROLE_ADMIN);
	ck_assert_int_eq(role_of(access, 1002, 1), ROLE_OPERATOR);
	ck_assert_int_eq(role_of(access, 1003, 2002), ROLE_OPERATOR);
	ck_assert_int_eq(role_of(access, 1003, 2003), ROLE_VIEWER);
	ck_assert_int_eq(role_of(access, 1003, 1), ROLE_NONE);
	access_free(access);
	conf_clear(&conf);
}
END_TEST

START_TEST(names_are_looked_up_and_unknown_ones_match_nobody)
{
	log_set_level(LOG_LEVEL_ERROR);
	struct access *access = access_of("[access]\nadmin = no-such-user, @no-such-group\n"
	                                  "viewer = daemon\n");
	ck_assert_int_eq(role_of(access, 1, 12345), ROLE_VIEWER);
	ck_assert_int_eq(role_of(access, 54321, 12345), ROLE_NONE);
	access_free(access);
	conf_clear(&conf);
}
END_TEST

START_TEST(the_kernel_tells_who_connected)
{
	int pair[2];
	struct peer peer;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(peer_read(pair[0], &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_ge(peer.group_count, 1);
	ck_assert_uint_eq(peer.groups[peer.group_count - 1], getegid());
	peer_clear(&peer);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(by_the_socket_for_viewers_everybody_is_one)
{
	struct access *access = access_of("[access]\nadmin = 1001\n");
	struct peer peer = {.uid = 54321, .looks = true};
	ck_assert_int_eq(access_role(access, &peer), ROLE_VIEWER);
	peer.uid = 0;
	ck_assert_int_eq(access_role(access, &peer), ROLE_VIEWER);
	access_free(access);
	conf_clear(&conf);
}
END_TEST

START_TEST(roles_have_names)
{
	for (int role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
		ck_assert_int_eq(role_parse(role_name((enum role)role)), role);
}
END_TEST

UNIT_TESTS("daemon/peer", root_and_the_own_user_are_always_admin,
           the_highest_role_that_matches_counts, names_are_looked_up_and_unknown_ones_match_nobody,
           the_kernel_tells_who_connected, by_the_socket_for_viewers_everybody_is_one,
           roles_have_names)
