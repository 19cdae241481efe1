/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests connections and descriptors over one pair of descriptors. */
#include "ctl/mux.h"

#include "unit.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 1 << 20 };

/* The far side's daemon is this test: what is dialled lies here. */
static int dialled[8];
static int dialled_count;

static int dial_test(void *arg, struct pt_error *err)
{
	int ends[2];
	if (arg)
		return pt_fail(err, -ECONNREFUSED, NULL, "nobody listens");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	dialled[dialled_count++] = ends[1];
	return ends[0];
}

struct sides {
	struct mux *near, *far;
	pthread_t near_thread, far_thread;
};

static void *serve(void *mux)
{
	mux_run(mux);
	return NULL;
}

static void begin(struct sides *s, const char *noise, bool refuses)
{
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	dialled_count = 0;
	signal(SIGPIPE, SIG_IGN); /* as ptctl does */
	ck_assert_int_eq(write(ends[1], noise, strlen(noise)), (ssize_t)strlen(noise));
	s->near = mux_new(ends[0], ends[0], NULL, NULL);
	s->far = mux_new(ends[1], ends[1], dial_test, refuses ? s : NULL);
	pthread_create(&s->near_thread, NULL, serve, s->near);
	pthread_create(&s->far_thread, NULL, serve, s->far);
}

static void end(struct sides *s)
{
	mux_end(s->near);
	pthread_join(s->near_thread, NULL);
	mux_free(s->near); /* which ends the far side */
	pthread_join(s->far_thread, NULL);
	mux_free(s->far);
}

static int opened(struct sides *s)
{
	int fd = -1;
	ck_assert_int_eq(mux_open(s->near, 0, &fd, NULL), 0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[64] = "";
	ck_assert_int_eq(recv(fd, got, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
	ck_assert_str_eq(got, text);
}

static void expect_end(int fd)
{
	char byte;
	ck_assert_int_eq(read(fd, &byte, 1), 0);
}

static void put(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

START_TEST(each_connection_carries_its_own)
{
	struct sides s;
	begin(&s, "Welcome to this host.\n", false);
	int a = opened(&s), b = opened(&s);
	put(a, "to the first");
	put(b, "to the second");
	expect(dialled[0], "to the first");
	expect(dialled[1], "to the second");
	put(dialled[0], "back");
	expect(a, "back");
	close(a);
	expect_end(dialled[0]);
	put(b, "still there");
	expect(dialled[1], "still there");
	close(dialled[1]);
	expect_end(b);
	close(b);
	close(dialled[0]);
	end(&s);
}
END_TEST

START_TEST(half_a_close_is_half_a_close)
{
	struct sides s;
	begin(&s, "", false);
	int fd = opened(&s);
	put(fd, "the last");
	shutdown(fd, SHUT_WR);
	expect(dialled[0], "the last");
	expect_end(dialled[0]);
	put(dialled[0], "an answer");
	expect(fd, "an answer");
	close(fd);
	close(dialled[0]);
	end(&s);
}
END_TEST

START_TEST(who_does_not_read_holds_up_no_other)
{
	struct sides s;
	static char many[MANY];
	begin(&s, "", false);
	int stuck = opened(&s), other = opened(&s);
	ssize_t sent = 0, n;
	while ((n = send(stuck, many, sizeof many, MSG_DONTWAIT)) > 0 || sent < 2 * MANY) {
		struct pollfd room = {stuck, POLLOUT, 0};
		sent += n > 0 ? n : 0;
		if (poll(&room, 1, 200) <= 0)
			break; /* so much is on the way, and no more: nobody reads it */
	}
	ck_assert_int_lt(sent, 16 * MANY);
	put(other, "past it");
	expect(dialled[1], "past it");
	for (ssize_t got = 0; got < sent; got += n) {
		n = read(dialled[0], many, sizeof many);
		ck_assert_int_gt(n, 0);
	}
	close(stuck);
	close(other);
	close(dialled[0]);
	close(dialled[1]);
	end(&s);
}
END_TEST

START_TEST(a_refusal_comes_with_its_words)
{
	struct sides s;
	struct pt_error err = PT_ERROR_INIT;
	int fd;
	begin(&s, "", true);
	ck_assert_int_ne(mux_open(s.near, 0, &fd, &err), 0);
	ck_assert_uint_eq(err.count, 1);
	ck_assert_str_eq(err.faults[0].message, "nobody listens");
	pt_error_clear(&err);
	end(&s);
}
END_TEST

START_TEST(what_is_no_far_side_is_no_connection)
{
	int ends[2], fd;
	pthread_t thread;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	struct mux *near = mux_new(ends[0], ends[0], NULL, NULL);
	pthread_create(&thread, NULL, serve, near);
	put(ends[1], "command not found\n");
	close(ends[1]);
	ck_assert_int_eq(mux_open(near, 0, &fd, NULL), -EPIPE);
	pthread_join(thread, NULL);
	ck_assert(mux_has_ended(near));
	mux_free(near);
}
END_TEST

/* ---- descriptors ---- */

static void send_with(int fd, const char *text, const int *fds, size_t count)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec vector = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&message);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(count * sizeof *fds);
	memcpy(CMSG_DATA(h), fds, count * sizeof *fds);
	ck_assert_int_eq(sendmsg(fd, &message, 0), (ssize_t)strlen(text));
}

static void receive_with(int fd, const char *text, int *fds, size_t count)
{
	char control[CMSG_SPACE(8 * sizeof(int))], bytes[64] = "";
	struct iovec vector = {bytes, strlen(text)};
	struct msghdr message = {.msg_iov = &vector,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof control};
	ck_assert_int_eq(recvmsg(fd, &message, MSG_WAITALL), (ssize_t)strlen(text));
	ck_assert_str_eq(bytes, text);
	struct cmsghdr *h = CMSG_FIRSTHDR(&message);
	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(h->cmsg_len, CMSG_LEN(count * sizeof *fds));
	memcpy(fds, CMSG_DATA(h), count * sizeof *fds);
}

START_TEST(descriptors_are_carried_both_ways_to_their_end)
{
	struct sides s;
	int source[2], sink[2], theirs[2];
	begin(&s, "", false);
	int fd = opened(&s);
	ck_assert_int_eq(pipe(source), 0);
	ck_assert_int_eq(pipe(sink), 0);
	put(fd, "first");
	expect(dialled[0], "first");
	send_with(fd, "and these", (const int[]){source[0], sink[1]}, 2);
	close(source[0]);
	close(sink[1]);
	receive_with(dialled[0], "and these", theirs, 2);
	ck_assert_int_eq(write(source[1], "in", 2), 2);
	close(source[1]);
	char got[8] = "";
	ck_assert_int_eq(read(theirs[0], got, 2), 2);
	ck_assert_str_eq(got, "in");
	expect_end(theirs[0]);
	ck_assert_int_eq(write(theirs[1], "out", 3), 3);
	close(theirs[1]);
	mux_drain(s.near);
	ck_assert_int_eq(read(sink[0], got, sizeof got), 3);
	expect_end(sink[0]);
	close(sink[0]);
	close(theirs[0]);
	close(dialled[0]);
	close(fd);
	end(&s);
}
END_TEST

START_TEST(a_reader_that_goes_is_told_to_the_writer)
{
	struct sides s;
	int sink[2], theirs;
	begin(&s, "", false);
	int fd = opened(&s);
	ck_assert_int_eq(pipe(sink), 0);
	send_with(fd, "x", &sink[1], 1);
	close(sink[1]);
	receive_with(dialled[0], "x", &theirs, 1);
	close(sink[0]);
	struct pollfd gone = {theirs, 0, 0};
	ck_assert_int_eq(poll(&gone, 1, -1), 1);
	ck_assert(gone.revents & POLLERR);
	close(theirs);
	close(dialled[0]);
	close(fd);
	end(&s);
}
END_TEST

UNIT_TESTS("ctl/mux", each_connection_carries_its_own, half_a_close_is_half_a_close,
           who_does_not_read_holds_up_no_other, a_refusal_comes_with_its_words,
           what_is_no_far_side_is_no_connection, descriptors_are_carried_both_ways_to_their_end,
           a_reader_that_goes_is_told_to_the_writer)
