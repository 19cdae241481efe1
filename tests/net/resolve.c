/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that every machine knows, and one that none does. */
#include "net/resolve.h"

#include "unit.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define LONG_MS 20000

static bool has(const struct addrinfo *found, const char *text, int port)
{
	char host[64], service[16];
	for (; found; found = found->ai_next) {
		ck_assert_int_eq(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host,
		                             service, sizeof service,
		                             NI_NUMERICHOST | NI_NUMERICSERV),
		                 0);
		if (!strcmp(host, text) && atoi(service) == port)
			return true;
	}
	return false;
}

static void expect(const char *host, int flags, const char *text)
{
	struct addrinfo *found;
	ck_assert_int_eq(resolve(SOCK_STREAM, "addr", host, 80, flags, LONG_MS, &found, NULL), 0);
	ck_assert_msg(has(found, text, 80), "%s is not %s", host, text);
	freeaddrinfo(found);
}

START_TEST(numbers_are_themselves)
{
	expect("192.0.2.1", 0, "192.0.2.1");
	expect("2001:db8::1", 0, "2001:db8::1");
}
END_TEST

START_TEST(names_are_looked_up)
{
	expect("localhost", 0, "127.0.0.1");
}
END_TEST

START_TEST(no_host_is_this_one)
{
	expect("", 0, "127.0.0.1");
	expect("", AI_PASSIVE, "0.0.0.0");
	expect("", AI_PASSIVE, "::");
}
END_TEST

START_TEST(a_name_that_nobody_has_is_told)
{
	struct addrinfo *found;
	struct pt_error err = PT_ERROR_INIT;
	int rc = resolve(SOCK_STREAM, "ip", "no-such-host.invalid", 80, 0, LONG_MS, &found, &err);
	ck_assert_int_lt(rc, 0);
	ck_assert_str_eq(err.faults[0].path, "ip");
	ck_assert(strstr(err.faults[0].message, "'no-such-host.invalid'") != NULL);
	pt_error_clear(&err);
}
END_TEST

/* The thread that looks it up goes on by itself, and frees what it finds. */
START_TEST(nobody_waits_longer_than_was_said)
{
	struct addrinfo *found;
	for (int i = 0; i < 20; i++)
		if (resolve(SOCK_STREAM, "addr", "localhost", 80, 0, 0, &found, NULL) == 0)
			freeaddrinfo(found);
}
END_TEST

UNIT_TESTS("net/resolve", numbers_are_themselves, names_are_looked_up, no_host_is_this_one,
           a_name_that_nobody_has_is_told, nobody_waits_longer_than_was_said)
