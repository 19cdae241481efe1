/* SPDX-License-Identifier: BSD-2-Clause */
/* This process holds ports, and is found. */
#include "net/holder.h"

#include "net/address.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int port_of(int fd)
{
	char text[ADDRESS_TEXT];
	ck_assert(address_of(fd, false, text));
	return atoi(strrchr(text, ':') + 1);
}

static void expect_found(int type, const char *host)
{
	int fd;
	char holder[HOLDER_TEXT] = "nobody", wanted[32];
	ck_assert_int_eq(address_bind(type, host, 0, &fd, NULL), 0);
	int port = port_of(fd);
	holder_find(type, port, holder);
	snprintf(wanted, sizeof wanted, " (pid %d)", (int)getpid());
	ck_assert_msg(strstr(holder, wanted) != NULL, "%s", holder);
	close(fd);
	strcpy(holder, "nobody");
	holder_find(type, port, holder);
	ck_assert_str_eq(holder, "nobody");
}

START_TEST(whoever_holds_a_port_is_found)
{
	expect_found(SOCK_STREAM, "127.0.0.1");
	expect_found(SOCK_STREAM, "::1");
	expect_found(SOCK_DGRAM, "127.0.0.1");
	expect_found(SOCK_DGRAM, "::1");
}
END_TEST

START_TEST(a_connection_is_no_holder_of_a_port_to_listen_on)
{
	int listener, fd;
	char holder[HOLDER_TEXT] = "nobody";
	ck_assert_int_eq(address_bind(SOCK_STREAM, "127.0.0.1", 0, &listener, NULL), 0);
	ck_assert_int_eq(address_connect(SOCK_STREAM, "127.0.0.1", port_of(listener), &fd, NULL),
	                 0);
	holder_find(SOCK_STREAM, port_of(fd), holder);
	ck_assert_str_eq(holder, "nobody");
	close(fd);
	close(listener);
}
END_TEST

UNIT_TESTS("net/holder", whoever_holds_a_port_is_found,
           a_connection_is_no_holder_of_a_port_to_listen_on)
