/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets to and from this host. */
#include "net/address.h"

#include "unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_storage address(int family, const char *text, unsigned port)
{
	struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
	struct sockaddr_in *in = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;
	void *where = family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr;
	ck_assert_int_eq(inet_pton(family, text, where), 1);
	in->sin_port = htons((uint16_t)port); /* at the same place in both */
	return a;
}

static void expect_printed(int family, const char *text, unsigned port, const char *wanted)
{
	char out[ADDRESS_TEXT];
	const struct sockaddr_storage a = address(family, text, port);
	address_print(&a, out);
	ck_assert_str_eq(out, wanted);
}

START_TEST(addresses_are_printed_as_people_write_them)
{
	expect_printed(AF_INET, "192.0.2.1", 80, "192.0.2.1:80");
	expect_printed(AF_INET6, "2001:db8::1", 65535, "[2001:db8::1]:65535");
	expect_printed(AF_INET6, "::ffff:192.0.2.1", 80, "192.0.2.1:80");
}
END_TEST

static int port_of(int fd)
{
	char text[ADDRESS_TEXT];
	ck_assert(address_of(fd, false, text));
	return atoi(strrchr(text, ':') + 1);
}

static int bound(int type, const char *host, int port)
{
	int fd = -1;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_msg(address_bind(type, host, port, &fd, &err) == 0, "%s",
	              pt_error_text(&err, ""));
	return fd;
}

static void expect_connects(const char *to, int port, int listener)
{
	int fd;
	char ours[ADDRESS_TEXT], seen[ADDRESS_TEXT];
	ck_assert_int_eq(address_connect(SOCK_STREAM, to, port, &fd, NULL), 0);
	struct pollfd ready = {listener, POLLIN, 0};
	ck_assert_int_eq(poll(&ready, 1, -1), 1);
	int other = accept(listener, NULL, NULL);
	ck_assert(address_of(fd, false, ours) && address_of(other, true, seen));
	ck_assert_str_eq(ours, seen);
	close(other);
	close(fd);
}

START_TEST(every_address_means_both_families)
{
	int fd = bound(SOCK_STREAM, "", 0), port = port_of(fd);
	expect_connects("127.0.0.1", port, fd);
	expect_connects("::1", port, fd);
	expect_connects("", port, fd);
	close(fd);
}
END_TEST

START_TEST(a_name_is_listened_on_where_everybody_tries)
{
	char text[ADDRESS_TEXT];
	int fd = bound(SOCK_STREAM, "localhost", 0);
	ck_assert(address_of(fd, false, text));
	ck_assert(!strncmp(text, "127.0.0.1:", 10));
	expect_connects("localhost", port_of(fd), fd);
	close(fd);
}
END_TEST

static void expect_refused(int rc, int code, struct pt_error *err, const char *path,
                           const char *part)
{
	ck_assert_int_eq(rc, code);
	ck_assert_uint_eq(err->count, 1);
	ck_assert_str_eq(err->faults[0].path, path);
	ck_assert_msg(strstr(err->faults[0].message, part) != NULL, "'%s' has no '%s'",
	              err->faults[0].message, part);
	pt_error_clear(err);
}

START_TEST(a_connection_that_nobody_takes_is_refused)
{
	int fd = bound(SOCK_STREAM, "127.0.0.1", 0), port = port_of(fd), other;
	struct pt_error err = PT_ERROR_INIT;
	close(fd);
	expect_refused(address_connect(SOCK_STREAM, "127.0.0.1", port, &other, &err), -ECONNREFUSED,
	               &err, "addr", "cannot connect to 127.0.0.1 port");
}
END_TEST

START_TEST(a_port_that_is_taken_is_told_with_its_holder)
{
	int fd = bound(SOCK_STREAM, "127.0.0.1", 0), other;
	char holder[32];
	struct pt_error err = PT_ERROR_INIT;
	snprintf(holder, sizeof holder, "(pid %d)", (int)getpid());
	expect_refused(address_bind(SOCK_STREAM, "127.0.0.1", port_of(fd), &other, &err),
	               -EADDRINUSE, &err, "port", holder);
	expect_refused(address_bind(SOCK_STREAM, "", port_of(fd), &other, &err), -EADDRINUSE, &err,
	               "port", holder);
	close(fd);
}
END_TEST

START_TEST(an_address_of_somebody_else_is_not_listened_on)
{
	int fd;
	struct pt_error err = PT_ERROR_INIT;
	expect_refused(address_bind(SOCK_DGRAM, "192.0.2.1", 0, &fd, &err), -EADDRNOTAVAIL, &err,
	               "addr", "192.0.2.1");
}
END_TEST

START_TEST(the_way_to_this_host_is_from_this_host)
{
	struct sockaddr_storage from, to;
	char text[ADDRESS_TEXT];
	ck_assert_int_eq(address_route("ip", "127.0.0.1", 53, &from, &to, NULL), 0);
	address_print(&to, text);
	ck_assert_str_eq(text, "127.0.0.1:53");
	address_print(&from, text);
	ck_assert(!strncmp(text, "127.0.0.1:", 10));
}
END_TEST

UNIT_TESTS("net/address", addresses_are_printed_as_people_write_them,
           every_address_means_both_families, a_name_is_listened_on_where_everybody_tries,
           a_connection_that_nobody_takes_is_refused, a_port_that_is_taken_is_told_with_its_holder,
           an_address_of_somebody_else_is_not_listened_on, the_way_to_this_host_is_from_this_host)
