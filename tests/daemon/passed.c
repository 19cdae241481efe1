/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors go to the request that they came with, and nowhere else. */
#include "daemon/passed.h"

#include "unit.h"
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static struct passed passed;
static int fds[PASSED_MAX];

static int new_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(a_request_gets_what_came_with_it)
{
	int a = new_fd(), b = new_fd();
	passed_add(&passed, a, 0, 50);
	passed_add(&passed, b, 0, 50);
	ck_assert_int_eq(passed_claim(&passed, 50, 2, fds, NULL), 0);
	ck_assert_int_eq(fds[0], a);
	ck_assert_int_eq(fds[1], b);
	passed_expire(&passed, 50);
	ck_assert(is_open(a) && is_open(b));
	close(a);
	close(b);
}
END_TEST

START_TEST(what_nobody_claims_is_closed)
{
	int a = new_fd(), b = new_fd();
	passed_add(&passed, a, 0, 50);
	passed_add(&passed, b, 0, 50);
	ck_assert_int_eq(passed_claim(&passed, 50, 1, fds, NULL), 0);
	passed_expire(&passed, 50);
	ck_assert(is_open(a));
	ck_assert(!is_open(b));
	close(a);
}
END_TEST

START_TEST(a_line_before_the_one_meant_does_not_close_it)
{
	int a = new_fd();
	passed_add(&passed, a, 0, 100); /* one read brought two lines */
	passed_expire(&passed, 40);
	ck_assert(is_open(a));
	ck_assert_int_eq(passed_claim(&passed, 100, 1, fds, NULL), 0);
	ck_assert_int_eq(fds[0], a);
	close(a);
}
END_TEST

START_TEST(a_long_line_gets_what_came_with_its_beginning)
{
	int a = new_fd();
	passed_add(&passed, a, 0, 64);
	ck_assert_int_eq(passed_claim(&passed, 1000, 1, fds, NULL), 0);
	close(a);
}
END_TEST

START_TEST(a_request_cannot_take_what_comes_after_it)
{
	struct pt_error err = PT_ERROR_INIT;
	int a = new_fd();
	passed_add(&passed, a, 50, 100);
	ck_assert_int_eq(passed_claim(&passed, 50, 1, fds, &err), -PT_EREQUEST);
	ck_assert_uint_eq(err.count, 1);
	ck_assert(is_open(a));
	passed_fini(&passed);
	ck_assert(!is_open(a));
	pt_error_clear(&err);
}
END_TEST

START_TEST(too_many_are_closed_at_once)
{
	for (int i = 0; i < PASSED_MAX; i++)
		passed_add(&passed, new_fd(), 0, 10);
	int last = new_fd();
	passed_add(&passed, last, 0, 10);
	ck_assert(!is_open(last));
	passed_fini(&passed);
}
END_TEST

UNIT_TESTS("daemon/passed", a_request_gets_what_came_with_it, what_nobody_claims_is_closed,
           a_line_before_the_one_meant_does_not_close_it,
           a_long_line_gets_what_came_with_its_beginning, a_request_cannot_take_what_comes_after_it,
           too_many_are_closed_at_once)
