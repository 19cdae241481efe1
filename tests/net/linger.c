/* SPDX-License-Identifier: BSD-2-Clause */
/* The last bytes come, whatever the other side does meanwhile. */
#include "net/linger.h"

#include "base/buf.h"
#include "net/address.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MANY (4 * 1024 * 1024)

static uint8_t *bytes;

static void fill(void)
{
	bytes = must_calloc(1, MANY);
	for (size_t i = 0; i < MANY; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 4096);
}

static void expect_all(int fd)
{
	static uint8_t got[65536];
	size_t count = 0;
	for (ssize_t n; (n = read(fd, got, sizeof got)) > 0; count += (size_t)n)
		ck_assert_int_eq(memcmp(got, bytes + count, (size_t)n), 0);
	ck_assert_uint_eq(count, MANY);
}

static void *read_all(void *arg)
{
	expect_all(*(int *)arg);
	return NULL;
}

START_TEST(a_pipe_gets_more_than_it_holds)
{
	int ends[2];
	pthread_t reader;
	size_t written;
	fill();
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	pthread_create(&reader, NULL, read_all, &ends[0]);
	ck_assert_int_eq(linger(ends[1], bytes, MANY, &written, NULL), 0);
	ck_assert_uint_eq(written, MANY);
	close(ends[1]);
	pthread_join(reader, NULL);
	close(ends[0]);
	free(bytes);
}
END_TEST

static void connect_pair(int *near, int *far)
{
	char text[ADDRESS_TEXT];
	int listener;
	ck_assert_int_eq(address_bind(SOCK_STREAM, "127.0.0.1", 0, &listener, NULL), 0);
	ck_assert(address_of(listener, false, text));
	int port = atoi(strrchr(text, ':') + 1);
	ck_assert_int_eq(address_connect(SOCK_STREAM, "127.0.0.1", port, near, NULL), 0);
	struct pollfd ready = {listener, POLLIN, 0};
	ck_assert_int_eq(poll(&ready, 1, -1), 1);
	*far = accept(listener, NULL, NULL);
	close(listener);
}

/* It sends what nobody reads, and reads only afterwards. */
static void *talk(void *arg)
{
	static const uint8_t noise[65536];
	int fd = *(int *)arg;
	for (int i = 0; i < 16 && send(fd, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
	     i++)
		;
	expect_all(fd);
	return NULL;
}

START_TEST(a_peer_that_goes_on_sending_gets_all)
{
	int near, far;
	pthread_t talker;
	size_t written;
	fill();
	connect_pair(&near, &far);
	pthread_create(&talker, NULL, talk, &far);
	ck_assert_int_eq(linger(near, bytes, MANY, &written, NULL), 0);
	ck_assert_uint_eq(written, MANY);
	close(near);
	pthread_join(talker, NULL);
	close(far);
	free(bytes);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_told)
{
	int ends[2];
	struct pt_error err = PT_ERROR_INIT;
	size_t written;
	fill();
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	close(ends[0]);
	ck_assert_int_eq(linger(ends[1], bytes, 10, &written, &err), -EPIPE);
	ck_assert_uint_eq(written, 0);
	ck_assert(strstr(pt_error_text(&err, ""), "10 bytes could not be written") != NULL);
	pt_error_clear(&err);
	close(ends[1]);
	free(bytes);
}
END_TEST

UNIT_TESTS("net/linger", a_pipe_gets_more_than_it_holds, a_peer_that_goes_on_sending_gets_all,
           a_peer_that_is_gone_is_told)
